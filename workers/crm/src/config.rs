//! `[sinks.NAME]` of kind `crm`.
//!
//! What the settings mean for a lead is decided in `handler` and in the connector.

use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;

/// The section as commented text.
pub const DEFAULTS: &str = include_str!("defaults.toml");

/// `[sinks.NAME]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Always `crm`; the worker looked at it before.
    pub kind: String,
    /// Which CRM.
    pub connector: ConnectorKind,
    /// What to do with Microsoft's own test leads.
    pub test_leads: TestLeads,
    /// What to do when the record is there already.
    pub on_existing: OnExisting,
    /// Of the connector `sql`.
    pub sql: Sql,
}

/// The CRMs that can be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectorKind {
    /// Tables in SQLite or PostgreSQL.
    Sql,
}

/// What to do with Microsoft's own test leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestLeads {
    /// Leave them out.
    Skip,
    /// Write them, marked.
    Write,
}

/// What to do when the record is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnExisting {
    /// The lead received later wins; of two at the same time the one with the greater id.
    Newer,
    /// Overwrite it, even by an older lead.
    Update,
    /// Leave it as it is.
    Keep,
}

impl OnExisting {
    /// The setting as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Newer => "newer",
            Self::Update => "update",
            Self::Keep => "keep",
        }
    }
}

/// `[sinks.NAME.sql]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sql {
    /// `sqlite:PATH` or `postgres://…`. It may hold a password.
    pub url: SecretString,
    /// Instead of the password in the URL; empty means none.
    pub password: SecretString,
    /// Connections to PostgreSQL at most.
    pub max_connections: u32,
    /// How long PostgreSQL lets a statement run.
    #[serde(with = "humantime_serde")]
    pub statement_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            kind: "crm".to_owned(),
            connector: ConnectorKind::Sql,
            test_leads: TestLeads::Skip,
            on_existing: OnExisting::Newer,
            sql: Sql::default(),
        }
    }
}

impl Default for Sql {
    fn default() -> Self {
        Self {
            url: "sqlite:leadline-data/crm.db".into(),
            password: "".into(),
            max_connections: 8,
            statement_timeout: Duration::from_secs(30),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use leadline_platform::config::{Settings, Sources};
    use secrecy::ExposeSecret;

    /// The section as it would be without its comment signs.
    fn uncommented() -> String {
        let lines = DEFAULTS.lines().filter_map(|line| line.strip_prefix("# "));
        let is_key = |line: &&str| {
            line.split_once(" = ").is_some_and(|(key, _)| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
        };
        lines.filter(|line| line.starts_with('[') || is_key(line)).map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn the_commented_defaults_are_the_defaults() {
        let preset = uncommented();
        assert_eq!(preset.lines().count(), 10, "{preset}");
        let sources = Sources { sections: &["sinks"], defaults: &[DEFAULTS, &preset], ..Sources::default() };
        let config: Config = Settings::load(&sources).unwrap().section("sinks.crm").unwrap();
        let default = Config::default();
        assert_eq!(format!("{config:?}"), format!("{default:?}"));
        assert_eq!(config.sql.url.expose_secret(), default.sql.url.expose_secret());
        assert_eq!(config.sql.password.expose_secret(), default.sql.password.expose_secret());
    }

    #[test]
    fn the_defaults_alone_make_no_sink() {
        let sources = Sources { sections: &["sinks"], defaults: &[DEFAULTS], ..Sources::default() };
        assert!(Settings::load(&sources).unwrap().names("sinks").is_empty());
    }

    #[test]
    fn secrets_do_not_print() {
        let sql = Sql { url: "postgres://crm:hunter2@db/crm".into(), password: "hunter2".into(), ..Sql::default() };
        assert!(!format!("{sql:?}").contains("hunter2"));
    }
}
