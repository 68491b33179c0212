//! What counts as an outage of a mail server, how soon its end is noticed, and a server that only wants fewer calls.

use std::time::{Duration, Instant};

use leadline_tests::smtp::{Down, Options, SmtpServer, address};
use leadline_tests::{Stack, eventually};

use super::line::{Line, copies, figure, is_delivered, lead, once, own, the_outcome, wait_for_figure};
use super::mailbox::Mailbox;
use crate::support::{PATIENCE, Running};

/// The product promises 15 s on a machine that is not busy.
const RECOVERED: Duration = Duration::from_secs(30);
const OPENED: &str = "the sink is down: no lead is started";
const LIMIT: &str = "leadline_sink_concurrency_limit";
const OPEN: &str = "leadline_sink_circuit_state";

fn opened(worker: &Running) -> usize {
    worker.process.output().matches(OPENED).count()
}

pub(super) fn hanging_for_many_is_an_outage(stack: &Stack) {
    let (good, hangs) = (own(stack, "good"), address::waiting(60, &own(stack, "hangs")));
    let retry = "[worker.retry]\nin_place_tries = 6\nin_place = \"60s\"\nschedule = [\"1h\"]\ngive_up_after = \"1d\"\n";
    let settings = "smtp.data_timeout = \"500ms\"\nsmtp.connections = 10";
    let line = Line::new(stack, stack.smtp(), settings, retry, &[("good", &good), ("hangs", &hangs)]);
    let worker = line.email();
    // It gets no answer six times on end; with a lead for each of these the breaker would be open.
    line.put_one(&lead("hangs", "one", ""), 0);
    let waits = line.wait_for_records("retry", 1);
    assert_eq!((opened(&worker), waits.len()), (0, 1), "one lead is no outage");
    line.ended(&[line.put_one(&lead("good", "two", ""), 0)], PATIENCE);
    assert_eq!(opened(&worker), 0);

    let many = line.put_many("hangs", "many", 8);
    eventually("the breaker is open", PATIENCE, || (opened(&worker) > 0).then_some(()));
    assert!(worker.process.output().contains("silent"), "it is their silence that opened it");
    // None of them is lost or given up over it, and others are served as soon as the server answers.
    line.ended(&line.put_many("good", "after", 4), PATIENCE);
    line.wait_for_records("retry", 1 + many.len());
    assert!(copies(stack.smtp(), &good).values().all(|copies| *copies == 1));
    assert_eq!(line.records("dlq").len(), 0);
}

pub(super) fn its_end_is_noticed_soon(stack: &Stack) {
    let (smtp, contact) = (SmtpServer::start(&Options::default()).unwrap(), own(stack, "back"));
    let line = Line::new(stack, &smtp, "", "", &[("back", &contact)]);
    let worker = line.email();
    smtp.down(Down::Refuse);
    let leads = line.put_many("back", "p", 20);
    // The pauses between probes have grown by then.
    let failed = || worker.process.output().matches("the sink is still down").count();
    eventually("the server is probed in vain", PATIENCE, || (failed() >= 4).then_some(()));
    smtp.up();
    let back = Instant::now();
    eventually("a mail comes through", RECOVERED, || (!smtp.received().is_empty()).then_some(()));
    println!("the first mail came {:.1} s after the server was back", back.elapsed().as_secs_f64());
    let outcomes = line.ended(&leads, PATIENCE);
    println!("all 20 were recorded {:.1} s after the server was back", back.elapsed().as_secs_f64());
    assert!(outcomes.iter().all(|outcome| is_delivered(outcome) && outcome.attempts == 1));
    assert_eq!(copies(&smtp, &contact), once(&leads));
}

pub(super) fn too_fast_means_fewer(stack: &Stack) {
    let (smtp, contact) = (SmtpServer::start(&Options::default()).unwrap(), own(stack, "fast"));
    let line = Line::new(stack, &smtp, "smtp.connections = 12", "", &[("fast", &contact)]);
    let worker = line.email();
    let at_first = line.put_one(&lead("fast", "first", ""), 0);
    line.ended(&[at_first], PATIENCE);
    wait_for_figure(&worker, LIMIT, "", |limit| limit == 12.0);
    smtp.down(Down::Busy);
    let leads = line.put_many("fast", "p", 40);
    wait_for_figure(&worker, LIMIT, "", |limit| limit == 1.0);
    wait_for_figure(&worker, OPEN, "state=\"open\"", |open| open == 1.0);
    assert_eq!(line.records("retry").len(), 0, "no lead is to blame");
    smtp.up();
    let outcomes = line.ended(&leads, PATIENCE);
    assert!(figure(&worker, LIMIT, "") > 1.0);
    for lead in &leads {
        let outcome = the_outcome(&outcomes, *lead);
        assert!(is_delivered(outcome) && outcome.attempts == 1 && !outcome.reordered, "{outcome:?}");
    }
    assert_eq!(copies(&smtp, &contact).len(), 1 + leads.len());
    assert!(copies(&smtp, &contact).values().all(|copies| *copies == 1));
}

/// As a mail provider does it that allows a client few connections.
pub(super) fn it_settles_at_what_the_server_bears(stack: &Stack) {
    let mailbox = Mailbox::start(4, 0);
    let line = Line::at(stack, mailbox.port(), "smtp.connections = 16", "", &[("any", &own(stack, "any"))]);
    let leads = line.put_many("any", "p", 200);
    let worker = line.email();
    let mut lowest = f64::MAX;
    eventually("all are delivered", PATIENCE, || {
        lowest = lowest.min(Some(figure(&worker, LIMIT, "")).filter(|limit| *limit > 0.0).unwrap_or(f64::MAX));
        (mailbox.taken().len() == leads.len()).then_some(())
    });
    let outcomes = line.ended(&leads, PATIENCE);
    println!(
        "{} connections were refused, the limit fell to {lowest}, the breaker opened {} times",
        mailbox.refused(),
        opened(&worker)
    );
    assert!(mailbox.refused() > 0, "the server was never asked for too much");
    assert!(outcomes.iter().all(|outcome| is_delivered(outcome) && outcome.attempts == 1), "no lead is to blame");
    assert_eq!((mailbox.taken(), line.records("retry").len()), (once(&leads), 0));
}
