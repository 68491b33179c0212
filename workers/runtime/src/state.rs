//! The state of a worker between its consumers and its attempts: which records are taken, which may start, which are done.
//!
//! Pure: no Kafka, no clock, no tasks. It is told what happened and answers what may happen next. The loop around it is
//! `scheduler`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use leadline_proto::retry::Wait;

use crate::lanes::{LaneKey, Lanes};
use crate::ledger::Ledger;
use crate::record::{Received, Slot, Source};
use crate::window::Window;

/// A partition of one of the worker's topics.
pub(crate) type PartitionId = (Source, i32);

/// A partition and the offset to go on from.
pub(crate) type Position = (i32, i64);

#[derive(Debug)]
struct Partition {
    epoch: u64,
    ledger: Ledger,
    in_flight: usize,
    /// It is about to be given up, so nothing more of it is started.
    stopping: bool,
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
    in_flight: usize,
    concurrency: usize,
    serial: u64,
}

impl State {
    /// An idle worker.
    pub(crate) fn new(windows: Windows, concurrency: usize) -> Self {
        Self {
            lanes: Lanes::default(),
            timers: BTreeMap::new(),
            partitions: HashMap::new(),
            windows,
            in_flight: 0,
            concurrency,
            serial: 0,
        }
    }

    /// A partition is ours from now on.
    pub(crate) fn assigned(&mut self, id: PartitionId, epoch: u64) {
        self.partitions.insert(id, Partition { epoch, ledger: Ledger::default(), in_flight: 0, stopping: false });
    }

    /// A record was taken from a topic.
    pub(crate) fn received(&mut self, record: Received) {
        let slot = record.slot;
        match self.partition(slot) {
            Some(partition) => partition.ledger.take(slot.offset),
            // The partition has gone meanwhile; its next owner takes the record.
            None => return self.windows.of(slot.source).release(record.bytes()),
        }
        self.serial += 1;
        match Wait::read(&record.headers) {
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
        if let Some(partition) = self.partition(start.record.slot) {
            partition.ledger.finish(start.record.slot.offset);
        }
        self.end(start);
    }

    /// Nothing stands for the record, and it will not be tried again here. Its offset stays open, so that nothing behind it is
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
        if self.partition(start.record.slot).is_none_or(|partition| partition.stopping) {
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
            if let Some(partition) = self.partitions.get_mut(id) {
                partition.stopping = true;
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
        let gone = ids.iter().filter_map(|id| Some((id.1, self.partitions.remove(id)?.ledger.position()?)));
        gone.collect()
    }

    /// The positions that have moved since they were last asked for, with the epoch they belong to.
    pub(crate) fn moved(&mut self, source: Source) -> Vec<(Position, u64)> {
        let ours = self.partitions.iter_mut().filter(|((of, _), _)| *of == source);
        ours.filter_map(|((_, number), partition)| Some(((*number, partition.ledger.moved()?), partition.epoch))).collect()
    }

    /// Has every position handed out again, after a commit has failed.
    pub(crate) fn commit_failed(&mut self, source: Source) {
        let ours = self.partitions.iter_mut().filter(|((of, _), _)| *of == source);
        ours.for_each(|(_, partition)| partition.ledger.hand_out_again());
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
