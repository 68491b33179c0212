//! The ingest binary. Everything else is in the library.

use std::process::ExitCode;

use clap::Parser;
use leadline_ingest::Ingest;
use leadline_platform::process::{self, Fatal};

#[derive(Debug, Parser)]
#[command(version, about = "Receives leads over HTTP and publishes them to Kafka")]
struct Args {
    #[command(flatten)]
    common: process::Args,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let defaults = [leadline_proto::config::DEFAULTS, leadline_ingest::config::DEFAULTS];
    process::run(&args.common, &defaults, leadline_proto::config::SECTIONS, |process| async move {
        process.lifecycle.reload_on_hangup().map_err(Fatal::internal)?;
        let ingest = Ingest::start(&process, None)?;
        ingest.stopped().await;
        Ok(())
    })
}
