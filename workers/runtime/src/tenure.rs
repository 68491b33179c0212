//! One assignment of a partition, as everything that handles its records sees it: whether it is about to go, whether it was lost,
//! and which leads of it were seen lately.
//!
//! A process that was frozen does not know that its partitions have another owner now. The consumer's turns tell: after a
//! long gap nothing that cannot be taken back is done before Kafka has had time to say who owns what ([`Lease`]).

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::recent::Recent;

/// Without a turn for so long the consumer may have been put out of its group. Shorter than `session.timeout.ms`.
const GAP: Duration = Duration::from_secs(8);
/// librdkafka looks once a second whether its session has ended, and then takes the partitions back.
const DOUBT: Duration = Duration::from_secs(2);
/// How often a claim that is in doubt is looked at again.
const LOOK: Duration = Duration::from_millis(50);

/// When a consumer has turned last.
#[derive(Debug)]
pub(crate) struct Lease {
    started: Instant,
    turned: AtomicU64,
    in_doubt_until: AtomicU64,
}

impl Default for Lease {
    fn default() -> Self {
        Self { started: Instant::now(), turned: AtomicU64::new(0), in_doubt_until: AtomicU64::new(0) }
    }
}

impl Lease {
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The consumer turns.
    pub(crate) fn turn(&self) {
        self.turn_at(self.now());
    }

    fn turn_at(&self, now: u64) {
        // The doubt comes before the turn: who wakes between the two must not take the turn for a good sign.
        if now.saturating_sub(self.turned.load(Ordering::Acquire)) > millis(GAP) {
            self.in_doubt_until.store(now + millis(DOUBT), Ordering::Release);
        }
        self.turned.store(now, Ordering::Release);
    }

    /// Whether what was assigned can be taken to be ours still.
    fn holds_at(&self, now: u64) -> bool {
        let turned = self.turned.load(Ordering::Acquire);
        now.saturating_sub(turned) <= millis(GAP) && now >= self.in_doubt_until.load(Ordering::Acquire)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// One assignment of a partition.
#[derive(Debug, Default)]
pub(crate) struct Tenure {
    going: AtomicBool,
    lost: AtomicBool,
    lease: Arc<Lease>,
    recent: Mutex<Recent>,
}

impl Tenure {
    /// An assignment to the consumer of this lease.
    pub(crate) fn new(lease: Arc<Lease>) -> Self {
        Self { lease, ..Self::default() }
    }

    /// The partition is about to be given up: what is in flight is finished, and nothing else is begun.
    pub(crate) fn end(&self) {
        self.going.store(true, Ordering::Release);
    }

    /// The partition has another owner already.
    pub(crate) fn lose(&self) {
        self.lost.store(true, Ordering::Release);
        self.end();
    }

    /// Whether the partition is about to be given up, or has been.
    pub(crate) fn is_going(&self) -> bool {
        self.going.load(Ordering::Acquire)
    }

    /// Waits until it is known whether the partition is still ours, and says so.
    pub(crate) async fn holds(&self) -> bool {
        loop {
            if self.lost.load(Ordering::Acquire) {
                return false;
            }
            if self.lease.holds_at(self.lease.now()) {
                return true;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The leads of the partition that were seen lately.
    pub(crate) fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_long_gap_a_lease_is_in_doubt_for_a_while() {
        let lease = Lease::default();
        lease.turn_at(100);
        assert!(lease.holds_at(8100));
        assert!(!lease.holds_at(8101), "no turn for more than 8 s");
        lease.turn_at(20_000);
        assert!(!lease.holds_at(20_000), "it may have been put out of its group");
        lease.turn_at(21_000);
        assert!(!lease.holds_at(21_999));
        assert!(lease.holds_at(22_000));
    }

    #[tokio::test]
    async fn a_lost_partition_is_ours_no_longer_and_one_that_goes_in_order_is() {
        let tenure = Tenure::default();
        assert!(tenure.holds().await);
        tenure.end();
        assert!(tenure.is_going() && tenure.holds().await);
        tenure.lose();
        assert!(!tenure.holds().await);
    }
}
