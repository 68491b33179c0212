//! `leadline dead-letters drop`

use std::process::ExitCode;

use jiff::Timestamp;
use leadline_platform::process::{Exit, Fatal};
use leadline_proto::settled::Settled;
use leadline_proto::topics::Topic;
use leadline_proto::{Code, Outcome, SinkName, Status};
use uuid::Uuid;

use super::book::{Entry, Letter};
use super::{CLIENT, filter, show, survey, words};
use crate::command::BAD_RESULT;
use crate::command::block_on;
use crate::command::site::{self, Site};

/// The rule under which a dropped lead is skipped.
const RULE: Code = Code::of("operator");

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The lead's id
    id: Uuid,

    /// At this sink; needed when the lead is in the dead letters of several
    #[arg(long, value_name = "SINK")]
    sink: Option<SinkName>,

    /// Why, as a code of a-z, 0-9, `.`, `_` and `-`: it is kept with the outcome
    #[arg(long, value_name = "CODE", value_parser = filter::code)]
    reason: Code,
}

pub(super) fn run(args: &Args, site: &Site) -> Result<ExitCode, Fatal> {
    let sinks = survey::sinks(site, args.sink.as_ref())?;
    let book = survey::read(site, &site.reader(CLIENT)?, &sinks, |_, _, _| {})?;
    let entries = book.of_lead(args.id);
    if entries.is_empty() {
        eprintln!("{}", show::no_letter(args.id, &sinks));
        return Ok(BAD_RESULT.into());
    }
    let open: Vec<&&Entry> = entries.iter().filter(|entry| entry.is_open()).collect();
    let letter = match open.as_slice() {
        [entry] => &entry.letter,
        [] => {
            for entry in entries {
                eprintln!("{} at {} is not open: {}", args.id, entry.letter.sink, words::state(entry));
            }
            return Ok(BAD_RESULT.into());
        }
        several => {
            let sinks: Vec<&str> = several.iter().map(|entry| entry.letter.sink.as_str()).collect();
            let hint = format!("{} is in the dead letters of {}; name one by --sink", args.id, sinks.join(" and "));
            return Err(Fatal::usage(hint));
        }
    };
    write(site, letter, &args.reason)?;
    println!("{} at {}: dropped, reason {}", letter.lead_id, letter.sink, args.reason);
    Ok(Exit::Done.into())
}

/// The outcome first: the note alone would leave the lead without one.
fn write(site: &Site, letter: &Letter, reason: &Code) -> Result<(), Fatal> {
    let now = Timestamp::now();
    let (outcome, letters) = (outcome(site, letter, reason, now), Topic::DeadLetters(letter.sink.clone()));
    let settled = Settled { lead_id: letter.lead_id, replay: letter.next_replay() }.headers(&letter.sink, now);
    let record =
        |topic: &Topic, headers, value| site::record(site.name(topic), letter.partition, letter.key.clone(), headers, value);
    let records = [
        (Topic::Outcomes, record(&Topic::Outcomes, outcome.headers(), Some(outcome.encode()))),
        (letters.clone(), record(&letters, settled, None)),
    ];
    let producer = site.producer(CLIENT)?;
    block_on(async {
        for (topic, record) in &records {
            producer.publish(record).await.map_err(|error| site.not_written(topic, &error))?;
        }
        Ok(())
    })
}

fn outcome(site: &Site, letter: &Letter, reason: &Code, now: Timestamp) -> Outcome {
    Outcome {
        lead_id: letter.lead_id,
        sink: letter.sink.clone(),
        replay: letter.next_replay(),
        status: Status::Skipped { rule: RULE },
        attempts: letter.facts.attempts,
        endpoint: letter.endpoint.clone(),
        received_at: letter.received_at,
        at: now,
        reordered: letter.facts.origin.topic != site.name(&Topic::Leads),
        reason: Some(reason.clone()),
    }
}
