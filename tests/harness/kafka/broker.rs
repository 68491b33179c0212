//! One broker process: formatting its disk, starting, killing.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::metadata::Metadata;

use super::Ports;
use super::install::Install;
use super::properties::properties;
use crate::eventually::within;
use crate::guarded::{Guarded, Signal};
use crate::text::{run, tail_of};

/// A broker that was killed is let in again only when the controllers have given up the dead one.
const READY_TIME: Duration = Duration::from_secs(90);
const METADATA_TIME: Duration = Duration::from_secs(2);

/// For a quick start and little memory. The files of native libraries go to the data folder, since a killed process leaves them.
const JAVA_FLAGS: [&str; 8] = [
    "-Xms96m",
    "-Xmx512m",
    "-Xss512k",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-XX:+ExitOnOutOfMemoryError",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
];

/// One broker, running or not.
pub(crate) struct Broker {
    number: usize,
    port: u16,
    java: PathBuf,
    jars: PathBuf,
    folder: PathBuf,
    properties: String,
    running: Option<Guarded>,
}

impl Broker {
    /// Broker `number` of those on `ports`, not started yet.
    pub(crate) fn new(install: &Install, data: &Path, ports: &[Ports], number: usize) -> Self {
        let folder = data.join(format!("broker-{number}"));
        Self {
            number,
            port: ports[number - 1].clients,
            java: install.java.clone(),
            jars: install.jars.clone(),
            properties: properties(ports, number, &folder.join("data")),
            folder,
            running: None,
        }
    }

    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// Where clients find it.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Writes its settings and prepares its disk.
    pub(crate) fn format(&mut self, cluster: &str) -> Result<(), String> {
        fs::create_dir_all(&self.folder)
            .and_then(|()| fs::write(self.settings(), &self.properties))
            .map_err(|error| format!("{} cannot be written: {error}", self.folder.display()))?;
        let mut format = self.java_command("kafka.tools.StorageTool");
        run(format.args(["format", "--cluster-id", cluster, "--config"]).arg(self.settings())).map(|_| ())
    }

    /// Starts the process; [`Self::wait_ready`] waits for it.
    pub(crate) fn start(&mut self) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("Kafka broker {} cannot be started: {error}", self.number);
        let log = File::options().create(true).append(true).open(self.log()).map_err(failed)?;
        let copy = log.try_clone().map_err(failed)?;
        let mut broker = self.java_command("kafka.Kafka");
        broker.arg(self.settings());
        self.running = Some(Guarded::spawn(&broker, Signal::Kill, log.into(), copy.into()).map_err(failed)?);
        Ok(())
    }

    /// Waits until this broker itself serves clients, knows of at least `brokers` brokers that serve, and is in sync wherever it
    /// has a replica: else the next broker that a test kills might have been the last one with the data.
    pub(crate) fn wait_ready(&mut self, brokers: usize) -> Result<(), String> {
        let asks: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.address())
            .set("log_level", "0")
            .create()
            .map_err(|error| error.to_string())?;
        let number = i32::try_from(self.number).expect("few brokers");
        let what = format!("Kafka broker {number} serves");
        let ready = within(&what, READY_TIME, || {
            if !self.is_running() {
                return Some(Err(format!("Kafka broker {number} ended at its start")));
            }
            let seen = asks.fetch_metadata(None, METADATA_TIME).ok()?;
            (seen.brokers().len() >= brokers && takes_part(&seen, number)).then_some(Ok(()))
        });
        ready.unwrap_or_else(|overdue| Err(overdue.to_string())).map_err(|error| error + &tail_of(&self.log()))
    }

    /// Whether the process lives.
    pub(crate) fn is_running(&mut self) -> bool {
        self.running.as_mut().is_some_and(|process| process.exited().is_none())
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.running.take() {
            process.kill();
        }
    }

    pub(crate) fn signal(&mut self, signal: Signal) {
        if let Some(process) = &mut self.running {
            process.signal(signal);
        }
    }

    fn java_command(&self, class: &str) -> Command {
        let mut java = Command::new(&self.java);
        java.args(JAVA_FLAGS).arg(format!("-Djava.io.tmpdir={}", self.folder.display()));
        java.arg("-cp").arg(self.jars.join("*")).arg(class).stdin(Stdio::null());
        java
    }

    fn settings(&self) -> PathBuf {
        self.folder.join("server.properties")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("broker.log")
    }
}

/// Whether the broker is let in and in sync.
fn takes_part(seen: &Metadata, broker: i32) -> bool {
    let mut partitions = seen.topics().iter().flat_map(|topic| topic.partitions());
    let in_sync = partitions.all(|partition| !partition.replicas().contains(&broker) || partition.isr().contains(&broker));
    in_sync && seen.brokers().iter().any(|other| other.id() == broker)
}
