//! Start and stop of a process: one token that everything watches, and what a stop does in which order.
//!
//! A stop goes: readiness falls, intake ends, what is in flight is finished within `lifecycle.drain`, the process ends.
//! A second signal ends it at once.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::health::{Condition, Health};

/// The course of one process. Cheap to clone.
#[derive(Clone)]
pub struct Lifecycle {
    stop: CancellationToken,
    running: Condition,
    drain: Duration,
}

impl Lifecycle {
    /// A process that runs; `drain` is how long a stop may take.
    pub fn new(health: &Health, drain: Duration) -> Self {
        let running = health.condition("running");
        running.set(true);
        Self { stop: CancellationToken::new(), running, drain }
    }

    /// Begins the stop: the process is no longer ready, and everything that watches [`Lifecycle::stopping`] ends.
    pub fn stop(&self) {
        self.running.set(false);
        self.stop.cancel();
    }

    /// Completes when the stop has begun.
    pub async fn stopping(&self) {
        self.stop.cancelled().await;
    }

    /// Whether the stop has begun.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// How long a stop may take.
    pub fn drain(&self) -> Duration {
        self.drain
    }

    /// Stops on SIGTERM or SIGINT; a second one ends the process with 70, as leads in flight were left to the next start.
    ///
    /// # Errors
    /// When the handlers cannot be installed.
    pub fn stop_on_signals(&self) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let lifecycle = self.clone();
        tokio::spawn(async move {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            tracing::info!(drain_seconds = lifecycle.drain.as_secs(), "stopping: finishing what is in flight");
            lifecycle.stop();
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            tracing::warn!("second signal: ending at once");
            std::process::exit(crate::exit::Exit::Internal.code());
        });
        Ok(())
    }
}
