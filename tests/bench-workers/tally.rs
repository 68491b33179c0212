//! Counts what a worker does, and notes when it began and when it was through.
//!
//! The runtime builds a sink from the configuration alone, so a sink finds its tally by its name.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use leadline_platform::kafka::{Acked, DeliveryObserver};

static TALLIES: Mutex<Option<HashMap<String, Arc<Tally>>>> = Mutex::new(None);

/// Counts up to a number. Two moments are kept: the first tenth was there, and everything was.
///
/// A rate is taken between the two: at the beginning there is more at hand than is fetched, and nothing is warm.
#[derive(Debug)]
pub(crate) struct Meter {
    count: AtomicU64,
    tenth: u64,
    total: u64,
    warm: OnceLock<Instant>,
    complete: OnceLock<Instant>,
}

impl Meter {
    pub(crate) fn new(total: u64) -> Self {
        let tenth = (total / 10).max(1);
        Self { count: AtomicU64::new(0), tenth, total, warm: OnceLock::new(), complete: OnceLock::new() }
    }

    /// Counts one more.
    pub(crate) fn add(&self) {
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        if count == self.tenth {
            let _ = self.warm.set(Instant::now());
        }
        if count == self.total {
            let _ = self.complete.set(Instant::now());
        }
    }

    /// When everything was there.
    pub(crate) fn complete(&self) -> Option<Instant> {
        self.complete.get().copied()
    }

    /// How many a second, once it is complete.
    #[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
    pub(crate) fn rate(&self) -> Option<f64> {
        let time = self.complete()?.duration_since(*self.warm.get()?);
        Some((self.total - self.tenth) as f64 / time.as_secs_f64())
    }
}

/// What one worker did.
#[derive(Debug)]
pub(crate) struct Tally {
    first_call: OnceLock<Instant>,
    call_micros: AtomicU64,
    /// Leads that the sink has answered for.
    pub(crate) handled: Meter,
    /// Records that Kafka has acknowledged: the outcomes, as nothing else is written.
    pub(crate) acknowledged: Meter,
}

impl Tally {
    /// A tally of so many leads for the sink of that name.
    pub(crate) fn of_sink(name: &str, leads: u64) -> Arc<Self> {
        let tally = Arc::new(Self {
            first_call: OnceLock::new(),
            call_micros: AtomicU64::new(0),
            handled: Meter::new(leads),
            acknowledged: Meter::new(leads),
        });
        let mut tallies = TALLIES.lock().unwrap_or_else(PoisonError::into_inner);
        tallies.get_or_insert_default().insert(name.to_owned(), tally.clone());
        tally
    }

    /// The tally of a sink, if anybody counts.
    pub(crate) fn find(name: &str) -> Option<Arc<Self>> {
        TALLIES.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.get(name).cloned()
    }

    /// Notes a call to the sink that begins.
    pub(crate) fn begins(&self, now: Instant) {
        self.first_call.get_or_init(|| now);
    }

    /// Notes a call to the sink that began then and ends now.
    pub(crate) fn called(&self, began: Instant) {
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.call_micros.fetch_add(micros, Ordering::Relaxed);
        self.handled.add();
    }

    /// When the sink was called first.
    pub(crate) fn first_call(&self) -> Option<Instant> {
        self.first_call.get().copied()
    }

    /// The time of all calls together.
    pub(crate) fn in_calls(&self) -> Duration {
        Duration::from_micros(self.call_micros.load(Ordering::Relaxed))
    }
}

impl DeliveryObserver for Tally {
    fn acknowledged(&self, _topic: &str, _acked: Acked, _bytes: usize) {
        self.acknowledged.add();
    }
}
