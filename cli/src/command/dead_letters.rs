//! `leadline dead-letters list | show | replay | drop`: what was given up, and what an operator does about it. All of it is read
//! from the topics, so it needs no worker.
//!
//! Which letters are open is decided in `book`, which of them are meant in `filter`, what a replay leaves out in `replay::plan`.

mod book;
mod drop;
mod filter;
mod group;
mod list;
mod replay;
mod show;
mod survey;
mod words;

use std::path::Path;
use std::process::ExitCode;

use leadline_platform::process::Fatal;

use super::site;

/// Name of the commands' clients.
const CLIENT: &str = "leadline-dead-letters";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    site: site::Args,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the dead letters that are open, grouped by cause
    List(list::Args),
    /// Show everything about one dead letter but the lead itself
    Show(show::Args),
    /// Give leads back to the sink that gave them up; no other sink runs again
    Replay(replay::Args),
    /// Close a dead letter for good: its lead counts as skipped by an operator
    Drop(drop::Args),
}

pub(crate) fn run(args: &Args, file: Option<&Path>) -> Result<ExitCode, Fatal> {
    let site = args.site.site(file)?;
    match &args.command {
        Command::List(args) => list::run(args, &site),
        Command::Show(args) => show::run(args, &site),
        Command::Replay(args) => replay::run(args, &site),
        Command::Drop(args) => drop::run(args, &site),
    }
}
