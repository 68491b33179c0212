//! What good clients notice of bad ones: their 99th percentile beside that of a quiet run, with slow clients, with a flood of
//! strangers, and with a sender that posts far more than its endpoint may.

use std::time::Duration;

use leadline_tests::bench::{Figure, Report, Spread, Target};

use crate::Options;
use crate::attack::{Attack, Kind};
use crate::load::Round;
use crate::place::{Place, Server};

/// Leads a second of the good clients.
const GOOD: f64 = 200.0;
/// An endpoint of its own for the sender that posts too much.
const NOISY: &str = "noisy";
/// Leads a second that it may post.
const ALLOWED: usize = 100;

pub(crate) fn measure(place: &Place, options: &Options, report: &mut Report) {
    let ingest = place.ingest(&place.endpoint(NOISY, &format!("leads_per_second = {ALLOWED}")));
    // The first leads wait for connections.
    good(&ingest, options.round() / 4);
    for kind in [Kind::Slow, Kind::Flood, Kind::Overload] {
        let rounds: Vec<_> = (0..options.rounds()).map(|_| beside(&ingest, options.round(), kind)).collect();
        let of = |value: fn(&Pair) -> f64| Spread::of(rounds.iter().map(value));
        report.add(
            Figure::new(kind.title(), of(|pair| pair.attacked.quantile(0.99) / pair.quiet.quantile(0.99)), Target::AtMost(3.0))
                .with("p99 in quiet", "ms", of(|pair| pair.quiet.quantile(0.99)))
                .with("p99 meanwhile", "ms", of(|pair| pair.attacked.quantile(0.99)))
                .with(kind.unit(), "/s", of(|pair| pair.attempts)),
        );
        let refused: usize = rounds.iter().map(|pair| pair.quiet.refused + pair.attacked.refused).sum();
        assert_eq!(refused, 0, "every good lead is accepted");
    }
}

struct Pair {
    quiet: Round,
    attacked: Round,
    attempts: f64,
}

/// A quiet round, and at once one under attack: the machine's mood is the same.
fn beside(ingest: &Server, time: Duration, kind: Kind) -> Pair {
    let quiet = good(ingest, time);
    let attack = Attack::start(ingest.target.at_endpoint(NOISY), kind);
    let attacked = good(ingest, time);
    Pair { quiet, attacked, attempts: attack.stop() }
}

fn good(ingest: &Server, time: Duration) -> Round {
    ingest.target.open(time, GOOD)
}
