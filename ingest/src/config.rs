//! `[ingest]`: the public side.
//!
//! Endpoints and topics are shared with the workers and stand in `proto`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use leadline_platform::config::{ConfigError, Settings};
use leadline_proto::topics::Topic;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// The commented defaults of this section.
pub const DEFAULTS: &str = include_str!("defaults.toml");

/// Shortest secret that is accepted for person keys.
const SHORTEST_PERSON_KEY: usize = 16;
/// Most rejected bodies a minute: with the default body limit 640 MiB, more than anybody looks at.
const MOST_REJECTED: usize = 10_000;

/// `[ingest]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ingest {
    /// Public address.
    pub listen: SocketAddr,
    /// Secret of the person keys. Must never change.
    pub person_key: SecretString,
    /// Largest body in bytes.
    pub body_limit: usize,
    /// Time for a body to arrive.
    #[serde(with = "humantime_serde")]
    pub body_timeout: Duration,
    /// Whether an endpoint that does not exist is answered like a wrong token.
    pub hide_endpoints: bool,
    /// Time for Kafka to acknowledge a lead before the sender is asked to come again.
    #[serde(with = "humantime_serde")]
    pub publish_deadline: Duration,
    /// What `Retry-After` says then.
    #[serde(with = "humantime_serde")]
    pub retry_after: Duration,
    /// Where leads are kept while Kafka is away.
    pub spool: Spool,
    /// Bodies that are not leads.
    pub rejected: Rejected,
}

/// `[ingest.spool]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spool {
    /// A folder of its own on a local disk. Empty: there is no spool, and leads are refused while Kafka is away.
    folder: PathBuf,
    /// Bytes of leads that it may hold; the file may need twice as much.
    pub limit: usize,
}

impl Spool {
    /// The folder, if there is to be a spool.
    pub fn folder(&self) -> Option<&Path> {
        Some(self.folder.as_path()).filter(|folder| !folder.as_os_str().is_empty())
    }
}

/// `[ingest.rejected]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rejected {
    /// How many are kept in a minute at the most; the rest is counted only.
    pub per_minute: usize,
}

impl Ingest {
    /// Reads and checks the section.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key.
    pub fn read(settings: &Settings) -> Result<Self, ConfigError> {
        let ingest: Self = settings.section("ingest")?;
        if ingest.person_key.expose_secret().len() < SHORTEST_PERSON_KEY {
            let why = "set a secret of at least 16 characters, once and for ever: it decides which leads are one person's \
                       (`leadline endpoint new` prints one that can be used)";
            return Err(ConfigError::invalid("ingest.person_key", why));
        }
        let most = Topic::Leads.spec().max_message_bytes;
        if ingest.largest_message() > most {
            let why =
                format!("a lead of this size may not fit into a record of {most} bytes; take at most {}", (most - 8192) / 3);
            return Err(ConfigError::invalid("ingest.body_limit", why));
        }
        if ingest.spool.limit < most {
            let why = format!("one lead may be larger; allow {most} bytes or more");
            return Err(ConfigError::invalid("ingest.spool.limit", why));
        }
        if ingest.rejected.per_minute > MOST_REJECTED {
            return Err(ConfigError::invalid("ingest.rejected.per_minute", format!("at most {MOST_REJECTED}")));
        }
        Ok(ingest)
    }

    /// The largest record a body may become: the body as text with every quote escaped, the fields once more, and the receipt.
    pub fn largest_message(&self) -> usize {
        3 * self.body_limit + 8 * 1024
    }
}
