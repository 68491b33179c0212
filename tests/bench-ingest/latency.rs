//! Time to the answer at half of what ingest can do, from when each lead was to be sent.

use leadline_tests::bench::{Figure, Report, Spread};

use crate::Options;
use crate::place::Place;

pub(crate) fn measure(place: &Place, options: &Options, a_second: f64, report: &mut Report) {
    let ingest = place.ingest("");
    // The first leads wait for connections.
    ingest.target.open(options.round() / 4, a_second);
    let rounds: Vec<_> = (0..options.rounds()).map(|_| ingest.target.open(options.round(), a_second)).collect();
    let of = |share: f64| Spread::of(rounds.iter().map(|round| round.quantile(share)));
    report.add(Figure::to_compare("ms to the answer at half of L, p50", of(0.5)).with("p99", "ms", of(0.99)).with(
        "p99.9",
        "ms",
        of(0.999),
    ));
}
