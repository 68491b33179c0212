//! Which offset of a partition may be committed: the end of the contiguous finished prefix, and nothing else; and from where
//! a restart there must read back.
//!
//! Pure bookkeeping for one partition and one assignment of it. Offsets may have gaps (transaction markers, expired records);
//! nothing here assumes that they are dense. Who commits, and when, is the consumer's.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::floor::Floor;

/// A record that was taken and is not done.
#[derive(Debug)]
struct Open {
    /// How far the trails reached when it was taken.
    floor: Floor,
    /// When its lead was received.
    since: Option<Timestamp>,
}

/// The open offsets of one partition since it was assigned.
#[derive(Debug)]
pub(crate) struct Ledger {
    open: BTreeMap<i64, Open>,
    /// The offset after the last one taken.
    next: Option<i64>,
    /// The position that was last handed out for a commit.
    handed_out: Option<i64>,
    /// From where this assignment has read back.
    base: Floor,
    /// Where the topic ended when this assignment read back. What stands for leads below was possibly written by an earlier
    /// owner, so until the position has passed it, the next one must read back from where this one did.
    horizon: i64,
}

impl Ledger {
    /// A partition that was just assigned and goes on at a position, if there is one.
    pub(crate) fn new(position: Option<i64>, base: Floor, horizon: i64) -> Self {
        Self { open: BTreeMap::new(), next: position, handed_out: None, base, horizon }
    }

    /// Notes that a record was taken from the topic, and how far its trails reach now. Its lead is open until
    /// [`Ledger::finish`].
    pub(crate) fn take(&mut self, offset: i64, floor: Floor, since: Option<Timestamp>) {
        self.open.insert(offset, Open { floor, since });
        self.next = self.next.max(Some(offset + 1));
    }

    /// Notes that a record is done: its outcome, retry record or dead letter is acknowledged.
    pub(crate) fn finish(&mut self, offset: i64) {
        self.open.remove(&offset);
    }

    /// The offset to go on from after a restart: the oldest open one, or the end of what was taken. `None` before the first
    /// record.
    pub(crate) fn position(&self) -> Option<i64> {
        self.open.first_key_value().map(|(offset, _)| *offset).or(self.next)
    }

    /// From where a restart at the position must read back; `now` is how far the trails reach.
    pub(crate) fn floor(&self, now: Floor) -> Floor {
        if self.position() < Some(self.horizon) {
            return self.base;
        }
        self.open.first_key_value().map_or(now, |(_, open)| open.floor)
    }

    /// Records taken and not done.
    pub(crate) fn open(&self) -> usize {
        self.open.len()
    }

    /// When the lead of the oldest open record was received.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        self.open.first_key_value().and_then(|(_, open)| open.since)
    }

    /// The offset after the last one taken.
    pub(crate) fn next(&self) -> Option<i64> {
        self.next
    }

    /// Whether the position has passed all leads that an earlier owner may have handled.
    pub(crate) fn is_past_horizon(&self) -> bool {
        self.position() >= Some(self.horizon)
    }

    /// The position, if it is not the one that was last handed out.
    pub(crate) fn moved(&mut self) -> Option<i64> {
        let position = self.position();
        if position == self.handed_out {
            return None;
        }
        self.handed_out = position;
        position
    }

    /// Forgets what was handed out, after a commit has failed.
    pub(crate) fn hand_out_again(&mut self) {
        self.handed_out = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::floor::Trail;
    use proptest::prelude::*;

    fn floor(outcomes: i64) -> Floor {
        let mut floor = Floor::default();
        floor.raise(Trail::Outcomes, outcomes);
        floor
    }

    #[test]
    fn the_position_is_the_oldest_open_offset() {
        let mut ledger = Ledger::new(None, Floor::default(), 0);
        assert_eq!(ledger.position(), None);
        for offset in [5, 6, 9] {
            ledger.take(offset, Floor::default(), None);
        }
        ledger.finish(6);
        assert_eq!(ledger.moved(), Some(5));
        ledger.finish(5);
        assert_eq!(ledger.moved(), Some(9), "6 was done before, 7 and 8 do not exist");
        ledger.finish(9);
        assert_eq!(ledger.moved(), Some(10));
        assert_eq!(ledger.moved(), None);
        ledger.hand_out_again();
        assert_eq!(ledger.moved(), Some(10));
    }

    #[test]
    fn below_the_horizon_a_restart_reads_back_as_far_as_this_one_did() {
        let mut ledger = Ledger::new(None, floor(3), 7);
        ledger.take(5, floor(10), None);
        ledger.take(6, floor(11), None);
        ledger.take(7, floor(12), None);
        ledger.finish(5);
        assert_eq!(ledger.floor(floor(20)), floor(3), "6 may have been handled by an earlier owner");
        ledger.finish(6);
        assert!(ledger.is_past_horizon());
        assert_eq!(ledger.floor(floor(20)), floor(12));
        ledger.finish(7);
        assert_eq!(ledger.floor(floor(20)), floor(20));
    }

    proptest! {
        /// Whatever the gaps and the order of completion: no open offset lies below the position, the position never goes
        /// back, and when all is done it is the end.
        #[test]
        fn no_open_lead_is_ever_below_the_position(gaps in prop::collection::vec(1i64..5, 1..60), seed in any::<u64>()) {
            let offsets: Vec<i64> = gaps.iter().scan(0, |at, gap| { *at += gap; Some(*at) }).collect();
            let mut ledger = Ledger::new(None, Floor::default(), 0);
            offsets.iter().for_each(|offset| ledger.take(*offset, floor(*offset), None));
            let mut open = offsets.clone();
            let mut last = ledger.position();
            let mut random = seed;
            while !open.is_empty() {
                random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                let index = usize::try_from(random >> 33).unwrap() % open.len();
                ledger.finish(open.remove(index));
                let position = ledger.position();
                prop_assert!(open.iter().all(|offset| Some(*offset) >= position));
                prop_assert!(position >= last);
                prop_assert!(open.iter().all(|offset| floor(*offset).of(Trail::Outcomes) >= ledger.floor(floor(1000)).of(Trail::Outcomes)));
                last = position;
            }
            prop_assert_eq!(ledger.position(), offsets.last().map(|offset| offset + 1));
        }
    }
}
