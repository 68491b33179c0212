//! Keeps the embedded broker from dropping leads: it forgets all but the last 5 MiB and 100,000 batches of a partition,
//! whatever its consumers have read. While a partition holds nearly that much that is still needed, ingest answers 503.
//!
//! Needed are: of `leads` and the retry topics what is not committed, of the dead letters everything. A lead may move from the
//! first to the others, always within the partition of one number; so the sum over these topics is what is bounded.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use leadline_ingest::Capacity;
use leadline_platform::config::sections::Kafka;
use leadline_platform::kafka::rdkafka::consumer::{BaseConsumer, Consumer};
use leadline_platform::kafka::rdkafka::{Offset, TopicPartitionList};
use leadline_platform::kafka::{Acked, DeliveryObserver, settings};
use leadline_proto::SinkName;
use leadline_proto::config::Topics;
use leadline_proto::topics::Topic;

/// What a partition may hold: 5 MiB less room for the headers that a lead gains on its way.
const LIMIT_BYTES: usize = 4 * 1024 * 1024;
/// Records that a partition may hold; each may be a batch of its own.
const LIMIT_RECORDS: usize = 50_000;
/// How often committed positions are read.
const INTERVAL: Duration = Duration::from_millis(250);

/// Counts what the embedded broker must not forget. Cheap to clone.
#[derive(Clone, Default)]
pub struct Guard(Arc<Mutex<Needed>>);

/// Records of guarded topics that are still needed.
#[derive(Default)]
struct Needed {
    logs: HashMap<(String, i32), VecDeque<(i64, usize)>>,
    /// Bytes and records by partition number, over all topics.
    used: HashMap<i32, (usize, usize)>,
    /// Bytes of leads that are being published.
    reserved: usize,
    guarded: Vec<String>,
}

impl Guard {
    /// A guard over the topics of these sinks.
    pub fn new(topics: &Topics, sinks: &[SinkName]) -> Self {
        let guarded = Topic::all(sinks).into_iter().filter(|topic| match topic {
            Topic::Leads | Topic::Retry(_) | Topic::DeadLetters(_) => true,
            Topic::Outcomes | Topic::Rejected | Topic::Control => false,
        });
        let guarded = guarded.map(|topic| topics.name(&topic)).collect();
        Self(Arc::new(Mutex::new(Needed { guarded, ..Needed::default() })))
    }

    fn needed(&self) -> MutexGuard<'_, Needed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records of `topic` that no one has committed yet.
    pub fn open(&self, topic: &str) -> usize {
        self.needed().logs.iter().filter(|((name, _), _)| name == topic).map(|(_, log)| log.len()).sum()
    }

    /// Forgets what lies below a committed position.
    fn trim(&self, topic: &str, partition: i32, committed: i64) {
        self.needed().trim(topic, partition, committed);
    }

    /// Follows the committed positions of all workers, on a thread of its own, until the returned watch is dropped.
    ///
    /// # Errors
    /// When the thread or its clients cannot be made.
    pub fn watch(&self, kafka: &Kafka, topics: &Topics, sinks: &[SinkName]) -> Result<Watch, String> {
        let groups = sinks.iter().map(|sink| Group::new(kafka, topics, sink)).collect::<Result<Vec<_>, _>>();
        let groups = groups.map_err(|error| error.to_string())?;
        let (watch, ended) = std::sync::mpsc::channel::<()>();
        let (guard, leads) = (self.clone(), topics.name(&Topic::Leads));
        let thread = std::thread::Builder::new().name("broker-guard".to_owned()).spawn(move || {
            while ended.recv_timeout(INTERVAL) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                trim_all(&guard, &groups, &leads);
            }
        });
        thread.map_err(|error| error.to_string())?;
        Ok(Watch { _ended: watch })
    }
}

/// Keeps the guard's thread running.
pub struct Watch {
    _ended: std::sync::mpsc::Sender<()>,
}

/// The committed positions of one worker.
struct Group {
    client: BaseConsumer,
    partitions: TopicPartitionList,
}

impl Group {
    fn new(
        kafka: &Kafka,
        topics: &Topics,
        sink: &SinkName,
    ) -> Result<Self, leadline_platform::kafka::rdkafka::error::KafkaError> {
        let client = settings::reader(kafka, "leadline-guard", &format!("leadline-{sink}")).create()?;
        let mut partitions = TopicPartitionList::new();
        for topic in [Topic::Leads, Topic::Retry(sink.clone())] {
            partitions.add_partition_range(&topics.name(&topic), 0, topics.partitions - 1);
        }
        Ok(Self { client, partitions })
    }

