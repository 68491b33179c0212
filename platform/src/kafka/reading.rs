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
pub struct Reading(BTreeMap<String, BTreeMap<i32, Span>>);

/// The offsets of one partition: the first, and the one behind the last.
struct Span {
    from: i64,
    end: i64,
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
        let (first, end) = watermarks(reader, topic, partition)?;
        let (from, to) = (from.max(first), to.min(end));
        if from < to {
            self.0.entry(topic.to_owned()).or_default().entry(partition).or_insert(Span { from, end: to });
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

    /// Reads everything that was added, one topic after the other. The reader must be one of `settings::reader`.
    ///
    /// # Errors
    /// When a partition cannot be read, or nothing comes for 30 s.
    pub fn run(self, reader: &Reader, mut each: impl FnMut(&BorrowedMessage<'_>)) -> Result<(), KafkaError> {
        for (topic, partitions) in self.0 {
            read_topic(reader, &topic, partitions, &mut each)?;
        }
        // Nothing is fetched while the reader is asked for something else.
        reader.unassign()
    }
}

/// The first offset of a partition, and its end. While its leader changes there is nobody to ask, which does not last.
fn watermarks(reader: &Reader, topic: &str, partition: i32) -> Result<(i64, i64), KafkaError> {
    let asked = Instant::now();
    loop {
        let answer = reader.fetch_watermarks(topic, partition, TIMEOUT);
        let code = answer.as_ref().err().and_then(KafkaError::rdkafka_error_code);
        let changes = matches!(code, Some(RDKafkaErrorCode::NotLeaderForPartition | RDKafkaErrorCode::LeaderNotAvailable));
        if !changes || asked.elapsed() > TIMEOUT {
            return answer;
        }
        std::thread::sleep(POLL);
    }
}

/// How far the ends that the library reports are trusted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// A broker that has just become the leader may not know yet how far the partition reaches.
    Doubted,
    /// The leader knows it.
    Confirmed,
}

fn read_topic(
    reader: &Reader,
    topic: &str,
    partitions: BTreeMap<i32, Span>,
    each: &mut impl FnMut(&BorrowedMessage<'_>),
) -> Result<(), KafkaError> {
    let short = read_to_ends(reader, topic, partitions, Ends::Doubted, each)?;
    if short.is_empty() {
        return Ok(());
    }
    // Either there is no record in the last offsets, such as a transaction's mark, or the leader did not know of them.
    let behind = short.iter().map(|(partition, span)| (*partition, Span { from: span.end, end: span.end + 1 })).collect();
    read_to_ends(reader, topic, behind, Ends::Confirmed, &mut |_| {})?;
    read_to_ends(reader, topic, short, Ends::Confirmed, each).map(drop)
}

/// Reads one topic only: the library does not say of which topic a partition's end is. Returns the partitions that ended early.
fn read_to_ends(
    reader: &Reader,
    topic: &str,
    mut open: BTreeMap<i32, Span>,
    ends: Ends,
    each: &mut impl FnMut(&BorrowedMessage<'_>),
) -> Result<BTreeMap<i32, Span>, KafkaError> {
    let mut assignment = TopicPartitionList::new();
    for (partition, span) in &open {
        assignment.add_partition_offset(topic, *partition, Offset::Offset(span.from))?;
    }
    // Drops what is left of the topic before, its ends included.
    reader.assign(&assignment)?;
    let (mut short, mut last) = (BTreeMap::new(), Instant::now());
    while !open.is_empty() {
        match reader.poll(POLL) {
            Some(Ok(message)) => {
                last = Instant::now();
                let Some(span) = open.get_mut(&message.partition()) else { continue };
                each(&message);
                span.from = message.offset() + 1;
                if span.from >= span.end {
                    open.remove(&message.partition());
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                if let Some(span) = open.remove(&partition)
                    && ends == Ends::Doubted
                {
                    short.insert(partition, span);
                }
            }
            Some(Err(error)) => return Err(error),
            None if last.elapsed() > STALLED => {
                return Err(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut));
            }
            None => {}
        }
    }
    Ok(short)
}
