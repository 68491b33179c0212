//! Follows a group's position and what is written meanwhile, at so little cost that it can be looked at all the time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use leadline_tests::kafka::Cluster;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaResult;
use rdkafka::message::{BorrowedMessage, Headers as _};
use rdkafka::{Message as _, Offset, TopicPartitionList};
use uuid::Uuid;

use super::line::{Line, PARTITIONS};

const TIME: Duration = Duration::from_secs(30);

/// Reads `leads` and what a sink writes, from the beginning, without joining the sink's group.
pub(super) struct Follower {
    consumer: BaseConsumer,
    leads: String,
    /// Where reading goes on.
    next: BTreeMap<(String, i32), i64>,
    /// The lead at each place of `leads`.
    places: BTreeMap<(i32, i64), Uuid>,
    /// Leads for which something stands.
    recorded: BTreeSet<Uuid>,
}

impl Follower {
    /// Of the e-mail sink.
    pub(super) fn new(kafka: &Cluster, line: &Line<'_>) -> Self {
        let mut client = kafka.client();
        client.set("group.id", format!("leadline-{}", line.product.email_sink)).set("enable.auto.commit", "false");
        // Whatever else is asked stands behind a fetch that waits.
        client.set("fetch.wait.max.ms", "10");
        let consumer: BaseConsumer = client.create().unwrap();
        let (mut assignment, mut next) = (TopicPartitionList::new(), BTreeMap::new());
        for topic in ["leads", "retry", "dlq", "outcomes"].map(|topic| line.topic(topic)) {
            for partition in 0..PARTITIONS {
                assignment.add_partition_offset(&topic, partition, Offset::Beginning).unwrap();
                next.insert((topic.clone(), partition), 0);
            }
        }
        consumer.assign(&assignment).unwrap();
        Self { consumer, leads: line.topic("leads"), next, places: BTreeMap::new(), recorded: BTreeSet::new() }
    }

    /// Fails when the group's position has passed a lead for which nothing stands. Says whether Kafka has let itself be looked at.
    pub(super) fn look(&mut self) -> bool {
        // First the positions: what stands for a lead must have stood before they passed it.
        let Ok(committed) = self.committed().and_then(|committed| self.catch_up().map(|()| committed)) else { return false };
        let passed = self.places.iter().filter(|((partition, offset), _)| committed.get(partition) > Some(offset));
        let lost: Vec<_> = passed.filter(|(_, lead)| !self.recorded.contains(*lead)).collect();
        assert!(lost.is_empty(), "the positions {committed:?} have passed leads for which nothing stands: {lost:?}");
        true
    }

    fn committed(&self) -> KafkaResult<BTreeMap<i32, i64>> {
        let mut asked = TopicPartitionList::new();
        asked.add_partition_range(&self.leads, 0, PARTITIONS - 1);
        let committed = self.consumer.committed_offsets(asked, TIME)?;
        let offsets = committed.elements().into_iter().map(|element| (element.partition(), element.offset().to_raw()));
        Ok(offsets.filter_map(|(partition, offset)| Some((partition, offset?))).collect())
    }

    /// Reads everything that is there now.
    fn catch_up(&mut self) -> KafkaResult<()> {
        let end = |(topic, partition): &(String, i32)| self.consumer.fetch_watermarks(topic, *partition, TIME);
        let ends = self.next.keys().map(|place| Ok((place.clone(), end(place)?.1)));
        let ends: Vec<_> = ends.collect::<KafkaResult<_>>()?;
        while ends.iter().any(|(place, end)| self.next[place] < *end) {
            let message = self.consumer.poll(TIME).expect("what is there can be read")?;
            let place = (message.topic().to_owned(), message.partition());
            self.next.insert(place, message.offset() + 1);
            let Some(lead) = lead_of(&message) else { continue };
            if message.topic() == self.leads {
                self.places.insert((message.partition(), message.offset()), lead);
            } else {
                self.recorded.insert(lead);
            }
        }
        Ok(())
    }
}

/// The lead of a record: the id of an outcome begins with it, any other id is it.
fn lead_of(message: &BorrowedMessage<'_>) -> Option<Uuid> {
    let id = message.headers()?.iter().find(|header| header.key == "ce_id")?.value?;
    std::str::from_utf8(id).ok()?.split('.').next()?.parse().ok()
}
