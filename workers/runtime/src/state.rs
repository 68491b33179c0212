//! The state of a worker between its consumers and its attempts: which records are taken, which may start, which are done.
//!
//! Pure: no Kafka, no clock, no tasks. It is told what happened and answers what may happen next. The loop around it is
//! `scheduler`; records that wait for their time are `waiting`'s.

mod partition;

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use leadline_proto::retry::{Class, Wait};

use crate::backlog::Backlog;
use crate::controls::Controls;
use crate::floor::{Floor, Floors, Trail};
use crate::lanes::{LaneKey, Lanes};
use crate::ledger::Ledger;
use crate::memory::Known;
use crate::recall::{Past, Recalled};
use crate::record::{Received, Slot, Source};
use crate::refetch::Fetched;
use crate::tenure::{Lease, Tenure};
use crate::waiting::{Waiter, Waiting};
use crate::window::Window;
use partition::{Partition, Phase};

/// A partition of one of the worker's topics.
pub(crate) type PartitionId = (Source, i32);

/// A partition that was assigned.
#[derive(Clone, Debug)]
pub(crate) struct Assigned {
    pub(crate) id: PartitionId,
    /// Never used twice.
    pub(crate) epoch: u64,
    /// Where it begins, when nothing was committed for it.
    pub(crate) start: Option<i64>,
    /// Whether its consumer still turns.
    pub(crate) lease: Arc<Lease>,
}

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

/// A partition whose position is no longer in its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stopped {
    pub(crate) partition: i32,
    /// The oldest record there is.
    pub(crate) first: i64,
    /// Leads that were read before and are not done.
    pub(crate) open: usize,
}

/// The windows of both consumers.
#[derive(Clone)]
pub(crate) struct Windows {
    pub(crate) leads: Arc<Window>,
    pub(crate) retry: Arc<Window>,
}

impl Windows {
    pub(crate) fn of(&self, source: Source) -> &Window {
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
    waiting: Waiting,
    partitions: HashMap<PartitionId, Partition>,
    windows: Windows,
    floors: Arc<Floors>,
    controls: Controls,
    in_flight: usize,
    serial: u64,
    now: Timestamp,
}

impl State {
    /// An idle worker.
    pub(crate) fn new(windows: Windows, floors: Arc<Floors>, controls: Controls) -> Self {
        Self {
            lanes: Lanes::default(),
            waiting: Waiting::default(),
            partitions: HashMap::new(),
            windows,
            floors,
            controls,
            in_flight: 0,
            serial: 0,
            now: Timestamp::MIN,
        }
    }

    /// A partition is ours from now on. Nothing of it starts before it is [`State::recalled`].
    pub(crate) fn assigned(&mut self, assigned: &Assigned) -> Arc<Tenure> {
        let tenure = Arc::new(Tenure::new(assigned.lease.clone()));
        self.partitions.insert(assigned.id, Partition::new(assigned.epoch, tenure.clone()));
        tenure
    }

    /// A partition's past is known.
    pub(crate) fn recalled(&mut self, recalled: Recalled) {
        let Recalled { id, epoch, past } = recalled;
        let Past { position, memory, recent, base, ends, horizon } = match past {
            Ok(past) => past,
            Err(gap) => return self.out_of_range(id, epoch, gap.first),
        };
        Trail::ALL.into_iter().for_each(|trail| self.floors.raise(id.1, trail, ends.of(trail)));
        let Some(partition) = self.partitions.get_mut(&id).filter(|partition| partition.epoch == epoch) else { return };
        *partition.tenure.recent() = recent;
        partition.end = partition.end.max(horizon);
        let ledger = Ledger::new(position, base, horizon);
        let known = Phase::Known { ledger, memory: memory.map(Box::new) };
        if let Phase::Recalling(waiting) = std::mem::replace(&mut partition.phase, known) {
            waiting.into_iter().for_each(|record| self.received(record));
        }
    }

