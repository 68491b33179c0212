//! Publishing to the topic `leads`. What becomes of a lead that Kafka does not take is `durable`'s.

use std::sync::Arc;

use leadline_platform::kafka::{Acked, DeliveryObserver, Producer, PublishError, Record};

use crate::durable::Durability;
use crate::metrics::IngestMetrics;

/// A broker with an end: refuses a lead while there is no room for it. It is told of each record that the broker has taken.
pub trait Capacity: DeliveryObserver {
    /// Reserves room until the returned guard is dropped; `None` when there is none.
    fn reserve(&self, bytes: usize) -> Option<Box<dyn Send>>;
}

/// The broker has no room.
pub(crate) struct Full;

/// Room in a broker that has an end; dropping it gives it back.
pub(crate) type Room = Option<Box<dyn Send>>;

/// Publishes leads to the topic `leads`.
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

    /// Room for a record.
    pub(crate) fn reserve(&self, record: &Record) -> Result<Room, Full> {
        match &self.capacity {
            None => Ok(None),
            Some(capacity) => Ok(Some(capacity.reserve(record.bytes()).ok_or(Full)?)),
        }
    }

    /// Hands a record to Kafka, and waits until it is acknowledged or the client has given it up. To be awaited to its end: that
    /// is when the room is free again, and the record counted.
    pub(crate) async fn publish(&self, record: &Record, room: Room) -> Result<Acked, PublishError> {
        let acked = self.producer.publish(record).await;
        drop(room);
        self.count(&acked);
        acked
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
