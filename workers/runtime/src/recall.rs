//! Reading back, when partitions are assigned: what stands for their leads already. Nothing of a partition is started before.
//!
//! Reads outcomes, retry records and dead letters of the same partition number, from the floor in the metadata of the
//! committed offset, or from as long before its oldest lead as a repeat can be, to the topics' present ends. An owner that
//! hands a partition over has recorded everything before it lets go, so the ends are far enough.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use leadline_platform::kafka::rdkafka::config::ClientConfig;
use leadline_platform::kafka::rdkafka::consumer::Consumer;
use leadline_platform::kafka::rdkafka::error::KafkaError;
use leadline_platform::kafka::rdkafka::message::{BorrowedMessage, Message};
use leadline_platform::kafka::rdkafka::{Offset, TopicPartitionList};
use leadline_platform::kafka::{KafkaContext, Reader, Reading, headers};
use leadline_proto::{AcceptedLead, Headers, SinkName, Status, headers as names};
use uuid::Uuid;

use crate::floor::{Floor, Trail};
use crate::memory::Memory;
use crate::recent::{Recent, Sighting, Standing};
use crate::record::Source;
use crate::state::{Assigned, PartitionId};
use crate::tenure::Tenure;

/// Longest wait for one answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// What clocks of several machines may differ by.
const CLOCKS: SignedDuration = SignedDuration::from_mins(1);
/// Records of a trail that are read back for repeats at the most: four times [`crate::recent::MOST`], as those of several sinks
/// stand among each other.
const MOST_BACK: i64 = 40_000;

/// The offset that was committed, and the floor in its metadata.
type Base = (Option<i64>, Floor);

/// What was found for one partition.
#[derive(Debug)]
pub(crate) struct Recalled {
    pub(crate) id: PartitionId,
    pub(crate) epoch: u64,
    pub(crate) past: Result<Past, Gap>,
}

/// What was read back for one partition.
#[derive(Debug)]
pub(crate) struct Past {
    /// Where it goes on.
    pub(crate) position: Option<i64>,
    /// `None` when no earlier owner can have handled anything that is still to come.
    pub(crate) memory: Option<Memory>,
    /// The leads that were seen lately.
    pub(crate) recent: Recent,
    /// From where it was read.
    pub(crate) base: Floor,
    /// Where the trails ended.
    pub(crate) ends: Floor,
    /// Where the partition itself ended.
    pub(crate) horizon: i64,
}

/// A position that is not in its partition: its records were deleted, or the topic was made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) position: i64,
    /// The oldest record there is.
    pub(crate) first: i64,
    pub(crate) end: i64,
}

impl Gap {
    fn of(position: i64, (first, end): (i64, i64)) -> Option<Self> {
        (position < first || position > end).then_some(Self { position, first, end })
    }

    /// Records that were deleted before they were handled, as far as that can be told.
    pub(crate) fn lost(&self) -> u64 {
        u64::try_from(self.first - self.position).unwrap_or_default()
    }
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
    /// Within which time a lead can be a repeat.
    pub(crate) repeats: SignedDuration,
}

impl Recall {
    fn reader(&self) -> Result<Reader, KafkaError> {
        self.config.create_with_context(KafkaContext::default())
    }

    /// Reads back for all of these partitions that have not gone meanwhile. Blocks.
    pub(crate) fn run(&self, assigned: &[(Assigned, Arc<Tenure>)]) -> Result<Vec<Recalled>, KafkaError> {
        let reader = self.reader()?;
        let assigned: Vec<&Assigned> = assigned.iter().filter(|(_, tenure)| !tenure.is_going()).map(|(one, _)| one).collect();
        let bases = self.bases(&reader, &assigned)?;
        let mut recalled = Vec::with_capacity(assigned.len());
        let mut reading = Reading::default();
        for Assigned { id, epoch, start, .. } in assigned {
            let (committed, floor) = bases.get(id).copied().unwrap_or_default();
            let position = committed.or(*start);
            let marks = reader.fetch_watermarks(self.topic_of(id.0), id.1, TIMEOUT)?;
            let past = match position.and_then(|position| Gap::of(position, marks)) {
                Some(gap) => Err(gap),
                None => Ok(self.plan(&reader, *id, (position, floor), marks, &mut reading)?),
            };
            recalled.push(Recalled { id: *id, epoch: *epoch, past });
        }
        reading.run(&reader, |message| {
            let ours = recalled.iter_mut().filter(|one| one.id.1 == message.partition());
            ours.filter_map(|one| one.past.as_mut().ok()).for_each(|past| self.remember(past, message));
        })?;
        Ok(recalled)
    }

    /// Looks up what stands for the leads of a partition number that were received since a time. Blocks.
    pub(crate) fn search(&self, number: i32, since: Timestamp) -> Result<Memory, KafkaError> {
        let reader = self.reader()?;
        let mut reading = Reading::default();
        for trail in Trail::ALL {
            let topic = self.topic(trail);
            let from = offset_at(&reader, topic, number, since.checked_sub(CLOCKS).unwrap_or(since))?;
            reading.add(&reader, topic, number, from)?;
        }
        let mut memory = Memory::default();
        reading.run(&reader, |message| {
            self.note(&mut memory, message);
        })?;
        Ok(memory)
    }

