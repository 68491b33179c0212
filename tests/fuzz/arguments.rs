//! The command line of a run.

use std::ops::Range;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Feeds Leadline with hostile inputs and checks what must hold for each of them.
#[derive(Debug, Parser)]
#[command(name = "fuzz")]
pub(crate) struct Arguments {
    /// How many inputs each part gets
    #[arg(long, default_value_t = 100_000)]
    pub(crate) inputs: u64,

    /// What all inputs are made from
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,

    /// Number of the first input; with `--inputs 1` it is one that was found before
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    first: u64,

    /// Only this part
    #[arg(long)]
    only: Option<Part>,

    /// A running Kafka for the edge; without it one is started
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) kafka: Option<String>,

    /// Folder for inputs that were found [default: that for temporary files]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,

    /// Print the result as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// What is fuzzed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// From a body to the record of a lead and back, and the splitting of lead sources
    Parse,
    /// From bytes on a connection to an answer and to what is in Kafka
    Edge,
}

impl Arguments {
    pub(crate) fn has(&self, part: Part) -> bool {
        self.only.is_none_or(|only| only == part)
    }

    /// Numbers of the inputs.
    pub(crate) fn numbers(&self) -> Range<u64> {
        self.first..self.first + self.inputs
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.clone().unwrap_or_else(std::env::temp_dir)
    }
}
