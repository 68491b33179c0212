//! HTTP in, Kafka out: takes a lead, makes it durable, and only then says that it was accepted.
//!
//! The way of a request, in this order, so that the cheap refusals come first and nothing is read from strangers:
//!
//! ```text
//! admit: endpoint, token, media type ▶ body: size, time ▶ accept: parse, envelope ▶ durable: acknowledged by Kafka, or synced in the spool ▶ 202
//! ```
//!
//! | to change | open |
//! |---|---|
//! | keys of `[ingest]` | [`config`] |
//! | routes, limits of the server | `server` |
//! | who may post | `admit` |
//! | how a body is read | `body` |
//! | from a body to a record, the answer 202 | `accept` |
//! | when a lead counts as durable | `durable` |
//! | what goes to Kafka | [`publish`] |
//! | what is kept on disk while Kafka is away | [`spool`] |
//! | what a refusal looks like | [`problem`] |
//! | what is measured | [`mod@metrics`] |

mod accept;
mod admit;
mod body;
pub mod config;
mod durable;
pub mod metrics;
pub mod problem;
pub mod publish;
mod server;
pub mod spool;
mod spool_watch;
mod topic_check;

pub use durable::Durability;
pub use publish::Capacity;
pub use server::Ingest;
