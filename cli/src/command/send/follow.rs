//! Following one lead on the topic of outcomes, from where the topic ends before the lead is posted.

use std::time::{Duration, Instant};

use leadline_platform::kafka::rdkafka::consumer::Consumer;
use leadline_platform::kafka::rdkafka::error::KafkaError;
use leadline_platform::kafka::rdkafka::message::Message;
use leadline_platform::kafka::rdkafka::{Offset, TopicPartitionList};
use leadline_platform::kafka::{KafkaContext, Reader, headers, settings};
use leadline_platform::process::Fatal;
use leadline_proto::{Headers, Outcome};
use uuid::Uuid;

use super::target::Target;

const TIMEOUT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(100);

/// A reader of outcomes, placed at the end of the topic.
pub(super) struct Follower {
    consumer: Reader,
    sinks: Vec<String>,
}

impl Follower {
    pub(super) fn start(target: &Target) -> Result<Self, Fatal> {
        let away =
            |error: KafkaError| Fatal::unavailable(format!("Kafka at {} does not answer: {error}", target.kafka.bootstrap));
        let client = settings::reader(&target.kafka, "leadline-send", "leadline-send");
        let consumer: Reader = client.create_with_context(KafkaContext::default()).map_err(Fatal::usage)?;
        let ends = ends(&consumer, &target.outcomes).map_err(away)?;
        consumer.assign(&ends).map_err(away)?;
        Ok(Self { consumer, sinks: target.sinks.clone() })
    }

    /// Calls `seen` for each outcome of the lead, until every sink has one or the time is over. Returns the sinks without.
    pub(super) fn follow(
        mut self,
        lead_id: Uuid,
        timeout: Duration,
        mut seen: impl FnMut(&Outcome),
    ) -> Result<Vec<String>, Fatal> {
        let deadline = Instant::now() + timeout;
        while !self.sinks.is_empty() && Instant::now() < deadline {
            let Some(Ok(message)) = self.consumer.poll(POLL) else { continue };
            let headers: Headers = headers(&message).into_iter().collect();
            let outcome = Outcome::decode(&headers, message.payload().unwrap_or_default());
            if let Some(outcome) = outcome.filter(|outcome| outcome.lead_id == lead_id) {
                self.sinks.retain(|sink| sink != outcome.sink.as_str());
                seen(&outcome);
            }
        }
        Ok(self.sinks)
    }
}

fn ends(consumer: &Reader, topic: &str) -> Result<TopicPartitionList, KafkaError> {
    let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT)?;
    let mut list = TopicPartitionList::new();
    for partition in metadata.topics().iter().filter(|known| known.name() == topic).flat_map(|known| known.partitions()) {
        let (_, end) = consumer.fetch_watermarks(topic, partition.id(), TIMEOUT)?;
        list.add_partition_offset(topic, partition.id(), Offset::Offset(end))?;
    }
    Ok(list)
}
