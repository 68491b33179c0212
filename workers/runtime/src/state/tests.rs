//! The state as a whole, against any order of events.

mod model;

use std::sync::Arc;

use jiff::SignedDuration;
use leadline_proto::control::{Change, Held};
use leadline_proto::headers::{CE_ID, CE_SOURCE};
use leadline_proto::retry::{Class, History};
use leadline_proto::{Code, Headers, Outcome, SinkName, Status};
use uuid::Uuid;

use super::*;
use crate::memory::Memory;
use crate::recall::Gap;
use crate::recent::Recent;

const PARTITION: PartitionId = (Source::Leads, 0);
const RETRY: PartitionId = (Source::Retry, 0);

fn state() -> State {
    let window = || Arc::new(Window::new(100, 1_000_000));
    let controls = Controls::new("email".parse().unwrap());
    State::new(Windows { leads: window(), retry: window() }, Arc::default(), controls)
}

fn past() -> Past {
    let (base, ends) = (Floor::default(), Floor::default());
    Past { position: None, memory: None, recent: Recent::default(), base, ends, horizon: 0 }
}

fn assigned(state: &mut State, id: PartitionId, epoch: u64) {
    state.assigned(&Assigned { id, epoch, start: None, lease: Arc::default() });
}

/// A partition is assigned, and nothing was recorded before.
fn assign(state: &mut State, id: PartitionId, epoch: u64) {
    assigned(state, id, epoch);
    state.recalled(Recalled { id, epoch, past: Ok(past()) });
}

fn record(offset: i64, epoch: u64, key: u8) -> Received {
    let slot = Slot { source: Source::Leads, partition: 0, epoch, offset };
    let headers = Headers::new().with(CE_ID, lead_id(offset).to_string()).with(CE_SOURCE, "/endpoints/backup");
    Received {
        slot,
        key: Some(vec![key]),
        headers,
        value: Some(vec![0; 10]),
        known: Known::Open,
        tenure: Arc::default(),
        surfaced_late: None,
    }
}

fn lead_id(offset: i64) -> Uuid {
    Uuid::from_u128(u128::try_from(offset).unwrap())
}

fn take(state: &mut State, record: Received) {
    state.windows.of(record.slot.source).take(record.bytes());
    state.received(record);
}

