//! One thread that owns one Kafka consumer: it polls, copies records out, commits positions, and does no other I/O.
//!
//! It never blocks for longer than a poll, except while partitions are handed over: then it waits for what is in flight.
//! Order of a turn: commits, then records. What happens to a record is the scheduler's.

mod context;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use leadline_platform::health::{Condition, Heartbeat};
use leadline_platform::kafka::ClientLog;
use leadline_platform::kafka::rdkafka::Message;
use leadline_platform::kafka::rdkafka::config::ClientConfig;
use leadline_platform::kafka::rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use leadline_platform::kafka::rdkafka::error::{KafkaError, RDKafkaErrorCode};
use leadline_platform::lifecycle::Lifecycle;
use tokio::sync::mpsc::UnboundedSender;

use crate::config::StartAt;
use crate::event::{Command, Event};
use crate::floor::Floor;
use crate::metrics::RuntimeMetrics;
use crate::record::{Received, Source};
use crate::scheduler::count;
use crate::state::Position;
use crate::window::Window;
use context::{Context, commit};

/// Longest wait for a record.
const POLL: Duration = Duration::from_millis(50);
/// Pause between polls while the window is full; each may bring one more record, and rebalances are still served.
const POLL_WHEN_FULL: Duration = Duration::from_millis(20);
/// A window that is full for longer pauses the partitions. Shorter pauses cost more than they save: resuming takes up to 1 s.
const PAUSE_AFTER: Duration = Duration::from_secs(5);
/// Records copied out in one turn.
const BATCH: usize = 256;
/// Pause before another consumer takes over.
const RESTART_PAUSE: Duration = Duration::from_secs(1);
/// Longest wait for a consumer to close.
const CLOSE_LIMIT: Duration = Duration::from_secs(10);

/// What a consumer thread is made of.
pub(crate) struct Setup {
    pub(crate) source: Source,
    pub(crate) config: ClientConfig,
    pub(crate) topic: String,
    pub(crate) window: Arc<Window>,
    pub(crate) events: UnboundedSender<Event>,
    pub(crate) commands: mpsc::Receiver<Command>,
    /// Where a partition begins for which nothing was ever committed.
    pub(crate) start_at: StartAt,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) joined: Condition,
    pub(crate) heartbeat: Heartbeat,
    pub(crate) metrics: Arc<RuntimeMetrics>,
    pub(crate) log: ClientLog,
    /// Epochs are never used twice, also by a client that replaces another, so that a late completion cannot be taken for a
    /// present one.
    pub(crate) next_epoch: Arc<AtomicU64>,
}

/// Starts the thread. The receiver gets a message when it has closed its consumer.
pub(crate) fn spawn(setup: Setup) -> std::io::Result<tokio::sync::oneshot::Receiver<()>> {
    let (closed, done) = tokio::sync::oneshot::channel();
    let name = format!("consumer-{}", setup.source.as_str());
    std::thread::Builder::new().name(name).spawn(move || {
        run(&setup);
        let _ = closed.send(());
    })?;
    Ok(done)
}

/// Consumes until the process stops. A client that has ended for good is replaced by a new one.
fn run(setup: &Setup) {
    while !setup.lifecycle.is_stopping() {
        setup.joined.set(false);
        match setup.config.create_with_context::<_, BaseConsumer<Context>>(Context::new(setup)) {
            Ok(consumer) => match consumer.subscribe(&[&setup.topic]) {
                Ok(()) => {
                    Turns::new(setup, &consumer).run();
                    close(consumer);
                }
                Err(error) => pause_after(&error),
            },
            Err(error) => pause_after(&error),
        }
    }
}

/// Leaves the group. librdkafka can hang there when a broker goes away, so a close that takes too long is left behind.
fn close(consumer: BaseConsumer<Context>) {
    let (closed, done) = mpsc::channel();
    std::thread::spawn(move || {
        drop(consumer);
        let _ = closed.send(());
    });
    if done.recv_timeout(CLOSE_LIMIT).is_err() {
        tracing::warn!("a consumer did not close in time and is left behind; its positions are committed");
    }
}

fn pause_after(error: &KafkaError) {
    tracing::error!(%error, "no consumer could be made; trying again");
    std::thread::sleep(RESTART_PAUSE);
}

/// The turns of one client.
struct Turns<'a> {
    setup: &'a Setup,
    consumer: &'a BaseConsumer<Context>,
    full_since: Option<Instant>,
    paused: bool,
}

impl<'a> Turns<'a> {
    fn new(setup: &'a Setup, consumer: &'a BaseConsumer<Context>) -> Self {
        Self { setup, consumer, full_since: None, paused: false }
    }

