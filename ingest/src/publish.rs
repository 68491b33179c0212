//! Publishing to the topic `leads`. What becomes of a lead that Kafka does not take is `durable`'s.

use std::sync::Arc;

use leadline_platform::kafka::{Acked, DeliveryObserver, Producer, PublishError, Record};
use tokio::task::JoinHandle;

use crate::durable::Durability;
use crate::metrics::IngestMetrics;

/// A broker with an end: refuses a lead while there is no room for it. It is told of each record that the broker has taken.
pub trait Capacity: DeliveryObserver {
    /// Reserves room until the returned guard is dropped; `None` when there is none.
    fn reserve(&self, bytes: usize) -> Option<Box<dyn Send>>;
}

/// The broker has no room.
pub(crate) struct Full;

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

    /// Hands a record to Kafka. The task goes on, whoever waits for it, until Kafka has acknowledged the record or the client has
    /// given it up.
    pub(crate) fn publish(&self, record: Arc<Record>) -> Result<JoinHandle<Result<Acked, PublishError>>, Full> {
        let room = match &self.capacity {
            None => None,
            Some(capacity) => Some(capacity.reserve(record.bytes()).ok_or(Full)?),
        };
        let this = self.clone();
        Ok(tokio::spawn(async move {
            let acked = this.producer.publish(&record).await;
            drop(room);
            this.count(&acked);
            acked
        }))
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
}
