//! `leadline dead-letters replay`: says what would be replayed, asks whether anything stands against it, and does it. What is
//! chosen is decided in `plan`, what a record of the retry topic holds in `record`, publishing is `carry`'s.

mod carry;
mod plan;
mod progress;
mod record;

use std::collections::BTreeSet;
use std::process::ExitCode;

use leadline_platform::process::{Exit, Fatal};
use leadline_proto::SinkName;
use leadline_proto::control::{Held, Settings};
use serde_json::json;
use uuid::Uuid;

use super::book::Letter;
use super::filter::Filter;
use super::{CLIENT, group, show, survey};
use crate::command::BAD_RESULT;
use crate::command::site::Site;
use crate::command::{block_on, control};
use carry::{Carried, End};
use plan::{MOST_REPLAYS, Plan};

/// How the rest is done after a stop.
const GO_ON: &str = "the same command goes on with the rest";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Ids of leads; without them a filter says what is meant
    #[arg(value_name = "ID")]
    ids: Vec<Uuid>,

    #[command(flatten)]
    filter: Filter,

    /// Everything that is open
    #[arg(long)]
    all: bool,

    /// At most so many, the oldest first
    #[arg(long, value_name = "N")]
    limit: Option<usize>,

    /// Also those that were replayed 3 times or more already
    #[arg(long)]
    again: bool,

    /// So many a second
    #[arg(long, value_name = "N", default_value = "10", value_parser = rate)]
    rate: f64,

    /// Say what would be replayed, and publish nothing
    #[arg(long)]
    dry_run: bool,

    /// Print one JSON object at the end
    #[arg(long)]
    json: bool,
}

impl Args {
    fn wants(&self, letter: &Letter) -> bool {
        (self.ids.is_empty() || self.ids.contains(&letter.lead_id)) && self.filter.takes(letter)
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "not a number")?;
    if rate > 0.0 && rate <= 1000.0 { Ok(rate) } else { Err("a rate is above 0 and at most 1000".to_owned()) }
}

pub(super) fn run(args: &Args, site: &Site) -> Result<ExitCode, Fatal> {
    if args.ids.is_empty() && args.filter.is_empty() && !args.all {
        return Err(Fatal::usage("say what to replay: ids, --sink, --code, --endpoint, --since, --until, or --all"));
    }
    let sinks = survey::sinks(site, args.filter.sink.as_ref())?;
    let reader = site.reader(CLIENT)?;
    let book = survey::read(site, &reader, &sinks, |_, _, _| {})?;
    if let Some(unknown) = args.ids.iter().find(|id| book.of_lead(**id).is_empty()) {
        eprintln!("{}", show::no_letter(*unknown, &sinks));
        return Ok(BAD_RESULT.into());
    }
    let plan = Plan::new(&book, |letter| args.wants(letter), args.again, args.limit);
    let settings = control::read(site, &reader)?;
    if !args.json {
        print(&plan, &sinks);
    }
    warn_of_holds(&plan, &settings);
    let braked = warn_of_brakes(&plan, &settings);
    if args.dry_run || plan.chosen.is_empty() {
        report(args, &plan, &Carried { replayed: 0, end: End::All });
        return Ok(Exit::Done.into());
    }
    if braked {
        return Ok(BAD_RESULT.into());
    }
    let carried = block_on(carry::run(site, &plan, args.rate))?;
    report(args, &plan, &carried);
    match carried.end {
        End::All => Ok(Exit::Done.into()),
        End::Interrupted => Ok(BAD_RESULT.into()),
        End::Failed(fatal) => Err(fatal),
    }
}

fn print(plan: &Plan<'_>, sinks: &[SinkName]) {
    let groups = group::group(plan.chosen.iter().copied());
    for sink in sinks {
        let of_sink: Vec<_> = groups.iter().filter(|group| group.sink == *sink).collect();
        println!("{sink}: {} to replay", of_sink.iter().map(|group| group.count).sum::<usize>());
        of_sink.iter().for_each(|group| println!("{}", group.words()));
    }
    let Plan { settled, often, beyond, .. } = plan;
    let left_out = [
        (settled, "replayed or dropped before".to_owned()),
        (often, format!("replayed {MOST_REPLAYS} times or more already; --again takes them, too")),
        (beyond, "beyond --limit".to_owned()),
    ];
    left_out.iter().filter(|(count, _)| **count > 0).for_each(|(count, why)| println!("left out: {count} {why}"));
}

/// What is held waits in the retry topic after a replay as well; that may be just what is wanted.
fn warn_of_holds(plan: &Plan<'_>, settings: &Settings) {
    for (held, _) in settings.held() {
        let touched = plan.letters().any(|letter| match held {
            Held::Sink(sink) => *sink == letter.sink,
            Held::Endpoint(name) => Some(name) == letter.endpoint.as_ref(),
        });
        if touched {
            eprintln!("note: {held} is held: what is replayed waits until `leadline release {held}`");
        }
    }
}

/// Behind an engaged brake nothing would be handled, and what stopped the sink would stop it again.
fn warn_of_brakes(plan: &Plan<'_>, settings: &Settings) -> bool {
    let sinks: BTreeSet<&SinkName> = plan.letters().map(|letter| &letter.sink).collect();
    let braked: Vec<_> = sinks.into_iter().filter_map(|sink| Some((sink, settings.brake(sink)?))).collect();
    for (sink, why) in &braked {
        eprintln!("sink {sink} is stopped by its brake: {why}. Mend the cause, then first `leadline release sink {sink}`");
    }
    !braked.is_empty()
}

fn report(args: &Args, plan: &Plan<'_>, carried: &Carried) {
    let (chosen, Carried { replayed, end }) = (plan.chosen.len(), carried);
    if args.json {
        let Plan { settled, often, beyond, .. } = plan;
        let left_out = json!({"settled": settled, "replayed_often": often, "beyond_limit": beyond});
        let groups = group::group(plan.chosen.iter().copied());
        let (dry_run, end) = (args.dry_run, end.as_str());
        let report = json!({"dry_run": dry_run, "chosen": chosen, "replayed": replayed, "end": end, "left_out": left_out,
            "groups": groups});
        return println!("{report}");
    }
    match end {
        _ if chosen == 0 => println!("nothing to replay"),
        _ if args.dry_run => println!("nothing was published: without --dry-run these are replayed"),
        End::All => println!("{replayed} replayed; `leadline audit` lists them as open until each has its outcome"),
        End::Interrupted => println!("interrupted: {replayed} of {chosen} replayed; {GO_ON}"),
        End::Failed(_) => println!("stopped: {replayed} of {chosen} replayed; {GO_ON}"),
    }
    if matches!(end, End::All) && !args.dry_run && *replayed < chosen {
        println!("{} are not in the dead letters any more", chosen - replayed);
    }
}
