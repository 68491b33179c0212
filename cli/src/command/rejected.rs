//! `leadline rejected list | show | resubmit`: bodies that came with a good token but are not leads, and what an operator does
//! about them. All of it is read from the topic, so it needs no worker.
//!
//! Which bodies are kept is decided by ingest; what a lead is, in `leadline_ingest::read`, for both.

mod edit;
mod list;
mod resubmit;
mod show;

use std::path::Path;
use std::process::ExitCode;

use leadline_platform::kafka::rdkafka::error::KafkaError;
use leadline_platform::kafka::rdkafka::message::Message;
use leadline_platform::kafka::{Reading, headers};
use leadline_platform::process::Fatal;
use leadline_proto::RejectedBody;
use leadline_proto::topics::Topic;
use uuid::Uuid;

use super::site::{self, Site};

/// Name of the commands' clients.
const CLIENT: &str = "leadline-rejected";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    site: site::Args,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the rejected bodies by endpoint and reason, without their content
    List(list::Args),
    /// Print one as it was sent, which is personal data
    Show(show::Args),
    /// Make a lead of one, as if it had been sent right; twice makes one lead
    Resubmit(resubmit::Args),
}

pub(crate) fn run(args: &Args, file: Option<&Path>) -> Result<ExitCode, Fatal> {
    let site = args.site.site(file)?;
    match &args.command {
        Command::List(args) => list::run(args, &site),
        Command::Show(args) => show::run(args, &site),
        Command::Resubmit(resubmit) => resubmit::run(resubmit, &site, &args.site.settings(file)?),
    }
}

/// Calls `each` with every rejected body that is still kept.
fn read(site: &Site, mut each: impl FnMut(RejectedBody)) -> Result<(), Fatal> {
    let reader = site.reader(CLIENT)?;
    let mut try_read = || -> Result<(), KafkaError> {
        let mut reading = Reading::default();
        reading.add_topic(&reader, &site.name(&Topic::Rejected))?;
        reading.run(&reader, |message| {
            let headers = headers(message).into_iter().collect();
            if let Some(rejected) = RejectedBody::decode(&headers, message.payload().unwrap_or_default()) {
                each(rejected);
            }
        })
    };
    try_read().map_err(|error| site.away(&error))
}

/// The body of this id; says so when there is none.
fn find(site: &Site, id: Uuid) -> Result<Option<RejectedBody>, Fatal> {
    let mut found = None;
    read(site, |rejected| found = if rejected.id == id { Some(rejected) } else { found.take() })?;
    if found.is_none() {
        eprintln!("{id} is not among the rejected bodies, which are kept for 30 days. `leadline rejected list` shows what is");
    }
    Ok(found)
}
