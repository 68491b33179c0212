//! Measures the worker runtime against the parts it is made of, in one run, so that the ratios mean the same on every machine.
//!
//! `cargo run --release -p leadline-tests --bin bench-workers` prints a table; `--json` prints it for programs, `--quick` takes
//! less of everything. A figure that misses its target is printed as such and fails nothing: how fast something is says only
//! something beside what else ran on that machine. Whether the product is right is the business of `tests/it`.
//!
//! | figure | file |
//! |---|---|
//! | the runtime with a sink that does nothing, beside a bare consumer, decoding, a bare producer | `throughput` |
//! | a sink that takes 20 ms, by concurrency | `slow_sink` |
//! | 10,000 leads at once | `burst` |
//! | memory while leads wait | `memory` |
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "as in the harness, a panic with a sentence is the error message")]

mod backlog;
mod bare;
mod burst;
mod child;
mod leads;
mod memory;
mod options;
mod place;
mod sink;
mod slow_sink;
mod tally;
mod throughput;
mod worker;

use std::process::ExitCode;

use clap::Parser as _;
use leadline_tests::Tool;

use leadline_tests::bench::Report;
use options::Options;
use place::Place;

fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(config) = options.worker {
        return child::main(config);
    }
    if let Err(missing) = Tool::Kafka.check() {
        eprintln!("error: {missing}");
        return ExitCode::FAILURE;
    }
    let place = Place::open();
    let mut report = Report::default();
    for (name, measure) in MEASUREMENTS {
        if options.wants(name) {
            eprintln!("bench: {name} …");
            measure(&place, &options, &mut report);
        }
    }
    print!("{}", if options.json { report.json() } else { report.table() });
    ExitCode::SUCCESS
}

type Measure = fn(&Place, &Options, &mut Report);

/// In the order of the table.
const MEASUREMENTS: [(&str, Measure); 4] = [
    ("throughput", throughput::measure),
    ("slow-sink", slow_sink::measure),
    ("burst", burst::measure),
    ("memory", memory::measure),
];