    /// A partition's position is no longer in the topic. What was read before is handled: it stands nowhere else any more.
    fn out_of_range(&mut self, id: PartitionId, epoch: u64, first: i64) {
        let Some(partition) = self.partitions.get_mut(&id).filter(|partition| partition.epoch == epoch) else { return };
        partition.first_after_gap = Some(first);
        if let Phase::Recalling(waiting) = &mut partition.phase {
            // Nothing stands for it, and nothing was handled: with no ledger nothing is committed over the gap.
            let dropped = std::mem::take(waiting);
            partition.phase = Phase::OutOfRange;
            dropped.iter().for_each(|record| self.windows.of(id.0).release(record.bytes()));
        }
    }

    /// Whether a partition's position is in its topic, as far as is known.
    pub(crate) fn is_in_range(&self, id: PartitionId) -> bool {
        self.partitions.get(&id).is_some_and(|partition| partition.first_after_gap.is_none())
    }

    /// A record was taken from a topic.
    pub(crate) fn received(&mut self, mut record: Received) {
        let (slot, since) = (record.slot, record.received_at());
        let floor = self.floors.now(slot.partition);
        let windows = self.windows.clone();
        let give_up = |record: &Received| windows.of(slot.source).release(record.bytes());
        let Some(partition) = self.partition(slot).filter(|partition| !partition.tenure.is_going()) else {
            // The partition has gone meanwhile; its next owner takes the record.
            return give_up(&record);
        };
        record.tenure = partition.tenure.clone();
        partition.late.extend(record.surfaced_late.map(|written| (slot.offset, written)));
        match &mut partition.phase {
            Phase::Recalling(waiting) => return waiting.push(record),
            Phase::OutOfRange => return give_up(&record),
            Phase::Known { ledger, memory } => {
                ledger.take(slot.offset, floor, since);
                record.known = memory.as_ref().map_or(Known::Open, |memory| memory.judge_record(&record));
                if record.known == Known::Settled {
                    ledger.finish(slot.offset);
                    return give_up(&record);
                }
            }
        }
        match self.waits_until(&record) {
            Some(wait) => self.waiting.add(wait, record, self.now, &self.windows),
            None => self.enqueue(Arc::new(record)),
        }
    }

    /// Until when a record is to wait; `None` when it may be handled.
    fn waits_until(&self, record: &Received) -> Option<Wait> {
        let waits = record.slot.source == Source::Retry && record.known == Known::Open;
        let wait = Wait::read(&record.headers).filter(|_| waits)?;
        let released = wait.class == Class::Held && !record.endpoint().is_some_and(|endpoint| self.controls.holds(&endpoint));
        (!released).then_some(wait)
    }

    fn enqueue(&mut self, record: Arc<Received>) {
        self.serial += 1;
        let lane = record.key.clone().map_or(LaneKey::Lone(self.serial), LaneKey::Key);
        self.lanes.push(lane, record);
    }

    /// Moves the records whose time has come into their lanes, and returns the places of those that must be read again.
    pub(crate) fn due(&mut self, now: Timestamp) -> Vec<Slot> {
        self.now = now;
        for record in self.waiting.due(now) {
            self.enqueue(record);
        }
        self.waiting.take_wanted(self.windows.retry.has_room())
    }

    /// Holds have changed: what is held back no longer is due.
    pub(crate) fn released(&mut self) {
        let controls = self.controls.clone();
        self.waiting.release(|endpoint| !controls.holds(endpoint));
    }

    /// Records whose time has come were read again. What is gone for good is done with, and returned.
    pub(crate) fn fetched(&mut self, fetched: Fetched) -> Vec<Slot> {
        self.waiting.fetched();
        for mut record in fetched.records {
            self.windows.retry.unpark();
            let Some(partition) = self.partition(record.slot).filter(|partition| !partition.tenure.is_going()) else {
                continue;
            };
            record.tenure = partition.tenure.clone();
            record.surfaced_late = partition.late.get(&record.slot.offset).copied();
            self.windows.retry.take(record.bytes());
            self.enqueue(Arc::new(record));
        }
        for slot in fetched.failed {
            if self.partition(slot).is_some_and(|partition| !partition.tenure.is_going()) {
                self.waiting.again(slot, self.now);
            } else {
                self.windows.retry.unpark();
            }
        }
        let gone = fetched.gone.into_iter().filter(|slot| {
            self.windows.retry.unpark();
            let ledger = self.partition(*slot).and_then(Partition::ledger);
            ledger.map(|ledger| ledger.finish(slot.offset)).is_some()
        });
        gone.collect()
    }

