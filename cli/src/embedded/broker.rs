//! Starting the embedded broker and its topics.

use leadline_platform::kafka::rdkafka::error::KafkaError;
use leadline_platform::kafka::rdkafka::mocking::MockCluster;
use leadline_platform::kafka::rdkafka::producer::DefaultProducerContext;
use leadline_proto::SinkName;
use leadline_proto::config::Topics;
use leadline_proto::topics::Topic;

/// A running embedded broker. It ends when dropped, and with it all it holds.
pub struct Broker(MockCluster<'static, DefaultProducerContext>);

impl Broker {
    /// Starts the broker on a free port of the loopback address and creates the topics.
    ///
    /// # Errors
    /// When librdkafka cannot start it.
    pub fn start(topics: &Topics, sinks: &[SinkName]) -> Result<Self, KafkaError> {
        let cluster = MockCluster::new(1)?;
        for topic in Topic::all(sinks) {
            let partitions = topic.spec().partitions.unwrap_or(topics.partitions);
            cluster.create_topic(&topics.name(&topic), partitions, 1)?;
        }
        Ok(Self(cluster))
    }

    /// Its address, for every Kafka client on this machine.
    pub fn bootstrap(&self) -> String {
        self.0.bootstrap_servers()
    }
}