    fn committed(&self) -> Option<HashMap<(String, i32), i64>> {
        let positions = self.client.committed_offsets(self.partitions.clone(), INTERVAL * 4).ok()?;
        let offset = |offset| match offset {
            Offset::Offset(offset) => offset,
            Offset::Beginning | Offset::End | Offset::Stored | Offset::Invalid | Offset::OffsetTail(_) => 0,
        };
        let elements = positions.elements();
        Some(elements.iter().map(|at| ((at.topic().to_owned(), at.partition()), offset(at.offset()))).collect())
    }
}

/// `leads` is needed until the slowest worker has committed; a retry topic has one worker only.
fn trim_all(guard: &Guard, groups: &[Group], leads: &str) {
    let Some(committed) = groups.iter().map(Group::committed).collect::<Option<Vec<_>>>() else { return };
    let mut slowest: HashMap<i32, i64> = HashMap::new();
    for ((topic, partition), offset) in committed.into_iter().flatten() {
        if topic == leads {
            slowest.entry(partition).and_modify(|least| *least = offset.min(*least)).or_insert(offset);
        } else {
            guard.trim(&topic, partition, offset);
        }
    }
    slowest.into_iter().for_each(|(partition, offset)| guard.trim(leads, partition, offset));
}

impl Needed {
    fn add(&mut self, topic: &str, acked: Acked, bytes: usize) {
        if !self.guarded.iter().any(|guarded| guarded == topic) {
            return;
        }
        self.logs.entry((topic.to_owned(), acked.partition)).or_default().push_back((acked.offset, bytes));
        let used = self.used.entry(acked.partition).or_default();
        *used = (used.0 + bytes, used.1 + 1);
    }

    fn trim(&mut self, topic: &str, partition: i32, committed: i64) {
        let Some(log) = self.logs.get_mut(&(topic.to_owned(), partition)) else { return };
        let used = self.used.entry(partition).or_default();
        // Acknowledgements may be noted out of order, so all are looked at.
        log.retain(|(offset, bytes)| {
            let keep = *offset >= committed;
            if !keep {
                *used = (used.0 - bytes, used.1 - 1);
            }
            keep
        });
    }

    fn has_room(&self, bytes: usize) -> bool {
        let fits = |(used, records): &(usize, usize)| used + self.reserved + bytes <= LIMIT_BYTES && *records < LIMIT_RECORDS;
        self.reserved + bytes <= LIMIT_BYTES && self.used.values().all(fits)
    }
}

impl DeliveryObserver for Guard {
    fn acknowledged(&self, topic: &str, acked: Acked, bytes: usize) {
        self.needed().add(topic, acked, bytes);
    }
}

impl Capacity for Guard {
    fn reserve(&self, bytes: usize) -> Option<Box<dyn Send>> {
        let mut needed = self.needed();
        if !needed.has_room(bytes) {
            return None;
        }
        needed.reserved += bytes;
        Some(Box::new(Reservation { guard: self.clone(), bytes }))
    }
}

struct Reservation {
    guard: Guard,
    bytes: usize,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.guard.needed().reserved -= self.bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        let topics: Topics = crate::product::settings(None, None).unwrap().section("topics").unwrap();
        Guard::new(&topics, &["crm".parse().unwrap()])
    }

    fn ack(guard: &Guard, topic: &str, offset: i64, bytes: usize) {
        guard.acknowledged(topic, Acked { partition: 3, offset }, bytes);
    }

    #[test]
    fn room_is_what_is_not_committed_over_all_topics_of_a_partition() {
        let guard = guard();
        let half = LIMIT_BYTES / 2;
        ack(&guard, "leads", 0, half);
        ack(&guard, "leads.crm.dlq", 0, half);
        ack(&guard, "leads.outcomes", 0, half);
        assert!(guard.reserve(1).is_none());
        guard.trim("leads", 3, 1);
        let room = guard.reserve(half);
        assert!(room.is_some());
        assert!(guard.reserve(1).is_none(), "what is being published counts");
        drop(room);
        assert!(guard.reserve(1).is_some());
    }

    #[test]
    fn dead_letters_are_never_given_up() {
        let guard = guard();
        ack(&guard, "leads.crm.dlq", 0, LIMIT_BYTES);
        guard.trim("leads", 3, i64::MAX);
        assert!(guard.reserve(1).is_none());
    }
}
