//! A partition that is ours, as the state keeps it: what is known of its past, and its ledger.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::Position;
use crate::floor::Floor;
use crate::ledger::Ledger;
use crate::memory::Memory;
use crate::record::Received;
use crate::tenure::Tenure;

/// A partition.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) epoch: u64,
    pub(super) phase: Phase,
    pub(super) in_flight: usize,
    pub(super) tenure: Arc<Tenure>,
    /// Set when its position is no longer in the topic: the oldest record there is. Nothing more is read until an operator says
    /// where to go on.
    pub(super) first_after_gap: Option<i64>,
    /// Records that surfaced late, and when they were written: what is read again does not tell.
    pub(super) late: BTreeMap<i64, Timestamp>,
    /// End of the topic's partition, as it was seen last.
    pub(super) end: i64,
}

/// What is known of a partition's past.
#[derive(Debug)]
pub(super) enum Phase {
    /// It is being read back; these records wait for it.
    Recalling(Vec<Received>),
    /// It was read back. The memory is dropped once the position has passed every lead that it can know.
    Known { ledger: Ledger, memory: Option<Box<Memory>> },
    /// Its position was not in the topic when it came.
    OutOfRange,
}

impl Partition {
    /// One that was just assigned.
    pub(super) fn new(epoch: u64, tenure: Arc<Tenure>) -> Self {
        let phase = Phase::Recalling(Vec::new());
        Self { epoch, phase, in_flight: 0, tenure, late: BTreeMap::new(), first_after_gap: None, end: 0 }
    }

    /// Its ledger, when its past is known.
    pub(super) fn ledger(&mut self) -> Option<&mut Ledger> {
        match &mut self.phase {
            Phase::Known { ledger, .. } => Some(ledger),
            Phase::Recalling(_) | Phase::OutOfRange => None,
        }
    }

    /// Drops the memory once it can tell nothing more.
    pub(super) fn forget_what_has_passed(&mut self) {
        let Phase::Known { ledger, memory } = &mut self.phase else { return };
        if ledger.is_past_horizon() {
            *memory = None;
        }
        if let Some(position) = ledger.position() {
            self.late = self.late.split_off(&position);
        }
    }

    /// Where its next owner goes on; `None` when nothing was taken.
    pub(super) fn position(&mut self, partition: i32, now: Floor) -> Option<Position> {
        let ledger = self.ledger()?;
        Some(Position { partition, offset: ledger.position()?, floor: ledger.floor(now) })
    }
}
