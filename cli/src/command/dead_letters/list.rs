//! `leadline dead-letters list`

use std::process::ExitCode;

use leadline_platform::process::{Exit, Fatal};
use serde_json::json;

use super::book::{Book, Entry};
use super::filter::Filter;
use super::{CLIENT, group, survey, words};
use crate::command::site::Site;

/// Single letters that are listed for people; `--json` lists all.
const LISTED: usize = 50;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    filter: Filter,

    /// Also those that were replayed or dropped since
    #[arg(long)]
    all: bool,

    /// List the single letters instead of groups; so does a filter by both --sink and --code
    #[arg(long)]
    ids: bool,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, site: &Site) -> Result<ExitCode, Fatal> {
    let sinks = survey::sinks(site, args.filter.sink.as_ref())?;
    let book = survey::read(site, &site.reader(CLIENT)?, &sinks, |_, _, _| {})?;
    let wanted = |entry: &&Entry| (args.all || entry.is_open()) && args.filter.takes(&entry.letter);
    let listed: Vec<&Entry> = book.entries().filter(wanted).collect();
    let singly = args.ids || (args.filter.sink.is_some() && args.filter.code.is_some());
    if args.json {
        println!("{}", as_json(&book, &sinks, &listed, singly));
        return Ok(Exit::Done.into());
    }
    for sink in &sinks {
        let of_sink: Vec<&Entry> = listed.iter().copied().filter(|entry| entry.letter.sink == *sink).collect();
        println!("{sink}: {} open", of_sink.iter().filter(|entry| entry.is_open()).count());
        if singly {
            print_single(of_sink)
        } else {
            group::group(of_sink).iter().for_each(|group| println!("{}", group.words()))
        }
        match book.without_id(sink) {
            0 => {}
            count => println!("{count:>6} records name no lead: nothing can be done with them, and Kafka deletes them in time"),
        }
    }
    if !listed.is_empty() {
        println!("next: leadline dead-letters show ID | replay --sink SINK --code CODE --dry-run | drop ID --reason CODE");
    }
    Ok(Exit::Done.into())
}

fn print_single(mut entries: Vec<&Entry>) {
    entries.sort_by_key(|entry| entry.letter.facts.last_failed_at);
    entries.iter().take(LISTED).for_each(|entry| println!("  {}", words::line(entry)));
    if entries.len() > LISTED {
        println!("  … and {} more; --json lists all", entries.len() - LISTED);
    }
}

fn as_json(book: &Book, sinks: &[leadline_proto::SinkName], listed: &[&Entry], singly: bool) -> serde_json::Value {
    let open = listed.iter().filter(|entry| entry.is_open()).count();
    let without_id: usize = sinks.iter().map(|sink| book.without_id(sink)).sum();
    let groups = group::group(listed.iter().copied());
    let mut list = json!({"open": open, "without_id": without_id, "groups": groups});
    if singly {
        list["letters"] = listed.iter().map(|entry| words::as_json(entry)).collect();
    }
    list
}