    /// The partitions of these whose position is no longer in them. Blocks.
    pub(crate) fn gaps(&self, reading: &[(PartitionId, u64, i64)]) -> Result<Vec<Recalled>, KafkaError> {
        let reader = self.reader()?;
        let mut gaps = Vec::new();
        for (id, epoch, position) in reading {
            let marks = reader.fetch_watermarks(self.topic_of(id.0), id.1, TIMEOUT)?;
            if let Some(gap) = Gap::of(*position, marks) {
                gaps.push(Recalled { id: *id, epoch: *epoch, past: Err(gap) });
            }
        }
        Ok(gaps)
    }

    /// The offset and the floor that were committed for each partition.
    fn bases(&self, reader: &Reader, assigned: &[&Assigned]) -> Result<HashMap<PartitionId, Base>, KafkaError> {
        let mut asked = TopicPartitionList::new();
        for Assigned { id: (source, number), .. } in assigned {
            asked.add_partition(self.topic_of(*source), *number);
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

    /// Adds what is to be read for one partition, and says what is known of it before.
    fn plan(
        &self,
        reader: &Reader,
        id: PartitionId,
        (position, floor): Base,
        (first, end): (i64, i64),
        reading: &mut Reading,
    ) -> Result<Past, KafkaError> {
        let nothing_to_come = position.unwrap_or(first) >= end;
        let since = match id.0 {
            Source::Leads if !self.repeats.is_zero() => Some(self.time_at(reader, id.1, position, end)?),
            Source::Leads | Source::Retry => None,
        };
        let mut ends = Floor::default();
        for trail in Trail::ALL {
            let topic = self.topic(trail);
            let from = if nothing_to_come { i64::MAX } else { floor.of(trail) };
            let repeats = match since {
                Some(since) => self.repeats_from(reader, topic, id.1, since)?,
                None => i64::MAX,
            };
            ends.raise(trail, reading.add(reader, topic, id.1, from.min(repeats))?);
        }
        let (base, memory) = if nothing_to_come { (ends, None) } else { (floor, Some(Memory::default())) };
        Ok(Past { position, memory, recent: Recent::default(), base, ends, horizon: end })
    }

    /// When the lead at a position came to Kafka; now, when it is still to come.
    fn time_at(&self, reader: &Reader, number: i32, position: Option<i64>, end: i64) -> Result<Timestamp, KafkaError> {
        let mut time = None;
        if let Some(position) = position.filter(|position| *position < end) {
            let mut one = Reading::default();
            one.add_until(reader, &self.leads, number, position, position + 1)?;
            one.run(reader, |message| time = message.timestamp().to_millis())?;
        }
        Ok(time.and_then(|time| Timestamp::from_millisecond(time).ok()).unwrap_or_else(Timestamp::now))
    }

    /// From where a trail tells about leads whose repeats can come after `since`, within reason.
    fn repeats_from(&self, reader: &Reader, topic: &str, number: i32, since: Timestamp) -> Result<i64, KafkaError> {
        let (_, end) = reader.fetch_watermarks(topic, number, TIMEOUT)?;
        let since = since.checked_sub(self.repeats).and_then(|since| since.checked_sub(CLOCKS)).unwrap_or(Timestamp::MIN);
        Ok(offset_at(reader, topic, number, since)?.max(end - MOST_BACK))
    }

    fn remember(&self, past: &mut Past, message: &BorrowedMessage<'_>) {
        let mut unused = Memory::default();
        let sighting = self.note(past.memory.as_mut().unwrap_or(&mut unused), message);
        if let Some((sighting, standing)) = sighting {
            past.recent.note(&sighting, standing);
        }
    }

    /// Notes a record of a trail, and says what it tells about a lead.
    fn note(&self, memory: &mut Memory, message: &BorrowedMessage<'_>) -> Option<(Sighting, Standing)> {
        let headers: Headers = headers(message).into_iter().collect();
        let content = headers.parse(names::CONTENT);
        if message.topic() == self.outcomes {
            let outcome = memory.outcome(&self.sink, &headers, message.payload().unwrap_or_default())?;
            let standing = match outcome.status {
                Status::Delivered { .. } | Status::Skipped { .. } => Standing::Ended,
                Status::DeadLettered { .. } => Standing::GivenUp,
            };
            return Some((Sighting { lead_id: outcome.lead_id, content, received_at: outcome.received_at? }, standing));
        }
        let lead_id: Option<Uuid> = AcceptedLead::claimed_id(&headers);
        let sighting = lead_id.zip(AcceptedLead::claimed_receipt(&headers));
        let sighting = sighting.map(|(lead_id, received_at)| Sighting { lead_id, content, received_at });
        let standing = if message.topic() == self.retry {
            memory.retry(&headers);
            Standing::Waiting
        } else {
            memory.dead_letter(&headers, &self.leads);
            Standing::GivenUp
        };
        sighting.map(|sighting| (sighting, standing))
    }

    fn topic_of(&self, source: Source) -> &str {
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

/// The first offset of a partition whose record is not older than a time; the end when there is none.
fn offset_at(reader: &Reader, topic: &str, number: i32, time: Timestamp) -> Result<i64, KafkaError> {
    let mut asked = TopicPartitionList::new();
    asked.add_partition_offset(topic, number, Offset::Offset(time.as_millisecond().max(0)))?;
    let found = reader.offsets_for_times(asked, TIMEOUT)?;
    let offset = found.elements().first().and_then(|element| element.offset().to_raw());
    Ok(offset.filter(|offset| *offset >= 0).unwrap_or(i64::MAX))
}
