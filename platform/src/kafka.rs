//! Kafka clients: their settings in one place, producing with an acknowledgement, creating and reading back topics.
//!
//! What is in a record is the callers'. Consuming is the business of `workers/runtime`.

mod context;
pub mod producer;
pub mod reading;
pub mod settings;
pub mod topics;

pub use context::{ClientLog, KafkaContext};
pub use producer::{Acked, DeliveryObserver, Producer, PublishError, Record};
pub use reading::{Reader, Reading, headers};

pub use rdkafka;
