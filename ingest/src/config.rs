//! `[ingest]`: the public side.
//!
//! Endpoints and topics are shared with the workers and stand in `proto`.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use leadline_platform::config::{ConfigError, Settings};
use leadline_proto::topics::Topic;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// The commented defaults of this section.
pub const DEFAULTS: &str = include_str!("defaults.toml");

/// Largest body by default; the defaults say the same.
pub const BODY_LIMIT: usize = 64 * 1024;
/// Shortest secret that is accepted for person keys.
const SHORTEST_PERSON_KEY: usize = 16;
/// Most rejected bodies a minute: with the default body limit 640 MiB, more than anybody looks at.
const MOST_REJECTED: usize = 10_000;
/// Fewer connections than this are a slip: a single proxy may open more.
const FEWEST_CONNECTIONS: usize = 16;
/// So many of the largest leads must be possible at once.
const FEWEST_AT_ONCE: usize = 8;

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
    /// Time for the head of a request to arrive.
    #[serde(with = "humantime_serde")]
    pub head_timeout: Duration,
    /// How long a connection stays open without a request.
    #[serde(with = "humantime_serde")]
    pub keep_alive: Duration,
    /// Whether an endpoint that does not exist is answered like a wrong token.
    pub hide_endpoints: bool,
    /// Networks of the proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Time for Kafka to acknowledge a lead before the sender is asked to come again.
    #[serde(with = "humantime_serde")]
    pub publish_deadline: Duration,
    /// What `Retry-After` says then.
    #[serde(with = "humantime_serde")]
    pub retry_after: Duration,
    /// Encryption of the public port.
    pub tls: Tls,
    /// How much is taken at once.
    pub limits: Limits,
    /// Where leads are kept while Kafka is away.
    pub spool: Spool,
    /// Bodies that are not leads.
    pub rejected: Rejected,
}

/// `[ingest.tls]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Certificate of this server and those between it and its authority (PEM).
    pub certificate: Option<String>,
    /// Its key (PEM).
    pub key: Option<SecretString>,
}

/// `[ingest.limits]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Connections that are open at once.
    pub connections: usize,
    /// Bytes of memory that leads may need which are not answered yet.
    pub memory: usize,
    /// Leads a second over all endpoints; without it there is no limit.
    pub leads_per_second: Option<NonZeroU32>,
    /// Requests a minute of one address with a wrong token or endpoint that are answered as such.
    pub failures_per_minute: NonZeroU32,
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
        ingest.check()?;
        ingest.check_limits()?;
        Ok(ingest)
    }

    fn check(&self) -> Result<(), ConfigError> {
        if self.person_key.expose_secret().len() < SHORTEST_PERSON_KEY {
            let why = "set a secret of at least 16 characters, once and for ever: it decides which leads are one person's \
                       (`leadline endpoint new` prints one that can be used)";
            return Err(ConfigError::invalid("ingest.person_key", why));
        }
        if self.tls.certificate.is_some() != self.tls.key.is_some() {
            return Err(ConfigError::invalid("ingest.tls", "`certificate` and `key` go together"));
        }
        let most = Topic::Leads.spec().max_message_bytes;
        if self.largest_message() > most {
            let why =
                format!("a lead of this size may not fit into a record of {most} bytes; take at most {}", (most - 8192) / 3);
            return Err(ConfigError::invalid("ingest.body_limit", why));
        }
        if self.spool.limit < most {
            let why = format!("one lead may be larger; allow {most} bytes or more");
            return Err(ConfigError::invalid("ingest.spool.limit", why));
        }
        Ok(())
    }

    fn check_limits(&self) -> Result<(), ConfigError> {
        if self.rejected.per_minute > MOST_REJECTED {
            return Err(ConfigError::invalid("ingest.rejected.per_minute", format!("at most {MOST_REJECTED}")));
        }
        if self.limits.connections < FEWEST_CONNECTIONS {
            return Err(ConfigError::invalid("ingest.limits.connections", format!("at least {FEWEST_CONNECTIONS}")));
        }
        let least = FEWEST_AT_ONCE * self.memory_of(self.body_limit);
        if self.limits.memory < least {
            let why = format!("{FEWEST_AT_ONCE} of the largest leads need {least} bytes; allow at least that");
            return Err(ConfigError::invalid("ingest.limits.memory", why));
        }
        Ok(())
    }

    /// Memory that a lead with a body of this size needs until it is answered: the body, its text, its fields, the record, and the
    /// client's copy of that; and what a request costs without a body.
    pub fn memory_of(&self, body: usize) -> usize {
        6 * body + 4 * 1024
    }

    /// The largest record that is taken: the body as text with every quote escaped, the fields once more, and the receipt. A body
    /// that is made for it becomes larger, such as a list of backslashes where a text should be, or of `1e15`, which is written
    /// out; it is refused like one that is too large itself.
    pub fn largest_message(&self) -> usize {
        3 * self.body_limit + 8 * 1024
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_limit_is_the_default() {
        assert!(DEFAULTS.contains(&format!("\nbody_limit = {BODY_LIMIT} ")), "{DEFAULTS}");
    }
}
