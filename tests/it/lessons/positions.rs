//! Where a worker begins, and what it does when its position is no longer in the topic.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use leadline_proto::control::Change;
use leadline_tests::guarded::Signal;
use leadline_tests::{Stack, eventually};
use uuid::Uuid;

use super::kafka::delete_before;
use super::line::{Line, PARTITIONS, copies, figure, lead, once, own, record, unready, wait_for_figure};
use crate::support::{PATIENCE, Running};

const STOPPED: &str = "leadline_consumer_stopped_partitions";
const GAP: &str = "leadline_consumer_gap_records_total";
const LEADS: &str = "source=\"leads\"";
/// By then no fetch of a frozen client waits at the broker any more.
const FETCH: Duration = Duration::from_millis(1500);

pub(super) fn the_same_offset_on_two_partitions(stack: &Stack) {
    let contact = own(stack, "same");
    let line = Line::new(stack, stack.smtp(), "", "", &[("same", &contact)]);
    let leads = line.put_many("same", "p", PARTITIONS);
    let offsets: Vec<(i32, i64)> = line.records("leads").iter().map(|record| (record.partition, record.offset)).collect();
    assert_eq!(offsets, (0..PARTITIONS).map(|partition| (partition, 0)).collect::<Vec<_>>());
    let mut worker = line.email();
    line.ended(&leads, PATIENCE);
    assert_eq!(copies(stack.smtp(), &contact), once(&leads));
    assert_eq!(worker.stop(), 0);
    assert_eq!(line.committed(), (0..PARTITIONS).map(|partition| (partition, 1)).collect());
}

pub(super) fn a_new_group_starts_with_the_oldest(stack: &Stack) {
    let contact = own(stack, "new");
    let line = Line::new(stack, stack.smtp(), "", "", &[("new", &contact)]);
    let before = [lead("new", "a", ""), lead("new", "b", "")];
    let mut leads: Vec<Uuid> = before.iter().map(|lead| line.put_one(lead, 0)).collect();
    let sink = line.product.crm_sink.clone();
    let mut worker = line.product.start_crm();
    line.ended_at(&sink, &leads, PATIENCE);
    assert_eq!(worker.stop(), 0);
    assert_eq!(line.committed_by(&sink), [(0, 2)].into());
    // Of these the group has read nothing yet.
    leads.extend((1..PARTITIONS).map(|partition| line.put_one(&lead("new", &partition.to_string(), ""), partition)));
    let _worker = line.product.start_crm();
    let outcomes = line.ended_at(&sink, &leads, PATIENCE);
    assert_eq!(outcomes.len(), leads.len(), "each once");
}

pub(super) fn deleted_records(stack: &Stack) {
    let contact = own(stack, "gap");
    let line = Line::new(stack, stack.smtp(), "", "", &[("gap", &contact)]);
    let mut delivered = line.put_many("gap", "first", 2 * PARTITIONS);
    let mut worker = line.email();
    line.ended(&delivered, PATIENCE);
    assert_eq!(worker.stop(), 0);

    let gone = put(&line, 0, 5);
    let others: Vec<Uuid> = (1..PARTITIONS).flat_map(|partition| put(&line, partition, 1)).collect();
    delete_before(stack.kafka(), &line.topic("leads"), 0, 2 + 3);
    let mut worker = line.spawn_email();
    line.ended(&others, PATIENCE);
    expect_stopped(&worker, 3.0);
    assert!(line.outcomes().iter().all(|outcome| !gone.contains(&outcome.lead_id)), "it must not go on by itself");
    release(&line, &worker, &gone[3..]);
    delivered.extend(others);
    delivered.extend(&gone[3..]);

    // The same while the worker reads.
    worker.process.signal(Signal::Stop);
    let frozen = Instant::now();
    eventually("no fetch waits", PATIENCE, || (frozen.elapsed() > FETCH).then_some(()));
    let gone = put(&line, 1, 3);
    delete_before(stack.kafka(), &line.topic("leads"), 1, 3 + 2);
    worker.process.signal(Signal::Cont);
    expect_stopped(&worker, 5.0);
    let others = put(&line, 2, 1);
    line.ended(&others, PATIENCE);
    release(&line, &worker, &gone[2..]);
    delivered.extend(others);
    delivered.extend(&gone[2..]);
    assert_eq!(copies(stack.smtp(), &contact), once(&delivered));
    assert_eq!(line.outcomes().len(), delivered.len());
}

fn put(line: &Line<'_>, partition: i32, count: usize) -> Vec<Uuid> {
    let leads: Vec<_> = (0..count).map(|number| lead("gap", &format!("p{partition}n{number}"), "")).collect();
    line.put(&leads.iter().map(|lead| record(lead, partition)).collect::<Vec<_>>());
    leads.iter().map(|lead| lead.lead_id).collect()
}

/// One partition is stopped, and that many records were deleted unhandled since the worker started.
fn expect_stopped(worker: &Running, lost: f64) {
    wait_for_figure(worker, STOPPED, LEADS, |stopped| stopped == 1.0);
    assert_eq!(figure(worker, GAP, LEADS), lost);
    let why = unready(worker);
    assert!(why.contains("every position is in its topic"), "{why}");
}

/// Releases the sink, which goes on with the oldest records.
fn release(line: &Line<'_>, worker: &Running, rest: &[Uuid]) {
    line.control(&Change::Release(line.product.email_sink.parse().unwrap(), Timestamp::now()));
    line.ended(rest, PATIENCE);
    wait_for_figure(worker, STOPPED, LEADS, |stopped| stopped == 0.0);
    worker.wait_until_ready();
}
