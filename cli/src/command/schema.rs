//! `leadline schema infer`: a JSON Schema from samples, as Power Automate generates one. What it holds is decided in `infer`.

mod infer;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use leadline_platform::process::{Exit, Fatal};
use leadline_proto::parse;
use serde_json::Value;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Write a draft-04 JSON Schema that all samples fit to standard output; it holds names and types, never a value
    Infer {
        /// Bodies as they were sent, one JSON object a file
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

pub(crate) fn run(command: &Command) -> Result<ExitCode, Fatal> {
    let Command::Infer { files } = command;
    let samples = files.iter().map(|file| sample(file)).collect::<Result<Vec<_>, _>>()?;
    println!("{:#}", infer::schema(&samples));
    Ok(Exit::Done.into())
}

fn sample(file: &Path) -> Result<Value, Fatal> {
    let name = file.display();
    let body = std::fs::read(file).map_err(|error| Fatal::usage(format!("{name} cannot be read: {error}")))?;
    parse::value(&body).map_err(|error| Fatal::usage(format!("{name}: {error}")))
}
