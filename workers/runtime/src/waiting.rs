//! Records of the retry topic that are not due yet: soon ones are kept, of the others only the place is, to be read again.
//!
//! Pure. Who reads them again is `refetch`.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use leadline_proto::EndpointName;
use leadline_proto::retry::{Class, Wait};

use crate::record::{Received, Slot};
use crate::state::Windows;

/// A record that is due within this time is kept as it is: reading it again would cost more than keeping it.
const SOON: SignedDuration = SignedDuration::from_secs(5);
/// Pause before a record that could not be read is asked for again.
const AGAIN: SignedDuration = SignedDuration::from_secs(1);
/// Records that are asked for at once.
const FETCHED: usize = 256;

/// What is kept of a record that waits.
#[derive(Debug)]
pub(crate) enum Waiter {
    /// All of it.
    Kept(Arc<Received>),
    /// Its place.
    Parked(Slot),
}

impl Waiter {
    fn slot(&self) -> Slot {
        match self {
            Self::Kept(record) => record.slot,
            Self::Parked(slot) => *slot,
        }
    }
}

/// When a record is due, and a serial number.
type Due = (Timestamp, u64);

/// Everything that waits.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    delayed: BTreeMap<Due, Waiter>,
    /// Held back by an operator, each with its endpoint. Due when it is released, or to be written anew: before the topic's
    /// retention deletes it.
    held: BTreeMap<Due, (EndpointName, Slot)>,
    /// Due, and to be read again.
    wanted: Vec<Slot>,
    /// Some are being read again now.
    fetching: bool,
    serial: u64,
}

impl Waiting {
    /// Adds a record that has to wait.
    pub(crate) fn add(&mut self, wait: Wait, record: Received, now: Timestamp, windows: &Windows) {
        let soon = wait.not_before.duration_since(now) <= SOON;
        let endpoint = (wait.class == Class::Held).then(|| record.endpoint()).flatten();
        let due = self.due_at(wait.not_before);
        if soon && endpoint.is_none() {
            self.delayed.insert(due, Waiter::Kept(Arc::new(record)));
            return;
        }
        windows.of(record.slot.source).park(record.bytes());
        match endpoint {
            Some(endpoint) => drop(self.held.insert(due, (endpoint, record.slot))),
            None => drop(self.delayed.insert(due, Waiter::Parked(record.slot))),
        }
    }

    /// A parked record could not be read; it is asked for again in a moment.
    pub(crate) fn again(&mut self, slot: Slot, now: Timestamp) {
        let due = self.due_at(now.checked_add(AGAIN).unwrap_or(now));
        self.delayed.insert(due, Waiter::Parked(slot));
    }

    fn due_at(&mut self, time: Timestamp) -> Due {
        self.serial += 1;
        (time, self.serial)
    }

    /// The kept records that are due; parked ones are to be fetched from now on.
    pub(crate) fn due(&mut self, now: Timestamp) -> Vec<Arc<Received>> {
        let mut kept = Vec::new();
        while let Some(entry) = self.delayed.first_entry().filter(|entry| entry.key().0 <= now) {
            match entry.remove() {
                Waiter::Kept(record) => kept.push(record),
                Waiter::Parked(slot) => self.wanted.push(slot),
            }
        }
        while let Some(entry) = self.held.first_entry().filter(|entry| entry.key().0 <= now) {
            self.wanted.push(entry.remove().1);
        }
        kept
    }

    /// The places of due records to read now, unless some are being read: until [`Waiting::fetched`].
    pub(crate) fn take_wanted(&mut self, has_room: bool) -> Vec<Slot> {
        if self.fetching || !has_room || self.wanted.is_empty() {
            return Vec::new();
        }
        self.fetching = true;
        self.wanted.sort_unstable();
        self.wanted.drain(..self.wanted.len().min(FETCHED)).collect()
    }

    /// What was to be read was read.
    pub(crate) fn fetched(&mut self) {
        self.fetching = false;
    }

    /// What is held back no longer is due now.
    pub(crate) fn release(&mut self, is_released: impl Fn(&EndpointName) -> bool) {
        let released = self.held.extract_if(.., |_, (endpoint, _)| is_released(endpoint));
        self.wanted.extend(released.map(|(_, (_, slot))| slot));
    }

    /// Takes out everything of some places.
    pub(crate) fn remove(&mut self, unwanted: impl Fn(Slot) -> bool) -> Vec<Waiter> {
        let mut removed: Vec<Waiter> =
            self.delayed.extract_if(.., |_, waiter| unwanted(waiter.slot())).map(|(_, waiter)| waiter).collect();
        removed.extend(self.held.extract_if(.., |_, (_, slot)| unwanted(*slot)).map(|(_, (_, slot))| Waiter::Parked(slot)));
        removed.extend(self.wanted.extract_if(.., |slot| unwanted(*slot)).map(Waiter::Parked));
        removed
    }

    /// Records that wait for their time.
    pub(crate) fn delayed(&self) -> usize {
        self.delayed.len()
    }

    /// Records that are held back.
    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }
}
