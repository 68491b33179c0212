//! `leadline dead-letters show`

use std::collections::HashMap;
use std::process::ExitCode;

use leadline_platform::kafka::rdkafka::message::Message;
use leadline_platform::process::{Exit, Fatal};
use leadline_proto::topics::Topic;
use leadline_proto::{AcceptedLead, SinkName};
use serde_json::{Value, json};
use uuid::Uuid;

use super::book::Entry;
use super::words::{self, moment};
use super::{CLIENT, survey};
use crate::command::BAD_RESULT;
use crate::command::site::Site;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The lead's id
    id: Uuid,

    /// Only at this sink
    #[arg(long, value_name = "SINK")]
    sink: Option<SinkName>,

    /// Print the lead itself as well, which is personal data
    #[arg(long)]
    body: bool,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// The values of dead letters, by where they stand.
type Bodies = HashMap<(SinkName, i32, i64), Vec<u8>>;

pub(super) fn run(args: &Args, site: &Site) -> Result<ExitCode, Fatal> {
    let sinks = survey::sinks(site, args.sink.as_ref())?;
    let mut bodies = Bodies::new();
    let book = survey::read(site, &site.reader(CLIENT)?, &sinks, |sink, message, headers| {
        if args.body && AcceptedLead::claimed_id(headers) == Some(args.id) {
            let place = (sink.clone(), message.partition(), message.offset());
            bodies.insert(place, message.payload().unwrap_or_default().to_vec());
        }
    })?;
    let entries = book.of_lead(args.id);
    if entries.is_empty() {
        eprintln!("{}", no_letter(args.id, &sinks));
        return Ok(BAD_RESULT.into());
    }
    let body = |entry: &Entry| {
        let letter = &entry.letter;
        bodies.remove(&(letter.sink.clone(), letter.partition, letter.offset))
    };
    if args.json {
        println!("{}", as_json(&entries, body))
    } else {
        print(site, &entries, body)
    }
    Ok(Exit::Done.into())
}

/// There is nothing of the lead.
pub(super) fn no_letter(lead_id: Uuid, sinks: &[SinkName]) -> String {
    let sinks: Vec<&str> = sinks.iter().map(SinkName::as_str).collect();
    format!(
        "{lead_id} is not in the dead letters of: {}. `leadline dead-letters list --all --ids` shows what is",
        sinks.join(", ")
    )
}

fn as_json(entries: &[&Entry], mut body: impl FnMut(&Entry) -> Option<Vec<u8>>) -> Value {
    let sinks = entries.iter().map(|entry| {
        let mut shown = words::as_json(entry);
        if let Some(body) = body(entry) {
            let text = || Value::from(String::from_utf8_lossy(&body).into_owned());
            shown["body"] = serde_json::from_slice(&body).unwrap_or_else(|_| text());
        }
        shown
    });
    let sinks: Vec<Value> = sinks.collect();
    json!({"lead_id": entries.first().map(|entry| entry.letter.lead_id), "letters": sinks})
}

fn print(site: &Site, entries: &[&Entry], mut body: impl FnMut(&Entry) -> Option<Vec<u8>>) {
    for entry in entries {
        print_one(site, entry);
        if let Some(body) = body(entry) {
            println!("  lead         {}", String::from_utf8_lossy(&body));
        }
    }
    if let Some(open) = entries.iter().find(|entry| entry.is_open()) {
        let (lead, sink) = (open.letter.lead_id, &open.letter.sink);
        println!("next: leadline dead-letters replay {lead} --sink {sink} | drop {lead} --sink {sink} --reason CODE");
    }
}

fn print_one(site: &Site, entry: &Entry) {
    let (letter, facts) = (&entry.letter, &entry.letter.facts);
    println!("{} at {}: {}", letter.lead_id, letter.sink, words::state(entry));
    println!("  cause        {} ({}): {}", words::kind(facts.kind), facts.kind.as_str(), facts.code);
    let (first, last) = (moment(facts.first_failed_at), moment(facts.last_failed_at));
    println!("  tries        {}, failed first at {first}, last at {last}", facts.attempts);
    let maybe = if letter.maybe_duplicate { "; one of them may have delivered" } else { "" };
    println!("  steps done   {}; a replay does not repeat them{maybe}", letter.steps_done);
    let endpoint = letter.endpoint.as_ref().map_or("?", |endpoint| endpoint.as_str());
    let received = letter.received_at.map_or("?".to_owned(), moment);
    println!("  received     {received} at the endpoint {endpoint}");
    println!("  replayed     {} times before; {} dead letters in all", facts.replay, entry.letters);
    println!("  read from    {}[{}]@{}", facts.origin.topic, facts.origin.partition, facts.origin.offset);
    let topic = site.name(&Topic::DeadLetters(letter.sink.clone()));
    println!("  stands in    {topic}[{}]@{}", letter.partition, letter.offset);
}
