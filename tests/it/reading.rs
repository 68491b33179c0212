//! Reading a topic to its end outside any group, as an audit and a restart do: partitions that end in offsets without a record.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use leadline_platform::config::sections::{self, Sections};
use leadline_platform::config::{Settings, Sources};
use leadline_platform::kafka::{KafkaContext, Reader, Reading, settings};
use leadline_tests::{Stack, Suite, Tool};
use rdkafka::Message as _;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};

const SOON: Duration = Duration::from_secs(20);
const PARTITIONS: i32 = 3;

pub(crate) fn tests(suite: &mut Suite) {
    suite.test("reading::ends_where_a_transaction_ends", [Tool::Kafka], ends_where_a_transaction_ends);
}

fn reader(stack: &Stack) -> Reader {
    let preset = Some(format!("[kafka]\nbootstrap = \"{}\"\n", stack.kafka().bootstrap()));
    let known = ["kafka", "admin", "log", "lifecycle"];
    let sources = Sources { defaults: &[sections::DEFAULTS], sections: &known, file: None, preset };
    let kafka = Sections::read(&Settings::load(&sources).unwrap()).unwrap().kafka;
    settings::reader(&kafka, "test", "leadline-tests-reading").create_with_context(KafkaContext::default()).unwrap()
}

/// The mark of a transaction takes an offset and is no record: the last offset of each partition is never read.
fn ends_where_a_transaction_ends(stack: &Stack) {
    let topics = [stack.unique("marked"), stack.unique("plain")];
    stack.kafka().create_topics(&[&topics[0], &topics[1]], PARTITIONS, &[]);
    let mut config = stack.kafka().client();
    let producer: ThreadedProducer<DefaultProducerContext> = config.set("transactional.id", &topics[0]).create().unwrap();
    producer.init_transactions(SOON).unwrap();
    let send = |value: &str| {
        for partition in 0..PARTITIONS - 1 {
            let record = BaseRecord::<str, str>::to(&topics[0]).partition(partition).payload(value);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
    };
    for (value, commit) in [("kept", true), ("taken back", false), ("kept", true)] {
        producer.begin_transaction().unwrap();
        send(value);
        producer.flush(SOON).unwrap();
        if commit { producer.commit_transaction(SOON).unwrap() } else { producer.abort_transaction(SOON).unwrap() }
    }
    let plain: ThreadedProducer<DefaultProducerContext> = stack.kafka().client().create().unwrap();
    for partition in 0..PARTITIONS {
        plain.send(BaseRecord::<str, str>::to(&topics[1]).partition(partition).payload("plain")).map_err(|(e, _)| e).unwrap();
    }
    plain.flush(SOON).unwrap();

    let (reader, mut reading, mut seen) = (reader(stack), Reading::default(), BTreeMap::<String, usize>::new());
    topics.iter().for_each(|topic| reading.add_topic(&reader, topic).unwrap());
    let started = Instant::now();
    reading
        .run(&reader, |message| {
            *seen.entry(String::from_utf8_lossy(message.payload().unwrap()).into_owned()).or_default() += 1;
        })
        .unwrap();
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    assert_eq!(seen, BTreeMap::from([("kept".to_owned(), 4), ("plain".to_owned(), 3)]));
}
