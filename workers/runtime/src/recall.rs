//! Reading back, when partitions are assigned: what stands for their leads already. Nothing of a partition is started before.
//!
//! Reads outcomes, retry records and dead letters of the same partition number, from the floor in the metadata of the
//! committed offset to the topics' present ends. An owner that hands a partition over has recorded everything before it lets
//! go, so the ends are far enough.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use leadline_platform::kafka::rdkafka::TopicPartitionList;
use leadline_platform::kafka::rdkafka::config::ClientConfig;
use leadline_platform::kafka::rdkafka::consumer::Consumer;
use leadline_platform::kafka::rdkafka::error::KafkaError;
use leadline_platform::kafka::rdkafka::message::{BorrowedMessage, Message};
use leadline_platform::kafka::{KafkaContext, Reader, Reading, headers};
use leadline_proto::{Headers, SinkName};

use crate::floor::{Floor, Trail};
use crate::memory::Memory;
use crate::record::Source;
use crate::state::PartitionId;

/// Longest wait for one answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The offset that was committed, and the floor in its metadata.
type Base = (Option<i64>, Floor);

/// What was read back for one partition.
#[derive(Debug)]
pub(crate) struct Recalled {
    pub(crate) id: PartitionId,
    pub(crate) epoch: u64,
    /// `None` when no earlier owner can have handled anything that is still to come.
    pub(crate) memory: Option<Memory>,
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
        let reader: Reader = self.config.create_with_context(KafkaContext::default())?;
        let bases = self.bases(&reader, assigned)?;
        let mut recalled = Vec::with_capacity(assigned.len());
        let mut reading = Reading::default();
        for (id, epoch) in assigned {
            let (first, horizon) = reader.fetch_watermarks(self.source(id.0), id.1, TIMEOUT)?;
            let (committed, floor) = bases.get(id).copied().unwrap_or_default();
            let fresh = committed.unwrap_or(first) >= horizon;
            let ends = self.plan(&reader, id.1, (!fresh).then_some(floor), &mut reading)?;
            let (base, memory) = if fresh { (ends, None) } else { (floor, Some(Memory::default())) };
            recalled.push(Recalled { id: *id, epoch: *epoch, memory, base, ends, horizon });
        }
        reading.run(&reader, |message| {
            let ours = recalled.iter_mut().filter(|one| one.id.1 == message.partition());
            ours.filter_map(|one| one.memory.as_mut()).for_each(|memory| self.remember(memory, message));
        })?;
        Ok(recalled)
    }

    /// The offset and the floor that were committed for each partition.
    fn bases(&self, reader: &Reader, assigned: &[(PartitionId, u64)]) -> Result<HashMap<PartitionId, Base>, KafkaError> {
        let mut asked = TopicPartitionList::new();
        for ((source, number), _) in assigned {
            asked.add_partition(self.source(*source), *number);
        }
        let committed = reader.committed_offsets(asked, TIMEOUT)?;
        let bases = committed.elements().into_iter().filter_map(|element| {
            element.error().ok()?;
            let source = if element.topic() == self.leads { Source::Leads } else { Source::Retry };
            // Metadata of someone else that is not UTF-8 makes the library panic.
            let floor = catch_unwind(AssertUnwindSafe(|| Floor::read(element.metadata()))).unwrap_or_default();
            let offset = element.offset().to_raw().filter(|offset| *offset >= 0);
            Some(((source, element.partition()), (offset, floor)))
        });
        Ok(bases.collect())
    }

    /// Adds what is to be read for one partition number from a floor, if anything; returns where it ends.
    fn plan(&self, reader: &Reader, number: i32, from: Option<Floor>, reading: &mut Reading) -> Result<Floor, KafkaError> {
        let mut ends = Floor::default();
        for trail in Trail::ALL {
            let from = from.map_or(i64::MAX, |floor| floor.of(trail));
            ends.raise(trail, reading.add(reader, self.topic(trail), number, from)?);
        }
        Ok(ends)
    }

    fn remember(&self, memory: &mut Memory, message: &BorrowedMessage<'_>) {
        let headers: Headers = headers(message).into_iter().collect();
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
