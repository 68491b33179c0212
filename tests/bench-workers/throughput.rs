//! The runtime with a sink that does nothing, beside the parts that nobody can do without: taking a lead, decoding it, writing
//! its outcome. `X × (1/C + 1/D + 1/P)` is the share of the time that goes into those; the rest is the runtime's own.

use crate::backlog::{Backlog, Shape};
use crate::bare::{self, Encoded, Outcomes};
use crate::options::Options;
use crate::place::Place;
use crate::sink::Behaviour;
use crate::worker::Run;
use leadline_tests::bench::{Figure, Report, Spread, Target};

const PARTITIONS: i32 = 12;
const KEYS: usize = 10_000;
const BYTES: usize = 1_536;
/// Leads in flight: so many that an acknowledgement on its way holds nothing up.
const CONCURRENCY: usize = 1_024;
/// As the product comes.
const DEFAULT_CONCURRENCY: usize = 64;

/// What one repetition gave, in leads a second.
struct Rates {
    consumer: f64,
    decoding: f64,
    producer: f64,
    runtime: f64,
    with_defaults: f64,
}

impl Rates {
    fn ratio(&self) -> f64 {
        self.runtime * (1.0 / self.consumer + 1.0 / self.decoding + 1.0 / self.producer)
    }
}

pub(crate) fn measure(place: &Place, options: &Options, report: &mut Report) {
    let leads = options.pick(200_000, 50_000);
    let backlog = Backlog::fill(place, Shape { partitions: PARTITIONS, leads, keys: KEYS, bytes: BYTES });
    let (encoded, outcomes) = (Encoded::new(KEYS, BYTES), Outcomes::new(KEYS));
    let run = |concurrency| {
        Run { backlog: &backlog, behaviour: Behaviour::Nothing, concurrency, leads, outcomes: true }.measure(place).rate
    };
    // One after the other within a repetition, so that what else runs on the machine meets all of them.
    let repetition = |_| Rates {
        consumer: bare::consume(place, &backlog),
        decoding: encoded.decode(leads),
        producer: outcomes.produce(place, PARTITIONS, leads),
        runtime: run(CONCURRENCY),
        with_defaults: run(DEFAULT_CONCURRENCY),
    };
    let rates: Vec<Rates> = (0..options.pick(5, 3)).map(repetition).collect();
    place.delete(&[&backlog.topic]);
    let of = |value: fn(&Rates) -> f64| Spread::of(rates.iter().map(value));
    let figure = Figure::new("X × (1/C + 1/D + 1/P)", of(Rates::ratio), Target::AtLeast(0.6))
        .with("C, a bare consumer of the topic", "leads/s", of(|rates| rates.consumer))
        .with("D, decoding alone, one thread", "leads/s", of(|rates| rates.decoding))
        .with("P, a bare producer of the outcomes", "leads/s", of(|rates| rates.producer))
        .with("X, the runtime, concurrency 1,024", "leads/s", of(|rates| rates.runtime))
        .with("the runtime, concurrency 64", "leads/s", of(|rates| rates.with_defaults));
    report.add(figure);
}
