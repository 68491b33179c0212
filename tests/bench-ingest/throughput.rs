//! Leads accepted a second, beside the parts that nobody can do without: a server that takes the body, a producer that awaits each
//! acknowledgement. `L × (1/A + 1/B)` is the share of the time that goes into those; the rest is ingest's own.

use leadline_tests::bench::{Figure, Report, Spread, Target};

use crate::Options;
use crate::bare;
use crate::place::Place;

struct Rates {
    server: f64,
    producer: f64,
    ingest: f64,
    processors: f64,
}

/// Returns the median of accepted leads a second.
pub(crate) fn measure(place: &Place, options: &Options, report: &mut Report) -> f64 {
    let (bare, ingest) = (place.bare_server(), place.ingest(""));
    let rounds: Vec<Rates> = (0..options.rounds())
        .map(|_| {
            let server = bare.target.closed(options.round());
            let producer = bare::produce(place, options.round());
            let round = ingest.target.closed(options.round());
            assert_eq!((server.refused, round.refused), (0, 0), "every lead is accepted");
            Rates { server: server.rate, producer, ingest: round.rate, processors: round.processors }
        })
        .collect();
    let of = |value: fn(&Rates) -> f64| Spread::of(rounds.iter().map(value));
    let ratio = of(|rates| rates.ingest * (1.0 / rates.server + 1.0 / rates.producer));
    report.add(
        Figure::new("L × (1/A + 1/B)", ratio, Target::AtLeast(0.8))
            .with("A, the server doing nothing", "leads/s", of(|rates| rates.server))
            .with("B, a bare producer, each acknowledged", "leads/s", of(|rates| rates.producer))
            .with("L, ingest, 256 in flight", "leads/s", of(|rates| rates.ingest))
            .with("processors of the generator meanwhile", "", of(|rates| rates.processors)),
    );
    let full = ingest.memory("VmHWM");
    report.add(Figure::new("MiB of ingest at most, at full load", Spread::of([full]), Target::AtMost(96.0)));
    of(|rates| rates.ingest).median
}
