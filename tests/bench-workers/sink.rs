//! A sink that takes its time, or none, and delivers nothing. Or is down.

use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use leadline_platform::config::ConfigError;
use leadline_proto::Code;
use leadline_runtime::sink::{DownReason, Failure, Kind, Setup, Sink, SinkDown, Task, Verdict};
use serde::Deserialize;

use crate::tally::Tally;

/// The kind `bench`.
pub(crate) struct Bench;

/// `[sinks.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    #[serde(rename = "kind")]
    _kind: String,
    /// A call takes between these two; equal leads take equally long.
    least_micros: u64,
    most_micros: u64,
    /// It never answers a probe.
    down: bool,
}

/// How a sink behaves, as its section says it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Behaviour {
    /// Delivers at once.
    Nothing,
    /// Delivers after a time between these two.
    Takes(Duration, Duration),
    /// Is down, and stays so.
    Down,
}

impl Behaviour {
    /// The section of the configuration, without its kind.
    pub(crate) fn toml(self) -> String {
        let (least, most) = match self {
            Self::Nothing | Self::Down => (Duration::ZERO, Duration::ZERO),
            Self::Takes(least, most) => (least, most),
        };
        let down = matches!(self, Self::Down);
        format!("least_micros = {}\nmost_micros = {}\ndown = {down}", least.as_micros(), most.as_micros())
    }
}

pub(crate) struct BenchSink {
    section: Section,
    tally: Option<Arc<Tally>>,
}

impl Kind for Bench {
    const KIND: &'static str = "bench";
    const BINARY: &'static str = "bench-workers";
    const ABOUT: &'static str = "Delivers nothing";
    const DEFAULTS: &'static str = "";
    type Sink = BenchSink;

    fn build(setup: &Setup<'_>) -> Result<BenchSink, ConfigError> {
        let section = setup.settings.section(&setup.section())?;
        Ok(BenchSink { section, tally: Tally::find(setup.name.as_str()) })
    }
}

impl BenchSink {
    fn time_of(&self, task: &Task) -> Duration {
        let span = self.section.most_micros - self.section.least_micros;
        // The last digits of an id are random.
        let (_, random) = task.lead.lead_id.as_u64_pair();
        Duration::from_micros(self.section.least_micros + random % (span + 1))
    }
}

impl Sink for BenchSink {
    async fn handle(&self, tasks: &[Task]) -> Vec<Verdict> {
        let down = || Verdict::Failed(Failure::SinkDown(SinkDown::of(DownReason::Unreachable, Code::of("down"))));
        if self.section.down {
            return tasks.iter().map(|_| down()).collect();
        }
        let began = Instant::now();
        if let Some(tally) = &self.tally {
            tally.begins(began);
        }
        let time = tasks.iter().map(|task| self.time_of(task)).sum();
        if time > Duration::ZERO {
            tokio::time::sleep(time).await;
        }
        if let Some(tally) = &self.tally {
            tasks.iter().for_each(|_| tally.called(began));
        }
        tasks.iter().map(|_| Verdict::Delivered { reference: None }).collect()
    }

    async fn probe(&self) -> Result<(), SinkDown> {
        if self.section.down { pending().await } else { Ok(()) }
    }
}
