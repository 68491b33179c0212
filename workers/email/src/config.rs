//! `[sinks.NAME]` of kind `email`: its keys, their defaults, and what is refused at the start.
//!
//! Who is told about a lead stands in `[endpoints]`, which belongs to `leadline_proto::config`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use leadline_platform::config::ConfigError;
use leadline_proto::config::Contacts;
use leadline_runtime::sink::Deadlines;
use lettre::message::Mailbox;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// The commented defaults of the section.
pub const DEFAULTS: &str = include_str!("defaults.toml");

/// `[sinks.NAME]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Section {
    /// Always `email`; read by the runtime to find this crate.
    pub kind: String,
    /// Where messages go.
    pub transport: Transport,
    /// Sender of every message, `Name <address>`.
    pub from: String,
    /// Recipients for endpoints without contacts.
    pub to: Contacts,
    /// What to do with Microsoft's own test leads.
    pub test_leads: TestLeads,
    /// Used when the transport is `smtp`.
    pub smtp: SmtpSection,
    /// Used when the transport is `file`.
    pub file: FileSection,
}

/// What to do with Microsoft's own test leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TestLeads {
    /// Tell the contacts, marked as a test: they see that the connection works.
    Notify,
    /// Tell nobody.
    Skip,
}

/// Where messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// To a mail server.
    Smtp,
    /// Into a folder, as `.eml` files.
    File,
}

/// `[sinks.NAME.smtp]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SmtpSection {
    /// Name or address of the server.
    pub host: String,
    /// Port; without it the usual one of the TLS mode.
    pub port: Option<u16>,
    /// Encryption.
    pub tls: TlsMode,
    /// User name; empty means no authentication.
    pub username: String,
    /// Password.
    pub password: SecretString,
    /// Certificates of the authorities to trust (PEM) instead of the system's.
    pub ca: Option<String>,
    /// How many connections there may be at a time.
    pub connections: usize,
    /// Name of this client in `EHLO`; without it the domain of `from`.
    pub helo_name: Option<String>,
    /// Time for everything up to the final dot, over all recipients of a lead.
    #[serde(with = "humantime_serde")]
    pub command_timeout: Duration,
    /// Time for the answer after the final dot.
    #[serde(with = "humantime_serde")]
    pub data_timeout: Duration,
}

/// Encryption of the connection. The server's certificate and name are always checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// From the first byte.
    Implicit,
    /// Begun in plain text, and given up when the server does not offer encryption.
    Starttls,
    /// None; only for a server on the same machine.
    None,
}

/// `[sinks.NAME.file]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FileSection {
    /// Folder of the files; created when missing.
    pub directory: PathBuf,
}

impl Default for Section {
    fn default() -> Self {
        Self {
            kind: "email".to_owned(),
            transport: Transport::Smtp,
            from: String::new(),
            to: Contacts::default(),
            test_leads: TestLeads::Notify,
            smtp: SmtpSection::default(),
            file: FileSection::default(),
        }
    }
}

impl Default for SmtpSection {
    fn default() -> Self {
        Self {
            host: "localhost".to_owned(),
            port: None,
            tls: TlsMode::Starttls,
            username: String::new(),
            password: SecretString::default(),
            ca: None,
            connections: 3,
            helo_name: None,
            command_timeout: Duration::from_secs(30),
            data_timeout: Duration::from_secs(60),
        }
    }
}

impl Default for FileSection {
    fn default() -> Self {
        Self { directory: "leadline-data/outbox".into() }
    }
}

impl SmtpSection {
    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            TlsMode::Implicit => 465,
            TlsMode::Starttls => 587,
            TlsMode::None => 25,
        })
    }

    /// Whether the server wants to know who sends.
    pub fn authenticates(&self) -> bool {
        !self.username.is_empty()
    }

    fn check(&self, path: &str) -> Result<(), ConfigError> {
        let refuse = |key: &str, why: &str| Err(ConfigError::invalid(&format!("{path}.smtp.{key}"), why));
        if self.host.is_empty() {
            return refuse("host", "name the mail server");
        }
        if self.authenticates() == self.password.expose_secret().is_empty() {
            return refuse("password", "`username` and `password` go together");
        }
        if self.tls == TlsMode::None && self.authenticates() {
            return refuse("tls", "the password would travel in plain text; set `starttls` or `implicit`");
        }
        if self.tls == TlsMode::None && !is_this_machine(&self.host) {
            return refuse("tls", "`none` is only for a server on this machine; set `starttls` or `implicit`");
        }
        if !(1..=64).contains(&self.connections) {
            return refuse("connections", "between 1 and 64");
        }
        if self.command_timeout.is_zero() || self.data_timeout.is_zero() {
            return refuse("command_timeout", "`command_timeout` and `data_timeout` must be longer than nothing");
        }
        match &self.helo_name {
            Some(name) if !is_host_name(name) => refuse("helo_name", "expected a host name such as mail.your.domain"),
            Some(_) | None => Ok(()),
        }
    }
}

impl Section {
    /// Checks the section as a whole; `path` is where it stands, such as `sinks.email`.
    ///
    /// # Errors
    /// [`ConfigError`] naming the first bad key.
    pub fn check(&self, path: &str) -> Result<(), ConfigError> {
        self.sender(path)?;
        match self.transport {
            Transport::Smtp => self.smtp.check(path),
            Transport::File => Ok(()),
        }
    }

    /// Checks the timeouts against what the runtime allows a call.
    ///
    /// # Errors
    /// [`ConfigError`] naming the longer one.
    pub fn check_deadlines(&self, path: &str, deadlines: Deadlines) -> Result<(), ConfigError> {
        let refuse = |key: &str, limit: &str| {
            Err(ConfigError::invalid(&format!("{path}.smtp.{key}"), format!("must not be longer than `{limit}`")))
        };
        match self.transport {
            Transport::Smtp if self.smtp.command_timeout > deadlines.call => refuse("command_timeout", "worker.call"),
            Transport::Smtp if self.smtp.data_timeout > deadlines.confirm => refuse("data_timeout", "worker.confirm"),
            Transport::Smtp | Transport::File => Ok(()),
        }
    }

    /// The sender of every message.
    ///
    /// # Errors
    /// [`ConfigError`] when it is no usable mailbox.
    pub fn sender(&self, path: &str) -> Result<Mailbox, ConfigError> {
        let wrong =
            || ConfigError::invalid(&format!("{path}.from"), "expected a sender such as \"Leadline <leads@your.domain>\"");
        let sender: Mailbox = self.from.parse().map_err(|_| wrong())?;
        // The domain becomes part of the Message-ID and the EHLO name, which are ASCII.
        if is_host_name(sender.email.domain()) && sender.email.user().is_ascii() { Ok(sender) } else { Err(wrong()) }
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Letters, digits, `.` and `-`: nothing that could end a line or a Message-ID early.
fn is_host_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
}

#[cfg(test)]
mod tests;
