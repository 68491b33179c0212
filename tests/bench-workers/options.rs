//! The arguments.

use std::path::PathBuf;

/// Measures the worker runtime against the parts it is made of
#[derive(Debug, clap::Parser)]
#[command(name = "bench-workers")]
pub(crate) struct Options {
    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,

    /// Fewer leads and repetitions: minutes instead of a quarter of an hour
    #[arg(long)]
    pub(crate) quick: bool,

    /// Only this measurement; may be given several times
    #[arg(long, value_name = "NAME", value_parser = ["throughput", "slow-sink", "burst", "memory"])]
    only: Vec<String>,

    /// Run one worker with this configuration until standard input ends: how the bench starts a process of its own
    #[arg(long, value_name = "FILE", hide = true)]
    pub(crate) worker: Option<PathBuf>,
}

impl Options {
    /// Whether a measurement was asked for.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    /// The first in a full run, the second in a quick one.
    pub(crate) fn pick<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }
}
