//! `leadline audit`: is every accepted lead accounted for at every sink? From the topics alone, so it needs no worker and
//! believes none.

mod account;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use leadline_platform::config::sections::Sections;
use leadline_platform::kafka::rdkafka::error::KafkaError;
use leadline_platform::kafka::rdkafka::message::Message;
use leadline_platform::kafka::{KafkaContext, Reader, Reading, headers, settings};
use leadline_platform::process::{Exit, Fatal};
use leadline_proto::config::Topics;
use leadline_proto::topics::Topic;
use leadline_proto::{Headers, SinkName};
use serde_json::json;

use super::up::{self, running::Running};
use crate::product;
use account::{Account, Open};

/// Exit code when a lead is open.
const OPEN: u8 = 1;
/// Open leads that are listed for people; `--json` lists all.
const LISTED: usize = 50;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder of a running `leadline up`, for a configuration without sinks
    #[arg(long, value_name = "DIR", default_value = up::DATA)]
    data: PathBuf,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, file: Option<&Path>) -> Result<ExitCode, Fatal> {
    let configured = product::settings(file, None)?;
    let mut kafka = Sections::read(&configured)?.kafka;
    let topics: Topics = configured.section("topics")?;
    let mut sinks = product::sinks(&configured)?;
    if sinks.is_empty() {
        let hint = "the configuration has no sink; name one by --config, or start `leadline up`";
        let running = Running::read(&args.data)?.ok_or_else(|| Fatal::usage(hint))?;
        kafka.bootstrap = running.kafka;
        kafka.embedded = running.embedded;
        sinks = running.sinks.iter().map(|name| name.parse().map_err(Fatal::usage)).collect::<Result<_, Fatal>>()?;
    }
    let client = settings::reader(&kafka, "leadline-audit", "leadline-audit");
    let reader: Reader = client.create_with_context(KafkaContext::default()).map_err(Fatal::usage)?;
    let away = |error: KafkaError| Fatal::unavailable(format!("Kafka at {} cannot be read: {error}", kafka.bootstrap));
    let account = read(&reader, &topics, &sinks).map_err(away)?;
    let open = if args.json { print_json(&account, &sinks)? } else { print(&account, &sinks) };
    Ok(if open == 0 { Exit::Done.into() } else { OPEN.into() })
}

/// Reads the leads first: whatever was recorded for one of them meanwhile is then found.
fn read(reader: &Reader, topics: &Topics, sinks: &[SinkName]) -> Result<Account, KafkaError> {
    let mut leads = Reading::default();
    leads.add_topic(reader, &topics.name(&Topic::Leads))?;
    let mut account = Account::default();
    leads.run(reader, |message| {
        account.lead(&headers(message).into_iter().collect(), message.partition(), message.offset());
    })?;
    let mut trails = Reading::default();
    trails.add_topic(reader, &topics.name(&Topic::Outcomes))?;
    for sink in sinks {
        trails.add_topic(reader, &topics.name(&Topic::Retry(sink.clone())))?;
        trails.add_topic(reader, &topics.name(&Topic::DeadLetters(sink.clone())))?;
    }
    let outcomes = topics.name(&Topic::Outcomes);
    trails.run(reader, |message| {
        let headers: Headers = headers(message).into_iter().collect();
        if message.topic() == outcomes {
            return account.outcome(&headers, message.payload().unwrap_or_default());
        }
        for sink in sinks {
            if message.topic() == topics.name(&Topic::Retry(sink.clone())) {
                account.retry(sink, &headers);
            } else if message.topic() == topics.name(&Topic::DeadLetters(sink.clone())) {
                account.dead_letter(sink, &headers);
            }
        }
    })?;
    Ok(account)
}

fn print(account: &Account, sinks: &[SinkName]) -> usize {
    println!("{:>9} leads received", account.received());
    let mut all = 0;
    for sink in sinks {
        let (ended, open) = (account.ended(sink), account.open(sink));
        println!(
            "{sink}: {} delivered, {} skipped, {} in the dead letters, {} open",
            ended.delivered,
            ended.skipped,
            ended.dead_lettered,
            open.len()
        );
        open.iter().take(LISTED).for_each(|open| println!("  {}  {}", open.lead_id, words(open)));
        if open.len() > LISTED {
            println!("  … and {} more; --json lists all", open.len() - LISTED);
        }
        all += open.len();
    }
    println!("{}", if all == 0 { "every lead is accounted for" } else { "some leads are open" });
    all
}

fn words(open: &Open) -> String {
    let Open { partition, offset, .. } = open;
    format!("leads[{partition}]@{offset}: {}", open.place)
}

fn print_json(account: &Account, sinks: &[SinkName]) -> Result<usize, Fatal> {
    let mut all = 0;
    let sinks = sinks.iter().map(|sink| {
        let open = account.open(sink);
        all += open.len();
        json!({"sink": sink, "ended": account.ended(sink), "open": open})
    });
    let sinks: Vec<_> = sinks.collect();
    let text = serde_json::to_string(&json!({"received": account.received(), "open": all, "sinks": sinks}));
    println!("{}", text.map_err(Fatal::internal)?);
    Ok(all)
}
