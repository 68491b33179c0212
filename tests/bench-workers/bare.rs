//! The parts that the runtime is made of, each on its own: what is the most that could be had of it.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use leadline_platform::kafka::{Reader, settings};
use leadline_proto::{AcceptedLead, Headers, Outcome, SinkName, Status};
use rdkafka::Message as _;
use rdkafka::consumer::Consumer as _;

use crate::backlog::{Backlog, Sender};
use crate::leads::Leads;
use crate::place::{PATIENCE, Place};
use crate::tally::Meter;

/// Different records, taken round and round.
const SAMPLES: usize = 10_000;

/// A bare consumer with the product's settings, in leads a second. Looks at nothing.
pub(crate) fn consume(place: &Place, backlog: &Backlog) -> f64 {
    let mut config = settings::consumer(&place.kafka(), "bench-consumer", &place.unique("bench-consumer"));
    // The runtime says itself where a new group starts; nobody does it here.
    config.set("auto.offset.reset", "earliest");
    let consumer: Reader = config.create_with_context(Default::default()).expect("the settings are right");
    consumer.subscribe(&[&backlog.topic]).expect("the topic is there");
    let meter = Meter::new(backlog.leads as u64);
    let start = Instant::now();
    while meter.complete().is_none() {
        match consumer.poll(Duration::from_millis(100)) {
            Some(message) => {
                std::hint::black_box(message.expect("the broker is there").payload());
                meter.add();
            }
            None => assert!(start.elapsed() < PATIENCE, "the topic was not read in time"),
        }
    }
    meter.rate().expect("it is complete")
}

/// Records of leads as they lie in the topic.
pub(crate) struct Encoded(Vec<(Headers, Vec<u8>)>);

impl Encoded {
    pub(crate) fn new(keys: usize, bytes: usize) -> Self {
        Self(Leads::new(keys, bytes).take(SAMPLES).map(|lead| (lead.headers(), lead.encode())).collect())
    }

    /// Decoding alone, on one thread, in leads a second.
    pub(crate) fn decode(&self, leads: usize) -> f64 {
        let meter = Meter::new(leads as u64);
        for (headers, value) in self.0.iter().cycle().take(leads) {
            let lead = AcceptedLead::decode(headers, value).expect("it was encoded just so");
            std::hint::black_box(&lead);
            meter.add();
        }
        meter.rate().expect("it is complete")
    }
}

/// Outcomes as the runtime writes them, and the key and the partition of their lead.
pub(crate) struct Outcomes(Vec<(Vec<u8>, Headers, Vec<u8>)>);

impl Outcomes {
    pub(crate) fn new(keys: usize) -> Self {
        let sink: SinkName = "bench".parse().expect("the name is right");
        let outcome = |lead: AcceptedLead| Outcome {
            lead_id: lead.lead_id,
            sink: sink.clone(),
            replay: 0,
            attempts: 1,
            endpoint: Some(lead.endpoint.clone()),
            received_at: Some(lead.received_at),
            at: Timestamp::now(),
            reordered: false,
            reason: None,
            status: Status::Delivered { reference: None, maybe_duplicate: false },
        };
        let record = |lead: AcceptedLead| {
            let key = lead.person.as_str().as_bytes().to_vec();
            let outcome = outcome(lead);
            (key, outcome.headers(), outcome.encode())
        };
        Self(Leads::new(keys, 0).take(SAMPLES).map(record).collect())
    }

    /// A bare producer with the product's settings, in outcomes a second, all of them acknowledged.
    pub(crate) fn produce(&self, place: &Place, partitions: i32, outcomes: usize) -> f64 {
        let topic = place.unique("outcomes");
        place.cluster.create_topics(&[&topic], partitions, &[]);
        let sender = Sender::new(place);
        // Connecting is not what is measured.
        self.send(&sender, &topic, partitions, outcomes / 10);
        sender.finish();
        let start = Instant::now();
        self.send(&sender, &topic, partitions, outcomes);
        sender.finish();
        let rate = per_second(outcomes, start.elapsed());
        place.delete(&[&topic]);
        rate
    }

    fn send(&self, sender: &Sender, topic: &str, partitions: i32, outcomes: usize) {
        for ((key, headers, value), partition) in self.0.iter().cycle().zip((0..partitions).cycle()).take(outcomes) {
            let headers: Vec<(&str, &[u8])> = headers.iter().collect();
            sender.send(topic, Some(partition), key, &headers, value);
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
fn per_second(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}
