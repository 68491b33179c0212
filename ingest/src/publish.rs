//! When a lead counts as durable: Kafka has acknowledged it. Then, and only then, the answer is 202.

use std::sync::Arc;

use leadline_platform::kafka::{DeliveryObserver, Producer, PublishError, Record};
use leadline_proto::AcceptedLead;
use serde::Serialize;

use crate::config::Ingest as Config;
use crate::metrics::IngestMetrics;
use crate::problem::Problem;

/// Where an accepted lead is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// In Kafka, on every in-sync replica.
    Kafka,
    /// In the memory of the embedded broker, until it stops.
    Memory,
}

impl Durability {
    /// The word as it stands in the receipt.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::Memory => "memory",
        }
    }
}

/// A broker with an end: refuses a lead while there is no room for it. It is told of each record that the broker has taken.
pub trait Capacity: DeliveryObserver {
    /// Reserves room until the returned guard is dropped; `None` when there is none.
    fn reserve(&self, bytes: usize) -> Option<Box<dyn Send>>;
}

/// Publishes leads to the topic `leads`.
#[derive(Clone)]
pub(crate) struct Publisher {
    pub(crate) producer: Producer,
    /// The limit of a broker that has one.
    pub(crate) capacity: Option<Arc<dyn Capacity>>,
    pub(crate) topic: String,
    pub(crate) metrics: IngestMetrics,
}

impl Publisher {
    /// What an acknowledgement is worth.
    pub(crate) fn durability(&self) -> Durability {
        if self.capacity.is_some() { Durability::Memory } else { Durability::Kafka }
    }

    /// Publishes a lead and waits for the acknowledgement.
    pub(crate) async fn publish(&self, lead: &AcceptedLead, config: &Config) -> Result<Durability, Problem> {
        let record = self.record(lead);
        let limit = config.largest_message();
        if record.value.as_ref().map_or(0, Vec::len) > limit {
            return Err(Problem::TooLarge { limit: config.body_limit });
        }
        let unavailable = |why| Problem::Unavailable { retry_after: config.retry_after.as_secs(), why };
        let room = match &self.capacity {
            None => None,
            Some(capacity) => Some(capacity.reserve(record.bytes()).ok_or_else(|| {
                unavailable("the embedded broker of this trial is full; wait for deliveries, or start with --kafka")
            })?),
        };
        // On a task of its own: a sender that hangs up does not end it half-way.
        let this = self.clone();
        let acked = tokio::spawn(async move {
            let acked = this.producer.publish(&record).await;
            drop(room);
            this.count(&acked);
            acked
        });
        match tokio::time::timeout(config.publish_deadline, acked).await {
            Ok(Ok(Ok(_acked))) => Ok(self.durability()),
            Ok(Ok(Err(error))) => Err(unavailable(reason(&error))),
            Ok(Err(_)) | Err(_) => Err(unavailable("Kafka has not acknowledged the lead in time")),
        }
    }

    fn count<T>(&self, acked: &Result<T, PublishError>) {
        let result = match acked {
            Ok(_) => "ok",
            Err(error) => {
                tracing::warn!(%error, "a lead was not acknowledged");
                "error"
            }
        };
        self.metrics.produced.with_label_values(&[self.topic.as_str(), result]).inc();
    }

    fn record(&self, lead: &AcceptedLead) -> Record {
        Record {
            topic: self.topic.clone(),
            partition: None,
            key: Some(lead.person.as_str().as_bytes().to_vec()),
            headers: lead.headers().iter().map(|(name, value)| (name.to_owned(), value.to_vec())).collect(),
            value: Some(lead.encode()),
        }
    }
}

fn reason(error: &PublishError) -> &'static str {
    match error {
        PublishError::QueueFull => "more leads arrive than Kafka takes",
        PublishError::Refused(_) => "Kafka refuses the record",
        PublishError::Unacknowledged(_) => "Kafka has not acknowledged the lead",
    }
}
