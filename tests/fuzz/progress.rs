//! Tells the person who waits how far a run has come.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A run of minutes gets some dozen lines, one of seconds none.
const EVERY: Duration = Duration::from_secs(10);

/// Counts inputs that are done, for all threads.
pub(crate) struct Progress {
    part: &'static str,
    inputs: u64,
    done: AtomicU64,
    started: Instant,
    /// Milliseconds from the start to the next line.
    next: AtomicU64,
}

impl Progress {
    pub(crate) fn new(part: &'static str, inputs: u64) -> Self {
        let next = AtomicU64::new(millis(EVERY));
        Self { part, inputs, done: AtomicU64::new(0), started: Instant::now(), next }
    }

    /// So many more are done.
    pub(crate) fn add(&self, count: u64) {
        let done = self.done.fetch_add(count, Ordering::Relaxed) + count;
        let (now, next) = (millis(self.started.elapsed()), self.next.load(Ordering::Relaxed));
        let due = now >= next;
        if due && self.next.compare_exchange(next, now + millis(EVERY), Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            eprintln!("{}: {done} of {} inputs, {:.0}/s", self.part, self.inputs, self.rate());
        }
    }

    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Seconds since the start.
    pub(crate) fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Inputs a second since the start.
    #[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
    pub(crate) fn rate(&self) -> f64 {
        self.done() as f64 / self.seconds().max(0.001)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
