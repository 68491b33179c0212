//! The fuzz run: millions of bodies for the code that reads leads, and millions of bytes for the HTTP edge of an ingest in this very
//! process. `cargo run --release -p leadline-tests --bin fuzz -- --help`
//!
//! Here is the command only. How inputs are made is in `input` and `edge::stream`, what must hold for them in `parse::rules` and
//! `edge::judge`. An input is made from the seed and its number alone, so each can be tried again by itself.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test: a panic with a sentence is its error message")]

mod arguments;
mod edge;
mod finding;
mod input;
mod parse;
mod progress;
mod report;

use std::process::ExitCode;

use clap::Parser as _;

use arguments::{Arguments, Part};
use report::Report;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(report) => {
            println!("{}", if arguments.json { report.json() } else { report.text() });
            if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("the fuzz run could not be carried out: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<Report, String> {
    let mut report = Report { seed: arguments.seed, ..Report::default() };
    if arguments.has(Part::Parse) {
        report.parts.push(parse::run(arguments)?);
    }
    if arguments.has(Part::Edge) {
        report.parts.push(edge::run(arguments)?);
    }
    Ok(report)
}
