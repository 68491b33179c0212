//! Creating topics and reading back what they really are.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::{KafkaContext, settings};
use crate::config::sections::Kafka;

const TIMEOUT: Duration = Duration::from_secs(15);

/// A topic to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicPlan {
    /// Physical name.
    pub name: String,
    /// Partitions.
    pub partitions: i32,
    /// Replicas of each.
    pub replication: i32,
    /// Settings of the topic, by Kafka's names.
    pub settings: Vec<(&'static str, String)>,
}

/// What became of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// The topic is new.
    New,
    /// It was there already and is left as it is.
    Existed,
    /// It could not be created.
    Failed(RDKafkaErrorCode),
}

/// What a topic really is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicFacts {
    /// Partitions.
    pub partitions: usize,
    /// Replicas of the partition that has the fewest.
    pub replication: usize,
    /// `min.insync.replicas`, when the broker tells.
    pub min_insync_replicas: Option<usize>,
    /// `max.message.bytes`, when the broker tells.
    pub max_message_bytes: Option<usize>,
}

/// A client for topics.
pub struct Topics(AdminClient<KafkaContext>);

impl Topics {
    /// Creates the client; it connects by itself.
    ///
    /// # Errors
    /// When a setting is refused.
    pub fn new(config: &Kafka) -> Result<Self, KafkaError> {
        settings::base(config, "leadline-topics").create_with_context(KafkaContext::default()).map(Self)
    }

    /// How many brokers there are.
    ///
    /// # Errors
    /// When none answers.
    pub async fn brokers(&self) -> Result<i32, KafkaError> {
        let metadata = self.0.inner().fetch_metadata(None, TIMEOUT)?;
        Ok(i32::try_from(metadata.brokers().len()).unwrap_or(i32::MAX))
    }

    /// Creates the topics that do not exist.
    ///
    /// # Errors
    /// When the brokers do not answer.
    pub async fn create(&self, plans: &[TopicPlan]) -> Result<Vec<(String, Created)>, KafkaError> {
        let new = plans.iter().map(|plan| {
            let topic = NewTopic::new(&plan.name, plan.partitions, TopicReplication::Fixed(plan.replication));
            plan.settings.iter().fold(topic, |topic, (key, value)| topic.set(key, value))
        });
        let options = AdminOptions::new().request_timeout(Some(TIMEOUT)).operation_timeout(Some(TIMEOUT));
        let results = self.0.create_topics(new.collect::<Vec<_>>().iter(), &options).await?;
        Ok(results
            .into_iter()
            .map(|result| match result {
                Ok(name) => (name, Created::New),
                Err((name, RDKafkaErrorCode::TopicAlreadyExists)) => (name, Created::Existed),
                Err((name, code)) => (name, Created::Failed(code)),
            })
            .collect())
    }

    /// Reads back a topic; `None` when it does not exist.
    ///
    /// # Errors
    /// When the brokers do not answer.
    pub async fn facts(&self, name: &str) -> Result<Option<TopicFacts>, KafkaError> {
        let metadata = self.0.inner().fetch_metadata(Some(name), TIMEOUT)?;
        let found = metadata.topics().iter().find(|topic| topic.name() == name && topic.error().is_none());
        let Some(topic) = found.filter(|topic| !topic.partitions().is_empty()) else { return Ok(None) };
        let replication = topic.partitions().iter().map(|partition| partition.replicas().len()).min().unwrap_or_default();
        Ok(Some(TopicFacts {
            partitions: topic.partitions().len(),
            replication,
            min_insync_replicas: self.setting(name, "min.insync.replicas").await,
            max_message_bytes: self.setting(name, "max.message.bytes").await,
        }))
    }

    /// A numeric setting of a topic; `None` when the broker or the rights do not allow to read it.
    async fn setting(&self, topic: &str, key: &str) -> Option<usize> {
        let options = AdminOptions::new().request_timeout(Some(TIMEOUT));
        let resources = [ResourceSpecifier::Topic(topic)];
        let results = self.0.describe_configs(&resources, &options).await.ok()?;
        let resource = results.into_iter().next()?.ok()?;
        resource.get(key)?.value.as_ref()?.parse().ok()
    }
}
