//! `leadline spool show | drain`: looks at the spool of an ingest that does not run, such as an orphaned volume, and publishes it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use leadline_ingest::spool::drain::Drainer;
use leadline_ingest::spool::{Figures, Spool};
use leadline_platform::kafka::{Producer, settings};
use leadline_platform::process::{Exit, Fatal};
use leadline_proto::config::Topics;
use leadline_proto::topics::Topic;
use serde_json::json;

use super::block_on;
use crate::product;

/// How often the progress is shown.
const STEP: Duration = Duration::from_millis(200);

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Say what lies in a spool
    Show {
        /// Folder of the spool
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Publish what lies in a spool to Kafka, oldest first; exit code 75 when something is left
    Drain {
        /// Folder of the spool
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Also what Kafka has refused before
        #[arg(long)]
        refused: bool,
    },
}

pub(crate) fn run(command: &Command, file: Option<&Path>) -> Result<ExitCode, Fatal> {
    match command {
        Command::Show { folder, json } => show(folder, *json),
        Command::Drain { folder, refused } => block_on(drain(folder, *refused, file)),
    }
}

/// Opens a spool that is there. What lies in it counts, whatever its limit.
fn open(folder: &Path) -> Result<Spool, Fatal> {
    if !Spool::is_in(folder) {
        return Err(Fatal::usage(format!("there is no spool in {}", folder.display())));
    }
    let spool = Spool::open(folder, usize::MAX).map_err(Fatal::internal)?;
    match spool.failure() {
        Some(why) => Err(Fatal::unavailable(format!("the spool in {} cannot be used: {why}", folder.display()))),
        None => Ok(spool),
    }
}

fn show(folder: &Path, as_json: bool) -> Result<ExitCode, Fatal> {
    let Figures { entries, bytes, since, refused, .. } = open(folder)?.figures();
    if as_json {
        println!("{}", json!({ "entries": entries, "bytes": bytes, "since": since, "refused": refused }));
        return Ok(Exit::Done.into());
    }
    match since {
        Some(since) => println!("{entries} leads wait for Kafka, {bytes} bytes, the oldest since {since}"),
        None => println!("no lead waits for Kafka"),
    }
    if refused > 0 {
        println!("{refused} that Kafka has refused; `leadline spool drain --refused` tries them again");
    }
    Ok(Exit::Done.into())
}

async fn drain(folder: &Path, refused: bool, file: Option<&Path>) -> Result<ExitCode, Fatal> {
    let settings = product::settings(file, None)?;
    let (topics, kafka): (Topics, _) = (settings.section("topics")?, settings.section("kafka")?);
    let spool = open(folder)?;
    if refused {
        spool.requeue().await;
    }
    let producer = Producer::new(settings::producer(&kafka, "leadline-spool"), None).map_err(Fatal::usage)?;
    let drainer = Drainer { spool: spool.clone(), producer, topic: topics.name(&Topic::Leads), count: Box::new(|_, _| {}) };
    let before = spool.figures().entries;
    let shown = tokio::spawn(progress(spool.clone(), before));
    drainer.run(std::future::ready(())).await;
    shown.abort();
    let left = spool.settled_figures().await;
    println!("{} of {before} leads are in Kafka now", before - left.entries.min(before) - left.refused.min(before));
    if left.refused > 0 {
        println!("{} were refused; they stay in the spool", left.refused);
    }
    if left.entries > 0 {
        let bootstrap = &kafka.bootstrap;
        return Err(Fatal::unavailable(format!("{} leads are left: Kafka at {bootstrap} does not take them", left.entries)));
    }
    Ok(Exit::Done.into())
}

/// A progress bar on the terminal; nothing anywhere else.
async fn progress(spool: Spool, total: usize) {
    let bar = ProgressBar::new(total as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos} of {len} leads, {eta} to go") {
        bar.set_style(style.progress_chars("=> "));
    }
    loop {
        bar.set_position((total - spool.figures().entries.min(total)) as u64);
        tokio::time::sleep(STEP).await;
    }
}
