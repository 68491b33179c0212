//! Who may run next: one lane per person, at most one lead of a lane in flight, lanes served in turn.
//!
//! Pure. How many leads may be in flight at all, and whether any may be started now, is the scheduler's.

use std::collections::{HashMap, VecDeque};

/// What a lane is told apart by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum LaneKey {
    /// All records of one Kafka key.
    Key(Vec<u8>),
    /// A record without a key has a lane of its own.
    Lone(u64),
}

#[derive(Debug)]
struct Lane<T> {
    waiting: VecDeque<T>,
    busy: bool,
}

/// The lanes of a worker, over all partitions.
#[derive(Debug)]
pub(crate) struct Lanes<T> {
    lanes: HashMap<LaneKey, Lane<T>>,
    /// Lanes that have work and nothing in flight, in the order in which they became so.
    ready: VecDeque<LaneKey>,
}

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        Self { lanes: HashMap::new(), ready: VecDeque::new() }
    }
}

impl<T> Lanes<T> {
    /// Puts work at the end of its lane.
    pub(crate) fn push(&mut self, key: LaneKey, work: T) {
        self.enqueue(key, work, false);
    }

    /// The next work whose lane is free; the lane is busy until [`Lanes::free`] or [`Lanes::give_back`].
    pub(crate) fn start_next(&mut self) -> Option<(LaneKey, T)> {
        let key = self.ready.pop_front()?;
        let lane = self.lanes.get_mut(&key)?;
        let work = lane.waiting.pop_front()?;
        lane.busy = true;
        Some((key, work))
    }

    /// Ends the work that a lane had in flight.
    pub(crate) fn free(&mut self, key: LaneKey) {
        let Some(lane) = self.lanes.get_mut(&key) else { return };
        lane.busy = false;
        if lane.waiting.is_empty() {
            self.lanes.remove(&key);
        } else {
            self.ready.push_back(key);
        }
    }

    /// Puts work that was in flight back to the front of its lane, as if it had not been started.
    pub(crate) fn give_back(&mut self, key: LaneKey, work: T) {
        if let Some(lane) = self.lanes.get_mut(&key) {
            lane.busy = false;
        }
        self.enqueue(key, work, true);
    }

    fn enqueue(&mut self, key: LaneKey, work: T, front: bool) {
        let lane = self.lanes.entry(key.clone()).or_insert_with(|| Lane { waiting: VecDeque::new(), busy: false });
        let became_ready = !lane.busy && (lane.waiting.is_empty() || front);
        if front {
            lane.waiting.push_front(work);
        } else {
            lane.waiting.push_back(work);
        }
        if became_ready {
            self.ready.push_back(key);
        }
    }

    /// Takes out all waiting work that `unwanted` names. What is in flight stays.
    pub(crate) fn remove(&mut self, unwanted: impl Fn(&T) -> bool) -> Vec<T> {
        let mut removed = Vec::new();
        self.lanes.retain(|_, lane| {
            let (out, kept) = std::mem::take(&mut lane.waiting).into_iter().partition::<VecDeque<T>, _>(|work| unwanted(work));
            removed.extend(out);
            lane.waiting = kept;
            lane.busy || !lane.waiting.is_empty()
        });
        let lanes = &self.lanes;
        self.ready.retain(|key| lanes.contains_key(key));
        removed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(name: u8) -> LaneKey {
        LaneKey::Key(vec![name])
    }

    #[test]
    fn a_lane_runs_one_at_a_time_and_others_beside_it() {
        let mut lanes = Lanes::default();
        for (lane, work) in [(1, 'a'), (1, 'b'), (2, 'c')] {
            lanes.push(key(lane), work);
        }
        assert_eq!(lanes.start_next(), Some((key(1), 'a')));
        assert_eq!(lanes.start_next(), Some((key(2), 'c')));
        assert_eq!(lanes.start_next(), None);
        lanes.free(key(1));
        assert_eq!(lanes.start_next(), Some((key(1), 'b')));
    }

    #[test]
    fn what_is_given_back_comes_before_what_waits() {
        let mut lanes = Lanes::default();
        lanes.push(key(1), 'a');
        lanes.push(key(1), 'b');
        let (lane, work) = lanes.start_next().unwrap();
        lanes.give_back(lane, work);
        assert_eq!(lanes.start_next(), Some((key(1), 'a')));
        assert_eq!(lanes.start_next(), None);
    }

    #[test]
    fn removed_work_leaves_no_trace() {
        let mut lanes = Lanes::default();
        lanes.push(key(1), 1);
        lanes.push(key(1), 2);
        lanes.push(key(2), 3);
        assert_eq!(lanes.start_next(), Some((key(1), 1)));
        let mut removed = lanes.remove(|_| true);
        removed.sort_unstable();
        assert_eq!(removed, [2, 3]);
        lanes.free(key(1));
        assert_eq!(lanes.start_next(), None);
        assert!(lanes.lanes.is_empty());
    }

    proptest! {
        /// Any mix of arrivals, starts, ends and give-backs: every work runs once, in order within its lane, and never two
        /// of one lane at a time.
        #[test]
        fn order_per_lane_and_nothing_lost(steps in prop::collection::vec((0u8..4, 0u8..5), 1..200)) {
            let mut lanes: Lanes<(u8, usize)> = Lanes::default();
            let mut running: Vec<(LaneKey, (u8, usize))> = Vec::new();
            let mut done: HashMap<u8, Vec<usize>> = HashMap::new();
            let mut pushed = 0;
            for (step, lane) in steps {
                match step {
                    0 => { lanes.push(key(lane), (lane, pushed)); pushed += 1; }
                    1 => running.extend(lanes.start_next()),
                    2 => if let Some((lane, work)) = running.pop() { done.entry(work.0).or_default().push(work.1); lanes.free(lane); },
                    _ => if let Some((lane, work)) = running.pop() { lanes.give_back(lane, work); },
                }
                let mut keys: Vec<_> = running.iter().map(|(lane, _)| lane.clone()).collect();
                keys.dedup();
                prop_assert_eq!(keys.len(), running.len());
            }
            loop {
                running.extend(lanes.start_next());
                let Some((lane, work)) = running.pop() else { break };
                done.entry(work.0).or_default().push(work.1);
                lanes.free(lane);
            }
            prop_assert_eq!(done.values().map(Vec::len).sum::<usize>(), pushed);
            prop_assert!(done.values().all(|order| order.is_sorted()));
        }
    }
}
