//! The sections that every process has: `[kafka]`, `[admin]`, `[log]`, `[lifecycle]`.

use std::net::SocketAddr;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;

use super::{ConfigError, Settings};

/// The commented defaults of these sections.
pub const DEFAULTS: &str = include_str!("defaults.toml");

/// `[kafka]`: how to reach the brokers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kafka {
    /// Brokers to ask first, `host:port` separated by commas.
    pub bootstrap: String,
    /// Encryption.
    pub tls: KafkaTls,
    /// Authentication.
    pub sasl: KafkaSasl,
    /// The broker is the embedded one, whose timing differs. Set by `leadline up`, not by hand.
    #[serde(skip)]
    pub embedded: bool,
}

/// `[kafka.tls]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaTls {
    /// Whether to use TLS. The broker's certificate and name are always checked.
    pub enabled: bool,
    /// Certificates of the authorities to trust (PEM) instead of the system's.
    pub ca: Option<String>,
    /// Certificate of this client (PEM).
    pub certificate: Option<String>,
    /// Key of this client (PEM).
    pub key: Option<SecretString>,
}

/// `[kafka.sasl]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaSasl {
    /// How to authenticate.
    pub mechanism: SaslMechanism,
    /// User name.
    pub username: String,
    /// Password.
    pub password: SecretString,
}

/// How to authenticate to the brokers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum SaslMechanism {
    /// Not at all.
    #[serde(rename = "none")]
    None,
    /// The password itself; only over TLS.
    #[serde(rename = "PLAIN")]
    Plain,
    /// SCRAM with SHA-256.
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// SCRAM with SHA-512.
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

/// `[admin]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// Address of `/livez`, `/readyz` and `/metrics`.
    pub listen: SocketAddr,
}

/// `[log]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// For people or for programs.
    pub format: LogFormat,
    /// How much.
    pub level: LogLevel,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Only what needs a person.
    Error,
    /// What may need a person soon.
    Warn,
    /// Starts, stops and changes of state.
    Info,
    /// Each lead by its id.
    Debug,
    /// Each step.
    Trace,
}

/// `[lifecycle]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lifecycle {
    /// How long a stop may take before what is unfinished is left to the next start.
    #[serde(with = "humantime_serde")]
    pub drain: Duration,
}

/// The sections together.
#[derive(Clone, Debug)]
pub struct Sections {
    /// `[kafka]`
    pub kafka: Kafka,
    /// `[admin]`
    pub admin: Admin,
    /// `[log]`
    pub log: Log,
    /// `[lifecycle]`
    pub lifecycle: Lifecycle,
}

impl Sections {
    /// Reads and checks all of them.
    ///
    /// # Errors
    /// [`ConfigError`] naming the first bad key.
    pub fn read(settings: &Settings) -> Result<Self, ConfigError> {
        let kafka: Kafka = settings.section("kafka")?;
        kafka.check()?;
        Ok(Self {
            kafka,
            admin: settings.section("admin")?,
            log: settings.section("log")?,
            lifecycle: settings.section("lifecycle")?,
        })
    }
}

impl Kafka {
    fn check(&self) -> Result<(), ConfigError> {
        if self.bootstrap.trim().is_empty() {
            return Err(ConfigError::invalid("kafka.bootstrap", "name at least one broker as host:port"));
        }
        if self.sasl.mechanism == SaslMechanism::Plain && !self.tls.enabled {
            return Err(ConfigError::invalid(
                "kafka.sasl.mechanism",
                "PLAIN sends the password as it is; set `kafka.tls.enabled = true`, or use SCRAM-SHA-512",
            ));
        }
        if self.tls.certificate.is_some() != self.tls.key.is_some() {
            return Err(ConfigError::invalid("kafka.tls", "`certificate` and `key` go together"));
        }
        Ok(())
    }
}
