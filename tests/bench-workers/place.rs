//! Where everything is measured: one broker, a folder for configurations, names that nobody has used before.

use std::cell::Cell;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use leadline_platform::config::sections::{self, Kafka};
use leadline_platform::config::{Settings, Sources};
use leadline_proto::config::SECTIONS;
use leadline_tests::blocking::block_on;
use leadline_tests::kafka::Cluster;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use tempfile::TempDir;

use crate::backlog::Backlog;
use crate::leads::ENDPOINT;
use crate::sink::Behaviour;

/// The topics that each worker has to itself.
const ROLES: [&str; 4] = ["outcomes", "retry", "dlq", "control"];

/// Longest wait for anything; far more than it takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);

/// The defaults of the product that a worker reads.
pub(crate) const DEFAULTS: [&str; 3] =
    [sections::DEFAULTS, leadline_proto::config::DEFAULTS, leadline_runtime::config::DEFAULTS];

/// The broker and the folder.
pub(crate) struct Place {
    pub(crate) cluster: Cluster,
    folder: TempDir,
    names: Cell<u32>,
}

/// What one worker is started with.
pub(crate) struct Setup {
    /// The sink's name; no other worker has it, so its group begins with the oldest lead.
    pub(crate) sink: String,
    pub(crate) outcomes: String,
    pub(crate) file: PathBuf,
}

impl Place {
    /// Starts the broker.
    pub(crate) fn open() -> Self {
        let cluster = Cluster::start(1).unwrap_or_else(|error| panic!("no broker: {error}"));
        let folder = tempfile::Builder::new().prefix("leadline-bench-").tempdir().expect("there is a folder for files");
        Self { cluster, folder, names: Cell::new(0) }
    }

    /// A name that was not used before.
    pub(crate) fn unique(&self, name: &str) -> String {
        self.names.set(self.names.get() + 1);
        format!("{name}-{}", self.names.get())
    }

    /// Prepares a worker: a sink with a name of its own, empty topics to write to, a configuration.
    pub(crate) fn prepare(&self, backlog: &Backlog, behaviour: Behaviour, concurrency: usize) -> Setup {
        let sink = self.unique("bench");
        let [outcomes, retry, dead_letters, control] = ROLES.map(|role| format!("{sink}.{role}"));
        self.cluster.create_topics(&[&outcomes, &retry, &dead_letters], backlog.partitions, &[]);
        self.cluster.create_topics(&[&control], 1, &[]);
        let text = format!(
            "[kafka]\nbootstrap = \"{}\"\n\
             [topics]\nleads = \"{}\"\noutcomes = \"{outcomes}\"\nretry = \"{retry}\"\ndead_letters = \"{dead_letters}\"\n\
             control = \"{control}\"\n\
             [admin]\nlisten = \"127.0.0.1:0\"\n\
             [log]\nlevel = \"error\"\n\
             [worker]\nconcurrency = {concurrency}\n\
             [endpoints.{ENDPOINT}]\n\
             [sinks.{sink}]\nkind = \"bench\"\n{}\n",
            self.cluster.bootstrap(),
            backlog.topic,
            behaviour.toml(),
        );
        let file = self.folder.path().join(format!("{sink}.toml"));
        fs::write(&file, text).expect("the configuration can be written");
        Setup { sink, outcomes, file }
    }

    /// Throws away what a worker has written: brokers with many topics get slower.
    pub(crate) fn clear(&self, setup: &Setup) {
        let topics = ROLES.map(|role| format!("{}.{role}", setup.sink));
        self.delete(&topics.each_ref().map(String::as_str));
    }

    /// Deletes topics.
    pub(crate) fn delete(&self, topics: &[&str]) {
        let admin: AdminClient<DefaultClientContext> = self.cluster.client().create().expect("the settings are right");
        block_on(admin.delete_topics(topics, &AdminOptions::new())).expect("the broker must answer");
    }

    /// The product's settings of Kafka clients that point here.
    pub(crate) fn kafka(&self) -> Kafka {
        let preset = format!("[kafka]\nbootstrap = \"{}\"\n", self.cluster.bootstrap());
        let sources = Sources { defaults: &DEFAULTS, sections: SECTIONS, file: None, preset: Some(preset) };
        Settings::load(&sources).and_then(|settings| settings.section("kafka")).expect("the settings are right")
    }
}
