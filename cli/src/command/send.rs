//! `leadline send`: posts a lead and follows it to its outcomes, each step printed as it happens.

mod follow;
mod post;
mod target;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use leadline_ingest::Durability;
use leadline_ingest::receipt::Receipt;
use leadline_platform::process::{Exit, Fatal};
use leadline_proto::{Outcome, Status};
use serde_json::json;

use super::BAD_RESULT;
use super::{block_on, up};
use follow::Follower;
use post::Answer;
use target::Target;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The lead as a JSON file, or - for standard input; without it a sample
    #[arg(value_name = "FILE")]
    lead: Option<PathBuf>,

    /// The endpoint's URL with its token; without it the running `leadline up`
    #[arg(long, value_name = "URL")]
    url: Option<String>,

    /// Folder of the running `leadline up`
    #[arg(long, value_name = "DIR", default_value = up::DATA)]
    data: PathBuf,

    /// How long to wait for the outcomes
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    timeout: Duration,

    /// Print one JSON object a step
    #[arg(long)]
    json: bool,
}

/// The lead that is sent when none is named: the sample of Microsoft's guide.
pub fn sample_body() -> &'static str {
    include_str!("up/sample.json").trim_ascii()
}

pub(crate) fn run(args: &Args, file: Option<&Path>) -> Result<ExitCode, Fatal> {
    let body = body(args.lead.as_deref())?;
    let target = Target::find(args.url.as_deref(), &args.data, file)?;
    // Before the post, so that no outcome can come before somebody looks.
    let follower = Follower::start(&target)?;
    let steps = Steps { json: args.json, started: Instant::now() };
    let Receipt { lead_id, durable, test, .. } = match block_on(post::post(&target.url, body))? {
        Answer::Accepted(receipt) => receipt,
        Answer::Refused { status, title } => {
            steps.print("refused", &format!("{status} {title}"), &json!({"status": status, "title": title}));
            return Ok(BAD_RESULT.into());
        }
    };
    let note = if test { ", a test lead" } else { "" };
    let fields = json!({"lead_id": lead_id, "durable": durable, "test": test});
    steps.print("accepted", &format!("{lead_id}, durable: {}{note}", durable.as_str()), &fields);
    let mut good = true;
    let missing = follower.follow(lead_id, args.timeout, |outcome| {
        steps.print(outcome.sink.as_str(), &words(outcome), &json!({"outcome": outcome}));
        good &= !matches!(outcome.status, Status::DeadLettered { .. });
    })?;
    if !missing.is_empty() {
        let waited = args.timeout.as_secs();
        let sinks = missing.join(", ");
        let where_it_is = match durable {
            Durability::Memory => "in the memory of `leadline up`",
            Durability::Spool => "safe in ingest's spool, or in Kafka by now",
            Durability::Kafka => "safe in Kafka",
        };
        return Err(Fatal::unavailable(format!(
            "no outcome after {waited} s from: {sinks}. The lead is {where_it_is}; its worker is away, or waits for its sink \
             (see /metrics and the log)"
        )));
    }
    Ok(if good { Exit::Done.into() } else { BAD_RESULT.into() })
}

fn body(file: Option<&Path>) -> Result<Vec<u8>, Fatal> {
    // Said differently each time, or it would be a repeat of the last one.
    let Some(file) = file else {
        return Ok(sample_body().replace(" run ", &format!(" run at {} ", Timestamp::now())).into_bytes());
    };
    let read = if file == Path::new("-") {
        let mut body = Vec::new();
        std::io::stdin().read_to_end(&mut body).map(|_| body)
    } else {
        std::fs::read(file)
    };
    read.map_err(|error| Fatal::usage(format!("{} cannot be read: {error}", file.display())))
}

fn words(outcome: &Outcome) -> String {
    match &outcome.status {
        Status::Delivered { reference, maybe_duplicate } => {
            let place = reference.as_ref().map(|reference| format!(" as {reference}")).unwrap_or_default();
            let twice = if *maybe_duplicate { ", maybe twice" } else { "" };
            format!("delivered{place}{twice}")
        }
        Status::Skipped { rule } => format!("skipped by the rule {rule}"),
        Status::DeadLettered { code } => format!("given up: {code}; the lead is in the dead letters"),
    }
}

/// Prints the steps.
struct Steps {
    json: bool,
    started: Instant,
}

impl Steps {
    fn print(&self, step: &str, words: &str, fields: &serde_json::Value) {
        let millis = self.started.elapsed().as_millis();
        if self.json {
            println!("{}", json!({"step": step, "after_ms": millis, "detail": fields}));
        } else {
            println!("{millis:>6} ms  {step:10} {words}");
        }
    }
}
