//! Looking into Kafka at the end of a run: every record of a topic, one by one, and how far a group has come.
//!
//! Unlike `harness::kafka` it keeps nothing in memory, as topics are large here.

use std::time::Duration;

use leadline_proto::Headers;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::{Offset, TopicPartitionList};

const TIME: Duration = Duration::from_secs(30);

/// A record, as much of it as anybody asks for.
pub(crate) struct Record<'a> {
    pub(crate) headers: Headers,
    pub(crate) value: &'a [u8],
    /// Milliseconds since 1970.
    pub(crate) at: i64,
}

fn consumer(bootstrap: &str, group: &str) -> KafkaResult<BaseConsumer> {
    let mut settings = ClientConfig::new();
    settings.set("bootstrap.servers", bootstrap).set("group.id", group).set("log_level", "0");
    settings.set("enable.auto.commit", "false").set("enable.partition.eof", "true").set("auto.offset.reset", "earliest");
    settings.create()
}

fn partitions(consumer: &BaseConsumer, topic: &str) -> KafkaResult<Vec<i32>> {
    let metadata = consumer.fetch_metadata(Some(topic), TIME)?;
    Ok(metadata.topics().iter().flat_map(|topic| topic.partitions()).map(|partition| partition.id()).collect())
}

/// Gives each record of a topic to `look`.
pub(crate) fn each(bootstrap: &str, topic: &str, mut look: impl FnMut(&Record<'_>)) -> KafkaResult<()> {
    let consumer = consumer(bootstrap, "faults-look")?;
    let mut assignment = TopicPartitionList::new();
    for partition in partitions(&consumer, topic)? {
        assignment.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;
    let mut open = assignment.count();
    while open > 0 {
        match consumer.poll(TIME) {
            Some(Ok(message)) => look(&record(&message)),
            Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
            // Such as a broker that went away; the client goes on by itself.
            Some(Err(_)) => {}
            None => return Err(KafkaError::ConsumerQueueClose(rdkafka::types::RDKafkaErrorCode::OperationTimedOut)),
        }
    }
    Ok(())
}

fn record<'a>(message: &'a BorrowedMessage<'_>) -> Record<'a> {
    let headers = message.headers().map(|headers| headers.iter()).into_iter().flatten();
    Record {
        headers: headers.map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec())).collect(),
        value: message.payload().unwrap_or_default(),
        at: message.timestamp().to_millis().unwrap_or_default(),
    }
}

/// Records of the topics that a group has not done yet.
pub(crate) fn lag(bootstrap: &str, group: &str, topics: &[String]) -> KafkaResult<i64> {
    let consumer = consumer(bootstrap, group)?;
    let mut lag = 0;
    for topic in topics {
        let mut asked = TopicPartitionList::new();
        for partition in partitions(&consumer, topic)? {
            asked.add_partition(topic, partition);
        }
        for element in consumer.committed_offsets(asked, TIME)?.elements() {
            let (low, high) = consumer.fetch_watermarks(topic, element.partition(), TIME)?;
            // Where nothing was ever committed, everything is still to be done.
            lag += (high - element.offset().to_raw().filter(|done| *done >= 0).unwrap_or(low)).max(0);
        }
    }
    Ok(lag)
}
