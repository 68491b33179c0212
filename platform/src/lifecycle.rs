//! Start and stop of a process: one token that everything watches, and what a stop does in which order.
//!
//! A stop goes: readiness falls, intake ends, what is in flight is finished within `lifecycle.drain`, the process ends.
//! A second signal ends it at once. SIGHUP asks for the configuration to be read again, where a process follows it.

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::health::{Condition, Health};

/// The course of one process. Cheap to clone.
#[derive(Clone)]
pub struct Lifecycle {
    stop: CancellationToken,
    running: Condition,
    drain: Duration,
    /// Counts how often somebody has asked for the configuration to be read again.
    reloads: watch::Sender<u64>,
}

impl Lifecycle {
    /// A process that runs; `drain` is how long a stop may take.
    pub fn new(health: &Health, drain: Duration) -> Self {
        let running = health.condition("running");
        running.set(true);
        Self { stop: CancellationToken::new(), running, drain, reloads: watch::Sender::new(0) }
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

    /// Asks for the configuration to be read again, changed or not.
    pub fn ask_for_reload(&self) {
        self.reloads.send_modify(|times| *times += 1);
    }

    /// Changes whenever somebody has asked for it. What is done then is [`crate::reload`]'s.
    pub fn reloads(&self) -> watch::Receiver<u64> {
        self.reloads.subscribe()
    }

    /// Takes SIGHUP as a wish to read the configuration again. Without this it ends the process, which is right where nothing
    /// follows the configuration, and in a terminal that is closed.
    ///
    /// # Errors
    /// When the handler cannot be installed.
    pub fn reload_on_hangup(&self) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut hangup = signal(SignalKind::hangup())?;
        let lifecycle = self.clone();
        tokio::spawn(async move {
            while hangup.recv().await.is_some() {
                lifecycle.ask_for_reload();
            }
        });
        Ok(())
    }
}
