//! `leadline release endpoint | sink`: lets go what `hold` holds back and what a brake has stopped, and tells a running worker to
//! go on.

use std::path::Path;
use std::process::ExitCode;

use jiff::Timestamp;
use leadline_platform::process::{Exit, Fatal};
use leadline_proto::control::{Change, Held, Settings};
use leadline_proto::{EndpointName, SinkName};

use super::site::{self, Site};
use super::{control, hold};

/// Name of the command's clients.
const CLIENT: &str = "leadline-release";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    site: site::Args,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Let the leads of a held endpoint go
    Endpoint {
        /// Name of the endpoint
        name: EndpointName,
    },
    /// Let the leads of a held sink go, release its brake, and tell its worker to go on
    Sink {
        /// Name of the sink
        name: SinkName,
    },
}

pub(crate) fn run(args: &Args, file: Option<&Path>) -> Result<ExitCode, Fatal> {
    let site = args.site.site(file)?;
    let held = match &args.command {
        Command::Endpoint { name } => Held::Endpoint(name.clone()),
        Command::Sink { name } => Held::Sink(name.clone()),
    };
    release(&site, &held)?;
    Ok(Exit::Done.into())
}

fn release(site: &Site, held: &Held) -> Result<(), Fatal> {
    let settings = control::read(site, &site.reader(CLIENT)?)?;
    let now = Timestamp::now();
    let changes = changes(&settings, held, now);
    if !changes.iter().any(takes_back) {
        // What is set may be released even when the configuration has lost its name.
        hold::must_know(site, held)?;
        println!("{held} is not held{}", if changes.is_empty() { "" } else { ", and its brake is not engaged" });
    }
    if !changes.is_empty() {
        control::write(site, CLIENT, &changes, now)?;
    }
    changes.iter().for_each(|change| println!("{}", words(change, &settings, held)));
    Ok(())
}

/// All that a release writes. A sink is told to go on in any case: its worker may wait for more than a hold.
fn changes(settings: &Settings, held: &Held, now: Timestamp) -> Vec<Change> {
    let mut changes = Vec::new();
    if hold::since(settings, held).is_some() {
        changes.push(Change::Unhold(held.clone()));
    }
    if let Held::Sink(sink) = held {
        if settings.brake(sink).is_some() {
            changes.push(Change::Unbrake(sink.clone()));
        }
        changes.push(Change::Release(sink.clone(), now));
    }
    changes
}

fn takes_back(change: &Change) -> bool {
    match change {
        Change::Unhold(_) | Change::Unbrake(_) => true,
        Change::Hold(..) | Change::Brake(..) | Change::Release(..) => false,
    }
}

fn words(change: &Change, settings: &Settings, held: &Held) -> String {
    match change {
        Change::Unhold(_) => {
            let since = hold::since(settings, held).map(|at| format!(", held since {at},")).unwrap_or_default();
            format!("{held}{since} is released: its leads go on")
        }
        Change::Unbrake(sink) => {
            let why = settings.brake(sink).map(|why| format!(": {why}")).unwrap_or_default();
            format!("sink {sink}: the brake is released{why}")
        }
        Change::Release(sink, _) => format!(
            "sink {sink}: a running worker probes now if the sink refused its configuration, and goes on with the oldest \
             record where its position had left the topic"
        ),
        Change::Hold(..) | Change::Brake(..) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use leadline_proto::Code;
    use leadline_proto::control::{BrakeRule, Braked};

    use super::*;

    fn now() -> Timestamp {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    fn sink() -> SinkName {
        "email".parse().unwrap()
    }

    #[test]
    fn a_sink_is_told_to_go_on_whether_or_not_anything_was_set() {
        let held = Held::Sink(sink());
        let mut settings = Settings::default();
        let go_on = Change::Release(sink(), now());
        assert_eq!(changes(&settings, &held, now()), std::slice::from_ref(&go_on));
        let braked = Braked { rule: BrakeRule::Run, seen: 20, given_up: 20, code: Code::of("x"), at: now() };
        settings.apply(Change::Brake(sink(), braked));
        settings.apply(Change::Hold(held.clone(), now()));
        assert_eq!(changes(&settings, &held, now()), [Change::Unhold(held), Change::Unbrake(sink()), go_on]);
    }

    #[test]
    fn an_endpoint_that_is_not_held_changes_nothing() {
        let held = Held::Endpoint("backup".parse().unwrap());
        let mut settings = Settings::default();
        assert_eq!(changes(&settings, &held, now()), []);
        settings.apply(Change::Hold(held.clone(), now()));
        assert_eq!(changes(&settings, &held, now()), [Change::Unhold(held)]);
    }
}
