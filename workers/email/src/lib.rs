//! The e-mail sink: tells the people behind an endpoint about each lead.
//!
//! Each recipient gets an own message in an own transaction, so that one refused address delays nobody else and a retry knows
//! who was served. When a lead is handled, retried or given up is the runtime's and does not belong here.
//!
//! | to change | open |
//! |---|---|
//! | keys of `[sinks.NAME]` | [`config`], `defaults.toml` |
//! | who gets a mail, and what a lead's verdict is | [`handler`] |
//! | what a server's answer means | `classify` |
//! | headers and structure of a message | `message` |
//! | words and looks of a message | `template`, `templates/` |
//! | connections, TLS, the dialogue with the server | `smtp` and its parts |
//! | the `.eml` files of a trial | `outbox` |
//! | metrics | [`metrics`] |

mod classify;
pub mod config;
pub mod handler;
mod message;
pub mod metrics;
mod outbox;
mod smtp;
mod template;
#[cfg(test)]
mod tests;

use leadline_platform::config::ConfigError;
use leadline_runtime::sink::{Kind, Setup};

/// The kind `email`.
pub struct Email;

impl Kind for Email {
    const KIND: &'static str = "email";
    const BINARY: &'static str = "leadline-email";
    const ABOUT: &'static str = "Sends the leads in Kafka as e-mails";
    const DEFAULTS: &'static str = config::DEFAULTS;
    type Sink = handler::EmailSink;

    fn build(setup: &Setup<'_>) -> Result<Self::Sink, ConfigError> {
        handler::EmailSink::build(setup)
    }
}
