//! Every librdkafka setting, with its reason. Figures marked "measured" were measured against librdkafka 2.12.1.

use rdkafka::ClientConfig;
use secrecy::ExposeSecret;

use crate::config::sections::{Kafka, SaslMechanism};

/// Records that may wait in a producer.
pub const PRODUCER_QUEUE_RECORDS: f64 = 100_000.0;
/// Largest request of a producer in bytes: a dead letter of 1 MiB with its headers.
const MAX_REQUEST_BYTES: usize = 1024 * 1024 + 64 * 1024;
/// What a consumer asks for of one partition at once; a larger record comes all the same. Every partition may bring so much, and
/// it is unpacked before it counts against the queue: with 1 MiB a busy worker of 12 partitions took 163 MiB, with this 71 MiB,
/// for the same processor time a lead (measured).
const FETCH_BYTES: usize = 256 * 1024;

/// What all clients share: where, how encrypted, who, and how soon to come back.
pub fn base(config: &Kafka, client_id: &str) -> ClientConfig {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", &config.bootstrap)
        .set("client.id", client_id)
        // Looking at a topic that does not exist must not make it, with the broker's defaults.
        .set("allow.auto.create.topics", "false")
        .set("socket.keepalive.enable", "true")
        // A broker that no longer answers holds what is in flight this long; the default is 60 s.
        .set("socket.timeout.ms", "10000")
        // Brokers that come back are found in 0.3 s; with the default of 10 s it took 7 s (measured).
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "500")
        .set("retry.backoff.ms", "50")
        .set("retry.backoff.max.ms", "500");
    secure(config, &mut client);
    client
}

fn secure(config: &Kafka, client: &mut ClientConfig) {
    let authenticated = config.sasl.mechanism != SaslMechanism::None;
    let protocol = match (config.tls.enabled, authenticated) {
        (false, false) => "plaintext",
        (false, true) => "sasl_plaintext",
        (true, false) => "ssl",
        (true, true) => "sasl_ssl",
    };
    client.set("security.protocol", protocol);
    if config.tls.enabled {
        match &config.tls.ca {
            Some(pem) => client.set("ssl.ca.pem", pem),
            // OpenSSL is built in and does not know where the system keeps its authorities.
            None => client.set("ssl.ca.location", "probe"),
        };
        if let (Some(certificate), Some(key)) = (&config.tls.certificate, &config.tls.key) {
            client.set("ssl.certificate.pem", certificate).set("ssl.key.pem", key.expose_secret());
        }
    }
    let mechanism = match config.sasl.mechanism {
        SaslMechanism::None => return,
        SaslMechanism::Plain => "PLAIN",
        SaslMechanism::ScramSha256 => "SCRAM-SHA-256",
        SaslMechanism::ScramSha512 => "SCRAM-SHA-512",
    };
    client
        .set("sasl.mechanism", mechanism)
        .set("sasl.username", &config.sasl.username)
        .set("sasl.password", config.sasl.password.expose_secret());
}

/// A producer whose acknowledgement means: every in-sync replica has the record.
pub fn producer(config: &Kafka, client_id: &str) -> ClientConfig {
    let mut client = base(config, client_id);
    client
        .set("acks", "all")
        .set("enable.idempotence", "true")
        // Groups concurrent leads into one request; 0 costs throughput, the default of 5 costs latency (measured).
        .set("linger.ms", "1")
        .set("compression.type", "lz4")
        // As the Java client does it, so that other producers put a key into the same partition.
        .set("partitioner", "murmur2_random")
        // Outlives the election of a leader. Callers that answer someone have a shorter deadline of their own.
        .set("delivery.timeout.ms", "30000")
        .set("queue.buffering.max.messages", PRODUCER_QUEUE_RECORDS.to_string())
        .set("queue.buffering.max.kbytes", "16384")
        .set("message.max.bytes", MAX_REQUEST_BYTES.to_string());
    client
}

/// A producer for records that must be written in any case. It never gives one up by itself: a record that were sent anew
/// after a time-out could stand in the topic twice, while the client's own tries are told apart by the broker.
pub fn recorder(config: &Kafka, client_id: &str) -> ClientConfig {
    let mut client = producer(config, client_id);
    client.set("delivery.timeout.ms", "0");
    // Nobody waits for these but the position: fewer and larger requests leave more of the machine to leads.
    client.set("linger.ms", "5");
    client
}

