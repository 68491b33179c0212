//! Holding leads back, and letting them go on.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use leadline_proto::control::{Change, Held};
use leadline_proto::retry::{Class, Wait};
use leadline_tests::{Stack, eventually};
use uuid::Uuid;

use super::line::{Line, PARTITIONS, copies, figure, headers, is_delivered, once, own, wait_for_figure};
use crate::support::PATIENCE;

/// "At once", on a busy machine; by itself a lead that is held back comes back after a day.
const AT_ONCE: Duration = Duration::from_secs(30);
const HELD: &str = "source=\"retry\",state=\"held\"";
const BACKLOG: &str = "leadline_backlog_leads";

pub(super) fn held_leads_wait_and_come_back(stack: &Stack) {
    let (held, free) = (own(stack, "held"), own(stack, "free"));
    let line = Line::new(stack, stack.smtp(), "", "", &[("held", &held), ("free", &free)]);
    let endpoint = Held::Endpoint("held".parse().unwrap());
    line.control(&Change::Hold(endpoint.clone(), Timestamp::now()));
    let (back, on) = (line.put_many("held", "h", PARTITIONS), line.put_many("free", "f", PARTITIONS));
    let mut worker = line.email();
    line.ended(&on, PATIENCE);
    expect_held(&line, back.len());
    assert_eq!(worker.stop(), 0);
    let worker = line.email();
    wait_for_figure(&worker, BACKLOG, HELD, |leads| leads == 4.0);
    expect_held(&line, back.len());
    released(&line, endpoint, &back);

    // The same for the sink as a whole, with leads of any endpoint.
    let sink = Held::Sink(line.product.email_sink.parse().unwrap());
    line.control(&Change::Hold(sink.clone(), Timestamp::now()));
    eventually("the worker knows", PATIENCE, || {
        worker.process.output().contains("leads are held back held=sink").then_some(())
    });
    let mut all = line.put_many("free", "g", PARTITIONS);
    wait_for_figure(&worker, BACKLOG, HELD, |leads| leads == 4.0);
    assert_eq!(line.outcomes().len(), on.len() + back.len());
    released(&line, sink, &all);
    wait_for_figure(&worker, BACKLOG, HELD, |leads| leads == 0.0);
    assert_eq!(figure(&worker, "leadline_retries_total", "class=\"held\""), 4.0);

    all.extend(on);
    assert_eq!((copies(stack.smtp(), &held), copies(stack.smtp(), &free)), (once(&back), once(&all)));
    assert!(line.outcomes().iter().all(|outcome| is_delivered(outcome) && outcome.attempts == 1), "no try was burnt");
}

/// So many leads wait in the retry topic, and say why.
fn expect_held(line: &Line<'_>, count: usize) {
    let records = line.wait_for_records("retry", count);
    assert_eq!(records.len(), count, "held once");
    for record in &records {
        let wait = Wait::read(&headers(record)).unwrap();
        assert_eq!((wait.class, wait.reason.as_str()), (Class::Held, "held"));
    }
}

fn released(line: &Line<'_>, held: Held, leads: &[Uuid]) {
    let outcomes = line.outcomes();
    assert!(outcomes.iter().all(|outcome| !leads.contains(&outcome.lead_id)), "they must wait until they are released");
    let asked = Instant::now();
    line.control(&Change::Unhold(held));
    line.ended(leads, AT_ONCE);
    println!("delivered {:.1} s after the release", asked.elapsed().as_secs_f64());
}
