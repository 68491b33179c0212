//! How much one consumer thread may take: leads and bytes that are taken and not done, and places of waiting retries.
//!
//! Counted up where records are taken and down where they are done, so both sides share it. Everything else about a lead in
//! the window is the scheduler's.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Waiting retries of which only the place is kept. Each takes about 200 bytes.
pub(crate) const MOST_PARKED: usize = 100_000;

/// The window of one consumer.
#[derive(Debug)]
pub(crate) struct Window {
    leads: AtomicUsize,
    bytes: AtomicUsize,
    parked: AtomicUsize,
    closed: AtomicBool,
    max_leads: usize,
    max_bytes: usize,
}

impl Window {
    /// An empty window.
    pub(crate) fn new(max_leads: usize, max_bytes: usize) -> Self {
        let (leads, bytes, parked) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        Self { leads, bytes, parked, closed: AtomicBool::new(false), max_leads, max_bytes }
    }

    /// Notes a record that was taken.
    pub(crate) fn take(&self, bytes: usize) {
        self.leads.fetch_add(1, Ordering::AcqRel);
        self.bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    /// Notes a record that is done or was given up to another worker.
    pub(crate) fn release(&self, bytes: usize) {
        self.leads.fetch_sub(1, Ordering::AcqRel);
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// Notes that of a record that was taken only the place is kept.
    pub(crate) fn park(&self, bytes: usize) {
        self.release(bytes);
        self.parked.fetch_add(1, Ordering::AcqRel);
    }

    /// Notes that such a place is kept no longer.
    pub(crate) fn unpark(&self) {
        self.parked.fetch_sub(1, Ordering::AcqRel);
    }

    /// Leads in the window.
    pub(crate) fn leads(&self) -> usize {
        self.leads.load(Ordering::Acquire)
    }

    /// Says whether nothing is started now, so that taking more would be of no use.
    pub(crate) fn close(&self, closed: bool) {
        self.closed.store(closed, Ordering::Release);
    }

    /// Whether nothing more may be taken.
    pub(crate) fn is_full(&self) -> bool {
        self.is_closed() || !self.has_room() || self.parked.load(Ordering::Acquire) >= MOST_PARKED
    }

    /// Whether there is room for another record.
    pub(crate) fn has_room(&self) -> bool {
        self.leads() < self.max_leads && self.bytes.load(Ordering::Acquire) < self.max_bytes
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Whether so much has been done that a paused consumer should go on: resuming takes up to a second.
    pub(crate) fn is_half_empty(&self) -> bool {
        let parked = self.parked.load(Ordering::Acquire) < MOST_PARKED;
        let half = self.leads() <= self.max_leads / 2 && self.bytes.load(Ordering::Acquire) <= self.max_bytes / 2;
        parked && half && !self.is_closed()
    }
}
