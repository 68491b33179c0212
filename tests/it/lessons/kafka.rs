//! What the lessons do to Kafka that the product never does: many records at once, deleting records, changing a topic.

use std::collections::BTreeMap;
use std::time::Duration;

use leadline_tests::blocking::block_on;
use leadline_tests::kafka::{Cluster, Record};
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

const TIME: Duration = Duration::from_secs(30);

/// Puts records into a topic, each into its partition, in order.
pub(super) fn put(kafka: &Cluster, topic: &str, records: &[Record]) {
    let mut client = kafka.client();
    client.set("acks", "all").set("enable.idempotence", "true");
    let producer: ThreadedProducer<DefaultProducerContext> = client.create().unwrap();
    for record in records {
        let headers =
            record.headers.iter().fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value: Some(value) }));
        let message = BaseRecord::<[u8], [u8]>::to(topic).partition(record.partition).headers(headers);
        let message = BaseRecord { key: record.key.as_deref(), payload: record.value.as_deref(), ..message };
        producer.send(message).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(TIME).unwrap();
}

/// The next offset to be read that a group has committed, for partitions of which it has read something.
pub(super) fn committed(kafka: &Cluster, group: &str, topic: &str, partitions: i32) -> BTreeMap<i32, i64> {
    let consumer: BaseConsumer = kafka.client().set("group.id", group).create().unwrap();
    let mut asked = TopicPartitionList::new();
    asked.add_partition_range(topic, 0, partitions - 1);
    let committed = consumer.committed_offsets(asked, TIME).unwrap();
    let offsets = committed.elements().into_iter().map(|element| (element.partition(), element.offset().to_raw()));
    offsets.filter_map(|(partition, offset)| Some((partition, offset.filter(|offset| *offset > 0)?))).collect()
}

/// Deletes the records of a partition before an offset, as retention does.
pub(super) fn delete_before(kafka: &Cluster, topic: &str, partition: i32, offset: i64) {
    let mut places = TopicPartitionList::new();
    places.add_partition_offset(topic, partition, Offset::Offset(offset)).unwrap();
    let deleted = block_on(async { admin(kafka).delete_records(&places, &options()).await }).unwrap();
    deleted.elements().iter().for_each(|element| element.error().unwrap());
}

/// Sets the longest record that a topic takes.
pub(super) fn limit_records(kafka: &Cluster, topic: &str, bytes: usize) {
    let bytes = bytes.to_string();
    let change = AlterConfig::new(ResourceSpecifier::Topic(topic)).set("max.message.bytes", &bytes);
    let results = block_on(async { admin(kafka).alter_configs(&[change], &options()).await }).unwrap();
    results.into_iter().for_each(|result| drop(result.unwrap()));
}

fn admin(kafka: &Cluster) -> AdminClient<DefaultClientContext> {
    kafka.client().create().unwrap()
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(TIME)).operation_timeout(Some(TIME))
}