    fn run(mut self) {
        while !self.setup.lifecycle.is_stopping() {
            self.setup.heartbeat.beat();
            self.consumer.context().turn();
            if self.obey().is_break() {
                break;
            }
            let records = self.take();
            self.setup.metrics.window.with_label_values(&[self.label()]).set(count(self.setup.window.leads()));
            if !records.is_empty() {
                self.setup.metrics.records.with_label_values(&[self.label()]).inc_by(records.len() as u64);
                let _ = self.setup.events.send(Event::Received(records));
            }
            if self.has_ended() {
                std::thread::sleep(RESTART_PAUSE);
                break;
            }
        }
        self.hand_over_everything();
    }

    fn label(&self) -> &'static str {
        self.setup.source.as_str()
    }

    fn has_ended(&self) -> bool {
        if let Some((code, reason)) = self.consumer.client().fatal_error() {
            tracing::error!(?code, reason, "the consumer has ended; a new one takes over");
            return true;
        }
        self.consumer.context().has_ended()
    }

    /// Commits the latest positions, unless their partition has been given up since. Breaks when this client has to end.
    fn obey(&self) -> ControlFlow<()> {
        let mut positions = HashMap::new();
        for command in self.setup.commands.try_iter() {
            match command {
                Command::Commit(moved) => {
                    let ours = moved
                        .into_iter()
                        .filter(|(position, epoch)| self.consumer.context().epoch(position.partition) == Some(*epoch));
                    positions.extend(ours.map(|(position, _)| (position.partition, position)));
                }
                Command::GoOnAt(places) => {
                    // First, as it commits where these partitions stand now.
                    self.hand_over_everything();
                    let floor = Floor::default();
                    let positions = places.into_iter().map(|(partition, offset)| Position { partition, offset, floor });
                    commit(self.consumer, &self.setup.topic, positions, CommitMode::Sync);
                    return ControlFlow::Break(());
                }
            }
        }
        commit(self.consumer, &self.setup.topic, positions.into_values(), CommitMode::Async);
        ControlFlow::Continue(())
    }

    fn take(&mut self) -> Vec<Received> {
        if self.may_take() {
            self.poll(POLL, BATCH)
        } else {
            std::thread::sleep(POLL_WHEN_FULL);
            self.poll(Duration::ZERO, 1)
        }
    }

    fn may_take(&mut self) -> bool {
        if !self.setup.window.is_full() && !self.paused {
            self.full_since = None;
            return true;
        }
        let full_since = *self.full_since.get_or_insert_with(Instant::now);
        if self.paused && self.setup.window.is_half_empty() {
            self.switch(false);
        } else if full_since.elapsed() > PAUSE_AFTER {
            self.switch(true);
        }
        false
    }

    /// Pauses or resumes every partition that is ours. Repeated, so that partitions assigned meanwhile are paused too.
    fn switch(&mut self, pause: bool) {
        let result = self.consumer.assignment().and_then(|partitions| match pause {
            true => self.consumer.pause(&partitions),
            false => self.consumer.resume(&partitions),
        });
        match result {
            Ok(()) => self.paused = pause,
            Err(error) => tracing::warn!(%error, pause, "partitions could not be paused or resumed; trying again"),
        }
        self.full_since = pause.then(Instant::now);
    }

    fn poll(&self, first: Duration, most: usize) -> Vec<Received> {
        let mut records = Vec::new();
        let mut wait = first;
        while records.len() < most && !self.setup.window.is_full() || records.is_empty() {
            match self.consumer.poll(wait) {
                Some(Ok(message)) => {
                    let epoch = self.consumer.context().epoch(message.partition()).unwrap_or_default();
                    let record = Received::copy(&message, self.setup.source, epoch);
                    self.setup.window.take(record.bytes());
                    records.push(record);
                }
                Some(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset))) => {
                    tracing::warn!(
                        topic = self.setup.topic,
                        "a position is not accepted; looking whether its records are gone"
                    );
                    let _ = self.setup.events.send(Event::OutOfRange(self.setup.source));
                }
                // Errors of the client as a whole come here once more.
                Some(Err(error)) => self.setup.log.error(&error, "while polling"),
                None => break,
            }
            wait = Duration::ZERO;
        }
        records
    }

    /// Waits for what is in flight and commits, so that the next owner repeats nothing. Closing the consumer follows.
    fn hand_over_everything(&self) {
        let partitions = self.consumer.context().partitions();
        let positions = self.consumer.context().release(partitions, false);
        commit(self.consumer, &self.setup.topic, positions, CommitMode::Sync);
    }
}
