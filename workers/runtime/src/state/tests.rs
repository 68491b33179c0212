//! The state as a whole, against any order of events.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use leadline_proto::Headers;
use leadline_proto::retry::{Class, History};

const PARTITION: PartitionId = (Source::Leads, 0);

fn state(concurrency: usize) -> State {
    let window = || Arc::new(Window::new(100, 1_000_000));
    State::new(Windows { leads: window(), retry: window() }, concurrency)
}

fn record(offset: i64, epoch: u64, key: u8) -> Received {
    let slot = Slot { source: Source::Leads, partition: 0, epoch, offset };
    Received { slot, key: Some(vec![key]), headers: Headers::new(), value: vec![0; 10] }
}

fn take(state: &mut State, record: Received) {
    state.windows.of(record.slot.source).take(record.bytes());
    state.received(record);
}

fn waiting(offset: i64, not_before: &str) -> Received {
    let mut record = record(offset, 1, 1);
    record.slot.source = Source::Retry;
    let wait = Wait { not_before: not_before.parse().unwrap(), class: Class::Failed, reason: leadline_proto::Code::of("x") };
    History::default().write(&wait, &mut record.headers);
    record
}

#[test]
fn concurrency_is_bounded_over_all_lanes() {
    let mut state = state(2);
    state.assigned(PARTITION, 1);
    for offset in 0..5 {
        take(&mut state, record(offset, 1, u8::try_from(offset).unwrap()));
    }
    let first = state.start_next().unwrap();
    assert!(state.start_next().is_some());
    assert!(state.start_next().is_none());
    state.done(first);
    assert!(state.start_next().is_some());
}

#[test]
fn a_waiting_retry_starts_when_it_is_due_and_blocks_nobody() {
    let mut state = state(9);
    state.assigned((Source::Retry, 0), 1);
    take(&mut state, waiting(0, "2026-11-22T12:00:00Z"));
    take(&mut state, waiting(1, "2026-11-22T11:00:00Z"));
    assert!(state.start_next().is_none());
    state.due("2026-11-22T11:30:00Z".parse().unwrap());
    let start = state.start_next().unwrap();
    assert_eq!(start.record.slot.offset, 1);
    state.done(start);
    assert_eq!(state.release(&[(Source::Retry, 0)]), [(0, 0)], "the other one still waits");
}

#[test]
fn a_late_completion_of_an_old_assignment_moves_no_offset() {
    let mut state = state(9);
    state.assigned(PARTITION, 1);
    take(&mut state, record(7, 1, 1));
    let late = state.start_next().unwrap();
    assert_eq!(state.release(&[PARTITION]), [(0, 7)]);
    state.assigned(PARTITION, 2);
    take(&mut state, record(7, 2, 2));
    state.done(late);
    assert_eq!(state.release(&[PARTITION]), [(0, 7)], "7 is open in the new assignment");
}

#[test]
fn what_is_given_back_while_its_partition_goes_is_dropped() {
    let mut state = state(9);
    state.assigned(PARTITION, 1);
    take(&mut state, record(3, 1, 1));
    let start = state.start_next().unwrap();
    state.stop_partitions(&[PARTITION]);
    assert!(!state.is_quiet(&[PARTITION]));
    state.given_back(start);
    assert!(state.is_quiet(&[PARTITION]));
    assert!(state.start_next().is_none());
    assert_eq!(state.windows.leads.leads(), 0);
}

#[derive(Clone, Debug)]
enum Step {
    Receive(u8),
    Start,
    Done(usize),
    Left(usize),
    GiveBack(usize),
    Reassign,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u8..4).prop_map(Step::Receive),
        4 => Just(Step::Start),
        3 => any::<usize>().prop_map(Step::Done),
        1 => any::<usize>().prop_map(Step::Left),
        1 => any::<usize>().prop_map(Step::GiveBack),
        1 => Just(Step::Reassign),
    ]
}

/// A log of endless records and the worker that reads it, as the broker would serve it.
#[derive(Default)]
struct Model {
    epoch: u64,
    next: i64,
    /// Offsets for which something acknowledged stands, whoever recorded it.
    recorded: BTreeSet<i64>,
    running: Vec<Start>,
}

impl Model {
    fn apply(&mut self, state: &mut State, step: Step) {
        match step {
            Step::Receive(key) => {
                take(state, record(self.next, self.epoch, key));
                self.next += 1;
            }
            Step::Start => self.running.extend(state.start_next()),
            Step::Done(which) => {
                if let Some(start) = self.pick(which) {
                    self.recorded.insert(start.record.slot.offset);
                    state.done(start);
                }
            }
            Step::Left(which) => drop(self.pick(which).map(|start| state.left(start))),
            Step::GiveBack(which) => drop(self.pick(which).map(|start| state.given_back(start))),
            Step::Reassign => self.reassign(state),
        }
    }

    fn pick(&mut self, which: usize) -> Option<Start> {
        (!self.running.is_empty()).then(|| self.running.remove(which % self.running.len()))
    }

    /// The partition goes, its position is committed, and it comes back: reading goes on at the position.
    fn reassign(&mut self, state: &mut State) {
        state.stop_partitions(&[PARTITION]);
        if let Some((_, position)) = state.release(&[PARTITION]).first() {
            self.next = *position;
        }
        self.epoch += 1;
        state.assigned(PARTITION, self.epoch);
    }
}

proptest! {
    /// Whatever happens in whatever order, a committed position never lies behind a lead for which nothing stands, and of one
    /// assignment and lane only one lead runs at a time.
    #[test]
    fn a_position_never_passes_a_lead_without_a_record(steps in prop::collection::vec(step(), 1..300)) {
        let mut state = state(8);
        let mut model = Model { epoch: 1, ..Model::default() };
        state.assigned(PARTITION, 1);
        for step in steps {
            model.apply(&mut state, step);
            for ((_, position), _) in state.moved(Source::Leads) {
                prop_assert!((0..position).all(|offset| model.recorded.contains(&offset)), "{position}");
            }
            let mut lanes: Vec<_> = model.running.iter().map(|start| format!("{:?}", start.lane)).collect();
            lanes.sort_unstable();
            lanes.dedup();
            prop_assert_eq!(lanes.len(), model.running.len());
            prop_assert_eq!(state.in_flight(), model.running.len());
        }
        prop_assert!(state.windows.leads.leads() >= model.running.len());
    }
}
