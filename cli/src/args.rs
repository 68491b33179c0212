//! The arguments, and which command they name.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use leadline_platform::process::{Exit, Fatal};

use crate::command::{audit, config, dead_letters, endpoint, health, hold, rejected, release, schema, send, spool, topics, up};

#[derive(Debug, Parser)]
#[command(
    name = "leadline",
    version,
    about = "A lead pipeline for Microsoft AppSource and Azure Marketplace",
    after_help = "Without a command: leadline up.\nExit codes: 0 done, 1 a bad result, 64 usage or configuration, 70 a fault, \
                  75 something it needs is away."
)]
struct Cli {
    /// Configuration file; without it `leadline.toml` is read when it exists
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Without a command: `leadline up`
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run ingest and all workers in one process, with an embedded broker or your Kafka
    Up(up::Args),
    /// Post a lead and follow it to its outcomes
    Send(send::Args),
    /// Count the leads that have no outcome yet, and say where they are; exit code 1 when there are any
    Audit(audit::Args),
    /// Look at the leads that a sink has given up, and replay or drop them
    DeadLetters(dead_letters::Args),
    /// Look at the bodies that came with a good token but are not leads, and resubmit them once they are repaired
    Rejected(rejected::Args),
    /// Ask a process on this machine whether it is ready; exit code 1 when it is not
    Health(health::Args),
    /// Hold back the leads of an endpoint or for a sink, until they are released
    Hold(hold::Args),
    /// Let go what is held back, or what a brake has stopped
    Release(release::Args),
    /// Look at a spool that no ingest uses, and publish it
    #[command(subcommand)]
    Spool(spool::Command),
    /// Make the URL that is entered in Partner Center
    #[command(subcommand)]
    Endpoint(endpoint::Command),
    /// Make a JSON Schema for the bodies of an endpoint
    #[command(subcommand)]
    Schema(schema::Command),
    /// Show the defaults, or check a configuration
    #[command(subcommand)]
    Config(config::Command),
    /// Create the topics
    #[command(subcommand)]
    Topics(topics::Command),
}

/// All commands with their help texts, for the reference page.
pub(crate) fn command() -> clap::Command {
    Cli::command()
}

/// Runs the command and returns the exit code: 0 done, 1 done with a bad result, 64 bad usage or configuration, 70 a fault,
/// 75 something it needs is away.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(told) => {
            // When even this cannot be printed, the exit code is what is left.
            let _ = told.print();
            return if told.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    let file = cli.config.as_deref();
    let result = match cli.command.unwrap_or_else(|| Command::Up(up::Args::default())) {
        Command::Up(args) => up::run(args, file),
        Command::Send(args) => send::run(&args, file),
        Command::Audit(args) => audit::run(&args, file),
        Command::DeadLetters(args) => dead_letters::run(&args, file),
        Command::Rejected(args) => rejected::run(&args, file),
        Command::Health(args) => health::run(&args, file),
        Command::Hold(args) => hold::run(&args, file),
        Command::Release(args) => release::run(&args, file),
        Command::Spool(command) => spool::run(&command, file),
        Command::Endpoint(command) => endpoint::run(&command, file),
        Command::Schema(command) => schema::run(&command),
        Command::Config(command) => config::run(&command, file),
        Command::Topics(command) => topics::run(&command, file),
    };
    result.unwrap_or_else(|error: Fatal| {
        eprintln!("error: {error}");
        error.exit.into()
    })
}
