//! One thread that owns one Kafka consumer: it polls, copies records out, commits positions, and does no other I/O.
//!
//! It never blocks for longer than a poll, except while partitions are handed over: then it waits for what is in flight.
//! Order of a turn: commits, then records. What happens to a record is the scheduler's.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use leadline_platform::health::{Condition, Heartbeat};
use leadline_platform::kafka::ClientLog;
use leadline_platform::kafka::rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use leadline_platform::kafka::rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use leadline_platform::kafka::rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use leadline_platform::kafka::rdkafka::{ClientContext, Message, Offset, Statistics, TopicPartitionList};
use leadline_platform::lifecycle::Lifecycle;
use tokio::sync::mpsc::UnboundedSender;

use crate::config::StartAt;
use crate::floor::Floor;
use crate::metrics::RuntimeMetrics;
use crate::record::{Received, Source};
use crate::scheduler::{Command, Event, Release, count};
use crate::state::{Assigned, Position};
use crate::tenure::Lease;
use crate::window::Window;

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
/// What the scheduler may take beyond its own deadline to answer.
const GRACE: Duration = Duration::from_secs(2);
/// How often a consumer that waits for the scheduler shows that it is alive.
const LOOK: Duration = Duration::from_millis(100);
/// Longest wait for what is committed, when partitions are assigned.
const COMMITTED_LIMIT: Duration = Duration::from_secs(10);

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
            self.consumer.context().lease.turn();
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
        self.consumer.context().ended.load(Ordering::Acquire)
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

fn commit(consumer: &BaseConsumer<Context>, topic: &str, positions: impl IntoIterator<Item = Position>, mode: CommitMode) {
    let mut list = TopicPartitionList::new();
    for Position { partition, offset, floor } in positions {
        let mut element = list.add_partition(topic, partition);
        element.set_metadata(floor.to_string());
        // `commit` takes the next offset to be read, which is what a position is.
        if let Err(error) = element.set_offset(Offset::Offset(offset)) {
            tracing::error!(%error, partition, offset, "no valid position");
        }
    }
    if list.count() == 0 {
        return;
    }
    if let Err(error) = consumer.commit(&list, mode) {
        tracing::warn!(%error, topic, "positions are not committed; the leads since the last commit may be repeated");
    }
}

/// Serves what the client calls back: rebalances, results of commits, figures.
struct Context {
    source: Source,
    topic: String,
    events: UnboundedSender<Event>,
    /// Epoch of each partition that is ours.
    epochs: Mutex<HashMap<i32, u64>>,
    /// Where the partitions begin that are being assigned and for which nothing was committed.
    starts: Mutex<HashMap<i32, i64>>,
    start_at: StartAt,
    lease: Arc<Lease>,
    heartbeat: Heartbeat,
    /// This client has to be replaced.
    ended: AtomicBool,
    next_epoch: Arc<AtomicU64>,
    joined: Condition,
    drain: Duration,
    metrics: Arc<RuntimeMetrics>,
    log: ClientLog,
}

impl Context {
    fn new(setup: &Setup) -> Self {
        Self {
            source: setup.source,
            topic: setup.topic.clone(),
            events: setup.events.clone(),
            epochs: Mutex::default(),
            starts: Mutex::default(),
            start_at: setup.start_at,
            lease: Arc::default(),
            ended: AtomicBool::new(false),
            heartbeat: setup.heartbeat.clone(),
            next_epoch: setup.next_epoch.clone(),
            joined: setup.joined.clone(),
            drain: setup.lifecycle.drain(),
            metrics: setup.metrics.clone(),
            log: setup.log.clone(),
        }
    }

    fn epochs(&self) -> std::sync::MutexGuard<'_, HashMap<i32, u64>> {
        self.epochs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn epoch(&self, partition: i32) -> Option<u64> {
        self.epochs().get(&partition).copied()
    }

    fn partitions(&self) -> Vec<i32> {
        self.epochs().keys().copied().collect()
    }

    fn starts(&self) -> std::sync::MutexGuard<'_, HashMap<i32, i64>> {
        self.starts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says where each partition begins that has no position yet. The client itself is never let decide: what it would skip, or
    /// read again, nobody would know of.
    fn place(&self, consumer: &BaseConsumer<Self>, partitions: &TopicPartitionList) -> KafkaResult<()> {
        self.starts().clear();
        if partitions.count() == 0 {
            return Ok(());
        }
        let committed = consumer.committed_offsets(partitions.clone(), COMMITTED_LIMIT)?;
        for mut element in partitions.elements() {
            let partition = element.partition();
            let known = committed.find_partition(&self.topic, partition);
            known.as_ref().map_or(Ok(()), |known| known.error())?;
            if known.and_then(|known| known.offset().to_raw()).is_some_and(|offset| offset >= 0) {
                continue;
            }
            let (first, end) = consumer.fetch_watermarks(&self.topic, partition, COMMITTED_LIMIT)?;
            let start = if self.start_at == StartAt::Latest { end } else { first };
            element.set_offset(Offset::Offset(start))?;
            self.starts().insert(partition, start);
        }
        Ok(())
    }

