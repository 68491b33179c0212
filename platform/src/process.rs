//! The frame of every long-running binary, so that each `main.rs` is a few lines: read the configuration, start logs and the
//! admin port, run the body, stop in order, end with the right code.

use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use prometheus::Registry;

use crate::admin::AdminServer;
use crate::config::sections::{self, Sections};
use crate::config::{ConfigError, Settings, Sources};
pub use crate::exit::{Exit, Fatal};
use crate::health::Health;
use crate::lifecycle::Lifecycle;
use crate::trace::Tracer;

/// Arguments that every long-running binary takes.
#[derive(Debug, clap::Args)]
// Its group would be named `Args`, as that of each binary that flattens it; clap wants names to differ.
#[group(skip)]
pub struct Args {
    /// Configuration file; without it `leadline.toml` is read when it exists
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// What the body of a process works with.
#[derive(Clone)]
pub struct Process {
    /// The configuration.
    pub settings: Settings,
    /// Its common sections.
    pub sections: Sections,
    /// Metrics.
    pub registry: Registry,
    /// Readiness and liveness.
    pub health: Health,
    /// Start and stop.
    pub lifecycle: Lifecycle,
    /// Spans. Exports none before [`Process::export_spans`].
    pub tracer: Tracer,
}

impl Process {
    /// A process with these settings, not started yet.
    ///
    /// # Errors
    /// [`ConfigError`] when a common section is bad.
    pub fn new(settings: Settings) -> Result<Self, ConfigError> {
        let sections = Sections::read(&settings)?;
        let health = Health::default();
        let lifecycle = Lifecycle::new(&health, sections.lifecycle.drain);
        Ok(Self { settings, sections, registry: registry(), health, lifecycle, tracer: Tracer::default() })
    }

    /// Exports spans from now on, when the environment asks for it. To be called inside the runtime, and ended by
    /// [`Tracer::stop`].
    ///
    /// # Errors
    /// [`Fatal`] when the environment asks for what cannot be done.
    pub fn export_spans(&mut self) -> Result<(), Fatal> {
        self.tracer = Tracer::from_environment(&self.registry)?;
        Ok(())
    }
}

/// A registry that holds the figures of the process itself: CPU, memory, open files, start time.
fn registry() -> Registry {
    let registry = Registry::new();
    let own = prometheus::process_collector::ProcessCollector::for_self();
    if let Err(error) = registry.register(Box::new(own)) {
        tracing::warn!(%error, "metrics of the process itself are missing");
    }
    registry
}

/// Runs a binary: `body` is called with everything started and returns when the process has stopped in order.
pub fn run<B, F>(args: &Args, defaults: &[&str], known: &[&str], body: B) -> ExitCode
where
    B: FnOnce(Process) -> F,
    F: Future<Output = Result<(), Fatal>>,
{
    match try_run(args, defaults, known, body) {
        Ok(()) => Exit::Done.into(),
        Err(fatal) => {
            eprintln!("error: {fatal}");
            fatal.exit.into()
        }
    }
}

fn try_run<B, F>(args: &Args, defaults: &[&str], known: &[&str], body: B) -> Result<(), Fatal>
where
    B: FnOnce(Process) -> F,
    F: Future<Output = Result<(), Fatal>>,
{
    let defaults: Vec<&str> = [sections::DEFAULTS].into_iter().chain(defaults.iter().copied()).collect();
    let sources = Sources { defaults: &defaults, sections: known, file: args.config.as_deref(), preset: None };
    let process = Process::new(Settings::load(&sources)?)?;
    crate::log::start(&process.sections.log).map_err(Fatal::internal)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Fatal::internal)?;
    let result = runtime.block_on(started(process, body));
    // Whatever still blocks a thread by now, such as a question to a Kafka that is away, is not waited for.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

async fn started<B, F>(mut process: Process, body: B) -> Result<(), Fatal>
where
    B: FnOnce(Process) -> F,
    F: Future<Output = Result<(), Fatal>>,
{
    process.lifecycle.stop_on_signals().map_err(Fatal::internal)?;
    process.export_spans()?;
    let tracer = process.tracer.clone();
    let listen = process.sections.admin.listen;
    let admin = AdminServer::start(listen, process.registry.clone(), process.health.clone())
        .map_err(|error| Fatal::cannot_bind("admin.listen", listen, &error))?;
    tracing::info!(address = %admin.address, "admin port open");
    let result = body(process).await;
    tracer.stop().await;
    admin.stop().await;
    result
}
