//! The command line of a run.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::plan::Plan;

/// Runs the product under load and faults, and then accounts for every lead.
#[derive(Debug, Parser)]
#[command(name = "faults")]
pub(crate) struct Arguments {
    /// How long faults and load last
    #[arg(long, default_value_t = 3.0)]
    minutes: f64,

    /// Which faults happen when, and on whom
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,

    /// Leads posted in a second; a little more than is asked for, as some are refused while a broker is down
    #[arg(long, default_value_t = 225, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) rate: u32,

    /// How many persons the leads are about
    #[arg(long, default_value_t = 6400, value_parser = clap::value_parser!(u32).range(128..))]
    pub(crate) persons: u32,

    /// No faults: load and checks only
    #[arg(long)]
    calm: bool,

    /// Faults of each kind, instead of as many as the length asks for
    #[arg(long, value_name = "COUNT")]
    each: Option<usize>,

    /// Only faults whose kind contains this, such as SIGSTOP, `kill -9`, sink
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,

    /// Seconds in which everything must be done after the end of faults and load; much less on a machine of one's own
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    recovery: u64,

    /// Folder for journals and logs, kept after the run; without it a temporary one that is kept when the run fails
    #[arg(long, value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,

    /// A goal that is missed, such as the rate or the number of faults, fails the run, too
    #[arg(long)]
    pub(crate) strict: bool,

    /// Print the result as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

impl Arguments {
    /// What goes wrong in this run.
    pub(crate) fn plan(&self) -> Plan {
        let each = if self.calm { Some(0) } else { self.each };
        Plan::draw(self.length(), self.seed, each, &self.only)
    }

    /// Whether the run is one that is asked for all faults.
    pub(crate) fn is_whole(&self) -> bool {
        !self.calm && self.each.is_none() && self.only.is_empty()
    }

    /// Time to do everything once faults and load have ended.
    pub(crate) fn recovery(&self) -> Duration {
        Duration::from_secs(self.recovery)
    }

    pub(crate) fn length(&self) -> Duration {
        Duration::from_secs_f64(self.minutes.clamp(0.1, 24.0 * 60.0) * 60.0)
    }
}
