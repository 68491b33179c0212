//! The fault run: the shipped programs under load, while workers, brokers and the mail server fail; then every lead is accounted
//! for. `cargo run -p leadline-tests --bin faults -- --help`
//!
//! Here is the command only. A run is in `run`, what goes wrong in `plan` and `tracks`, the judgement in `checker`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test: a panic with a sentence is its error message")]

mod arguments;
mod checker;
mod chronicle;
mod evidence;
mod fleet;
mod generator;
mod journal;
mod logs;
mod plan;
mod product;
mod report;
mod run;
mod sink;
mod topics;
mod tracks;

use std::process::ExitCode;

use clap::Parser as _;

use arguments::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run::run(&arguments) {
        Ok(report) => {
            if arguments.json {
                println!("{}", report.json());
            } else {
                println!("{}", report.text());
            }
            if report.passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("the fault run could not be carried out: {error}");
            ExitCode::FAILURE
        }
    }
}
