//! Reading retry records again when their time has come. While a record waits only its place is kept, so that many waiting
//! retries neither fill the memory nor hide the ones behind them that are due earlier.
//!
//! What is due is the state's to say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use leadline_platform::kafka::rdkafka::config::ClientConfig;
use leadline_platform::kafka::rdkafka::consumer::{BaseConsumer, Consumer};
use leadline_platform::kafka::rdkafka::error::KafkaError;
use leadline_platform::kafka::rdkafka::{Message, Offset, TopicPartitionList};
use leadline_platform::kafka::{KafkaContext, Reader};
use tokio::sync::mpsc::UnboundedSender;

use crate::event::Event;
use crate::record::{Received, Slot, Source};

/// Longest wait for one record.
const POLL: Duration = Duration::from_millis(100);
/// Longest wait for all records of one request from one partition.
const LIMIT: Duration = Duration::from_secs(10);
/// Records between two wanted ones that are rather read than jumped over.
const JUMP: i64 = 500;

/// What came of a request.
#[derive(Debug, Default)]
pub(crate) struct Fetched {
    /// Read again.
    pub(crate) records: Vec<Received>,
    /// Not there any more: Kafka has deleted them.
    pub(crate) gone: Vec<Slot>,
    /// Could not be read now.
    pub(crate) failed: Vec<Slot>,
}

/// The thread that reads.
pub(crate) struct Refetch {
    pub(crate) config: ClientConfig,
    pub(crate) topic: String,
    pub(crate) events: UnboundedSender<Event>,
}

impl Refetch {
    /// Starts the thread; it ends when the sender of requests is dropped.
    pub(crate) fn spawn(self) -> std::io::Result<mpsc::Sender<Vec<Slot>>> {
        let (requests, received) = mpsc::channel::<Vec<Slot>>();
        std::thread::Builder::new().name("refetch".to_owned()).spawn(move || {
            let mut reader = None;
            for slots in received {
                let fetched = self.fetch(&mut reader, slots);
                // The worker may have ended meanwhile.
                let _ = self.events.send(Event::Fetched(fetched));
            }
        })?;
        Ok(requests)
    }

    fn fetch(&self, reader: &mut Option<Reader>, slots: Vec<Slot>) -> Fetched {
        let mut fetched = Fetched::default();
        for stretch in stretches(slots) {
            let result = self.reader(reader).and_then(|reader| self.read(reader, &stretch, &mut fetched));
            if let Err(error) = result {
                tracing::warn!(%error, topic = self.topic, "records whose time has come cannot be read; trying again");
                let read: BTreeSet<Slot> = fetched.records.iter().map(|record| record.slot).collect();
                fetched.failed.extend(stretch.into_values().filter(|slot| !read.contains(slot)));
                *reader = None;
            }
        }
        fetched
    }

    fn reader<'a>(&self, reader: &'a mut Option<Reader>) -> Result<&'a Reader, KafkaError> {
        match reader {
            Some(reader) => Ok(reader),
            None => Ok(reader.insert(self.config.create_with_context(KafkaContext::default())?)),
        }
    }

    /// Reads one stretch of a partition.
    fn read(
        &self,
        reader: &BaseConsumer<KafkaContext>,
        stretch: &BTreeMap<i64, Slot>,
        fetched: &mut Fetched,
    ) -> Result<(), KafkaError> {
        let Some(((first, slot), (last, _))) = stretch.first_key_value().zip(stretch.last_key_value()) else { return Ok(()) };
        let (oldest, _) = reader.fetch_watermarks(&self.topic, slot.partition, LIMIT)?;
        let mut partitions = TopicPartitionList::new();
        partitions.add_partition_offset(&self.topic, slot.partition, Offset::Offset((*first).max(oldest)))?;
        reader.assign(&partitions)?;
        let (mut wanted, started) = (stretch.clone(), Instant::now());
        while !wanted.is_empty() && started.elapsed() < LIMIT {
            match reader.poll(POLL) {
                Some(Ok(message)) => {
                    if let Some(slot) = wanted.remove(&message.offset()) {
                        fetched.records.push(Received::copy(&message, Source::Retry, slot.epoch));
                    }
                    if message.offset() >= *last {
                        break;
                    }
                }
                Some(Err(KafkaError::PartitionEOF(_))) => break,
                Some(Err(error)) => return Err(error),
                None => {}
            }
        }
        let (gone, failed): (Vec<_>, Vec<_>) = wanted.into_values().partition(|slot| slot.offset < oldest);
        fetched.gone.extend(gone);
        fetched.failed.extend(failed);
        Ok(())
    }
}

/// Divides places into stretches that are read in one go.
fn stretches(slots: Vec<Slot>) -> Vec<BTreeMap<i64, Slot>> {
    let sorted: BTreeMap<(i32, i64), Slot> = slots.into_iter().map(|slot| ((slot.partition, slot.offset), slot)).collect();
    let mut stretches: Vec<BTreeMap<i64, Slot>> = Vec::new();
    let mut last = None;
    for ((partition, offset), slot) in sorted {
        let near = last.is_some_and(|(same, before)| same == partition && offset - before <= JUMP);
        match stretches.last_mut().filter(|_| near) {
            Some(stretch) => drop(stretch.insert(offset, slot)),
            None => stretches.push(BTreeMap::from([(offset, slot)])),
        }
        last = Some((partition, offset));
    }
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_read_in_one_go() {
        let slot = |partition, offset| Slot { source: Source::Retry, partition, epoch: 1, offset };
        let wanted = [slot(1, 900), slot(0, 7), slot(0, 5), slot(0, 508), slot(1, 5)];
        let read: Vec<Vec<(i32, i64)>> = stretches(wanted.to_vec())
            .iter()
            .map(|stretch| stretch.values().map(|slot| (slot.partition, slot.offset)).collect())
            .collect();
        assert_eq!(read, [vec![(0, 5), (0, 7)], vec![(0, 508)], vec![(1, 5)], vec![(1, 900)]]);
    }
}
