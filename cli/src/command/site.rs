//! Where a command looks and writes: which Kafka, which topics, which sinks. From the configuration, or from a running
//! `leadline up` when that names no sink.

use std::path::{Path, PathBuf};
use std::time::Duration;

use leadline_platform::config::Settings;
use leadline_platform::config::sections::{Kafka, Sections};
use leadline_platform::kafka::rdkafka::error::{KafkaError, RDKafkaErrorCode};
use leadline_platform::kafka::{KafkaContext, Producer, PublishError, Reader, Record, settings};
use leadline_platform::process::Fatal;
use leadline_proto::config::{Endpoints, Topics};
use leadline_proto::topics::Topic;
use leadline_proto::{EndpointName, Headers, SinkName};

use super::up::{self, running::Running};
use crate::product;

/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
// Its group would be named `Args`, as that of each command that flattens it; clap wants names to differ.
#[group(skip)]
pub(crate) struct Args {
    /// Folder of a running `leadline up`, for a configuration without sinks
    #[arg(long, global = true, value_name = "DIR", default_value = up::DATA)]
    data: PathBuf,
}

/// Where a command looks and writes.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) kafka: Kafka,
    pub(crate) topics: Topics,
    pub(crate) sinks: Vec<SinkName>,
    pub(crate) endpoints: Vec<EndpointName>,
}

impl Args {
    /// Reads the configuration, and the running trial's file when there is need.
    pub(crate) fn site(&self, file: Option<&Path>) -> Result<Site, Fatal> {
        let configured = product::settings(file, None)?;
        let mut kafka = Sections::read(&configured)?.kafka;
        let topics = configured.section("topics")?;
        let sinks = product::sinks(&configured)?;
        if !sinks.is_empty() {
            let endpoints: Endpoints = configured.section("endpoints")?;
            return Ok(Site { kafka, topics, sinks, endpoints: endpoints.into_keys().collect() });
        }
        let hint = "the configuration has no sink; name one by --config, or start `leadline up`";
        let running = Running::read(&self.data)?.ok_or_else(|| Fatal::usage(hint))?;
        kafka.bootstrap = running.kafka;
        kafka.embedded = running.embedded;
        let (sinks, endpoints) = (names(&running.sinks)?, names(&running.endpoints)?);
        Ok(Site { kafka, topics, sinks, endpoints })
    }
}

impl Args {
    /// The whole configuration; that of a running trial when the configuration has no sink.
    pub(crate) fn settings(&self, file: Option<&Path>) -> Result<Settings, Fatal> {
        let configured = product::settings(file, None)?;
        let is_trial = product::sinks(&configured)?.is_empty() && Running::read(&self.data)?.is_some();
        if is_trial { up::settings(file, &self.data) } else { Ok(configured) }
    }
}

fn names<T: std::str::FromStr<Err: std::fmt::Display>>(names: &[String]) -> Result<Vec<T>, Fatal> {
    names.iter().map(|name| name.parse().map_err(Fatal::usage)).collect()
}

impl Site {
    /// The physical name of a topic.
    pub(crate) fn name(&self, topic: &Topic) -> String {
        self.topics.name(topic)
    }

    /// A client that reads; `command` is its name at the broker.
    pub(crate) fn reader(&self, command: &str) -> Result<Reader, Fatal> {
        let client = settings::reader(&self.kafka, command, command);
        client.create_with_context(KafkaContext::default()).map_err(Fatal::usage)
    }

    /// A client that writes.
    pub(crate) fn producer(&self, command: &str) -> Result<Producer, Fatal> {
        Producer::new(settings::producer(&self.kafka, command), None).map_err(Fatal::usage)
    }

    /// Kafka cannot be read.
    pub(crate) fn away(&self, error: &KafkaError) -> Fatal {
        Fatal::unavailable(format!("Kafka at {} cannot be read: {error}", self.kafka.bootstrap))
    }

    /// A record was not acknowledged.
    pub(crate) fn not_written(&self, topic: &Topic, error: &PublishError) -> Fatal {
        let name = self.name(topic);
        Fatal::unavailable(format!("Kafka at {} does not take a record for {name}: {error}", self.kafka.bootstrap))
    }

    /// Fails at once when a topic that is to be written is not there; a producer would try for half a minute.
    pub(crate) fn must_exist(&self, producer: &Producer, topic: &Topic) -> Result<(), Fatal> {
        let name = self.name(topic);
        match producer.partitions(&name, TIMEOUT) {
            Ok(_) => Ok(()),
            Err(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition)) => {
                Err(Fatal::usage(format!("the topic {name} does not exist; `leadline topics create` makes it")))
            }
            Err(error) => Err(self.away(&error)),
        }
    }

    /// Refuses a sink that is not in the configuration.
    pub(crate) fn must_know(&self, sink: &SinkName) -> Result<(), Fatal> {
        if self.sinks.contains(sink) {
            return Ok(());
        }
        let known: Vec<&str> = self.sinks.iter().map(SinkName::as_str).collect();
        Err(Fatal::usage(format!("there is no sink `{sink}`; there are: {}", known.join(", "))))
    }
}

/// A record for a place that is given.
pub(crate) fn record(topic: String, partition: i32, key: Option<Vec<u8>>, headers: Headers, value: Option<Vec<u8>>) -> Record {
    Record { topic, partition: Some(partition), key, headers: headers.into_iter().collect(), value }
}
