//! Reading topics from somewhere to where they end now, outside any consumer group.
//!
//! For what is looked at once: what was recorded before a restart, an audit. Consuming for ever is the business of
//! `workers/runtime`.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};

use super::KafkaContext;

/// A client for reading.
pub type Reader = BaseConsumer<KafkaContext>;

/// Longest wait for one answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for one record.
const POLL: Duration = Duration::from_millis(100);
/// Without a record for so long, reading has failed.
const STALLED: Duration = Duration::from_secs(30);

/// The headers of a record; those without a value are left out. A record with a name that is not UTF-8, which makes the library
/// panic, counts as one without headers.
pub fn headers<'m>(message: &'m BorrowedMessage<'_>) -> Vec<(&'m str, &'m [u8])> {
    let Some(headers) = message.headers() else { return Vec::new() };
    let read = || headers.iter().filter_map(|header| header.value.map(|value| (header.key, value))).collect();
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_default()
}

/// What is to be read: from where, and up to which offset of each partition.
#[derive(Default)]
pub struct Reading {
    from: TopicPartitionList,
    to: BTreeMap<(String, i32), i64>,
}

impl Reading {
    /// Adds a partition from an offset to its present end; returns the end.
    ///
    /// # Errors
    /// When no broker answers.
    pub fn add(&mut self, reader: &Reader, topic: &str, partition: i32, from: i64) -> Result<i64, KafkaError> {
        self.add_until(reader, topic, partition, from, i64::MAX)
    }

    /// The same up to an offset, if the partition reaches that far.
    ///
    /// # Errors
    /// When no broker answers.
    pub fn add_until(&mut self, reader: &Reader, topic: &str, partition: i32, from: i64, to: i64) -> Result<i64, KafkaError> {
        let (first, end) = reader.fetch_watermarks(topic, partition, TIMEOUT)?;
        let (from, to, key) = (from.max(first), to.min(end), (topic.to_owned(), partition));
        if from < to && self.to.insert(key, to).is_none() {
            self.from.add_partition_offset(topic, partition, Offset::Offset(from))?;
        }
        Ok(end)
    }

    /// Adds all partitions of a topic from their beginning. A topic that does not exist adds nothing.
    ///
    /// # Errors
    /// When no broker answers.
    pub fn add_topic(&mut self, reader: &Reader, topic: &str) -> Result<(), KafkaError> {
        let metadata = reader.fetch_metadata(Some(topic), TIMEOUT)?;
        let found = metadata.topics().iter().find(|known| known.name() == topic);
        for partition in found.iter().flat_map(|topic| topic.partitions()) {
            self.add(reader, topic, partition.id(), 0)?;
        }
        Ok(())
    }

    /// Reads everything that was added.
    ///
    /// # Errors
    /// When a partition cannot be read, or nothing comes for 30 s.
    pub fn run(mut self, reader: &Reader, mut each: impl FnMut(&BorrowedMessage<'_>)) -> Result<(), KafkaError> {
        reader.assign(&self.from)?;
        let mut last = Instant::now();
        while !self.to.is_empty() {
            match reader.poll(POLL) {
                Some(message) => {
                    let message = message?;
                    each(&message);
                    self.note(message.topic(), message.partition(), message.offset() + 1);
                    last = Instant::now();
                }
                None if last.elapsed() > STALLED => {
                    return Err(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut));
                }
                None => {}
            }
        }
        Ok(())
    }

    fn note(&mut self, topic: &str, partition: i32, next: i64) {
        let key = (topic.to_owned(), partition);
        if self.to.get(&key).is_some_and(|end| next >= *end) {
            self.to.remove(&key);
        }
    }
}
