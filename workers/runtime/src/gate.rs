//! Who may call the sink now: as many as it can handle and its latency allows, and nobody while it is down or the process stops.
//!
//! A lead that waits for its next try holds no place here, so a few unlucky leads do not keep the others from the sink. How the
//! limit moves is `limit`'s.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use leadline_platform::lifecycle::Lifecycle;
use tokio::sync::Notify;

use crate::limit::{Limit, Throttled};

/// The way to the sink.
pub(crate) struct Gate {
    limit: Mutex<Limit>,
    running: AtomicUsize,
    freed: Notify,
    closed: AtomicBool,
    lifecycle: Lifecycle,
}

/// A place for one call.
pub(crate) struct Place<'a> {
    gate: &'a Gate,
    cuts: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.gate.running.fetch_sub(1, Ordering::AcqRel);
        self.gate.freed.notify_one();
    }
}

impl Place<'_> {
    /// The sink has answered.
    pub(crate) fn answered(&self, took: Duration) {
        self.gate.limit().answered(took, self.gate.running.load(Ordering::Acquire));
        // The limit may be higher now by more than the place that is freed.
        self.gate.freed.notify_one();
    }

    /// The sink said "too fast".
    pub(crate) fn throttled(&self) -> Throttled {
        self.gate.limit().throttled(self.cuts, self.gate.running.load(Ordering::Acquire))
    }
}

impl Gate {
    /// An open gate for a sink that can handle `most` leads at once.
    pub(crate) fn new(most: usize, lifecycle: Lifecycle) -> Self {
        Self {
            limit: Mutex::new(Limit::new(most)),
            running: AtomicUsize::new(0),
            freed: Notify::new(),
            closed: AtomicBool::new(false),
            lifecycle,
        }
    }

    fn limit(&self) -> MutexGuard<'_, Limit> {
        self.limit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a place. `None` when the gate is closed or the process stops: then the sink is not to be called.
    pub(crate) async fn enter(&self) -> Option<Place<'_>> {
        loop {
            let freed = self.freed.notified();
            if self.closed.load(Ordering::Acquire) || self.lifecycle.is_stopping() {
                return None;
            }
            if let Some(place) = self.try_enter() {
                return Some(place);
            }
            tokio::select! {
                () = freed => {}
                () = self.lifecycle.stopping() => {}
            }
        }
    }

    fn try_enter(&self) -> Option<Place<'_>> {
        let limit = self.limit();
        let (now, cuts) = (limit.now(), limit.cuts());
        // Under the lock, so that two cannot take the last place.
        if self.running.load(Ordering::Acquire) >= now {
            return None;
        }
        let running = self.running.fetch_add(1, Ordering::AcqRel) + 1;
        drop(limit);
        if running < now {
            // There is room for another one that waits.
            self.freed.notify_one();
        }
        Some(Place { gate: self, cuts })
    }

    /// Lets nobody in any more; who waits is turned away.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.freed.notify_waiters();
    }

    /// Lets some in again, and more when the sink bears it.
    pub(crate) fn open(&self) {
        self.limit().restart();
        self.closed.store(false, Ordering::Release);
        self.freed.notify_one();
    }

    /// Calls that may run at once now.
    pub(crate) fn places(&self) -> usize {
        self.limit().now()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use leadline_platform::health::Health;

    use super::*;

    fn gate(most: usize) -> (Gate, Lifecycle) {
        let lifecycle = Lifecycle::new(&Health::default(), Duration::ZERO);
        (Gate::new(most, lifecycle.clone()), lifecycle)
    }

    #[tokio::test]
    async fn places_are_limited_and_none_is_given_while_it_is_closed() {
        let (gate, lifecycle) = gate(1);
        let place = gate.enter().await;
        assert!(place.is_some());
        assert!(gate.enter().now_or_never().is_none(), "the only place is taken");
        drop(place);
        gate.close();
        assert!(gate.enter().await.is_none());
        gate.open();
        assert!(gate.enter().await.is_some());
        lifecycle.stop();
        assert!(gate.enter().await.is_none());
    }

    #[tokio::test]
    async fn who_waits_gets_the_place_that_is_freed_or_is_turned_away() {
        let (gate, _lifecycle) = gate(1);
        let place = gate.enter().await;
        let mut waiting = std::pin::pin!(gate.enter());
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(place);
        assert!(waiting.await.is_some());
        let _place = gate.enter().await;
        let mut waiting = std::pin::pin!(gate.enter());
        assert!(waiting.as_mut().now_or_never().is_none());
        gate.close();
        assert!(waiting.await.is_none());
    }

    #[tokio::test]
    async fn a_throttled_sink_is_called_by_fewer() {
        let (gate, _lifecycle) = gate(4);
        let places = [gate.enter().await.unwrap(), gate.enter().await.unwrap(), gate.enter().await.unwrap()];
        assert_eq!(places[0].throttled(), Throttled::Lowered);
        assert_eq!(gate.places(), 1);
        drop(places);
        let place = gate.enter().await.unwrap();
        assert_eq!(place.throttled(), Throttled::AtLeast);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn many_come_through_and_never_more_at_once_than_may() {
        let (gate, _lifecycle) = gate(5);
        let (gate, most) = (std::sync::Arc::new(gate), std::sync::Arc::new(AtomicUsize::new(0)));
        let calls = (0..2000).map(|_| {
            let (gate, most) = (gate.clone(), most.clone());
            tokio::spawn(async move {
                let place = gate.enter().await.unwrap();
                most.fetch_max(gate.running.load(Ordering::Acquire), Ordering::AcqRel);
                tokio::task::yield_now().await;
                place.answered(Duration::from_millis(1));
            })
        });
        futures::future::join_all(calls.collect::<Vec<_>>()).await;
        assert!(most.load(Ordering::Acquire) <= 5);
        assert_eq!(gate.running.load(Ordering::Acquire), 0);
    }
}
