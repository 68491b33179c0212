//! The peak memory of a worker, a process of its own, while many leads wait for it.
//!
//! Its sink is down; or slow; or does nothing, and the worker runs as fast as it can until every lead has an outcome.

use std::time::Duration;

use leadline_tests::eventually;
use rdkafka::consumer::{BaseConsumer, Consumer as _};

use crate::backlog::{Backlog, Shape};
use crate::child::Child;
use crate::options::Options;
use crate::place::{PATIENCE, Place, Setup};
use crate::sink::Behaviour;
use leadline_tests::bench::{Figure, Report, Spread, Target};

const MIB: f64 = 1_048_576.0;
const MOST: f64 = 128.0;
const GROWTH: f64 = 1.3;
/// A worker whose peak has not risen for so long has taken what it takes. A full window pauses partitions after 5 s.
const SETTLED: Duration = Duration::from_secs(8);
const ASK: Duration = Duration::from_secs(5);
const SLOW: Duration = Duration::from_millis(20);

pub(crate) fn measure(place: &Place, options: &Options, report: &mut Report) {
    let sizes = options.pick([1_000_000, 100_000], [200_000, 20_000]);
    let backlogs = sizes.map(|leads| Backlog::fill(place, Shape { partitions: 12, leads, keys: 10_000, bytes: 2_048 }));
    let ways = [
        ("its sink down", Behaviour::Down),
        ("its sink at 20 ms a lead", Behaviour::Takes(SLOW, SLOW)),
        ("running as fast as it can", Behaviour::Nothing),
    ];
    for (way, behaviour) in ways {
        let repetition = |_| backlogs.each_ref().map(|backlog| peak(place, backlog, behaviour));
        let peaks: Vec<[f64; 2]> = (0..options.pick(3, 1)).map(repetition).collect();
        let of = |value: fn(&[f64; 2]) -> f64| Spread::of(peaks.iter().map(value));
        let name = format!("MiB at most with {} leads, {way}", sizes[0]);
        report.add(Figure::new(name, of(|[many, _]| *many), Target::AtMost(MOST)));
        let name = format!("times as much as with {} leads", sizes[1]);
        let figure = Figure::new(name, of(|[many, few]| many / few), Target::AtMost(GROWTH));
        report.add(figure.with(format!("with {} leads", sizes[1]), "MiB", of(|[_, few]| *few)));
    }
    place.delete(&backlogs.each_ref().map(|backlog| backlog.topic.as_str()));
}

/// The peak in MiB.
fn peak(place: &Place, backlog: &Backlog, behaviour: Behaviour) -> f64 {
    let setup = place.prepare(backlog, behaviour, 64);
    let child = Child::start(&setup);
    let bytes = match behaviour {
        Behaviour::Nothing => through(place, &setup, backlog, &child),
        Behaviour::Takes(..) | Behaviour::Down => settled(&child),
    };
    drop(child);
    place.clear(&setup);
    bytes / MIB
}

/// The peak once every lead has its outcome.
fn through(place: &Place, setup: &Setup, backlog: &Backlog, child: &Child) -> f64 {
    let asks: BaseConsumer = place.cluster.client().create().expect("the settings are right");
    eventually("every lead has an outcome", PATIENCE, || {
        let ends = (0..backlog.partitions).map(|number| asks.fetch_watermarks(&setup.outcomes, number, ASK));
        let recorded: i64 = ends.map(|ends| ends.map_or(0, |(_, end)| end)).sum();
        (usize::try_from(recorded).unwrap_or_default() >= backlog.leads).then_some(())
    });
    child.peak_bytes()
}

/// The peak once it does not rise any more.
fn settled(child: &Child) -> f64 {
    let (mut highest, mut since) = (0.0, std::time::Instant::now());
    eventually("the worker takes no more memory", PATIENCE, || {
        let peak = child.peak_bytes();
        if peak > highest {
            (highest, since) = (peak, std::time::Instant::now());
        }
        (since.elapsed() >= SETTLED).then_some(highest)
    })
}