    fn assign(&self, partitions: &TopicPartitionList) {
        let mut assigned = Vec::new();
        for element in partitions.elements() {
            let epoch = self.next_epoch.fetch_add(1, Ordering::Relaxed);
            self.epochs().insert(element.partition(), epoch);
            let start = self.starts().remove(&element.partition());
            let id = (self.source, element.partition());
            assigned.push(Assigned { id, epoch, start, lease: self.lease.clone() });
        }
        let _ = self.events.send(Event::Assigned(assigned));
        self.joined.set(true);
        self.show_assigned();
    }

    /// Has the scheduler finish and give up partitions, and returns where to go on.
    fn release(&self, partitions: Vec<i32>, lost: bool) -> Vec<Position> {
        let ours: Vec<i32> = partitions.into_iter().filter(|partition| self.epochs().remove(partition).is_some()).collect();
        self.show_assigned();
        if ours.is_empty() {
            return Vec::new();
        }
        let (reply, positions) = mpsc::sync_channel(1);
        let release = Release {
            partitions: ours.into_iter().map(|partition| (self.source, partition)).collect(),
            lost,
            // There is nothing to wait for where another owner is at work already.
            deadline: if lost { Instant::now() } else { Instant::now() + self.drain },
            reply,
        };
        if self.events.send(Event::Release(release)).is_err() {
            return Vec::new();
        }
        self.wait_for(&positions)
    }

    /// Waits for the scheduler, which lets what is in flight be finished.
    fn wait_for(&self, positions: &mpsc::Receiver<Vec<Position>>) -> Vec<Position> {
        let last = Instant::now() + self.drain + GRACE;
        while Instant::now() < last {
            self.heartbeat.beat();
            self.lease.turn();
            match positions.recv_timeout(LOOK) {
                Ok(positions) => return positions,
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
        }
        Vec::new()
    }

    fn show_assigned(&self) {
        let assigned = count(self.epochs().len());
        self.metrics.assigned.with_label_values(&[self.source.as_str()]).set(assigned);
    }

    fn rebalanced(&self, event: &str, partitions: usize) {
        self.metrics.rebalances.with_label_values(&[self.source.as_str(), event]).inc();
        tracing::info!(topic = self.topic, event, partitions, "rebalance");
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.log.line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.log.error(&error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        let Some(topic) = statistics.topics.get(&self.topic) else { return };
        let ends = topic.partitions.iter().filter(|(_, partition)| partition.desired && partition.hi_offset >= 0);
        let _ = self
            .events
            .send(Event::Ends(self.source, ends.map(|(number, partition)| (*number, partition.hi_offset)).collect()));
        for (number, partition) in &topic.partitions {
            let labels = [self.source.as_str(), &number.to_string()];
            if partition.desired && partition.consumer_lag >= 0 {
                #[allow(clippy::cast_precision_loss)]
                self.metrics.lag.with_label_values(&labels).set(partition.consumer_lag as f64);
            } else {
                // Someone else's partition, or a lag that is not known: an old figure would lie. It may not be there.
                let _ = self.metrics.lag.remove_label_values(&labels);
            }
        }
    }
}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Revoke(partitions) => {
                let numbers = partitions.elements().iter().map(|element| element.partition()).collect();
                let lost = consumer.assignment_lost();
                self.rebalanced(if lost { "lost" } else { "revoke" }, partitions.count());
                let positions = self.release(numbers, lost);
                if !lost {
                    commit(consumer, &self.topic, positions, CommitMode::Sync);
                }
            }
            Rebalance::Assign(partitions) => {
                self.rebalanced("assign", partitions.count());
                if let Err(error) = self.place(consumer, partitions) {
                    tracing::error!(%error, topic = self.topic, "where to begin cannot be found out; trying again");
                    self.ended.store(true, Ordering::Release);
                }
            }
            Rebalance::Error(error) => {
                self.rebalanced("error", 0);
                tracing::error!(%error, "rebalance failed");
            }
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(partitions) = rebalance {
            // A partition that was paused when it left is still paused when it comes back.
            if let Err(error) = consumer.resume(partitions) {
                tracing::warn!(%error, topic = self.topic, "partitions could not be resumed");
            }
            self.assign(partitions);
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _positions: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::warn!(%error, topic = self.topic, "a commit failed; it is repeated");
            let _ = self.events.send(Event::CommitFailed(self.source));
        }
    }
}
