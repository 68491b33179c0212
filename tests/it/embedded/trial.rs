//! A folder in which `leadline up` runs, and what it leaves there. No test belongs here.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use leadline_proto::Outcome;
use leadline_tests::binaries::Binaries;
use leadline_tests::free_port;
use leadline_tests::process::Process;
use serde::Deserialize;
use tempfile::TempDir;
use uuid::Uuid;

use crate::support::{Database, PATIENCE, Posted, Row, outcomes_at, post};

/// The folder of a person who tries the product: no configuration, nothing at all.
pub(super) struct Trial(TempDir);

/// A running trial, as it tells itself.
#[derive(Deserialize)]
pub(super) struct Up {
    pub(super) url: String,
    /// Address of the embedded broker.
    pub(super) kafka: String,
    outcomes: String,
    #[serde(skip)]
    process: Option<Process>,
}

impl Trial {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn folder(&self) -> &Path {
        self.0.path()
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder().join("data")
    }

    /// A command in this folder that takes no port of another test.
    pub(super) fn command(&self, program: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder()).args(args);
        command.env("LEADLINE__ADMIN__LISTEN", format!("127.0.0.1:{}", free_port()));
        command.env("LEADLINE__INGEST__LISTEN", "127.0.0.1:0");
        command
    }

    /// Starts `leadline` with these arguments.
    pub(super) fn spawn(&self, args: &[&str]) -> Process {
        let command = self.command(&Binaries::built().leadline(), args);
        Process::spawn("leadline", &command, &self.folder().join("leadline.log"))
    }

    /// Starts the trial and waits until it is ready.
    pub(super) fn up(&self) -> Up {
        let mut process = self.spawn(&["up", "--data", "data", "--json"]);
        let line = process.wait_for_line("{\"url\"", PATIENCE);
        let up: Up = serde_json::from_str(&line).unwrap();
        Up { process: Some(process), ..up }
    }

    /// The running trial, as its folder tells.
    pub(super) fn running(&self) -> Up {
        serde_json::from_slice(&fs::read(self.data().join("up.json")).unwrap()).unwrap()
    }

    /// Names of the mails in the outbox; each begins with the lead's id.
    fn mails(&self) -> Vec<String> {
        let files = fs::read_dir(self.outbox()).into_iter().flatten();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".eml")).collect()
    }

    /// The leads that are mailed. Fails when one is mailed twice: there is one contact.
    pub(super) fn mailed_leads(&self) -> BTreeSet<Uuid> {
        let mails = self.mails();
        let leads: BTreeSet<Uuid> = mails.iter().map(|mail| mail.split('.').next().unwrap().parse().unwrap()).collect();
        assert_eq!(leads.len(), mails.len(), "{mails:?}");
        leads
    }

    /// The CRM's records.
    pub(super) fn rows(&self) -> Vec<Row> {
        Database::Sqlite(self.data().join("crm.db")).records()
    }

    /// Puts a file where the outbox would be.
    pub(super) fn block_outbox(&self) {
        fs::create_dir_all(self.data()).unwrap();
        fs::write(self.outbox(), "").unwrap();
    }

    pub(super) fn unblock_outbox(&self) {
        fs::remove_file(self.outbox()).unwrap();
    }

    fn outbox(&self) -> PathBuf {
        self.data().join("outbox")
    }
}

impl Up {
    pub(super) fn post(&self, body: Vec<u8>) -> Posted {
        post(&self.url, body, &[("content-type", "application/json")])
    }

    pub(super) fn outcomes(&self) -> Vec<Outcome> {
        outcomes_at(&self.kafka, &self.outcomes)
    }

    /// Stops it by SIGTERM and gives the exit code.
    pub(super) fn stop(&mut self) -> i32 {
        let process = self.process.as_mut().unwrap();
        process.signal_term();
        process.wait_exit(PATIENCE)
    }
}
