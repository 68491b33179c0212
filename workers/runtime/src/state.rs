//! The state of a worker between its consumers and its attempts: which records are taken, which may start, which are done.
//!
//! Pure: no Kafka, no clock, no tasks. It is told what happened and answers what may happen next. The loop around it is
//! `scheduler`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use leadline_proto::retry::Wait;

use crate::floor::{Floor, Floors, Trail};
use crate::lanes::{LaneKey, Lanes};
use crate::ledger::Ledger;
use crate::memory::{Known, Memory};
use crate::recall::Recalled;
use crate::record::{Received, Slot, Source};
use crate::window::Window;

/// A partition of one of the worker's topics.
pub(crate) type PartitionId = (Source, i32);

/// Where to go on in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// Partition number.
    pub(crate) partition: i32,
    /// The next offset to be read.
    pub(crate) offset: i64,
    /// From where to read back then.
    pub(crate) floor: Floor,
}

#[derive(Debug)]
struct Partition {
    epoch: u64,
    phase: Phase,
    in_flight: usize,
    /// It is about to be given up, so nothing more of it is started, and no try of what is in flight follows.
    going: Arc<AtomicBool>,
}

/// What is known of a partition's past.
#[derive(Debug)]
enum Phase {
    /// It is being read back; these records wait for it.
    Recalling(Vec<Received>),
    /// It was read back. The memory is dropped once the position has passed every lead that it can know.
    Known { ledger: Ledger, memory: Option<Box<Memory>> },
}

impl Partition {
    fn ledger(&mut self) -> Option<&mut Ledger> {
        match &mut self.phase {
            Phase::Known { ledger, .. } => Some(ledger),
            Phase::Recalling(_) => None,
        }
    }

    fn is_going(&self) -> bool {
        self.going.load(Ordering::Acquire)
    }

    fn forget_what_has_passed(&mut self) {
        if let Phase::Known { ledger, memory } = &mut self.phase
            && ledger.is_past_horizon()
        {
            *memory = None;
        }
    }

    /// Where its next owner goes on; `None` when nothing was taken.
    fn position(&mut self, partition: i32, now: Floor) -> Option<Position> {
        let ledger = self.ledger()?;
        Some(Position { partition, offset: ledger.position()?, floor: ledger.floor(now) })
    }
}

/// The windows of both consumers.
#[derive(Clone)]
pub(crate) struct Windows {
    pub(crate) leads: Arc<Window>,
    pub(crate) retry: Arc<Window>,
}

impl Windows {
    fn of(&self, source: Source) -> &Window {
        match source {
            Source::Leads => &self.leads,
            Source::Retry => &self.retry,
        }
    }
}

/// A record that may be handled now, with the lane it holds.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) lane: LaneKey,
    pub(crate) record: Arc<Received>,
}

/// The whole state.
pub(crate) struct State {
    lanes: Lanes<Arc<Received>>,
    /// Records of the retry topic that are not due yet, by time and a serial number.
    timers: BTreeMap<(Timestamp, u64), Arc<Received>>,
    partitions: HashMap<PartitionId, Partition>,
    windows: Windows,
    floors: Arc<Floors>,
    in_flight: usize,
    concurrency: usize,
    serial: u64,
}

impl State {
    /// An idle worker.
    pub(crate) fn new(windows: Windows, floors: Arc<Floors>, concurrency: usize) -> Self {
        Self {
            lanes: Lanes::default(),
            timers: BTreeMap::new(),
            partitions: HashMap::new(),
            windows,
            floors,
            in_flight: 0,
            concurrency,
            serial: 0,
        }
    }

    /// A partition is ours from now on. Nothing of it starts before it is [`State::recalled`].
    pub(crate) fn assigned(&mut self, id: PartitionId, epoch: u64) {
        let phase = Phase::Recalling(Vec::new());
        self.partitions.insert(id, Partition { epoch, phase, in_flight: 0, going: Arc::default() });
    }

    /// A partition's past is known.
    pub(crate) fn recalled(&mut self, recalled: Recalled) {
        let Recalled { id, epoch, memory, base, ends, horizon } = recalled;
        Trail::ALL.into_iter().for_each(|trail| self.floors.raise(id.1, trail, ends.of(trail)));
        let Some(partition) = self.partitions.get_mut(&id).filter(|partition| partition.epoch == epoch) else { return };
        let known = Phase::Known { ledger: Ledger::new(base, horizon), memory: memory.map(Box::new) };
        if let Phase::Recalling(waiting) = std::mem::replace(&mut partition.phase, known) {
            waiting.into_iter().for_each(|record| self.received(record));
        }
    }

    /// A record was taken from a topic.
    pub(crate) fn received(&mut self, mut record: Received) {
        let slot = record.slot;
        let floor = self.floors.now(slot.partition);
        let Some(partition) = self.partition(slot).filter(|partition| !partition.is_going()) else {
            // The partition has gone meanwhile; its next owner takes the record.
            return self.windows.of(slot.source).release(record.bytes());
        };
        record.going = partition.going.clone();
        match &mut partition.phase {
            Phase::Recalling(waiting) => return waiting.push(record),
            Phase::Known { ledger, memory } => {
                ledger.take(slot.offset, floor);
                record.known = memory.as_ref().map_or(Known::Open, |memory| memory.judge(&record.headers));
                if record.known == Known::Settled {
                    ledger.finish(slot.offset);
                    return self.windows.of(slot.source).release(record.bytes());
                }
            }
        }
        self.serial += 1;
        match Wait::read(&record.headers).filter(|_| record.known == Known::Open) {
            Some(wait) => drop(self.timers.insert((wait.not_before, self.serial), Arc::new(record))),
            None => self.enqueue(Arc::new(record)),
        }
    }

