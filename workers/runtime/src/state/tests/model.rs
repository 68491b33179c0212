//! The state against any order of events, crashes and hand-overs included.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

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
    /// Kafka takes the partition away without asking and gives it back later; what is in flight goes on.
    Lose,
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
        1 => Just(Step::Lose),
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
    /// Leads that were in flight when the partition was lost: only these may be handled twice.
    lost_in_flight: BTreeSet<i64>,
}

impl Model {
    fn new() -> Self {
        let mut model = Self {
            state: state(),
            epoch: 0,
            next: 0,
            end: 0,
            outcomes: Vec::new(),
            committed: None,
            running: Vec::new(),
            recorded_only: Vec::new(),
            lost_in_flight: BTreeSet::new(),
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
            Step::Lose => self.lose(),
            Step::Crash => {
                self.state = state();
                self.running.clear();
                self.recorded_only.clear();
                self.come_back();
            }
        }
    }

    fn start(&mut self) {
        let Some(start) = self.state.start_next() else { return };
        let offset = start.record.slot.offset;
        let again = self.outcomes.contains(&offset) && !self.lost_in_flight.contains(&offset);
        assert!(!again, "{offset} has an outcome and is handled again");
        self.running.push(start);
    }

    fn record(&mut self, which: usize) {
        let Some(start) = pick(&mut self.running, which) else { return };
        self.outcomes.push(start.record.slot.offset);
        let end = i64::try_from(self.outcomes.len()).unwrap();
        self.state.floors.raise(0, Trail::Outcomes, end);
        self.recorded_only.push(start);
    }

    /// Nothing is committed, and what is in flight may still be recorded, after it was read back for the next assignment.
    fn lose(&mut self) {
        self.lost_in_flight.extend(self.running.iter().map(|start| start.record.slot.offset));
        self.state.stop_partitions(&[PARTITION]);
        self.state.lost(&[PARTITION]);
        self.state.release(&[PARTITION]);
        self.come_back();
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
        assigned(&mut self.state, PARTITION, self.epoch);
        self.next = self.committed.map_or(0, |position| position.offset);
        let base = self.committed.map_or(Floor::default(), |position| position.floor);
        let from = usize::try_from(base.of(Trail::Outcomes)).unwrap();
        let mut ends = Floor::default();
        ends.raise(Trail::Outcomes, i64::try_from(self.outcomes.len()).unwrap());
        let memory = Some(remember(&self.outcomes[from..]));
        let position = self.committed.map(|position| position.offset);
        let past = Past { position, memory, recent: Recent::default(), base, ends, horizon: self.end };
        self.state.recalled(Recalled { id: PARTITION, epoch: self.epoch, past: Ok(past) });
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
