//! Where the edge is fuzzed: a broker, topics with a name of their own, and ingest in this process.

use std::cell::RefCell;
use std::time::Duration;

use leadline_ingest::Ingest;
use leadline_platform::config::sections;
use leadline_platform::config::{Settings, Sources};
use leadline_platform::process::Process;
use leadline_proto::config::{SECTIONS, TokenHash};
use leadline_tests::eventually_async;
use leadline_tests::kafka::{Cluster, create_topics_at};
use tempfile::TempDir;

use super::judge::Site;
use super::request::{ENDPOINT, TOKEN};

const PARTITIONS: i32 = 4;
const PATIENCE: Duration = Duration::from_secs(60);

/// The broker and the folder.
pub(super) struct Place {
    _cluster: Option<Cluster>,
    bootstrap: String,
    prefix: String,
    folder: TempDir,
    running: RefCell<Option<(Process, Ingest)>>,
}

impl Place {
    /// With a Kafka that runs already, or one that is started.
    pub(super) fn open(kafka: Option<&str>) -> Result<Self, String> {
        let cluster = if kafka.is_none() { Some(Cluster::start(1)?) } else { None };
        let bootstrap = kafka.map(str::to_owned).or(cluster.as_ref().map(|cluster| cluster.bootstrap().to_owned()));
        let folder = tempfile::Builder::new().prefix("leadline-fuzz-").tempdir().map_err(|error| error.to_string())?;
        let prefix = format!("fuzz-{}", std::process::id());
        Ok(Self { _cluster: cluster, bootstrap: bootstrap.unwrap_or_default(), prefix, folder, running: RefCell::default() })
    }

    pub(super) fn bootstrap(&self) -> String {
        self.bootstrap.clone()
    }

    /// The topic of leads.
    pub(super) fn topic(&self) -> String {
        format!("{}.leads", self.prefix)
    }

    /// Starts ingest as `leadline up` does, and waits until it can take leads.
    pub(super) async fn start(&self) -> Result<Site, String> {
        create_topics_at(&self.bootstrap, &[&self.topic(), &format!("{}.rejected", self.prefix)], PARTITIONS);
        let defaults = [sections::DEFAULTS, leadline_proto::config::DEFAULTS, leadline_ingest::config::DEFAULTS];
        let sources = Sources { defaults: &defaults, sections: SECTIONS, file: None, preset: Some(self.toml()) };
        let settings = Settings::load(&sources).map_err(|error| error.to_string())?;
        let process = Process::new(settings).map_err(|error| error.to_string())?;
        let ingest = Ingest::start(&process, None).map_err(|error| error.to_string())?;
        let address = ingest.address;
        let health = process.health.clone();
        eventually_async("ingest is ready", PATIENCE, || std::future::ready(health.missing().is_empty().then_some(()))).await;
        self.running.replace(Some((process, ingest)));
        Ok(Site { address })
    }

    /// Stops ingest in order: what it has accepted is in Kafka then.
    pub(super) async fn stop(&self) {
        let Some((process, ingest)) = self.running.take() else { return };
        process.lifecycle.stop();
        ingest.stopped().await;
    }

    fn toml(&self) -> String {
        let Self { bootstrap, prefix, .. } = self;
        let (spool, hash) = (self.folder.path().join("spool"), String::from(TokenHash::of(TOKEN)));
        format!(
            "[kafka]\nbootstrap = \"{bootstrap}\"\n[topics]\nleads = \"{prefix}.leads\"\nrejected = \"{prefix}.rejected\"\n\
             [ingest]\nlisten = \"127.0.0.1:0\"\nperson_key = \"a secret of the fuzzer\"\n\
             spool.folder = \"{}\"\nrejected.per_minute = 10000\n\
             limits.failures_per_minute = 4000000000\n[endpoints.{ENDPOINT}]\ntokens = [\"{hash}\"]\n",
            spool.display()
        )
    }
}