    fn enqueue(&mut self, record: Arc<Received>) {
        self.serial += 1;
        let lane = record.key.clone().map_or(LaneKey::Lone(self.serial), LaneKey::Key);
        self.lanes.push(lane, record);
    }

    /// Moves the records whose time has come into their lanes.
    pub(crate) fn due(&mut self, now: Timestamp) {
        while let Some(entry) = self.timers.first_entry().filter(|entry| entry.key().0 <= now) {
            let record = entry.remove();
            self.enqueue(record);
        }
    }

    /// The next record that may be handled; its lane is busy until the record is [`State::done`] or [`State::given_back`].
    pub(crate) fn start_next(&mut self) -> Option<Start> {
        if self.in_flight >= self.concurrency {
            return None;
        }
        let (lane, record) = self.lanes.start_next()?;
        self.in_flight += 1;
        if let Some(partition) = self.partition(record.slot) {
            partition.in_flight += 1;
        }
        Some(Start { lane, record })
    }

    /// Something acknowledged stands for the record.
    pub(crate) fn done(&mut self, start: Start) {
        if let Some(ledger) = self.partition(start.record.slot).and_then(Partition::ledger) {
            ledger.finish(start.record.slot.offset);
        }
        self.end(start);
    }

    /// Handling the record failed inside Leadline, and it will not be tried again here. Its offset stays open, so that nothing behind it is
    /// committed.
    pub(crate) fn left(&mut self, start: Start) {
        self.end(start);
    }

    fn end(&mut self, start: Start) {
        self.landed(start.record.slot);
        self.windows.of(start.record.slot.source).release(start.record.bytes());
        self.lanes.free(start.lane);
    }

    /// The record was not handled and takes its place in the lane again.
    pub(crate) fn given_back(&mut self, start: Start) {
        if self.partition(start.record.slot).is_none_or(|partition| partition.is_going()) {
            return self.end(start);
        }
        self.landed(start.record.slot);
        self.lanes.give_back(start.lane, start.record);
    }

    fn landed(&mut self, slot: Slot) {
        self.in_flight -= 1;
        if let Some(partition) = self.partition(slot) {
            partition.in_flight -= 1;
        }
    }

    /// Starts nothing more of these partitions: what waits is dropped, for the next owner to take.
    pub(crate) fn stop_partitions(&mut self, ids: &[PartitionId]) {
        let of_these = |record: &Arc<Received>| ids.contains(&(record.slot.source, record.slot.partition));
        let mut dropped = self.lanes.remove(|record| of_these(record));
        let gone: Vec<_> = self.timers.iter().filter(|(_, record)| of_these(record)).map(|(due, _)| *due).collect();
        dropped.extend(gone.into_iter().filter_map(|due| self.timers.remove(&due)));
        for id in ids {
            let Some(partition) = self.partitions.get_mut(id) else { continue };
            partition.going.store(true, Ordering::Release);
            if let Phase::Recalling(waiting) = &mut partition.phase {
                dropped.extend(waiting.drain(..).map(Arc::new));
            }
        }
        for record in dropped {
            self.windows.of(record.slot.source).release(record.bytes());
        }
    }

    /// Whether nothing of these partitions is being handled.
    pub(crate) fn is_quiet(&self, ids: &[PartitionId]) -> bool {
        ids.iter().all(|id| self.partitions.get(id).is_none_or(|partition| partition.in_flight == 0))
    }

    /// Gives partitions up and returns where their next owner goes on. What is still in flight is of an old epoch from now on.
    pub(crate) fn release(&mut self, ids: &[PartitionId]) -> Vec<Position> {
        let floors = self.floors.clone();
        ids.iter().filter_map(|id| self.partitions.remove(id)?.position(id.1, floors.now(id.1))).collect()
    }

    /// The positions that have moved since they were last asked for, with the epoch they belong to.
    pub(crate) fn moved(&mut self, source: Source) -> Vec<(Position, u64)> {
        let ours = self.partitions.iter_mut().filter(|((of, _), _)| *of == source);
        let moved = ours.filter_map(|((_, number), partition)| {
            partition.forget_what_has_passed();
            partition.ledger()?.moved()?;
            Some((partition.position(*number, self.floors.now(*number))?, partition.epoch))
        });
        moved.collect()
    }

    /// Has every position handed out again, after a commit has failed.
    pub(crate) fn commit_failed(&mut self, source: Source) {
        let ours = self.partitions.iter_mut().filter(|((of, _), _)| *of == source);
        ours.filter_map(|(_, partition)| partition.ledger()).for_each(Ledger::hand_out_again);
    }

    /// Leads being handled now.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// The partition a slot belongs to, unless it has been given up since.
    fn partition(&mut self, slot: Slot) -> Option<&mut Partition> {
        self.partitions.get_mut(&(slot.source, slot.partition)).filter(|partition| partition.epoch == slot.epoch)
    }
}

#[cfg(test)]
mod tests;
