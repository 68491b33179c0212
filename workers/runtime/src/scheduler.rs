//! The loop between the consumers and the attempts: takes what was received, starts what may run, hands out positions.
//!
//! All decisions are those of [`State`]; here are the clock, the tasks and the channels.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use jiff::Timestamp;
use leadline_platform::metrics::NO_LABELS;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use crate::attempt::{Attempts, Ended};
use crate::breaker;
use crate::metrics::RuntimeMetrics;
use crate::recall::{Recall, Recalled};
use crate::record::{Received, Source};
use crate::sink::{Sink, SinkDown};
use crate::state::{PartitionId, Position, Start, State};

/// How often positions are handed out for a commit.
const COMMIT_INTERVAL: Duration = Duration::from_millis(500);
/// How often the loop looks for records of the retry topic that have become due.
const TICK: Duration = Duration::from_millis(100);
/// Pause before reading back is tried again.
const RECALL_PAUSE: Duration = Duration::from_secs(1);
/// Events taken from the channel at once.
const BATCH: usize = 1024;

/// What happens to a worker.
#[derive(Debug)]
pub(crate) enum Event {
    /// Partitions are ours, each with the epoch of this assignment.
    Assigned(Vec<(PartitionId, u64)>),
    /// The past of partitions is known.
    Recalled(Vec<Recalled>),
    /// Records were taken.
    Received(Vec<Received>),
    /// Partitions are about to go: finish what is in flight and say where to go on.
    Release(Release),
    /// A commit has failed.
    CommitFailed(Source),
    /// An attempt has ended; `None` when it failed inside Leadline.
    Ended(Start, Option<Ended>),
    /// A probe was answered.
    SinkUp,
}

/// A request to give partitions up.
#[derive(Debug)]
pub(crate) struct Release {
    /// Which.
    pub(crate) partitions: Vec<PartitionId>,
    /// What is in flight then is left behind.
    pub(crate) deadline: Instant,
    /// Receives where to go on, once nothing is in flight.
    pub(crate) reply: mpsc::SyncSender<Vec<Position>>,
}

/// Positions for a consumer to commit, each with the epoch it belongs to.
pub(crate) type Commit = Vec<(Position, u64)>;

/// The loop's own parts.
pub(crate) struct Scheduler<S> {
    pub(crate) state: State,
    pub(crate) attempts: Arc<Attempts<S>>,
    pub(crate) recall: Arc<Recall>,
    pub(crate) metrics: Arc<RuntimeMetrics>,
    pub(crate) events: UnboundedSender<Event>,
    /// Where each consumer takes positions from.
    pub(crate) commits: [(Source, mpsc::Sender<Commit>); 2],
    pub(crate) probe_deadline: Duration,
    pub(crate) releases: Vec<Release>,
    pub(crate) sink_down: bool,
}

