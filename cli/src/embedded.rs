//! The broker of a trial: librdkafka's own mock cluster, so that the very same Kafka code runs, in this process.
//!
//! It keeps everything in memory, and of each partition only the last 5 MiB; [`guard`] sees to it that this drops nothing that
//! is still needed. It is for trials and tests only.

pub mod broker;
pub mod guard;

pub use broker::Broker;
pub use guard::Guard;
