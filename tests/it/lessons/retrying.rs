//! Leads that wait for their next try: how many there are, when they come back, and how often they were tried.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use leadline_proto::dead_letter::{DeadLetter, ErrorKind};
use leadline_proto::retry::{Class, History, Wait};
use leadline_proto::{Code, Status};
use leadline_tests::kafka::Record;
use leadline_tests::smtp::address;
use leadline_tests::{Stack, eventually};
use uuid::Uuid;

use super::kafka;
use super::line::{
    AFTER_KILL, Line, PARTITIONS, copies, figure, headers, id_of, lead, list, once, own, record, the_outcome, wait_for_figure,
};
use crate::support::{PATIENCE, Running};

/// The wait after the first round is still to come when another worker has taken over; then the schedule is used up.
const TWO_ROUNDS: &str =
    "[worker.retry]\nin_place = \"30s\"\nin_place_tries = 2\nschedule = [\"8s\", \"1h\"]\ngive_up_after = \"10m\"\n";
const FAR: &str = "in_place_tries = 1\nschedule = [\"1h\"]\ngive_up_after = \"1d\"\n";
const DELAYED: &str = "source=\"retry\",state=\"delayed\"";
const WINDOW: f64 = 20.0;
const MANY: i32 = 200;

pub(super) fn the_count_survives(stack: &Stack) {
    let never = address::refused(451, &own(stack, "never"));
    let line = Line::new(stack, stack.smtp(), "smtp.connections = 4", TWO_ROUNDS, &[("never", &never)]);
    let mut first = line.email();
    let leads = line.put_many("never", "p", PARTITIONS);
    let rounds = line.wait_for_records("retry", leads.len());
    // Some of the waiting leads move to the second worker now, in order; the others when the first is found dead.
    let _second = line.email();
    first.process.kill();
    let outcomes = line.ended(&leads, AFTER_KILL);

    let histories = |topic: &str| -> BTreeMap<Option<Uuid>, History> {
        line.records(topic).iter().map(|record| (id_of(record), History::read(&headers(record)))).collect()
    };
    assert_eq!(line.records("retry").len(), rounds.len(), "no lead began its schedule anew");
    let (waited, letters) = (histories("retry"), line.records("dlq"));
    assert_eq!((waited.len(), letters.len()), (leads.len(), leads.len()));
    for record in &letters {
        let (letter, waited) = (DeadLetter::read(&headers(record)).unwrap(), &waited[&id_of(record)]);
        assert_eq!((waited.attempts, waited.round), (2, 1));
        assert_eq!((letter.kind, letter.attempts), (ErrorKind::Exhausted, 4));
        assert_eq!(Some(letter.first_failed_at), waited.first_failed_at);
        let outcome = the_outcome(&outcomes, id_of(record).unwrap());
        assert_eq!(outcome.status, Status::DeadLettered { code: Code::of("smtp-rcpt-451") });
        assert_eq!((outcome.attempts, outcome.reordered), (4, true));
        println!("given up {:.1} s after the first failure", seconds(letter.last_failed_at, letter.first_failed_at));
    }
}

pub(super) fn waiting_retries_stop_nobody(stack: &Stack) {
    let (never, good) = (address::refused(451, &own(stack, "never")), own(stack, "good"));
    let extra = format!("[worker]\nwindow_leads = {WINDOW}\n[worker.retry]\n{FAR}");
    let line = Line::new(stack, stack.smtp(), "smtp.connections = 20", &extra, &[("never", &never), ("good", &good)]);
    let mut worker = line.email();
    let waiting = line.put_many("never", "w", MANY);
    let mut most = 0.0f64;
    eventually("all of them wait", PATIENCE, || {
        most = most.max(in_window(&worker));
        (figure(&worker, "leadline_backlog_leads", DELAYED) == f64::from(MANY)).then_some(())
    });
    // Behind all of them, and due long before them.
    let early = put_waiting(&line, Timestamp::now() + SignedDuration::from_secs(2));
    let mut served = line.put_many("good", "a", PARTITIONS);
    served.extend(&early);
    line.ended(&served, PATIENCE);
    most = most.max(in_window(&worker));

    // All of that is to be found again after a restart.
    assert_eq!(worker.stop(), 0);
    let worker = line.email();
    let early = put_waiting(&line, Timestamp::now());
    served.extend(line.put_many("good", "b", PARTITIONS));
    served.extend(&early);
    let outcomes = line.ended(&served, PATIENCE);
    wait_for_figure(&worker, "leadline_backlog_leads", DELAYED, |waiting| waiting == f64::from(MANY));
    most = most.max(in_window(&worker));
    println!("{MANY} leads wait, with a window of {WINDOW}: at most {most} in it");
    assert!(most <= 2.0 * WINDOW, "{most} leads in the window");
    assert_eq!(copies(stack.smtp(), &good), once(&served));
    assert!(outcomes.iter().all(|outcome| !waiting.contains(&outcome.lead_id)));
    assert_eq!(line.records("dlq").len(), 0);
}

fn in_window(worker: &Running) -> f64 {
    let of = |source: &str| figure(worker, "leadline_consumer_window_leads", &format!("source=\"{source}\""));
    of("leads").max(of("retry"))
}

/// Puts a lead into each partition of the retry topic, as a worker does that could not deliver it.
fn put_waiting(line: &Line<'_>, not_before: Timestamp) -> Vec<Uuid> {
    let leads: Vec<_> =
        (0..PARTITIONS).map(|number| lead("good", &format!("early{number}"), &not_before.to_string())).collect();
    let wait = Wait { not_before, class: Class::Failed, reason: Code::of("smtp-rcpt-451") };
    let history = History { attempts: 1, round: 1, first_failed_at: Some(Timestamp::now()), ..History::default() };
    let records = leads.iter().zip(0..).map(|(lead, partition)| {
        let mut headers = lead.headers();
        history.write(&wait, &mut headers);
        Record { headers: list(&headers), ..record(lead, partition) }
    });
    let records: Vec<Record> = records.collect();
    kafka::put(line.stack.kafka(), &line.topic("retry"), &records);
    leads.iter().map(|lead| lead.lead_id).collect()
}

pub(super) fn they_come_back_apart(stack: &Stack) {
    let never = address::refused(451, &own(stack, "never"));
    let line = Line::new(stack, stack.smtp(), "smtp.connections = 20", &format!("[worker.retry]\n{FAR}"), &[("never", &never)]);
    let _worker = line.email();
    line.put_many("never", "w", 40);
    let records = line.wait_for_records("retry", 40);
    let waits = records.iter().map(|record| {
        let headers = headers(record);
        seconds(Wait::read(&headers).unwrap().not_before, History::read(&headers).first_failed_at.unwrap())
    });
    let mut waits: Vec<f64> = waits.collect();
    waits.sort_by(f64::total_cmp);
    let (first, last) = (waits[0], waits[39]);
    let together = (0..40).map(|at| waits.iter().filter(|wait| (waits[at]..waits[at] + 1.0).contains(wait)).count()).max();
    println!("40 leads that failed together wait from {first:.0} s to {last:.0} s; at most {together:?} within a second");
    assert!(first >= 3600.0 && last < 3965.0, "at least what the schedule says, and a tenth more at the most");
    assert!(last - first > 120.0 && together < Some(8), "{waits:?}");
}

fn seconds(later: Timestamp, earlier: Timestamp) -> f64 {
    later.duration_since(earlier).as_secs_f64()
}
