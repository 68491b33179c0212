//! The server that does nothing, measured once more by `wrk`, so that nobody has to believe this bench's own generator.

use std::fs;
use std::process::Command;

use leadline_tests::bench::{Figure, Report, Spread};

use crate::Options;
use crate::load::IN_FLIGHT;
use crate::place::Place;

/// Adds the figure, or says what to install.
pub(crate) fn measure(place: &Place, options: &Options, report: &mut Report) {
    let bare = place.bare_server();
    let rounds: Vec<(f64, f64)> = (0..options.rounds())
        .map_while(|_| Some((bare.target.closed(options.round()).rate, by_wrk(place, options, &bare.target)?)))
        .collect();
    if rounds.is_empty() {
        eprintln!("without `wrk` (Debian's package of that name) the generator is not checked against it");
        return;
    }
    let of = |value: fn(&(f64, f64)) -> f64| Spread::of(rounds.iter().map(value));
    report.add(
        Figure::to_compare("A by wrk ÷ A by this generator", of(|(own, wrk)| wrk / own))
            .with("A by wrk", "leads/s", of(|(_, wrk)| *wrk))
            .with("A by this generator", "leads/s", of(|(own, _)| *own)),
    );
}

/// Requests a second as `wrk` counts them; `None` when it is not there.
fn by_wrk(place: &Place, options: &Options, target: &crate::load::Target) -> Option<f64> {
    let script = place.folder().join("post.lua");
    let body = &target.bodies[0];
    let text =
        format!("wrk.method = \"POST\"\nwrk.headers[\"content-type\"] = \"application/json\"\nwrk.body = [==[{body}]==]\n");
    fs::write(&script, text).expect("there is a folder for files");
    let mut command = Command::new("wrk");
    command.arg("-t2").arg(format!("-c{IN_FLIGHT}")).arg(format!("-d{}", options.round().as_secs()));
    let output = command.arg("-s").arg(&script).arg(format!("http://{}{}", target.host, target.path)).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rate = text.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:")?.trim().parse().ok());
    Some(rate.unwrap_or_else(|| panic!("wrk has measured nothing:\n{text}")))
}
