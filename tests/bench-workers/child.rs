//! A worker in a process of its own: this very program, called with another argument. Runs as a shipped worker does.

use std::fs;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use leadline_platform::process::{self, Args, Fatal, Process};
use leadline_proto::SinkName;
use leadline_proto::config::{DEFAULTS, SECTIONS};
use leadline_runtime::{Worker, config};

use crate::place::Setup;
use crate::sink::Bench;

/// The process. Dropping it ends it.
pub(crate) struct Child(std::process::Child);

impl Child {
    /// Starts a worker.
    pub(crate) fn start(setup: &Setup) -> Self {
        let program = std::env::current_exe().expect("the bench knows its own path");
        let mut command = Command::new(program);
        // Its standard input ends with the bench, however that ends.
        command.arg("--worker").arg(&setup.file).stdin(Stdio::piped()).stdout(Stdio::null());
        Self(command.spawn().expect("the bench can start itself"))
    }

    /// The most memory it has had so far, in bytes.
    pub(crate) fn peak_bytes(&self) -> f64 {
        let file = format!("/proc/{}/status", self.0.id());
        let status = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file} cannot be read: {error}"));
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the worker has not ended");
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("it is a number");
        kib * 1024.0
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The process itself.
pub(crate) fn main(file: PathBuf) -> ExitCode {
    std::thread::spawn(|| {
        // It does not matter how the input ends.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    process::run(&Args { config: Some(file) }, &[DEFAULTS, config::DEFAULTS], SECTIONS, run)
}

async fn run(process: Process) -> Result<(), Fatal> {
    let names = process.settings.names("sinks");
    let name: SinkName = names.first().expect("the bench has named a sink").parse().map_err(Fatal::usage)?;
    Worker::start::<Bench>(&process, &name, None)?.stopped().await;
    Ok(())
}
