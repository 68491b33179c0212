//! `leadline up`: ingest and every worker in one process, on the embedded broker or on your Kafka.

pub(crate) mod running;
mod trial;
mod welcome;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use leadline_ingest::{Capacity, Ingest, route};
use leadline_platform::admin::AdminServer;
use leadline_platform::config::Settings;
use leadline_platform::kafka::DeliveryObserver;
use leadline_platform::lifecycle::Lifecycle;
use leadline_platform::process::{Exit, Fatal, Process};
use leadline_proto::SinkName;
use leadline_proto::config::{Endpoints, Topics};
use leadline_proto::topics::Topic;
use leadline_runtime::Worker;

use super::{block_on, topics};
use crate::embedded::{Broker, Guard, guard::Watch};
use crate::product;
use running::Running;
use trial::DataFolder;

/// Default folder of a trial.
pub(crate) const DATA: &str = "leadline-data";
/// Longest wait for workers to join their groups.
const READY_LIMIT: Duration = Duration::from_secs(60);
/// How often readiness is looked at.
const READY_CHECK: Duration = Duration::from_millis(20);
/// Longest wait, at a stop, for leads that only the embedded broker holds.
const DELIVER_LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Your Kafka instead of the embedded broker; then nothing is lost at a stop
    #[arg(long, value_name = "HOST:PORT")]
    kafka: Option<String>,

    /// Folder of the trial: its secrets, mails and records
    #[arg(long, value_name = "DIR", default_value = DATA)]
    data: PathBuf,

    /// Print one JSON object when ready, instead of text
    #[arg(long)]
    json: bool,
}

impl Default for Args {
    fn default() -> Self {
        Self { kafka: None, data: DATA.into(), json: false }
    }
}

pub(crate) fn run(args: Args, file: Option<&Path>) -> Result<ExitCode, Fatal> {
    let started = Instant::now();
    let folder = DataFolder::open(&args.data)?;
    let secrets = folder.secrets()?;
    let mut process = Process::new(trial::settings(file, &folder, &secrets)?)?;
    leadline_platform::log::start(&process.sections.log).map_err(Fatal::internal)?;
    if let Some(bootstrap) = &args.kafka {
        process.sections.kafka.bootstrap.clone_from(bootstrap);
    }
    let up = Up { args, folder, token: secrets.token, started };
    // The embedded broker outlives the runtime, so that no client is left to complain that it has gone.
    let _broker = block_on(up.run(process))?;
    Ok(Exit::Done.into())
}

/// The settings with which a trial in this folder runs.
pub(crate) fn settings(file: Option<&Path>, data: &Path) -> Result<Settings, Fatal> {
    let folder = DataFolder::open(data)?;
    Ok(trial::settings(file, &folder, &folder.secrets()?)?)
}

struct Up {
    args: Args,
    folder: DataFolder,
    token: String,
    started: Instant,
}

/// The embedded broker with what keeps it from losing leads.
struct Embedded {
    guard: Guard,
    _watch: Watch,
    _broker: Broker,
}

impl Up {
    async fn run(self, mut process: Process) -> Result<Option<Embedded>, Fatal> {
        process.lifecycle.stop_on_signals().map_err(Fatal::internal)?;
        process.export_spans()?;
        let topics: Topics = process.settings.section("topics")?;
        let sinks = product::sinks(&process.settings)?;
        let embedded = match self.args.kafka {
            None => Some(embed(&mut process, &topics, &sinks)?),
            Some(_) => {
                prepare(&process, &topics).await?;
                None
            }
        };
        let listen = process.sections.admin.listen;
        let admin = AdminServer::start(listen, process.registry.clone(), process.health.clone());
        let admin = admin.map_err(|error| Fatal::cannot_bind("admin.listen", listen, &error))?;
        let guard = embedded.as_ref().map(|embedded| embedded.guard.clone());
        let ingest = start_ingest(&process, guard.clone())?;
        // Workers stop after ingest, so that what it has accepted can still be delivered.
        let workers_process =
            Process { lifecycle: Lifecycle::new(&process.health, process.lifecycle.drain()), ..process.clone() };
        let workers = sinks.iter().map(|sink| start_worker(&workers_process, sink, guard.clone()));
        let workers = workers.collect::<Result<Vec<_>, _>>()?;
        tokio::select! {
            ready = until_ready(&process) => ready?,
            () = process.lifecycle.stopping() => {}
        }
        let running = self.running(&process, &topics, &sinks, &ingest)?;
        welcome::print(&self.args, &running, &process.settings, &sinks, admin.address, self.started.elapsed())?;
        process.lifecycle.stopping().await;
        self.say("stopping: what was accepted is delivered first");
        ingest.stopped().await;
        if let Some(guard) = &guard {
            until_delivered(guard, &topics.name(&Topic::Leads)).await;
        }
        workers_process.lifecycle.stop();
        for worker in workers {
            worker.stopped().await;
        }
        process.tracer.stop().await;
        // The trial is over; its address would mislead other commands.
        let _ = std::fs::remove_file(self.folder.path(running::FILE));
        admin.stop().await;
        Ok(embedded)
    }

