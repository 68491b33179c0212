//! The whole of a worker binary: arguments, configuration, one worker, stop.

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser};
use leadline_platform::process::{self, Fatal, Process};
use leadline_proto::SinkName;
use leadline_proto::config::SECTIONS;

use crate::config;
use crate::sink::Kind;
use crate::worker::{Worker, kind_of};

#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    common: process::Args,

    /// The sink to run, a section `[sinks.NAME]`; without it the only one of this binary's kind
    #[arg(long, value_name = "NAME")]
    sink: Option<SinkName>,
}

/// Runs the worker binary of one kind of sink.
pub fn main<K: Kind>() -> ExitCode {
    // The arguments are declared here, once for all workers; the name is that of the binary.
    let matches = Args::command().name(K::BINARY).about(K::ABOUT).get_matches();
    let args = Args::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let defaults = [leadline_proto::config::DEFAULTS, config::DEFAULTS];
    process::run(&args.common, &defaults, SECTIONS, |process| run::<K>(process, args.sink))
}

async fn run<K: Kind>(process: Process, sink: Option<SinkName>) -> Result<(), Fatal> {
    let name = choose::<K>(&process, sink)?;
    let worker = Worker::start::<K>(&process, &name, None)?;
    tracing::info!(sink = %name, kind = K::KIND, "worker started");
    worker.stopped().await;
    tracing::info!(sink = %name, "worker stopped");
    Ok(())
}

fn choose<K: Kind>(process: &Process, asked: Option<SinkName>) -> Result<SinkName, Fatal> {
    let settings = &process.settings;
    if let Some(name) = asked {
        let kind = kind_of(settings, &name)?;
        return if kind == K::KIND {
            Ok(name)
        } else {
            Err(Fatal::usage(format!("the sink `{name}` is of kind `{kind}`; this binary runs kind `{}`", K::KIND)))
        };
    }
    let names = settings.names("sinks").into_iter().map(|name| name.parse().map_err(Fatal::usage));
    let names = names.collect::<Result<Vec<SinkName>, Fatal>>()?;
    let mut ours = names.into_iter().filter(|name| kind_of(settings, name).is_ok_and(|kind| kind == K::KIND));
    match (ours.next(), ours.next()) {
        (Some(name), None) => Ok(name),
        (None, _) => {
            Err(Fatal::usage(format!("the configuration has no section `[sinks.NAME]` with `kind = \"{}\"`", K::KIND)))
        }
        (Some(_), Some(_)) => {
            Err(Fatal::usage(format!("there are several sinks of kind `{}`; choose one by `--sink NAME`", K::KIND)))
        }
    }
}
