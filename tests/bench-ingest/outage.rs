//! What is accepted while Kafka is away, and how fast it is published afterwards. The broker is frozen: connections stand, and
//! nothing answers.

use std::time::{Duration, Instant};

use leadline_tests::bench::{Figure, Report, Spread, Target};
use leadline_tests::guarded::Signal;

use crate::Options;
use crate::bare::rate;
use crate::place::Place;

/// Longest wait until everything is published.
const PATIENCE: Duration = Duration::from_secs(300);

pub(crate) fn measure(place: &Place, options: &Options, accepted: f64, report: &mut Report) {
    let ingest = place.ingest("publish_deadline = \"500ms\"");
    let before = place.published();
    place.cluster.signal(1, Signal::Stop);
    // The first leads wait for Kafka; from then on nobody does.
    let first = ingest.target.closed(Duration::from_secs(1));
    // Short ones: all of it lies on the disk until Kafka is back, and the spool has a limit.
    let rounds: Vec<_> = (0..options.rounds()).map(|_| ingest.target.closed(options.round() / 4)).collect();
    let away = Spread::of(rounds.iter().map(|round| round.rate));
    assert!(rounds.iter().all(|round| round.refused == 0), "every lead is accepted");
    let spooled = first.latencies.len() + rounds.iter().map(|round| round.latencies.len()).sum::<usize>();
    let hanging = ingest.memory("VmHWM");
    place.cluster.signal(1, Signal::Cont);
    let back = Instant::now();
    let expected = before + i64::try_from(spooled).expect("a few million");
    while place.published() < expected {
        assert!(back.elapsed() < PATIENCE, "the spool is not drained in time");
        std::thread::sleep(Duration::from_millis(20));
    }
    let drained = rate(spooled, back.elapsed());
    report.add(Figure::new("accepted with Kafka away ÷ L", Spread::of([away.median / accepted]), Target::AtLeast(0.5)).with(
        "accepted with Kafka away",
        "leads/s",
        away,
    ));
    report.add(Figure::new("drained without new leads ÷ L", Spread::of([drained / accepted]), Target::AtLeast(1.0)).with(
        "drained",
        "leads/s",
        Spread::of([drained]),
    ));
    report.add(Figure::new("MiB of ingest at most, Kafka hanging", Spread::of([hanging]), Target::AtMost(96.0)));
}
