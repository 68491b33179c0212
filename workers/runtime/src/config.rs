//! `[worker]`: limits, tries and deadlines of the runtime, the same for every sink of a configuration.
//!
//! Keys of one sink belong in that sink's own `config.rs`.

use std::collections::BTreeMap;
use std::time::Duration;

use leadline_platform::config::{ConfigError, Settings, sections};
use leadline_proto::SinkName;
use serde::Deserialize;

use crate::sink::Deadlines;

/// The commented defaults of this section.
pub const DEFAULTS: &str = include_str!("defaults.toml");

/// librdkafka's `max.poll.interval.ms` as [`leadline_platform::kafka::settings`] sets it.
const MAX_POLL_INTERVAL: Duration = Duration::from_secs(300);

/// `[worker]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Worker {
    /// Leads in flight at the same time.
    pub concurrency: usize,
    /// Leads taken from Kafka and not done, at the most.
    pub window_leads: usize,
    /// Their bytes, at the most.
    pub window_bytes: usize,
    /// A call to the sink up to the point from which the lead may have been delivered.
    #[serde(with = "humantime_serde")]
    pub call: Duration,
    /// The wait for the sink's answer after that point.
    #[serde(with = "humantime_serde")]
    pub confirm: Duration,
    /// Time within which the same lead of the same person again is a repeat; 0 turns this off.
    #[serde(with = "humantime_serde")]
    pub repeats: Duration,
    /// Where sinks begin that have never consumed; without an entry with the oldest lead.
    pub start_at: BTreeMap<SinkName, StartAt>,
    /// Tries.
    pub retry: Retry,
    /// When to stop instead of giving leads up.
    pub brake: Brake,
}

/// Where a sink begins that has never consumed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartAt {
    /// With the oldest lead there is.
    #[default]
    Earliest,
    /// With leads that come from now on.
    Latest,
}

/// `[worker.brake]`
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Brake {
    /// Fewer leads than these are not judged by the ratio.
    pub least: u32,
    /// Share of the latest leads that may be given up.
    pub ratio: f64,
    /// Leads that may be given up in a row.
    pub run: u32,
    /// The latest leads that are looked at.
    pub window: usize,
}

/// `[worker.retry]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// Tries in place, before the lead goes to the retry topic.
    pub in_place_tries: u32,
    /// Time for them.
    #[serde(with = "humantime_serde")]
    pub in_place: Duration,
    /// Waits in the retry topic; the last one repeats.
    pub schedule: Vec<Wait>,
    /// Time from the first failure after which a lead goes to the dead letters.
    #[serde(with = "humantime_serde")]
    pub give_up_after: Duration,
}

/// One wait of the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Wait(#[serde(with = "humantime_serde")] pub Duration);

impl Worker {
    /// Reads the section and checks it, also against the deadlines around it.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key.
    pub fn read(settings: &Settings, lifecycle: &sections::Lifecycle) -> Result<Self, ConfigError> {
        let worker: Self = settings.section("worker")?;
        let positive = [
            ("worker.concurrency", worker.concurrency),
            ("worker.window_leads", worker.window_leads),
            ("worker.window_bytes", worker.window_bytes),
            ("worker.retry.in_place_tries", worker.retry.in_place_tries as usize),
            ("worker.retry.schedule", worker.retry.schedule.len()),
            ("worker.brake.window", worker.brake.window),
        ];
        if let Some((key, _)) = positive.iter().find(|(_, value)| *value == 0) {
            return Err(ConfigError::invalid(key, "must not be empty or 0"));
        }
        worker.check_deadlines(lifecycle.drain)?;
        Ok(worker)
    }

    /// What a call to the sink may take.
    pub fn deadlines(&self) -> Deadlines {
        Deadlines { call: self.call, confirm: self.confirm }
    }

    /// Each half of a call must fit into a stop, and a stop into a rebalance. Both halves together may outlast it.
    fn check_deadlines(&self, drain: Duration) -> Result<(), ConfigError> {
        for (key, deadline) in [("worker.call", self.call), ("worker.confirm", self.confirm)] {
            if deadline >= drain {
                return Err(ConfigError::invalid(
                    key,
                    "must be shorter than `lifecycle.drain`, or every stop would cut calls off",
                ));
            }
        }
        if drain >= MAX_POLL_INTERVAL {
            let why = "must be shorter than 5 minutes, after which Kafka gives the partitions to another worker";
            return Err(ConfigError::invalid("lifecycle.drain", why));
        }
        Ok(())
    }
}
