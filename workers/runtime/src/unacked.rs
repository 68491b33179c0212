//! Whether Kafka acknowledges what is written: while it does not, no lead is started, as nothing could be recorded for it.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A record that is not acknowledged for so long means that Kafka is away.
const AWAY_AFTER: Duration = Duration::from_secs(5);

/// The records that are not acknowledged, by when they were first sent.
#[derive(Debug, Default)]
pub(crate) struct Unacked(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    since: BTreeSet<(Instant, u64)>,
    serial: u64,
}

/// A record that is not acknowledged, until this is dropped.
pub(crate) struct Pending<'a> {
    unacked: &'a Unacked,
    key: (Instant, u64),
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.unacked.inner().since.remove(&self.key);
    }
}

impl Unacked {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A record is sent.
    pub(crate) fn begin(&self) -> Pending<'_> {
        let mut inner = self.inner();
        inner.serial += 1;
        let key = (Instant::now(), inner.serial);
        inner.since.insert(key);
        Pending { unacked: self, key }
    }

    /// Whether Kafka is taken to be away.
    pub(crate) fn is_away(&self, now: Instant) -> bool {
        let oldest = self.inner().since.first().copied();
        oldest.is_some_and(|(since, _)| now.saturating_duration_since(since) > AWAY_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kafka_is_away_while_one_record_waits_for_long() {
        let unacked = Unacked::default();
        let (first, second) = (unacked.begin(), unacked.begin());
        let later = Instant::now() + AWAY_AFTER * 2;
        assert!(!unacked.is_away(Instant::now()));
        drop(second);
        assert!(unacked.is_away(later));
        drop(first);
        assert!(!unacked.is_away(later));
    }
}
