//! The state as a whole, against any order of events.

use std::collections::BTreeSet;

use leadline_proto::headers::CE_ID;
use leadline_proto::retry::{Class, History};
use leadline_proto::{Code, Headers, Outcome, SinkName, Status};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const PARTITION: PartitionId = (Source::Leads, 0);

fn state(concurrency: usize) -> State {
    let window = || Arc::new(Window::new(100, 1_000_000));
    State::new(Windows { leads: window(), retry: window() }, Arc::default(), concurrency)
}

/// A partition is assigned, and nothing was recorded before.
fn assign(state: &mut State, id: PartitionId, epoch: u64) {
    state.assigned(id, epoch);
    let (base, ends) = (Floor::default(), Floor::default());
    state.recalled(Recalled { id, epoch, memory: None, base, ends, horizon: 0 });
}

fn record(offset: i64, epoch: u64, key: u8) -> Received {
    let slot = Slot { source: Source::Leads, partition: 0, epoch, offset };
    let headers = Headers::new().with(CE_ID, lead_id(offset).to_string());
    Received { slot, key: Some(vec![key]), headers, value: Some(vec![0; 10]), known: Known::Open, going: Arc::default() }
}

fn lead_id(offset: i64) -> Uuid {
    Uuid::from_u128(u128::try_from(offset).unwrap())
}

fn take(state: &mut State, record: Received) {
    state.windows.of(record.slot.source).take(record.bytes());
    state.received(record);
}

fn waiting(offset: i64, not_before: &str) -> Received {
    let mut record = record(offset, 1, 1);
    record.slot.source = Source::Retry;
    let wait = Wait { not_before: not_before.parse().unwrap(), class: Class::Failed, reason: Code::of("x") };
    History::default().write(&wait, &mut record.headers);
    record
}

fn offsets(positions: &[Position]) -> Vec<i64> {
    positions.iter().map(|position| position.offset).collect()
}

#[test]
fn concurrency_is_bounded_over_all_lanes() {
    let mut state = state(2);
    assign(&mut state, PARTITION, 1);
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
fn nothing_starts_before_it_is_known_what_was_recorded() {
    let mut state = state(9);
    state.assigned(PARTITION, 1);
    take(&mut state, record(4, 1, 1));
    take(&mut state, record(5, 1, 2));
    assert!(state.start_next().is_none());
    let memory = Some(remember(&[4]));
    let (base, ends) = (Floor::default(), Floor::default());
    state.recalled(Recalled { id: PARTITION, epoch: 1, memory, base, ends, horizon: 6 });
    assert_eq!(state.start_next().unwrap().record.slot.offset, 5, "4 has its outcome");
    assert!(state.start_next().is_none());
    assert_eq!(state.windows.leads.leads(), 1);
    assert_eq!(offsets(&state.release(&[PARTITION])), [5]);
}

#[test]
fn a_waiting_retry_starts_when_it_is_due_and_blocks_nobody() {
    let mut state = state(9);
    assign(&mut state, (Source::Retry, 0), 1);
    take(&mut state, waiting(0, "2026-11-22T12:00:00Z"));
    take(&mut state, waiting(1, "2026-11-22T11:00:00Z"));
    assert!(state.start_next().is_none());
    state.due("2026-11-22T11:30:00Z".parse().unwrap());
    let start = state.start_next().unwrap();
    assert_eq!(start.record.slot.offset, 1);
    state.done(start);
    assert_eq!(offsets(&state.release(&[(Source::Retry, 0)])), [0], "the other one still waits");
}

#[test]
fn a_late_completion_of_an_old_assignment_moves_no_offset() {
    let mut state = state(9);
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
    let mut state = state(9);
    assign(&mut state, PARTITION, 1);
    take(&mut state, record(3, 1, 1));
    let start = state.start_next().unwrap();
    state.stop_partitions(&[PARTITION]);
    assert!(!state.is_quiet(&[PARTITION]));
    assert!(start.record.is_going(), "no other try of it follows here");
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

#[derive(Clone, Debug)]
enum Step {
    Receive(u8),
    Start,
    /// The outcome is acknowledged, but the state is not told yet.
    Record(usize),
    /// The state is told.
    Done(usize),
    Left(usize),
    GiveBack(usize),
    Commit,
    /// Everything in flight ends, the partition goes in order and comes back.
    HandOver,
    /// The process dies; another one goes on at what was committed.
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0u8..4).prop_map(Step::Receive),
        8 => Just(Step::Start),
        6 => any::<usize>().prop_map(Step::Record),
        6 => any::<usize>().prop_map(Step::Done),
        1 => any::<usize>().prop_map(Step::Left),
        1 => any::<usize>().prop_map(Step::GiveBack),
        2 => Just(Step::Commit),
        1 => Just(Step::HandOver),
        1 => Just(Step::Crash),
    ]
}

