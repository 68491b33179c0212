//! Measures ingest against the parts it is made of, in one run with one real broker, so that the ratios mean the same on every machine.
//!
//! `cargo run --release -p leadline-tests --bin bench-ingest` prints a table; `--json` prints it for programs, `--quick` takes less
//! time. A figure that misses its target is printed as such and fails nothing.
//!
//! | figure | file |
//! |---|---|
//! | accepted leads a second, beside a server that does nothing and a bare producer | `throughput` |
//! | that server once more by `wrk`, when it is there | `wrk` |
//! | time to the answer at half of that | `latency` |
//! | accepted while Kafka is away, and draining | `outage` |
//! | memory and start | `footprint` |
//! | what good clients notice of bad ones | `hostile`, `attack` |
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "as in the harness, a panic with a sentence is the error message")]

mod attack;
mod bare;
mod footprint;
mod hostile;
mod latency;
#[path = "../bench-workers/leads.rs"]
mod leads;
mod load;
mod outage;
mod place;
mod throughput;
mod wrk;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use leadline_tests::Tool;
use leadline_tests::bench::Report;

use place::Place;

/// Measures ingest against the parts it is made of
#[derive(Debug, Parser)]
#[command(name = "bench-ingest")]
pub(crate) struct Options {
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,

    /// Shorter rounds, and fewer
    #[arg(long)]
    quick: bool,

    /// Serve 202 to everything on this address: how the bench starts the server that does nothing
    #[arg(long, value_name = "ADDRESS", hide = true)]
    serve: Option<std::net::SocketAddr>,
}

impl Options {
    /// How long one measurement lasts.
    pub(crate) fn round(&self) -> Duration {
        Duration::from_secs(if self.quick { 3 } else { 8 })
    }

    /// How often it is repeated.
    pub(crate) fn rounds(&self) -> usize {
        if self.quick { 3 } else { 5 }
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(address) = options.serve {
        return bare::serve(address);
    }
    if let Err(missing) = Tool::Kafka.check() {
        eprintln!("error: {missing}");
        return ExitCode::FAILURE;
    }
    let place = Place::open();
    let mut report = Report::default();
    let rate = throughput::measure(&place, &options, &mut report);
    wrk::measure(&place, &options, &mut report);
    latency::measure(&place, &options, rate / 2.0, &mut report);
    outage::measure(&place, &options, rate, &mut report);
    footprint::measure(&place, &options, &mut report);
    hostile::measure(&place, &options, &mut report);
    print!("{}", if options.json { report.json() } else { report.table() });
    ExitCode::SUCCESS
}