impl<S: Sink> Scheduler<S> {
    /// Runs until the process drops it; the consumers have closed by then.
    pub(crate) async fn run(mut self, mut events: UnboundedReceiver<Event>) {
        let mut tick = tokio::time::interval(TICK);
        let mut committed = Instant::now();
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                count = events.recv_many(&mut batch, BATCH) => {
                    if count == 0 {
                        return;
                    }
                    batch.drain(..).for_each(|event| self.on(event));
                }
                _ = tick.tick() => {}
            }
            self.state.due(Timestamp::now());
            self.start_what_may_run();
            self.answer_releases();
            if committed.elapsed() >= COMMIT_INTERVAL {
                self.hand_out_positions();
                committed = Instant::now();
            }
        }
    }

    fn on(&mut self, event: Event) {
        match event {
            Event::Assigned(partitions) => {
                partitions.iter().for_each(|(id, epoch)| self.state.assigned(*id, *epoch));
                self.recall(partitions);
            }
            Event::Recalled(partitions) => partitions.into_iter().for_each(|recalled| self.state.recalled(recalled)),
            Event::Received(records) => records.into_iter().for_each(|record| self.state.received(record)),
            Event::Release(release) => {
                self.state.stop_partitions(&release.partitions);
                self.releases.push(release);
            }
            Event::CommitFailed(source) => self.state.commit_failed(source),
            Event::Ended(start, ended) => self.ended(start, ended),
            Event::SinkUp => self.sink_up(),
        }
    }

    /// Reads back beside the loop, again and again until it works: without it nothing of the partitions may start.
    fn recall(&self, partitions: Vec<(PartitionId, u64)>) {
        let (recall, events, lifecycle) = (self.recall.clone(), self.events.clone(), self.attempts.lifecycle.clone());
        tokio::task::spawn_blocking(move || {
            while !partitions.is_empty() && !lifecycle.is_stopping() {
                match recall.run(&partitions) {
                    Ok(recalled) => return drop(events.send(Event::Recalled(recalled))),
                    Err(error) => tracing::warn!(%error, "what was recorded before cannot be read back; trying again"),
                }
                std::thread::sleep(RECALL_PAUSE);
            }
        });
    }

    fn ended(&mut self, start: Start, ended: Option<Ended>) {
        match ended {
            Some(Ended::Done) => self.state.done(start),
            Some(Ended::NotStarted) => self.state.given_back(start),
            Some(Ended::SinkDown { down, recorded }) => {
                if recorded {
                    self.state.done(start);
                } else {
                    self.state.given_back(start);
                }
                self.open_breaker(down);
            }
            None => {
                self.metrics.abandoned.with_label_values(NO_LABELS).inc();
                let slot = start.record.slot;
                tracing::error!(
                    source = slot.source.as_str(),
                    slot.partition,
                    slot.offset,
                    "a lead could not be handled and stays open"
                );
                self.state.left(start);
            }
        }
    }

    fn open_breaker(&mut self, down: SinkDown) {
        if std::mem::replace(&mut self.sink_down, true) {
            return;
        }
        tracing::error!(code = %down.code, reason = ?down.why, "the sink is down: no lead is started until it answers");
        self.metrics.circuit_open(true);
        self.attempts.gate.sink_is_down(true);
        let (sink, events, deadline) = (self.attempts.caller.sink.clone(), self.events.clone(), self.probe_deadline);
        tokio::spawn(async move {
            breaker::until_up(sink, down, deadline).await;
            // The worker may have ended meanwhile.
            let _ = events.send(Event::SinkUp);
        });
    }

    fn sink_up(&mut self) {
        tracing::info!("the sink answers again");
        self.sink_down = false;
        self.metrics.circuit_open(false);
        self.attempts.gate.sink_is_down(false);
    }

    fn start_what_may_run(&mut self) {
        while !self.sink_down && !self.attempts.lifecycle.is_stopping() {
            let Some(start) = self.state.start_next() else { break };
            let (attempts, events) = (self.attempts.clone(), self.events.clone());
            tokio::spawn(async move {
                let attempt = std::panic::AssertUnwindSafe(attempts.run(&start.record)).catch_unwind();
                let ended = attempt.await.ok();
                let _ = events.send(Event::Ended(start, ended));
            });
        }
        self.metrics.in_flight.with_label_values(NO_LABELS).set(count(self.state.in_flight()));
    }

    fn answer_releases(&mut self) {
        let now = Instant::now();
        let state = &mut self.state;
        self.releases.retain(|release| {
            let quiet = state.is_quiet(&release.partitions);
            if !quiet && now < release.deadline {
                return true;
            }
            if !quiet {
                tracing::warn!("partitions are given up with leads in flight: those may be delivered twice");
            }
            let positions = state.release(&release.partitions);
            // A consumer that no longer waits has closed already.
            let _ = release.reply.try_send(positions);
            false
        });
    }

    fn hand_out_positions(&mut self) {
        for (source, commits) in &self.commits {
            let moved = self.state.moved(*source);
            if !moved.is_empty() {
                // A consumer that has closed has committed its positions itself.
                let _ = commits.send(moved);
            }
        }
    }
}

/// A count as a gauge value. Exact up to 2^53.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn count(count: usize) -> f64 {
    count as f64
}
