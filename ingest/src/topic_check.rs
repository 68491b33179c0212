//! What the topic `leads` really is: read back at start, warned about, exported. Nothing here stops ingest: a lead that is
//! less safe than it could be is better than a lead refused.

use std::time::Duration;

use leadline_platform::config::sections::Kafka;
use leadline_platform::kafka::topics::{TopicFacts, Topics};

use crate::metrics::IngestMetrics;

/// Pause between tries while no broker answers.
const PAUSE: Duration = Duration::from_secs(10);
/// Fewer copies than this are reported.
const SAFE_REPLICATION: usize = 3;
/// Fewer copies at the acknowledgement than this are reported.
const SAFE_MIN_INSYNC: usize = 2;

/// Reads the topic back once a broker answers.
pub(crate) async fn run(kafka: Kafka, topic: String, largest_message: usize, metrics: IngestMetrics) {
    let Ok(topics) = Topics::new(&kafka) else { return };
    loop {
        match topics.facts(&topic).await {
            Ok(Some(facts)) => return report(&topic, &facts, largest_message, &metrics),
            Ok(None) => tracing::error!(topic, "the topic does not exist; `leadline topics create` makes it"),
            Err(error) => tracing::debug!(%error, "the topic cannot be read back yet"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn report(topic: &str, facts: &TopicFacts, largest_message: usize, metrics: &IngestMetrics) {
    let set = |gauge: &leadline_platform::metrics::kinds::Gauge, value: usize| {
        gauge.with_label_values(&[topic]).set(f64::from(u32::try_from(value).unwrap_or(u32::MAX)));
    };
    set(&metrics.replication, facts.replication);
    if facts.replication < SAFE_REPLICATION {
        tracing::warn!(topic, replication = facts.replication, "fewer than 3 copies: losing brokers can lose leads");
    }
    if let Some(min) = facts.min_insync_replicas {
        set(&metrics.min_insync_replicas, min);
        if min < SAFE_MIN_INSYNC {
            tracing::warn!(topic, min_insync_replicas = min, "a lead is acknowledged with one copy only");
        }
    }
    if facts.max_message_bytes.is_some_and(|max| max < largest_message) {
        tracing::error!(topic, needed = largest_message, "max.message.bytes is too small: large leads will be refused");
    }
}
