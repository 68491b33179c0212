//! HTTP in, Kafka out: takes a lead, makes it durable, and only then says that it was accepted.
//!
//! The way of a request, in this order, so that the cheap refusals come first and nothing is read from strangers:
//!
//! ```text
//! admit: endpoint, token, media type ▶ body: size, time ▶ accept: parse, envelope ▶ publish: acknowledged by Kafka ▶ 202
//! ```
//!
//! | to change | open |
//! |---|---|
//! | keys of `[ingest]` | [`config`] |
//! | routes, limits of the server | `server` |
//! | who may post | `admit` |
//! | how a body is read | `body` |
//! | from a body to a record, the answer 202 | `accept` |
//! | when a lead counts as durable | [`publish`] |
//! | what a refusal looks like | [`problem`] |
//! | what is measured | [`mod@metrics`] |

mod accept;
mod admit;
mod body;
pub mod config;
pub mod metrics;
pub mod problem;
pub mod publish;
mod server;
mod topic_check;

pub use publish::{Capacity, Durability};
pub use server::Ingest;
