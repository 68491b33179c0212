//! Memory at rest, and the time from the start to ready.

use std::time::Duration;

use leadline_tests::bench::{Figure, Report, Spread, Target};

use crate::Options;
use crate::place::Place;

pub(crate) fn measure(place: &Place, options: &Options, report: &mut Report) {
    let starts: Vec<_> = (0..options.rounds())
        .map(|_| {
            let ingest = place.ingest("");
            std::thread::sleep(Duration::from_secs(2));
            (ingest.ready_after.as_secs_f64() * 1000.0, ingest.memory("VmRSS"))
        })
        .collect();
    let (ready, idle) = (starts.iter().map(|start| start.0), starts.iter().map(|start| start.1));
    report.add(Figure::new("ms from the start to ready", Spread::of(ready), Target::AtMost(200.0)));
    report.add(Figure::new("MiB of ingest at rest", Spread::of(idle), Target::AtMost(32.0)));
}
