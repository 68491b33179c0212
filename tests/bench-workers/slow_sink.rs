//! A sink that takes 20 ms: how much of what the concurrency allows comes out at the other end.

use std::time::Duration;

use crate::backlog::{Backlog, Shape};
use crate::options::Options;
use crate::place::Place;
use crate::sink::Behaviour;
use crate::worker::Run;
use leadline_tests::bench::{Figure, Report, Spread, Target};

const CALL: Duration = Duration::from_millis(20);
const CONCURRENCIES: [u32; 3] = [64, 256, 1_024];
/// Far more than are in flight, for a stop that leaves most of them where they are.
const SHAPE: Shape = Shape { partitions: 4, leads: 220_000, keys: 10_000, bytes: 1_536 };

pub(crate) fn measure(place: &Place, options: &Options, report: &mut Report) {
    let shape = Shape { leads: options.pick(SHAPE.leads, 70_000), ..SHAPE };
    let backlog = Backlog::fill(place, shape);
    let run =
        |behaviour, concurrency, leads| Run { backlog: &backlog, behaviour, concurrency, leads, outcomes: true }.measure(place);
    let seconds = options.pick(6.0, 2.0);
    let repetition = |_| {
        let most = run(Behaviour::Nothing, 1_024, shape.leads * 9 / 10).rate;
        let rates = CONCURRENCIES.map(|concurrency| {
            let allowed = f64::from(concurrency) / CALL.as_secs_f64();
            let leads = whole(allowed * seconds).min(shape.leads * 9 / 10);
            let rate = run(Behaviour::Takes(CALL, CALL), whole(f64::from(concurrency)), leads).rate;
            (rate, rate / allowed.min(most))
        });
        (most, rates)
    };
    let repetitions: Vec<_> = (0..options.pick(5, 3)).map(repetition).collect();
    place.delete(&[&backlog.topic]);
    let most = Spread::of(repetitions.iter().map(|(most, _)| *most));
    for (at, concurrency) in CONCURRENCIES.into_iter().enumerate() {
        let of = |value: fn(&(f64, f64)) -> f64| Spread::of(repetitions.iter().map(|(_, rates)| value(&rates[at])));
        let name = format!("sink of 20 ms, concurrency {concurrency}, of what it allows");
        let figure = Figure::new(name, of(|(_, share)| *share), Target::AtLeast(0.75))
            .with("leads with an outcome", "leads/s", of(|(rate, _)| *rate))
            .with("X on this topic", "leads/s", most);
        report.add(figure);
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of leads")]
fn whole(count: f64) -> usize {
    count as usize
}
