//! HTTP in, Kafka out: takes a lead, makes it durable, and only then says that it was accepted.
//!
//! The way of a request, in this order, so that the cheap refusals come first and nothing is read from strangers:
//!
//! ```text
//! admit: endpoint, token, media type, key ▶ limits: rates, memory ▶ body: size, time ▶ accept: parse, envelope
//!     ▶ durable: acknowledged by Kafka, or synced in the spool ▶ 202
//! ```
//!
//! | to change | open |
//! |---|---|
//! | keys of `[ingest]` | [`config`] |
//! | what ingest consists of, start and stop | `server` |
//! | routes, limits of the public port | `listener` |
//! | who may post | `admit` |
//! | which endpoints there are now, a new configuration | `endpoints` |
//! | how many leads are taken, and from whom | `limits` |
//! | open connections, slow clients | `connections` |
//! | TLS of the public port | `tls` |
//! | leads that may be posted again | `idempotency` |
//! | how a body is read | `body` |
//! | from a body to a lead and its record | [`read`] |
//! | what is made of `[endpoints]` once: schema, mapping | [`prepared`], [`schema`] |
//! | what is told when senders change | `drift` |
//! | which bodies that are no leads are kept | `rejected` |
//! | the order of these, the answer 202 | `accept` |
//! | when a lead counts as durable | `durable` |
//! | what goes to Kafka | [`publish`] |
//! | what is kept on disk while Kafka is away | [`spool`] |
//! | what a refusal looks like | [`problem`] |
//! | what an accepted lead's sender is told | [`receipt`] |
//! | the path of an endpoint | [`route`] |
//! | what all this looks like from outside | [`openapi`] |
//! | what is measured | [`mod@metrics`] |
//! | what spans tell | `trace` |

mod accept;
mod admit;
mod body;
pub mod config;
mod connections;
mod drift;
mod durable;
mod endpoints;
mod idempotency;
mod limits;
mod listener;
pub mod metrics;
pub mod openapi;
pub mod prepared;
pub mod problem;
pub mod publish;
pub mod read;
pub mod receipt;
mod rejected;
pub mod route;
pub mod schema;
mod server;
pub mod spool;
mod spool_watch;
mod tls;
mod topic_check;
mod trace;

pub use durable::Durability;
pub use publish::Capacity;
pub use server::Ingest;
