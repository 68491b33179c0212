//! `leadline hold endpoint | sink | list`: holds leads back at run time, and shows what is held back. Letting go is `release`.

use std::path::Path;
use std::process::ExitCode;

use jiff::Timestamp;
use leadline_platform::process::{Exit, Fatal};
use leadline_proto::control::{Change, Held, Settings};
use leadline_proto::{EndpointName, SinkName};
use serde_json::{Value, json};

use super::control;
use super::site::{self, Site};

/// Name of the command's clients.
const CLIENT: &str = "leadline-hold";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    site: site::Args,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Hold back the leads of an endpoint, at every sink
    Endpoint {
        /// Name of the endpoint
        name: EndpointName,
    },
    /// Hold back all leads for a sink
    Sink {
        /// Name of the sink
        name: SinkName,
    },
    /// Show what is held back, and which sinks are stopped by their brake
    List {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(args: &Args, file: Option<&Path>) -> Result<ExitCode, Fatal> {
    let site = args.site.site(file)?;
    match &args.command {
        Command::Endpoint { name } => hold(&site, Held::Endpoint(name.clone()))?,
        Command::Sink { name } => hold(&site, Held::Sink(name.clone()))?,
        Command::List { json } => {
            let settings = control::read(&site, &site.reader(CLIENT)?)?;
            if *json { println!("{}", as_json(&settings)) } else { print(&settings) }
        }
    }
    Ok(Exit::Done.into())
}

fn hold(site: &Site, held: Held) -> Result<(), Fatal> {
    must_know(site, &held)?;
    let settings = control::read(site, &site.reader(CLIENT)?)?;
    if let Some(at) = since(&settings, &held) {
        println!("{held} is held already, since {at}");
        return Ok(());
    }
    let now = Timestamp::now();
    control::write(site, CLIENT, &[Change::Hold(held.clone(), now)], now)?;
    println!("{held} is held: its leads wait in the retry topics until `leadline release {held}`");
    Ok(())
}

/// Refuses a name that is not in the configuration: a hold of it would hold nothing, and nobody would notice.
pub(super) fn must_know(site: &Site, held: &Held) -> Result<(), Fatal> {
    match held {
        Held::Sink(sink) => site.must_know(sink),
        Held::Endpoint(name) if site.endpoints.contains(name) => Ok(()),
        Held::Endpoint(name) => {
            let known: Vec<&str> = site.endpoints.iter().map(EndpointName::as_str).collect();
            Err(Fatal::usage(format!("there is no endpoint `{name}`; there are: {}", known.join(", "))))
        }
    }
}

/// Since when it is held, if it is.
pub(super) fn since(settings: &Settings, held: &Held) -> Option<Timestamp> {
    settings.held().find(|(known, _)| *known == held).map(|(_, at)| at)
}

fn print(settings: &Settings) {
    let mut nothing = true;
    for (held, at) in settings.held() {
        println!("{held}: held since {at}; `leadline release {held}` lets its leads go");
        nothing = false;
    }
    for (sink, why) in brakes(settings) {
        println!("sink {sink}: stopped by its brake: {why}; `leadline release sink {sink}` lets it go on");
        nothing = false;
    }
    if nothing {
        println!("nothing is held, and no brake is engaged");
    }
}

fn brakes(settings: &Settings) -> impl Iterator<Item = (&SinkName, &leadline_proto::control::Braked)> {
    settings.braked().into_iter().filter_map(|sink| Some((sink, settings.brake(sink)?)))
}

fn as_json(settings: &Settings) -> Value {
    let holds = settings.held().map(|(held, at)| match held {
        Held::Endpoint(name) => json!({"endpoint": name, "since": at}),
        Held::Sink(name) => json!({"sink": name, "since": at}),
    });
    let brakes = brakes(settings).map(|(sink, why)| json!({"sink": sink, "why": why}));
    json!({"holds": holds.collect::<Vec<_>>(), "brakes": brakes.collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_shown_with_its_time() {
        let at = "2026-11-22T12:00:00Z".parse().unwrap();
        let mut settings = Settings::default();
        settings.apply(Change::Hold(Held::Endpoint("backup".parse().unwrap()), at));
        settings.apply(Change::Hold(Held::Sink("crm".parse().unwrap()), at));
        let expected = json!({"holds": [{"endpoint": "backup", "since": at}, {"sink": "crm", "since": at}], "brakes": []});
        assert_eq!(as_json(&settings), expected);
    }
}
