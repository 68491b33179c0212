//! What a consumer's client calls back: where partitions begin when they come, handing over when they go, results of commits,
//! figures. It runs on the consumer's thread, inside its polls.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use leadline_platform::health::{Condition, Heartbeat};
use leadline_platform::kafka::ClientLog;
use leadline_platform::kafka::rdkafka::config::RDKafkaLogLevel;
use leadline_platform::kafka::rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use leadline_platform::kafka::rdkafka::error::{KafkaError, KafkaResult};
use leadline_platform::kafka::rdkafka::{ClientContext, Offset, Statistics, TopicPartitionList};
use tokio::sync::mpsc::UnboundedSender;

use super::Setup;
use crate::config::StartAt;
use crate::event::{Event, Release};
use crate::metrics::RuntimeMetrics;
use crate::record::Source;
use crate::scheduler::count;
use crate::state::{Assigned, Position};
use crate::tenure::Lease;

/// What the scheduler may take beyond its own deadline to answer.
const GRACE: Duration = Duration::from_secs(2);
/// How often a consumer that waits for the scheduler shows that it is alive.
const LOOK: Duration = Duration::from_millis(100);
/// Longest wait for what is committed, when partitions are assigned.
const COMMITTED_LIMIT: Duration = Duration::from_secs(10);

/// Commits positions, each with its floor as the metadata.
pub(super) fn commit(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    positions: impl IntoIterator<Item = Position>,
    mode: CommitMode,
) {
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
pub(super) struct Context {
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
    pub(super) fn new(setup: &Setup) -> Self {
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

    /// The consumer turns.
    pub(super) fn turn(&self) {
        self.lease.turn();
    }

    /// Whether this client has to be replaced.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    fn epochs(&self) -> MutexGuard<'_, HashMap<i32, u64>> {
        self.epochs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn epoch(&self, partition: i32) -> Option<u64> {
        self.epochs().get(&partition).copied()
    }

    pub(super) fn partitions(&self) -> Vec<i32> {
        self.epochs().keys().copied().collect()
    }

    fn starts(&self) -> MutexGuard<'_, HashMap<i32, i64>> {
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
        self.keep_latest(consumer)
    }

    /// A start behind leads that are there already is committed at once: decided again later, it would skip leads that came
    /// meanwhile.
    fn keep_latest(&self, consumer: &BaseConsumer<Self>) -> KafkaResult<()> {
        let mut list = TopicPartitionList::new();
        for (partition, start) in self.starts().iter().filter(|_| self.start_at == StartAt::Latest) {
            list.add_partition_offset(&self.topic, *partition, Offset::Offset(*start))?;
        }
        if list.count() == 0 { Ok(()) } else { consumer.commit(&list, CommitMode::Sync) }
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
    pub(super) fn release(&self, partitions: Vec<i32>, lost: bool) -> Vec<Position> {
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
