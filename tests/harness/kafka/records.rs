//! Looking into a topic from outside, without a group and without leaving a trace; and putting a record there that the product
//! would not write.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Header, Headers as _, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};

use super::Cluster;

const TIME: Duration = Duration::from_secs(30);

/// A record as it lies in a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Key.
    pub key: Option<Vec<u8>>,
    /// Value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Headers in their order.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Record {
    /// The first header of that name, as text.
    pub fn header(&self, name: &str) -> Option<String> {
        let (_, value) = self.headers.iter().find(|(key, _)| key == name)?;
        Some(String::from_utf8_lossy(value).into_owned())
    }
}

impl Cluster {
    /// Everything that lies in a topic now, partition by partition.
    ///
    /// # Panics
    /// When the topic does not exist or cannot be read.
    #[track_caller]
    pub fn records(&self, topic: &str) -> Vec<Record> {
        records_at(self.bootstrap(), topic)
    }
}

/// Everything that lies in a topic of any broker now, such as the product's embedded one.
///
/// # Panics
/// When the topic does not exist or cannot be read.
#[track_caller]
pub fn records_at(bootstrap: &str, topic: &str) -> Vec<Record> {
    let mut records = Vec::new();
    each_record_at(bootstrap, topic, |record| records.push(record));
    records.sort_by_key(|record| (record.partition, record.offset));
    records
}

/// The same one by one, for topics that are larger than memory; partitions come mixed.
///
/// # Panics
/// When the topic does not exist or cannot be read.
#[track_caller]
pub fn each_record_at(bootstrap: &str, topic: &str, look: impl FnMut(Record)) {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "leadline-tests-look")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "earliest")
        .create()
        .expect("the settings are right");
    let metadata = consumer.fetch_metadata(Some(topic), TIME).expect("the brokers must answer");
    let partitions = metadata.topics().first().map(|topic| topic.partitions().len()).unwrap_or_default();
    assert!(partitions > 0, "there is no topic `{topic}`");
    let mut assignment = TopicPartitionList::new();
    for partition in metadata.topics()[0].partitions() {
        assignment.add_partition_offset(topic, partition.id(), Offset::Beginning).expect("the offset is right");
    }
    consumer.assign(&assignment).expect("the assignment is right");
    read_to_ends(&consumer, topic, partitions, look);
}

/// Puts a record into a topic of any broker, as it is: its partition, key, value and headers. Its offset will be another.
///
/// # Panics
/// When the broker does not take it.
#[track_caller]
pub fn produce_at(bootstrap: &str, topic: &str, record: &Record) {
    produce_as_of(bootstrap, topic, record, None);
}

/// The same, as if it had been written at another time, in milliseconds since 1970.
///
/// # Panics
/// When the broker does not take it.
#[track_caller]
pub fn produce_as_of(bootstrap: &str, topic: &str, record: &Record, written: Option<i64>) {
    let mut settings = ClientConfig::new();
    settings.set("bootstrap.servers", bootstrap).set("acks", "all");
    let producer: ThreadedProducer<DefaultProducerContext> = settings.create().expect("the settings are right");
    let empty = OwnedHeaders::new();
    let headers = record.headers.iter().fold(empty, |all, (key, value)| all.insert(Header { key, value: Some(value) }));
    let message = BaseRecord::<[u8], [u8]>::to(topic).partition(record.partition).headers(headers);
    let message = BaseRecord { key: record.key.as_deref(), payload: record.value.as_deref(), timestamp: written, ..message };
    producer.send(message).map_err(|(error, _)| error).expect("the queue is empty");
    producer.flush(TIME).expect("the broker must answer");
}

/// Reads until each partition has reported its end.
fn read_to_ends(consumer: &BaseConsumer, topic: &str, partitions: usize, mut look: impl FnMut(Record)) {
    let mut ends = 0;
    while ends < partitions {
        match consumer.poll(TIME) {
            Some(Ok(message)) => look(record(&message)),
            Some(Err(KafkaError::PartitionEOF(_))) => ends += 1,
            // A broker that was frozen a moment ago is found again.
            Some(Err(KafkaError::MessageConsumption(
                RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::OperationTimedOut,
            ))) => {}
            Some(Err(error)) => panic!("topic `{topic}` cannot be read: {error}"),
            None => panic!("topic `{topic}` gave nothing for {} s, not even its end", TIME.as_secs()),
        }
    }
}

fn record(message: &BorrowedMessage<'_>) -> Record {
    let headers = message.headers().map(|headers| headers.iter()).into_iter().flatten();
    Record {
        partition: message.partition(),
        offset: message.offset(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: headers.map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec())).collect(),
    }
}