    /// The next record that may be handled; its lane is busy until the record is [`State::done`] or [`State::given_back`].
    pub(crate) fn start_next(&mut self) -> Option<Start> {
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

    /// Handling the record failed inside Leadline, and it will not be tried again here. Its offset stays open, so that nothing
    /// behind it is committed.
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
        if self.partition(start.record.slot).is_none_or(|partition| partition.tenure.is_going()) {
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
        let of_these = |slot: Slot| ids.contains(&(slot.source, slot.partition));
        let mut dropped = self.lanes.remove(|record| of_these(record.slot));
        for waiter in self.waiting.remove(of_these) {
            match waiter {
                Waiter::Kept(record) => dropped.push(record),
                Waiter::Parked(slot) => self.windows.of(slot.source).unpark(),
            }
        }
        for id in ids {
            let Some(partition) = self.partitions.get_mut(id) else { continue };
            partition.tenure.end();
            if let Phase::Recalling(waiting) = &mut partition.phase {
                dropped.extend(waiting.drain(..).map(Arc::new));
            }
        }
        for record in dropped {
            self.windows.of(record.slot.source).release(record.bytes());
        }
    }

    /// These partitions have another owner already.
    pub(crate) fn lost(&mut self, ids: &[PartitionId]) {
        ids.iter().filter_map(|id| self.partitions.get(id)).for_each(|partition| partition.tenure.lose());
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

    /// Has every position handed out again, such as after a commit has failed.
    pub(crate) fn hand_out_again(&mut self, source: Source) {
        let ours = self.partitions.iter_mut().filter(|((of, _), _)| *of == source);
        ours.filter_map(|(_, partition)| partition.ledger()).for_each(Ledger::hand_out_again);
    }

    /// The end of partitions, as a consumer has seen it.
    pub(crate) fn ends(&mut self, source: Source, ends: &[(i32, i64)]) {
        for (number, end) in ends {
            self.partitions.entry((source, *number)).and_modify(|partition| partition.end = partition.end.max(*end));
        }
    }

    /// Leads being handled now.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Whether a partition is still being read back.
    pub(crate) fn is_recalling(&self) -> bool {
        self.partitions.values().any(|partition| matches!(partition.phase, Phase::Recalling(_)))
    }

    /// Where reading goes on in the topics whose partitions it reads now, with the epoch of each.
    pub(crate) fn reading(&mut self, source: Source) -> Vec<(PartitionId, u64, i64)> {
        let ours = self.partitions.iter_mut().filter(|((of, _), _)| *of == source);
        ours.filter_map(|(id, partition)| Some((*id, partition.epoch, partition.ledger()?.next()?))).collect()
    }

    /// The partitions of a topic whose position is no longer in it.
    pub(crate) fn stopped(&mut self, source: Source) -> Vec<Stopped> {
        let ours = self.partitions.iter_mut().filter(|((of, _), _)| *of == source);
        let stopped = ours.filter_map(|((_, number), partition)| {
            let (first, open) = (partition.first_after_gap?, partition.ledger().map_or(0, |ledger| ledger.open()));
            Some(Stopped { partition: *number, first, open })
        });
        stopped.collect()
    }

    /// What is not done, by why.
    pub(crate) fn backlog(&self, source: Source) -> Backlog {
        let ours = self.partitions.iter().filter(|((of, _), _)| *of == source);
        let mut backlog = ours.fold(Backlog::default(), |backlog, (_, partition)| match &partition.phase {
            Phase::Known { ledger, .. } => backlog.with(ledger, partition.end),
            Phase::Recalling(_) | Phase::OutOfRange => backlog,
        });
        if source == Source::Retry {
            backlog.put_aside(self.waiting.delayed(), self.waiting.held());
        }
        backlog
    }

    /// The partition a slot belongs to, unless it has been given up since.
    fn partition(&mut self, slot: Slot) -> Option<&mut Partition> {
        self.partitions.get_mut(&(slot.source, slot.partition)).filter(|partition| partition.epoch == slot.epoch)
    }
}

#[cfg(test)]
mod tests;
