//! Who may call the sink now: as many as it can handle at once, and nobody while it is down or the process stops.
//!
//! A lead that waits for its next try holds no place here, so a few unlucky leads do not keep the others from a sink that has
//! only a few connections.

use std::sync::atomic::{AtomicBool, Ordering};

use leadline_platform::lifecycle::Lifecycle;
use tokio::sync::{Semaphore, SemaphorePermit};

/// The way to the sink.
pub(crate) struct Gate {
    places: Semaphore,
    sink_down: AtomicBool,
    lifecycle: Lifecycle,
}

impl Gate {
    /// An open gate for a sink that can handle `capacity` leads at once.
    pub(crate) fn new(capacity: usize, lifecycle: Lifecycle) -> Self {
        let places = Semaphore::new(capacity.min(Semaphore::MAX_PERMITS));
        Self { places, sink_down: AtomicBool::new(false), lifecycle }
    }

    /// Waits for a place. `None` when the sink is down or the process stops: then it is not to be called.
    pub(crate) async fn enter(&self) -> Option<SemaphorePermit<'_>> {
        let place = self.places.acquire().await.ok();
        place.filter(|_| !self.sink_down.load(Ordering::Acquire) && !self.lifecycle.is_stopping())
    }

    /// Says whether the sink is down.
    pub(crate) fn sink_is_down(&self, down: bool) {
        self.sink_down.store(down, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use leadline_platform::health::Health;

    use super::*;

    #[tokio::test]
    async fn places_are_limited_and_none_is_given_while_the_sink_is_down() {
        let lifecycle = Lifecycle::new(&Health::default(), Duration::ZERO);
        let gate = Gate::new(1, lifecycle.clone());
        let place = gate.enter().await;
        assert!(place.is_some());
        assert!(futures::FutureExt::now_or_never(gate.enter()).is_none(), "the only place is taken");
        drop(place);
        gate.sink_is_down(true);
        assert!(gate.enter().await.is_none());
        gate.sink_is_down(false);
        assert!(gate.enter().await.is_some());
        lifecycle.stop();
        assert!(gate.enter().await.is_none());
    }
}