/// A partition, its outcomes and its committed position, as the brokers keep them, and the worker of the moment.
struct Model {
    state: State,
    epoch: u64,
    next: i64,
    /// End of the partition.
    end: i64,
    /// The topic of outcomes: the lead of each, in the order of acknowledgement.
    outcomes: Vec<i64>,
    committed: Option<Position>,
    running: Vec<Start>,
    recorded_only: Vec<Start>,
}

impl Model {
    fn new() -> Self {
        let mut model = Self {
            state: state(8),
            epoch: 0,
            next: 0,
            end: 0,
            outcomes: Vec::new(),
            committed: None,
            running: Vec::new(),
            recorded_only: Vec::new(),
        };
        model.come_back();
        model
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Receive(key) => {
                take(&mut self.state, record(self.next, self.epoch, key));
                self.next += 1;
                self.end = self.end.max(self.next);
            }
            Step::Start => self.start(),
            Step::Record(which) => self.record(which),
            Step::Done(which) => {
                if let Some(start) = pick(&mut self.recorded_only, which) {
                    self.state.done(start);
                }
            }
            Step::Left(which) => drop(pick(&mut self.running, which).map(|start| self.state.left(start))),
            Step::GiveBack(which) => drop(pick(&mut self.running, which).map(|start| self.state.given_back(start))),
            Step::Commit => self.committed = self.state.moved(Source::Leads).first().map(|(at, _)| *at).or(self.committed),
            Step::HandOver => self.hand_over(),
            Step::Crash => {
                self.state = state(8);
                self.running.clear();
                self.recorded_only.clear();
                self.come_back();
            }
        }
    }

    fn start(&mut self) {
        let Some(start) = self.state.start_next() else { return };
        let offset = start.record.slot.offset;
        assert!(!self.outcomes.contains(&offset), "{offset} has an outcome and is handled again");
        self.running.push(start);
    }

    fn record(&mut self, which: usize) {
        let Some(start) = pick(&mut self.running, which) else { return };
        self.outcomes.push(start.record.slot.offset);
        let end = i64::try_from(self.outcomes.len()).unwrap();
        self.state.floors.raise(0, Trail::Outcomes, end);
        self.recorded_only.push(start);
    }

    fn hand_over(&mut self) {
        self.state.stop_partitions(&[PARTITION]);
        while let Some(start) = self.recorded_only.pop() {
            self.state.done(start);
        }
        while let Some(start) = self.running.pop() {
            self.state.left(start);
        }
        assert!(self.state.is_quiet(&[PARTITION]));
        self.committed = self.state.release(&[PARTITION]).first().copied().or(self.committed);
        self.come_back();
    }

    /// The partition is assigned: reading goes on at the committed position, after reading back from its floor.
    fn come_back(&mut self) {
        self.epoch += 1;
        self.state.assigned(PARTITION, self.epoch);
        self.next = self.committed.map_or(0, |position| position.offset);
        let base = self.committed.map_or(Floor::default(), |position| position.floor);
        let from = usize::try_from(base.of(Trail::Outcomes)).unwrap();
        let mut ends = Floor::default();
        ends.raise(Trail::Outcomes, i64::try_from(self.outcomes.len()).unwrap());
        let memory = Some(remember(&self.outcomes[from..]));
        self.state.recalled(Recalled { id: PARTITION, epoch: self.epoch, memory, base, ends, horizon: self.end });
    }
}

fn pick(list: &mut Vec<Start>, which: usize) -> Option<Start> {
    (!list.is_empty()).then(|| list.remove(which % list.len()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever happens in whatever order, crashes included: a committed position never lies behind a lead for which nothing
    /// stands, no lead that has an outcome is handled again, and of one lane only one lead runs at a time.
    #[test]
    fn a_position_never_passes_a_lead_without_a_record(steps in prop::collection::vec(step(), 1..300)) {
        let mut model = Model::new();
        for step in steps {
            model.apply(step);
            let recorded: BTreeSet<i64> = model.outcomes.iter().copied().collect();
            let position = model.committed.map_or(0, |position| position.offset);
            prop_assert!((0..position).all(|offset| recorded.contains(&offset)), "{position}");
            let busy: Vec<_> = model.running.iter().chain(&model.recorded_only).collect();
            let lanes: BTreeSet<_> = busy.iter().map(|start| format!("{:?}", start.lane)).collect();
            prop_assert_eq!(lanes.len(), busy.len());
            prop_assert_eq!(model.state.in_flight(), busy.len());
        }
    }
}
