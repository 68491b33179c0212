//! What every process needs, and nothing about leads: settings, logs, metrics, the admin port, start and stop, Kafka clients.
//!
//! The test for a line in this crate: would it make sense in a service that had never heard of leads?
//!
//! | to change | open |
//! |---|---|
//! | how the configuration is layered and refused | [`config`] |
//! | how a changed configuration is noticed | [`reload`] |
//! | keys of `[kafka]`, `[admin]`, `[log]`, `[lifecycle]` | [`config::sections`] |
//! | log format, what may be logged at all | [`log`] |
//! | how metrics are declared | [`mod@metrics`] |
//! | `/livez`, `/readyz`, `/metrics` | [`admin`], [`health`] |
//! | start, stop, exit codes | [`process`], [`lifecycle`], [`exit`] |
//! | librdkafka settings, producing, topics | [`kafka`] |
//! | certificates of TLS clients | [`tls`] |
//! | trace context, export of spans | [`trace`] |

pub mod admin;
pub mod config;
pub mod exit;
pub mod health;
pub mod kafka;
pub mod lifecycle;
pub mod log;
pub mod metrics;
pub mod process;
pub mod reload;
pub mod tls;
pub mod trace;

/// The allocator of every process that links this crate.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
