//! The contract between the processes: what a lead is, how it travels through Kafka, and what is said about it afterwards.
//!
//! Everything here is pure: no I/O, no clock, no randomness. What talks to Kafka, to a file or to the network belongs in
//! `platform` or in the process that does it.
//!
//! | to change | open |
//! |---|---|
//! | how a payload is read | [`parse`] |
//! | how another sender's payload is mapped | [`mapping`] |
//! | what a lead holds | [`lead`] |
//! | the message on the topic `leads` | [`envelope`] |
//! | the message on `leads.outcomes` | [`outcome`] |
//! | the message on `leads.rejected` | [`rejected`] |
//! | headers of a retry or a dead letter | [`retry`], [`dead_letter`] |
//! | the note that a dead letter is dealt with | [`settled`] |
//! | holds and brakes on `leads.control` | [`control`] |
//! | names of headers, topics, keys | [`headers`], [`topics`], [`keys`] |
//! | leads that may be posted again | [`idempotency`] |
//! | the leads that documents show | [`samples`] |
//! | `[endpoints]` and `[topics]` of the configuration | [`config`] |

pub mod code;
pub mod config;
pub mod control;
pub mod dead_letter;
mod encode;
pub mod envelope;
pub mod headers;
pub mod idempotency;
pub mod keys;
pub mod lead;
pub mod mapping;
pub mod names;
pub mod outcome;
pub mod parse;
pub mod personal;
pub mod rejected;
pub mod retry;
pub mod samples;
pub mod schema;
pub mod settled;
pub mod topics;

pub use code::{Code, Reference};
pub use envelope::AcceptedLead;
pub use headers::Headers;
pub use lead::{Contact, Lead, LeadKind};
pub use names::{EndpointName, SinkName};
pub use outcome::{Outcome, Status};
pub use personal::Personal;
pub use rejected::RejectedBody;
