//! The product as a run needs it: its configuration, its folder, its commands.

use std::path::{Path, PathBuf};
use std::process::Command;

use leadline_proto::config::TokenHash;
use leadline_tests::free_port;

use crate::checker::{CRM, MAIL};
use crate::generator::{ONE, TWO};

pub(crate) const TOKEN: &str = "token-of-a-fault-run";
pub(crate) const LEADS: &str = "leads";
pub(crate) const OUTCOMES: &str = "leads.outcomes";
pub(crate) const PARTITIONS: i32 = 12;

/// A configuration and what belongs to it.
pub(crate) struct Product {
    folder: PathBuf,
    pub(crate) ingest_port: u16,
    pub(crate) smtp_port: u16,
}

/// Who gets a mail about a lead of an endpoint.
pub(crate) fn contacts(endpoint: &str) -> &'static [&'static str] {
    if endpoint == TWO { &["sales@rig.example", "partner@rig.example"] } else { &["sales@rig.example"] }
}

pub(crate) fn retry_topic(sink: &str) -> String {
    format!("leads.{sink}.retry")
}

pub(crate) fn dead_letter_topic(sink: &str) -> String {
    format!("leads.{sink}.dlq")
}

impl Product {
    /// Writes the configuration into `folder`.
    pub(crate) fn new(folder: &Path, bootstrap: &str) -> std::io::Result<Self> {
        let product = Self { folder: folder.to_owned(), ingest_port: free_port(), smtp_port: free_port() };
        std::fs::create_dir_all(product.logs())?;
        std::fs::write(product.config(), product.toml(bootstrap))?;
        Ok(product)
    }

    /// Deadlines are short so that a hanging server costs little, waits in the retry topic so that retries come back within
    /// the run, and nothing is ever given up.
    fn toml(&self, bootstrap: &str) -> String {
        let Self { ingest_port, smtp_port, .. } = self;
        let hash = String::from(TokenHash::of(TOKEN));
        let crm = self.crm_file();
        let endpoint =
            |name| format!("[endpoints.{name}]\ntokens = [\"{hash}\"]\ncontacts = \"{}\"\n", contacts(name).join("; "));
        let endpoints = endpoint(ONE) + &endpoint(TWO);
        format!(
            r#"
[kafka]
bootstrap = "{bootstrap}"
[topics]
partitions = {PARTITIONS}
[lifecycle]
drain = "30s"
[ingest]
listen = "127.0.0.1:{ingest_port}"
person_key = "a secret of the fault run"
[ingest.spool]
folder = "{}"
[worker]
call = "6s"
confirm = "6s"
[worker.retry]
in_place_tries = 2
in_place = "2s"
schedule = ["2s", "5s", "10s"]
give_up_after = "1d"
{endpoints}
[sinks.{MAIL}]
kind = "email"
from = "Leadline <leads@rig.example>"
[sinks.{MAIL}.smtp]
host = "127.0.0.1"
port = {smtp_port}
tls = "none"
connections = 40
command_timeout = "6s"
data_timeout = "6s"
[sinks.{CRM}]
kind = "crm"
[sinks.{CRM}.sql]
url = "sqlite:{}"
"#,
            self.folder.join("spool").display(),
            crm.display()
        )
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.folder.join("logs")
    }

    pub(crate) fn crm_file(&self) -> PathBuf {
        self.folder.join("crm.db")
    }

    pub(crate) fn posts_file(&self) -> PathBuf {
        self.folder.join("posts.jsonl")
    }

    pub(crate) fn arrivals_file(&self) -> PathBuf {
        self.folder.join("arrivals.jsonl")
    }

    fn config(&self) -> PathBuf {
        self.folder.join("leadline.toml")
    }

    /// A command of the product in this folder.
    pub(crate) fn command(&self, program: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.folder).arg("--config").arg(self.config()).args(args);
        command
    }
}
