//! `leadline audit`: is every accepted lead accounted for at every sink? From the topics alone, so it needs no worker and
//! believes none.

mod account;

use std::path::Path;
use std::process::ExitCode;

use leadline_platform::kafka::rdkafka::error::KafkaError;
use leadline_platform::kafka::rdkafka::message::Message;
use leadline_platform::kafka::{Reader, Reading, headers};
use leadline_platform::process::{Exit, Fatal};
use leadline_proto::topics::Topic;
use leadline_proto::{Headers, SinkName};
use serde_json::json;

use super::site::{self, Site};
use account::{Account, Open};

/// Exit code when a lead is open.
const OPEN: u8 = 1;
/// Open leads that are listed for people; `--json` lists all.
const LISTED: usize = 50;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    site: site::Args,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, file: Option<&Path>) -> Result<ExitCode, Fatal> {
    let site = args.site.site(file)?;
    let reader = site.reader("leadline-audit")?;
    let account = read(&reader, &site).map_err(|error| site.away(&error))?;
    let open = if args.json { print_json(&account, &site.sinks)? } else { print(&account, &site.sinks) };
    Ok(if open == 0 { Exit::Done.into() } else { OPEN.into() })
}

/// Reads the leads first: whatever was recorded for one of them meanwhile is then found.
fn read(reader: &Reader, site: &Site) -> Result<Account, KafkaError> {
    let Site { topics, sinks, .. } = site;
    let mut leads = Reading::default();
    leads.add_topic(reader, &topics.name(&Topic::Leads))?;
    let mut account = Account::default();
    leads.run(reader, |message| {
        let place = (message.partition(), message.offset());
        account.lead(&headers(message).into_iter().collect(), message.payload().unwrap_or_default(), place);
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
    println!("{:>9} leads received, {} of them tests", account.received(), account.tests());
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
    let Open { partition, offset, test, place, .. } = open;
    let test = if *test { ", a test" } else { "" };
    format!("leads[{partition}]@{offset}{test}: {place}")
}

fn print_json(account: &Account, sinks: &[SinkName]) -> Result<usize, Fatal> {
    let mut all = 0;
    let sinks = sinks.iter().map(|sink| {
        let open = account.open(sink);
        all += open.len();
        json!({"sink": sink, "ended": account.ended(sink), "open": open})
    });
    let sinks: Vec<_> = sinks.collect();
    let text =
        serde_json::to_string(&json!({"received": account.received(), "tests": account.tests(), "open": all, "sinks": sinks}));
    println!("{}", text.map_err(Fatal::internal)?);
    Ok(all)
}
