//! Producing a record and knowing that Kafka has it.
//!
//! Wraps librdkafka's producer for three of its habits: dropping it loses what is queued, a fatal error ends it for good,
//! and its waiting `send` sleeps. Here nothing blocks the caller, and a producer that is ended is replaced.

use std::borrow::Cow;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};

use super::KafkaContext;

type Inner = FutureProducer<KafkaContext>;

/// A record to be produced.
#[derive(Clone, Debug)]
pub struct Record {
    /// Physical topic name.
    pub topic: String,
    /// Partition; without it the key decides.
    pub partition: Option<i32>,
    /// Key; records of one key keep their order.
    pub key: Option<Vec<u8>>,
    /// Headers in order.
    pub headers: Vec<(Cow<'static, str>, Vec<u8>)>,
    /// Value; without it the record is a tombstone.
    pub value: Option<Vec<u8>>,
}

impl Record {
    /// About how many bytes the record takes in the log.
    pub fn bytes(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len() + 8).sum();
        headers + self.key.as_ref().map_or(0, Vec::len) + self.value.as_ref().map_or(0, Vec::len) + 64
    }
}

/// Where an acknowledged record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acked {
    /// Partition number.
    pub partition: i32,
    /// Offset in the partition.
    pub offset: i64,
}

/// Why a record was not acknowledged. Except for [`PublishError::QueueFull`] and [`PublishError::Refused`] it may still stand
/// in the topic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// Our queue is full: Kafka is slower than the intake.
    #[error("the producer's queue is full")]
    QueueFull,
    /// Kafka or the client refuses this very record, now and later.
    #[error("the record is refused: {0}")]
    Refused(RDKafkaErrorCode),
    /// No acknowledgement came in time, or the client gave up.
    #[error("not acknowledged: {0}")]
    Unacknowledged(String),
}

/// Is told of every acknowledged record.
pub trait DeliveryObserver: Send + Sync {
    /// A record of `bytes` bytes stands in the topic.
    fn acknowledged(&self, topic: &str, acked: Acked, bytes: usize);
}

/// A producer with `acks=all`. Cheap to clone; all clones share one client.
#[derive(Clone)]
pub struct Producer {
    shared: Arc<Shared>,
}

struct Shared {
    config: ClientConfig,
    current: RwLock<Arc<Inner>>,
    observer: Option<Arc<dyn DeliveryObserver>>,
    /// Whether records are acknowledged and thrown away.
    discards: bool,
}

impl Producer {
    /// Creates the client. It connects by itself, now or whenever a broker is there.
    ///
    /// # Errors
    /// When a setting is refused.
    pub fn new(config: ClientConfig, observer: Option<Arc<dyn DeliveryObserver>>) -> Result<Self, KafkaError> {
        Self::build(config, observer, false)
    }

    /// A producer that acknowledges every record and throws it away. Only for measuring what a caller takes by itself: everything
    /// that is published is lost.
    ///
    /// # Errors
    /// When a setting is refused.
    #[doc(hidden)]
    pub fn discarding(config: ClientConfig, observer: Arc<dyn DeliveryObserver>) -> Result<Self, KafkaError> {
        Self::build(config, Some(observer), true)
    }

    fn build(config: ClientConfig, observer: Option<Arc<dyn DeliveryObserver>>, discards: bool) -> Result<Self, KafkaError> {
        let current = RwLock::new(Arc::new(create(&config)?));
        Ok(Self { shared: Arc::new(Shared { config, current, observer, discards }) })
    }

    fn current(&self) -> Arc<Inner> {
        self.shared.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Hands the record to the client and waits for the acknowledgement, as long as `delivery.timeout.ms` at the most.
    /// A caller that stops waiting does not take the record back.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn publish(&self, record: &Record) -> Result<Acked, PublishError> {
        let client = self.current();
        let result = match self.shared.discards {
            true => Ok(Acked { partition: record.partition.unwrap_or_default(), offset: 0 }),
            false => deliver(&client, record).await,
        };
        match &result {
            Ok(acked) => {
                if let Some(observer) = &self.shared.observer {
                    observer.acknowledged(&record.topic, *acked, record.bytes());
                }
            }
            Err(_) => self.replace_if_ended(&client),
        }
        result
    }

