//! One worker of this process over a backlog: the product's runtime with the bench's sink, from its start to its stop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use leadline_platform::config::{Settings, Sources};
use leadline_platform::kafka::Producer;
use leadline_platform::process::Process;
use leadline_proto::SinkName;
use leadline_proto::config::SECTIONS;
use leadline_runtime::Worker;
use leadline_tests::eventually_async;

use crate::backlog::Backlog;
use crate::place::{DEFAULTS, PATIENCE, Place, Setup};
use crate::sink::{Behaviour, Bench};
use crate::tally::Tally;

/// How a worker is run.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a> {
    pub(crate) backlog: &'a Backlog,
    pub(crate) behaviour: Behaviour,
    pub(crate) concurrency: usize,
    /// So many leads are waited for; then it is stopped.
    pub(crate) leads: usize,
    /// Whether outcomes are written. Otherwise each counts as acknowledged at once.
    pub(crate) outcomes: bool,
}

/// What a run gave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ran {
    /// Leads with an acknowledged outcome, a second.
    pub(crate) rate: f64,
    /// From the first call to the end of the last.
    pub(crate) to_handled: Duration,
    /// From the first call to the last acknowledged outcome.
    pub(crate) to_acknowledged: Duration,
    /// All calls together.
    pub(crate) in_calls: Duration,
}

impl Run<'_> {
    /// Runs a worker with threads of its own, as a process would have them.
    pub(crate) fn measure(&self, place: &Place) -> Ran {
        let setup = place.prepare(self.backlog, self.behaviour, self.concurrency);
        let tally = Tally::of_sink(&setup.sink, self.leads as u64);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads can be started");
        runtime.block_on(run(&setup, &tally, self.outcomes));
        runtime.shutdown_timeout(Duration::from_secs(1));
        place.clear(&setup);
        ran(&tally)
    }
}

async fn run(setup: &Setup, tally: &Arc<Tally>, outcomes: bool) {
    let sources = Sources { defaults: &DEFAULTS, sections: SECTIONS, file: Some(&setup.file), preset: None };
    let process = Settings::load(&sources).and_then(Process::new).expect("the settings are right");
    let name: SinkName = setup.sink.parse().expect("the name is right");
    let client = Worker::client(&process, &name);
    let producer =
        if outcomes { Producer::new(client, Some(tally.clone())) } else { Producer::discarding(client, tally.clone()) };
    let worker = Worker::start_with::<Bench>(&process, &name, producer.expect("the settings are right"));
    let worker = worker.unwrap_or_else(|error| panic!("the worker does not start: {error}"));
    eventually_async("every lead has an acknowledged outcome", PATIENCE, || async { tally.acknowledged.complete() }).await;
    process.lifecycle.stop();
    worker.stopped().await;
}

fn ran(tally: &Tally) -> Ran {
    let began = tally.first_call().expect("the sink was called");
    let since = |end: Option<Instant>| end.expect("it is complete").duration_since(began);
    Ran {
        rate: tally.acknowledged.rate().expect("it is complete"),
        to_handled: since(tally.handled.complete()),
        to_acknowledged: since(tally.acknowledged.complete()),
        in_calls: tally.in_calls(),
    }
}
