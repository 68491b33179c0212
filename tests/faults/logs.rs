//! What the workers themselves have to say, from their logs: partitions that were taken away, and lines nobody wants to see.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use jiff::Timestamp;

use crate::checker::{Blow, BlowKind, MAIL};

/// Lines that are counted in the report.
const REMARKABLE: [&str; 6] = [
    "panic",
    "partitions are given up with leads in flight",
    "a lead could not be handled and stays open",
    "publishing again",
    "the consumer has ended",
    "did not close in time",
];
/// After a long stop a worker finds out within this that it has lost its partitions.
const FINDS_OUT_MS: i64 = 60_000;

/// What the logs hold.
#[derive(Default)]
pub(crate) struct Said {
    /// Assignments that were lost, other than by a stop of the rig's own.
    pub(crate) lost: Vec<Blow>,
    /// How often remarkable lines occur.
    pub(crate) remarkable: BTreeMap<&'static str, usize>,
}

/// Reads the logs in `folder`; `blows` is what the rig has done.
pub(crate) fn read(folder: &Path, blows: &[Blow]) -> io::Result<Said> {
    let mut said = Said::default();
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        let worker = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        for line in String::from_utf8_lossy(&fs::read(&path)?).lines() {
            for remarkable in REMARKABLE.iter().filter(|text| line.contains(**text)) {
                *said.remarkable.entry(remarkable).or_default() += 1;
            }
            if worker.starts_with(MAIL) {
                said.lost.extend(lost(&worker, line, blows));
            }
        }
    }
    Ok(said)
}

/// A loss that the line tells of, unless it follows from a stop: that is judged more strictly.
fn lost(worker: &str, line: &str, blows: &[Blow]) -> Option<Blow> {
    if !(line.contains("rebalance") && line.contains("event=\"lost\"")) {
        return None;
    }
    let at = line.split(' ').next()?.parse::<Timestamp>().ok()?.as_millisecond();
    let follows = |blow: &Blow| blow.worker == worker && (blow.from..=blow.to + FINDS_OUT_MS).contains(&at);
    let blow = Blow { worker: worker.to_owned(), kind: BlowKind::Lost, from: at, to: at };
    (!blows.iter().any(follows)).then_some(blow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_found_unless_a_stop_explains_it() {
        let line =
            r#"2026-11-22T10:00:00.500Z  INFO leadline_runtime::consumer: rebalance topic="leads" event="lost" partitions=4"#;
        let at = "2026-11-22T10:00:00.500Z".parse::<Timestamp>().unwrap().as_millisecond();
        let found = lost("mail-1", line, &[]).unwrap();
        assert_eq!((found.from, found.kind), (at, BlowKind::Lost));
        let stop = Blow { worker: "mail-1".to_owned(), kind: BlowKind::Frozen, from: at - 20_000, to: at - 1000 };
        assert_eq!(lost("mail-1", line, std::slice::from_ref(&stop)), None);
        assert!(lost("mail-2", line, &[stop]).is_some());
        assert_eq!(lost("mail-1", "2026-11-22T10:00:00Z INFO rebalance event=\"assign\"", &[]), None);
    }
}