/// A client that reads topics outside any group; with a group it can look at what that has committed.
pub fn reader(config: &Kafka, client_id: &str, group: &str) -> ClientConfig {
    let mut client = consumer(config, client_id, group);
    // Nobody would fetch the statistics, and they would pile up.
    client.set("statistics.interval.ms", "0");
    // A partition can end in offsets that hold no record, such as a transaction's mark; only the broker knows that it ends there.
    client.set("enable.partition.eof", "true");
    // Whatever is asked next waits behind a fetch that finds nothing new. With the default of 500 ms the ends of 12 partitions
    // took 6 s (measured).
    client.set("fetch.wait.max.ms", "10");
    client
}

/// A member of a consumer group that stores no offset by itself.
pub fn consumer(config: &Kafka, client_id: &str, group: &str) -> ClientConfig {
    let mut client = base(config, client_id);
    client
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // Where a new group starts is said at each assignment. A position that is no longer in its topic must not be mended in
        // silence; librdkafka's default would skip every record there is.
        .set("auto.offset.reset", "error")
        .set("max.poll.interval.ms", "300000")
        .set("queued.max.messages.kbytes", "8192")
        .set("fetch.message.max.bytes", FETCH_BYTES.to_string())
        // With a full queue the default waits 1 s before the next fetch.
        .set("fetch.queue.backoff.ms", "20")
        .set("statistics.interval.ms", "5000");
    if config.embedded {
        // The embedded broker does not wake a waiting fetch, and its classic rebalance waits for the session's end.
        client.set("fetch.wait.max.ms", "5").set("group.protocol", "consumer");
    } else {
        // The newer group protocol has silent stalls before librdkafka 2.15.
        client
            .set("group.protocol", "classic")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", "15000")
            .set("heartbeat.interval.ms", "3000");
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::sections::{self, Sections};
    use crate::config::{Settings, Sources};

    fn config(toml: &str) -> Kafka {
        let known = ["kafka", "admin", "log", "lifecycle"];
        let preset = Some(toml.to_owned());
        let sources = Sources { defaults: &[sections::DEFAULTS], sections: &known, file: None, preset };
        Sections::read(&Settings::load(&sources).unwrap()).unwrap().kafka
    }

    #[test]
    fn an_acknowledgement_means_every_in_sync_replica() {
        let client = producer(&config(""), "test");
        assert_eq!(client.get("acks"), Some("all"));
        assert_eq!(client.get("enable.idempotence"), Some("true"));
    }

    #[test]
    fn a_consumer_stores_no_offset_by_itself_and_skips_nothing() {
        let client = consumer(&config(""), "test", "group");
        assert_eq!(client.get("enable.auto.commit"), Some("false"));
        assert_eq!(client.get("enable.auto.offset.store"), Some("false"));
        assert_eq!(client.get("auto.offset.reset"), Some("error"));
    }

    #[test]
    fn tls_and_sasl_come_together_and_certificates_are_checked() {
        let toml = "[kafka.tls]\nenabled = true\nca = 'PEM'\n[kafka.sasl]\nmechanism = 'SCRAM-SHA-512'\nusername = 'u'\npassword = 'p'";
        let client = base(&config(toml), "test");
        assert_eq!(client.get("security.protocol"), Some("sasl_ssl"));
        assert_eq!(client.get("ssl.ca.pem"), Some("PEM"));
        assert_eq!(client.get("sasl.mechanism"), Some("SCRAM-SHA-512"));
        assert_eq!(client.get("enable.ssl.certificate.verification"), None, "the default verifies");
        assert_eq!(base(&config("[kafka.tls]\nenabled = true"), "test").get("ssl.ca.location"), Some("probe"));
    }

    #[test]
    fn every_setting_is_one_that_librdkafka_knows() {
        for embedded in [false, true] {
            let config = Kafka { embedded, ..config("") };
            producer(&config, "test").create::<rdkafka::producer::BaseProducer>().unwrap();
            recorder(&config, "test").create::<rdkafka::producer::BaseProducer>().unwrap();
            reader(&config, "test", "group").create::<rdkafka::consumer::BaseConsumer>().unwrap();
            consumer(&config, "test", "group").create::<rdkafka::consumer::BaseConsumer>().unwrap();
        }
    }
}
