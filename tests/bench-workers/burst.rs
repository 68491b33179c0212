//! 10,000 leads at once, each handled in 0 to 5 ms: how long it takes beside the sum of the calls over the concurrency.

use std::time::Duration;

use crate::backlog::{Backlog, Shape};
use crate::options::Options;
use crate::place::Place;
use crate::sink::Behaviour;
use crate::worker::{Ran, Run};
use leadline_tests::bench::{Figure, Report, Spread, Target};

const SHAPE: Shape = Shape { partitions: 1, leads: 10_000, keys: 1_000, bytes: 1_536 };
const CONCURRENCY: u32 = 100;
const LONGEST: Duration = Duration::from_millis(5);

pub(crate) fn measure(place: &Place, options: &Options, report: &mut Report) {
    let backlog = Backlog::fill(place, SHAPE);
    let behaviour = Behaviour::Takes(Duration::ZERO, LONGEST);
    let run = |outcomes| {
        Run { backlog: &backlog, behaviour, concurrency: CONCURRENCY as usize, leads: SHAPE.leads, outcomes }.measure(place)
    };
    // One after the other within a repetition, so that what else runs on the machine meets both.
    let runs: Vec<[Ran; 2]> = (0..options.pick(9, 3)).map(|_| [run(true), run(false)]).collect();
    place.delete(&[&backlog.topic]);
    report.add(figure("10,000 leads of 0–5 ms, concurrency 100, of the ideal", runs.iter().map(|[on, _]| on)));
    report.add(figure("the same with outcomes off", runs.iter().map(|[_, off]| off)));
}

fn figure<'a>(name: &str, runs: impl Iterator<Item = &'a Ran> + Clone) -> Figure {
    let of = |value: fn(&Ran) -> f64| Spread::of(runs.clone().map(value));
    Figure::new(name, of(|ran| times(ran.to_acknowledged, ran)), Target::AtMost(2.0))
        .with("first dispatch to last acknowledged outcome", "ms", of(|ran| ran.to_acknowledged.as_secs_f64() * 1e3))
        .with("first dispatch to the end of the last call", "ms", of(|ran| ran.to_handled.as_secs_f64() * 1e3))
        .with("the ideal: all calls ÷ 100", "ms", of(|ran| ideal(ran).as_secs_f64() * 1e3))
}

fn ideal(ran: &Ran) -> Duration {
    ran.in_calls / CONCURRENCY
}

fn times(took: Duration, ran: &Ran) -> f64 {
    took.as_secs_f64() / ideal(ran).as_secs_f64()
}
