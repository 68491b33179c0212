//! Leads that wait in a topic: written once, read by every repetition.

use std::time::Duration;

use leadline_platform::kafka::settings;
use leadline_tests::eventually;
use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};

use crate::leads::Leads;
use crate::place::{PATIENCE, Place};

/// Records sent between two looks at the acknowledgements.
const LOOK_EVERY: usize = 256;

/// A topic full of leads.
#[derive(Debug)]
pub(crate) struct Backlog {
    pub(crate) topic: String,
    pub(crate) partitions: i32,
    pub(crate) leads: usize,
}

/// What a backlog is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) partitions: i32,
    pub(crate) leads: usize,
    /// Persons, and so Kafka keys.
    pub(crate) keys: usize,
    /// Size of each record's value.
    pub(crate) bytes: usize,
}

impl Backlog {
    /// Fills a new topic.
    pub(crate) fn fill(place: &Place, shape: Shape) -> Self {
        let Shape { partitions, leads, keys, bytes } = shape;
        let topic = place.unique("leads");
        place.cluster.create_topics(&[&topic], partitions, &[]);
        let sender = Sender::new(place);
        for lead in Leads::new(keys, bytes).take(leads) {
            let headers = lead.headers();
            let headers: Vec<(&str, &[u8])> = headers.iter().collect();
            sender.send(&topic, None, lead.person.as_str().as_bytes(), &headers, &lead.encode());
        }
        sender.finish();
        Self { topic, partitions, leads }
    }
}

/// A bare producer with the product's settings, which stops at a record that was not taken.
pub(crate) struct Sender {
    producer: BaseProducer<Context>,
    sent: std::cell::Cell<usize>,
}

struct Context;

impl ClientContext for Context {}

impl ProducerContext for Context {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            panic!("a record was not taken: {error}");
        }
    }
}

impl Sender {
    pub(crate) fn new(place: &Place) -> Self {
        let producer = settings::recorder(&place.kafka(), "bench-sender").create_with_context(Context);
        Self { producer: producer.expect("the settings are right"), sent: std::cell::Cell::new(0) }
    }

    /// Sends a record; waits while too many are on their way.
    pub(crate) fn send(&self, topic: &str, partition: Option<i32>, key: &[u8], headers: &[(&str, &[u8])], value: &[u8]) {
        let list = OwnedHeaders::new_with_capacity(headers.len());
        let list = headers.iter().fold(list, |list, &(key, value)| list.insert(Header { key, value: Some(value) }));
        let mut record = BaseRecord::to(topic).key(key).payload(value).headers(list);
        record.partition = partition;
        loop {
            match self.producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    self.producer.poll(Duration::from_millis(5));
                    record = back;
                }
                Err((error, _)) => panic!("a record was not taken: {error}"),
            }
        }
        self.sent.set(self.sent.get() + 1);
        if self.sent.get().is_multiple_of(LOOK_EVERY) {
            self.producer.poll(Duration::ZERO);
        }
    }

    /// Waits until everything is acknowledged.
    pub(crate) fn finish(&self) {
        eventually("the broker has acknowledged everything", PATIENCE, || {
            self.producer.flush(Duration::from_secs(10)).is_ok().then_some(())
        });
    }
}
