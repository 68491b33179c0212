//! Reading back, when partitions are assigned: what stands for their leads already. Nothing of a partition is started before.
//!
//! Reads outcomes, retry records and dead letters of the same partition number, from the floor in the metadata of the
//! committed offset to the topics' present ends. An owner that hands a partition over has recorded everything before it lets
//! go, so the ends are far enough.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use leadline_platform::kafka::KafkaContext;
use leadline_platform::kafka::rdkafka::config::ClientConfig;
use leadline_platform::kafka::rdkafka::consumer::{BaseConsumer, Consumer};
use leadline_platform::kafka::rdkafka::error::{KafkaError, RDKafkaErrorCode};
use leadline_platform::kafka::rdkafka::message::{BorrowedMessage, Message};
use leadline_platform::kafka::rdkafka::{Offset, TopicPartitionList};
use leadline_proto::SinkName;

use crate::floor::{Floor, Trail};
use crate::memory::Memory;
use crate::record::{Source, headers};
use crate::state::PartitionId;

/// Longest wait for one answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for one record.
const POLL: Duration = Duration::from_millis(100);
/// Without a record for so long, reading back starts again.
const STALLED: Duration = Duration::from_secs(30);

type Client = BaseConsumer<KafkaContext>;

/// What was read back for one partition.
#[derive(Debug)]
pub(crate) struct Recalled {
    pub(crate) id: PartitionId,
    pub(crate) epoch: u64,
    pub(crate) memory: Memory,
    /// From where it was read.
    pub(crate) base: Floor,
    /// Where the trails ended.
    pub(crate) ends: Floor,
    /// Where the partition itself ended.
    pub(crate) horizon: i64,
}

/// Reads back for one worker.
pub(crate) struct Recall {
    /// A client of the worker's group, which it never joins: only to read what is committed.
    pub(crate) config: ClientConfig,
    pub(crate) sink: SinkName,
    /// Physical names: `leads`, the retry topic, outcomes, dead letters.
    pub(crate) leads: String,
    pub(crate) retry: String,
    pub(crate) outcomes: String,
    pub(crate) dead_letters: String,
}

impl Recall {
    /// Reads back for all of these partitions. Blocks.
    pub(crate) fn run(&self, assigned: &[(PartitionId, u64)]) -> Result<Vec<Recalled>, KafkaError> {
        let client: Client = self.config.create_with_context(KafkaContext::default())?;
        let bases = self.bases(&client, assigned)?;
        let mut recalled = Vec::with_capacity(assigned.len());
        let mut reading = Reading::default();
        for (id, epoch) in assigned {
            let base = bases.get(id).copied().unwrap_or_default();
            let (_, horizon) = client.fetch_watermarks(self.source(id.0), id.1, TIMEOUT)?;
            let ends = self.plan(&client, id.1, base, &mut reading)?;
            recalled.push(Recalled { id: *id, epoch: *epoch, memory: Memory::default(), base, ends, horizon });
        }
        self.read(&client, reading, &mut recalled)?;
        Ok(recalled)
    }

    /// The floor that was committed for each partition.
    fn bases(&self, client: &Client, assigned: &[(PartitionId, u64)]) -> Result<HashMap<PartitionId, Floor>, KafkaError> {
        let mut asked = TopicPartitionList::new();
        for ((source, number), _) in assigned {
            asked.add_partition(self.source(*source), *number);
        }
        let committed = client.committed_offsets(asked, TIMEOUT)?;
        let floors = committed.elements().into_iter().filter_map(|element| {
            element.error().ok()?;
            let source = if element.topic() == self.leads { Source::Leads } else { Source::Retry };
            Some(((source, element.partition()), Floor::read(element.metadata())))
        });
        Ok(floors.collect())
    }

    /// Adds what is to be read for one partition number; returns where it ends.
    fn plan(&self, client: &Client, number: i32, base: Floor, reading: &mut Reading) -> Result<Floor, KafkaError> {
        let mut ends = Floor::default();
        for trail in Trail::ALL {
            let (low, high) = client.fetch_watermarks(self.topic(trail), number, TIMEOUT)?;
            ends.raise(trail, high);
            reading.add(self.topic(trail), number, base.of(trail).max(low), high)?;
        }
        Ok(ends)
    }

    fn read(&self, client: &Client, mut reading: Reading, recalled: &mut [Recalled]) -> Result<(), KafkaError> {
        client.assign(&reading.from)?;
        let mut last = Instant::now();
        while !reading.to.is_empty() {
            match client.poll(POLL) {
                Some(message) => {
                    let message = message?;
                    let number = message.partition();
                    recalled
                        .iter_mut()
                        .filter(|one| one.id.1 == number)
                        .for_each(|one| self.remember(&mut one.memory, &message));
                    reading.note(message.topic(), number, message.offset() + 1);
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

    fn remember(&self, memory: &mut Memory, message: &BorrowedMessage<'_>) {
        let headers = headers(message);
        if message.topic() == self.outcomes {
            memory.outcome(&self.sink, &headers, message.payload().unwrap_or_default());
        } else if message.topic() == self.retry {
            memory.retry(&headers);
        } else {
            memory.dead_letter(&headers);
        }
    }

    fn source(&self, source: Source) -> &str {
        match source {
            Source::Leads => &self.leads,
            Source::Retry => &self.retry,
        }
    }

    fn topic(&self, trail: Trail) -> &str {
        match trail {
            Trail::Outcomes => &self.outcomes,
            Trail::Retry => &self.retry,
            Trail::DeadLetters => &self.dead_letters,
        }
    }
}

/// What is to be read: from where, and up to which offset of each partition.
#[derive(Default)]
struct Reading {
    from: TopicPartitionList,
    to: BTreeMap<(String, i32), i64>,
}

impl Reading {
    fn add(&mut self, topic: &str, number: i32, from: i64, to: i64) -> Result<(), KafkaError> {
        let key = (topic.to_owned(), number);
        if from < to && self.to.insert(key, to).is_none() {
            self.from.add_partition_offset(topic, number, Offset::Offset(from))?;
        }
        Ok(())
    }

    fn note(&mut self, topic: &str, number: i32, next: i64) {
        let key = (topic.to_owned(), number);
        if self.to.get(&key).is_some_and(|end| next >= *end) {
            self.to.remove(&key);
        }
    }
}