    /// Tells a person; a program watches the process itself.
    fn say(&self, words: &str) {
        if !self.args.json {
            println!("{words}");
        }
    }

    /// Writes down where this trial is reached.
    fn running(&self, process: &Process, topics: &Topics, sinks: &[SinkName], ingest: &Ingest) -> Result<Running, Fatal> {
        let endpoints: Endpoints = process.settings.section("endpoints")?;
        let trial = endpoints.iter().find(|(name, _)| name.as_str() == trial::ENDPOINT);
        let routed = |sink: &&SinkName| trial.is_none_or(|(_, endpoint)| endpoint.routes_to(sink));
        let running = Running {
            url: trial.map(|(name, _)| route::url(&format!("http://{}", ingest.address), name, &self.token)),
            kafka: process.sections.kafka.bootstrap.clone(),
            embedded: process.sections.kafka.embedded,
            outcomes: topics.name(&Topic::Outcomes),
            sinks: sinks.iter().filter(routed).map(ToString::to_string).collect(),
            endpoints: endpoints.keys().map(ToString::to_string).collect(),
        };
        let text = serde_json::to_string_pretty(&running).map_err(Fatal::internal)?;
        self.folder.write(running::FILE, &text).map_err(Fatal::internal)?;
        Ok(running)
    }
}

fn embed(process: &mut Process, topics: &Topics, sinks: &[SinkName]) -> Result<Embedded, Fatal> {
    let broker = Broker::start(topics, sinks).map_err(Fatal::internal)?;
    process.sections.kafka.bootstrap = broker.bootstrap();
    process.sections.kafka.embedded = true;
    let guard = Guard::new(topics, sinks);
    let watch = guard.watch(&process.sections.kafka, topics, sinks).map_err(Fatal::internal)?;
    Ok(Embedded { guard, _watch: watch, _broker: broker })
}

/// Creates missing topics on a Kafka of any size: a trial's Kafka may be a single broker.
async fn prepare(process: &Process, topics: &Topics) -> Result<(), Fatal> {
    let brokers = leadline_platform::kafka::topics::Topics::new(&process.sections.kafka).map_err(Fatal::usage)?;
    let bootstrap = &process.sections.kafka.bootstrap;
    let away = |error| Fatal::unavailable(format!("Kafka at {bootstrap} does not answer: {error}"));
    let count = brokers.brokers().await.map_err(away)?;
    let fitting = Topics {
        replication: topics.replication.min(count),
        min_insync_replicas: topics.min_insync_replicas.min(count),
        ..topics.clone()
    };
    topics::create(&process.sections.kafka, &process.settings, &fitting, false).await
}

fn start_ingest(process: &Process, guard: Option<Guard>) -> Result<Ingest, Fatal> {
    Ingest::start(process, guard.map(|guard| Arc::new(guard) as Arc<dyn Capacity>))
}

fn start_worker(process: &Process, sink: &SinkName, guard: Option<Guard>) -> Result<Worker, Fatal> {
    product::start_worker(process, sink, guard.map(|guard| Arc::new(guard) as Arc<dyn DeliveryObserver>))
}

async fn until_ready(process: &Process) -> Result<(), Fatal> {
    let deadline = Instant::now() + READY_LIMIT;
    loop {
        let missing = process.health.missing();
        if missing.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(Fatal::unavailable(format!("not ready after {} s: {}", READY_LIMIT.as_secs(), missing.join("; "))));
        }
        tokio::time::sleep(READY_CHECK).await;
    }
}

/// What only the embedded broker holds is gone when it stops, so its workers get a little time.
async fn until_delivered(guard: &Guard, leads: &str) {
    let deadline = Instant::now() + DELIVER_LIMIT;
    while guard.open(leads) > 0 && Instant::now() < deadline {
        tokio::time::sleep(READY_CHECK).await;
    }
    match guard.open(leads) {
        0 => {}
        open => tracing::error!(open, "the embedded broker stops with leads that are not delivered; they are gone"),
    }
}
