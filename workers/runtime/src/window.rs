//! How much one consumer thread may take: leads and bytes that are taken and not done.
//!
//! Counted up where records are taken and down where they are done, so both sides share it. Everything else about a lead in
//! the window is the scheduler's.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The window of one consumer.
#[derive(Debug)]
pub(crate) struct Window {
    leads: AtomicUsize,
    bytes: AtomicUsize,
    max_leads: usize,
    max_bytes: usize,
}

impl Window {
    /// An empty window.
    pub(crate) fn new(max_leads: usize, max_bytes: usize) -> Self {
        Self { leads: AtomicUsize::new(0), bytes: AtomicUsize::new(0), max_leads, max_bytes }
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

    /// Leads in the window.
    pub(crate) fn leads(&self) -> usize {
        self.leads.load(Ordering::Acquire)
    }

    /// Whether nothing more may be taken.
    pub(crate) fn is_full(&self) -> bool {
        self.leads() >= self.max_leads || self.bytes.load(Ordering::Acquire) >= self.max_bytes
    }

    /// Whether so much has been done that a paused consumer should go on: resuming takes up to a second.
    pub(crate) fn is_half_empty(&self) -> bool {
        self.leads() <= self.max_leads / 2 && self.bytes.load(Ordering::Acquire) <= self.max_bytes / 2
    }
}