    /// Publishes until it is acknowledged, with growing pauses of at most 2 s. Returns only then; the caller sets the limit by
    /// dropping the future, and is told of each failure.
    pub async fn publish_until_acked(&self, record: &Record, mut failed: impl FnMut(&PublishError) + Send) -> Acked {
        let mut pause = Duration::from_millis(50);
        let mut tries = 0u32;
        loop {
            tries += 1;
            match self.publish(record).await {
                Ok(acked) => return acked,
                Err(error) => {
                    failed(&error);
                    // Less and less often: while Kafka is away every lead in flight is here.
                    if tries.is_power_of_two() {
                        tracing::warn!(topic = record.topic, %error, tries, "publishing again");
                    }
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    }

    /// After a fatal error a client refuses everything; a new one takes its place, once.
    fn replace_if_ended(&self, ended: &Arc<Inner>) {
        let Some((code, reason)) = ended.client().fatal_error() else { return };
        let mut current = self.shared.current.write().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&current, ended) {
            return;
        }
        tracing::error!(?code, reason, "the producer has ended; a new one takes over");
        match create(&self.shared.config) {
            Ok(client) => {
                let old = std::mem::replace(&mut *current, Arc::new(client));
                // Dropping a client waits for its threads.
                std::thread::spawn(move || drop(old));
            }
            Err(error) => tracing::error!(%error, "no new producer could be made"),
        }
    }

    /// Asks the brokers for the topic's partition count; blocks up to `timeout`.
    ///
    /// # Errors
    /// When no broker answers or the topic does not exist.
    pub fn partitions(&self, topic: &str, timeout: Duration) -> Result<usize, KafkaError> {
        let metadata = self.current().client().fetch_metadata(Some(topic), timeout)?;
        let found = metadata.topics().iter().find(|known| known.name() == topic && known.error().is_none());
        match found.map(|topic| topic.partitions().len()) {
            Some(count) if count > 0 => Ok(count),
            _ => Err(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition)),
        }
    }

    /// Records that are not acknowledged yet.
    pub fn in_flight(&self) -> usize {
        usize::try_from(self.current().in_flight_count()).unwrap_or_default()
    }

    /// Waits until every record is acknowledged or has failed, at most `limit`. To be called before the last clone is dropped,
    /// as a drop loses what is queued. Returns whether nothing is left.
    pub async fn flush(&self, limit: Duration) -> bool {
        let client = self.current();
        let flushed = tokio::task::spawn_blocking(move || client.flush(limit).is_ok() && client.in_flight_count() == 0);
        flushed.await.unwrap_or(false)
    }
}

fn create(config: &ClientConfig) -> Result<Inner, KafkaError> {
    config.create_with_context(KafkaContext::default())
}

async fn deliver(client: &Inner, record: &Record) -> Result<Acked, PublishError> {
    match enqueue(client, record).map_err(|error| classify(&error))?.await {
        Ok(Ok(delivery)) => Ok(Acked { partition: delivery.partition, offset: delivery.offset }),
        Ok(Err((error, _))) => Err(classify(&error)),
        Err(_canceled) => Err(PublishError::Unacknowledged("the client was closed".to_owned())),
    }
}

fn enqueue(client: &Inner, record: &Record) -> Result<rdkafka::producer::DeliveryFuture, KafkaError> {
    let headers = record.headers.iter().fold(OwnedHeaders::new_with_capacity(record.headers.len()), |headers, (key, value)| {
        headers.insert(Header { key, value: Some(value) })
    });
    let mut message: FutureRecord<'_, [u8], [u8]> = FutureRecord::to(&record.topic).headers(headers);
    message.partition = record.partition;
    message.key = record.key.as_deref();
    message.payload = record.value.as_deref();
    client.send_result(message).map_err(|(error, _)| error)
}

fn classify(error: &KafkaError) -> PublishError {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::QueueFull) => PublishError::QueueFull,
        Some(
            code @ (RDKafkaErrorCode::MessageSizeTooLarge
            | RDKafkaErrorCode::InvalidMessageSize
            | RDKafkaErrorCode::InvalidRecord
            | RDKafkaErrorCode::InvalidTopic),
        ) => PublishError::Refused(code),
        _ => PublishError::Unacknowledged(error.to_string()),
    }
}