fn waiting(offset: i64, not_before: &str, class: Class) -> Received {
    let mut record = record(offset, 1, 1);
    record.slot.source = Source::Retry;
    let wait = Wait { not_before: not_before.parse().unwrap(), class, reason: Code::of("x") };
    History::default().write(&wait, &mut record.headers);
    record
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn offsets(positions: &[Position]) -> Vec<i64> {
    positions.iter().map(|position| position.offset).collect()
}

/// The records of these places are read again.
fn fetch(state: &mut State, slots: &[Slot]) {
    let records = slots.iter().map(|slot| Received { slot: *slot, ..record(slot.offset, slot.epoch, 1) }).collect();
    assert!(state.fetched(Fetched { records, ..Fetched::default() }).is_empty());
}

fn wanted(slots: &[Slot]) -> Vec<i64> {
    slots.iter().map(|slot| slot.offset).collect()
}

#[test]
fn nothing_starts_before_it_is_known_what_was_recorded() {
    let mut state = state();
    assigned(&mut state, PARTITION, 1);
    take(&mut state, record(4, 1, 1));
    take(&mut state, record(5, 1, 2));
    assert!(state.start_next().is_none() && state.is_recalling());
    let past = Past { memory: Some(remember(&[4])), horizon: 6, ..past() };
    state.recalled(Recalled { id: PARTITION, epoch: 1, past: Ok(past) });
    assert_eq!(state.start_next().unwrap().record.slot.offset, 5, "4 has its outcome");
    assert!(state.start_next().is_none());
    assert_eq!(state.windows.leads.leads(), 1);
    assert_eq!(offsets(&state.release(&[PARTITION])), [5]);
}

#[test]
fn a_waiting_retry_starts_when_it_is_due_and_blocks_nobody() {
    let mut state = state();
    assign(&mut state, RETRY, 1);
    assert!(state.due(time("2026-11-22T10:59:00Z")).is_empty());
    take(&mut state, waiting(0, "2026-11-22T12:00:00Z", Class::Failed));
    take(&mut state, waiting(1, "2026-11-22T11:00:00Z", Class::Failed));
    take(&mut state, waiting(2, "2026-11-22T10:59:03Z", Class::Later));
    assert!(state.start_next().is_none());
    assert_eq!((state.windows.retry.leads(), state.backlog(Source::Retry).delayed), (1, 3), "only what is due soon is kept");
    assert!(state.due(time("2026-11-22T10:59:04Z")).is_empty());
    let kept = state.start_next().unwrap();
    assert_eq!(kept.record.slot.offset, 2);
    state.done(kept);
    let slots = state.due(time("2026-11-22T11:30:00Z"));
    assert_eq!(wanted(&slots), [1]);
    fetch(&mut state, &slots);
    let start = state.start_next().unwrap();
    assert_eq!(start.record.slot.offset, 1);
    state.done(start);
    assert_eq!((state.windows.retry.leads(), state.backlog(Source::Retry).due), (0, 0));
    assert_eq!(offsets(&state.release(&[RETRY])), [0], "the other one still waits");
}

#[test]
fn what_cannot_be_read_again_is_asked_for_again_and_what_was_deleted_is_told() {
    let mut state = state();
    assign(&mut state, RETRY, 1);
    take(&mut state, waiting(0, "2026-11-22T12:00:00Z", Class::Failed));
    let now = time("2026-11-22T12:00:00Z");
    let slots = state.due(now);
    assert!(state.due(now).is_empty(), "one request at a time");
    assert!(state.fetched(Fetched { failed: slots.clone(), ..Fetched::default() }).is_empty());
    assert!(state.due(now).is_empty());
    assert_eq!(state.due(now + SignedDuration::from_secs(1)), slots);
    assert_eq!(state.fetched(Fetched { gone: slots.clone(), ..Fetched::default() }), slots);
    assert_eq!(offsets(&state.release(&[RETRY])), [1]);
}

#[test]
fn a_held_lead_waits_for_its_release_or_to_be_written_anew() {
    let mut state = state();
    let backup = || Held::Endpoint("backup".parse().unwrap());
    state.controls.apply(Change::Hold(backup(), Timestamp::UNIX_EPOCH));
    assign(&mut state, RETRY, 1);
    take(&mut state, waiting(0, "2026-11-23T12:00:00Z", Class::Held));
    take(&mut state, waiting(1, "2026-11-22T12:00:00Z", Class::Held));
    assert_eq!(state.backlog(Source::Retry).held, 2);
    let slots = state.due(time("2026-11-22T12:00:00Z"));
    assert_eq!(wanted(&slots), [1], "its day is over");
    fetch(&mut state, &slots);
    let anew = state.start_next().unwrap();
    state.done(anew);
    state.released();
    assert!(state.due(time("2026-11-22T12:00:00Z")).is_empty(), "it is still held");
    state.controls.apply(Change::Unhold(backup()));
    state.released();
    assert_eq!(wanted(&state.due(time("2026-11-22T12:00:00Z"))), [0]);
    take(&mut state, waiting(2, "2026-11-23T12:00:00Z", Class::Held));
    assert_eq!(state.start_next().unwrap().record.slot.offset, 2, "nothing is held any more");
}

#[test]
fn waiting_retries_of_a_partition_that_goes_leave_no_trace() {
    let mut state = state();
    assign(&mut state, RETRY, 1);
    state.due(time("2026-11-22T11:59:58Z"));
    take(&mut state, waiting(0, "2026-11-22T12:00:00Z", Class::Failed));
    take(&mut state, waiting(1, "2026-11-22T13:00:00Z", Class::Failed));
    take(&mut state, waiting(2, "2026-11-22T14:00:00Z", Class::Failed));
    let slots = state.due(time("2026-11-22T13:00:00Z"));
    assert_eq!(wanted(&slots), [1]);
    state.stop_partitions(&[RETRY]);
    assert_eq!(offsets(&state.release(&[RETRY])), [0]);
    fetch(&mut state, &slots);
    assert!(state.start_next().is_none());
    assert_eq!((state.windows.retry.leads(), state.windows.retry.is_full()), (0, false));
    assert!(state.due(time("2026-11-22T15:00:00Z")).is_empty());
}

#[test]
fn a_position_that_left_its_topic_stops_that_partition_alone() {
    let mut state = state();
    assigned(&mut state, PARTITION, 1);
    assign(&mut state, (Source::Leads, 1), 2);
    take(&mut state, record(4, 1, 1));
    let gap = Gap { position: 2, first: 4, end: 9 };
    assert_eq!(gap.lost(), 2);
    state.recalled(Recalled { id: PARTITION, epoch: 1, past: Err(gap) });
    take(&mut state, record(5, 1, 1));
    assert!(state.start_next().is_none());
    let mut other = record(0, 2, 2);
    other.slot.partition = 1;
    take(&mut state, other);
    assert_eq!(state.start_next().unwrap().record.slot.partition, 1);
    assert_eq!(
        (state.stopped(Source::Leads), state.windows.leads.leads()),
        (vec![Stopped { partition: 0, first: 4, open: 0 }], 1)
    );
    assert!(state.release(&[PARTITION]).is_empty(), "nothing is committed over the gap");
}

#[test]
fn what_was_read_before_a_gap_is_handled_and_nothing_is_counted_twice() {
    let mut state = state();
    assign(&mut state, PARTITION, 1);
    take(&mut state, record(4, 1, 1));
    assert!(state.is_in_range(PARTITION));
    state.recalled(Recalled { id: PARTITION, epoch: 1, past: Err(Gap { position: 5, first: 9, end: 9 }) });
    assert!(!state.is_in_range(PARTITION));
    assert_eq!(state.stopped(Source::Leads), [Stopped { partition: 0, first: 9, open: 1 }]);
    let start = state.start_next().unwrap();
    state.done(start);
    assert_eq!(state.stopped(Source::Leads), [Stopped { partition: 0, first: 9, open: 0 }]);
    assert_eq!(offsets(&state.release(&[PARTITION])), [5]);
}

#[test]
fn wait_headers_mean_nothing_in_the_topic_of_leads() {
    let mut state = state();
    assign(&mut state, PARTITION, 1);
    let mut stray = waiting(0, "2026-11-22T12:00:00Z", Class::Failed);
    stray.slot.source = Source::Leads;
    take(&mut state, stray);
    assert!(state.start_next().is_some());
}

#[test]
fn a_late_completion_of_an_old_assignment_moves_no_offset() {
    let mut state = state();
    assign(&mut state, PARTITION, 1);
    take(&mut state, record(7, 1, 1));
    let late = state.start_next().unwrap();
    assert_eq!(offsets(&state.release(&[PARTITION])), [7]);
    assign(&mut state, PARTITION, 2);
    take(&mut state, record(7, 2, 2));
    state.done(late);
    assert_eq!(offsets(&state.release(&[PARTITION])), [7], "7 is open in the new assignment");
}

#[test]
fn what_is_given_back_while_its_partition_goes_is_dropped() {
    let mut state = state();
    assign(&mut state, PARTITION, 1);
    take(&mut state, record(3, 1, 1));
    let start = state.start_next().unwrap();
    state.stop_partitions(&[PARTITION]);
    assert!(!state.is_quiet(&[PARTITION]));
    assert!(start.record.tenure.is_going(), "no other try of it follows here");
    state.given_back(start);
    assert!(state.is_quiet(&[PARTITION]));
    assert!(state.start_next().is_none());
    assert_eq!(state.windows.leads.leads(), 0);
}

/// What is read back when these leads have outcomes.
fn remember(recorded: &[i64]) -> Memory {
    let sink: SinkName = "email".parse().unwrap();
    let mut memory = Memory::default();
    for offset in recorded {
        let outcome = Outcome {
            lead_id: lead_id(*offset),
            sink: sink.clone(),
            replay: 0,
            status: Status::Skipped { rule: Code::of("x") },
            attempts: 0,
            endpoint: None,
            received_at: None,
            at: Timestamp::UNIX_EPOCH,
            reordered: false,
            reason: None,
        };
        memory.outcome(&sink, &outcome.headers(), &outcome.encode());
    }
    memory
}

#[test]
fn what_surfaced_late_is_known_as_such_when_it_is_read_again() {
    let mut state = state();
    let retry = (Source::Retry, 0);
    assigned(&mut state, retry, 1);
    state.recalled(Recalled { id: retry, epoch: 1, past: Ok(past()) });
    state.due(time("2026-01-01T00:00:00Z"));
    let late =
        Received { surfaced_late: Some(time("2025-12-31T23:00:00Z")), ..waiting(0, "2026-01-01T01:00:00Z", Class::Failed) };
    take(&mut state, late);
    take(&mut state, waiting(1, "2026-01-01T01:00:00Z", Class::Failed));
    let slots = state.due(time("2026-01-01T02:00:00Z"));
    fetch(&mut state, &slots);
    let mut started =
        std::iter::from_fn(|| state.start_next()).map(|start| (start.record.slot.offset, start.record.surfaced_late));
    assert_eq!(started.next(), Some((0, Some(time("2025-12-31T23:00:00Z")))));
}
