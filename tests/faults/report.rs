//! What a run has shown, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use serde::Serialize;

use crate::checker::Verdict;

/// Stories of one kind that people see; the JSON has all.
const SHOWN: usize = 10;

/// A run's result.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) passed: bool,
    pub(crate) seed: u64,
    /// How long leads were posted.
    pub(crate) seconds: f64,
    pub(crate) accepted_per_second: f64,
    /// Faults that were carried out, by kind.
    pub(crate) faults: BTreeMap<&'static str, usize>,
    /// Kills of workers and brokers, and stops beyond a session.
    pub(crate) kills: usize,
    pub(crate) kills_in_flight: usize,
    /// From the end of faults and load until every group had done everything; `None` when it was not awaited any longer.
    pub(crate) recovery_seconds: Option<f64>,
    /// Exit code of `leadline audit` and how many leads it found open.
    pub(crate) audit: Option<(i32, u64)>,
    /// Assignments that workers lost, other than by a stop of the rig's own.
    pub(crate) lost_assignments: usize,
    /// Remarkable lines of the logs.
    pub(crate) logs: BTreeMap<&'static str, usize>,
    pub(crate) verdict: Verdict,
    /// What went wrong beside the leads.
    pub(crate) problems: Vec<String>,
    /// What a run of this length should have reached and did not.
    pub(crate) missed: Vec<String>,
    /// Journals and logs, when they are kept.
    pub(crate) folder: Option<PathBuf>,
}

impl Report {
    pub(crate) fn json(&self) -> String {
        serde_json::to_string(self).expect("plain values serialise")
    }

    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        self.figures(&mut text).and_then(|()| self.wrong(&mut text)).expect("a string takes everything");
        text
    }

    fn figures(&self, text: &mut String) -> std::fmt::Result {
        let verdict = &self.verdict;
        writeln!(text, "seed {}, {:.0} s", self.seed, self.seconds)?;
        writeln!(
            text,
            "leads: {} accepted ({:.0}/s), {} without an answer ({} of them stored), {} refused",
            verdict.accepted, self.accepted_per_second, verdict.unknown, verdict.unknown_but_stored, verdict.refused
        )?;
        let (arrivals, retried, pairs) = (verdict.arrivals, verdict.retried, verdict.ordered_pairs);
        writeln!(text, "mails: {arrivals}; leads in the retry topic: {retried}; pairs of leads in order: {pairs}")?;
        list(text, "outcomes", &verdict.outcomes)?;
        list(text, "faults", &self.faults)?;
        let share = 100.0 * self.kills_in_flight as f64 / self.kills.max(1) as f64;
        writeln!(text, "kills with work in flight: {} of {} ({share:.0} %)", self.kills_in_flight, self.kills)?;
        list(text, "mails that came again, explained", &verdict.explained)?;
        list(text, "lines in the logs", &self.logs)?;
        writeln!(text, "assignments lost by themselves: {}", self.lost_assignments)?;
        match self.recovery_seconds {
            Some(seconds) => writeln!(text, "everything was done {seconds:.1} s after the end of faults and load")?,
            None => writeln!(text, "NOT everything was done in time after the end of faults and load")?,
        }
        match self.audit {
            Some((code, open)) => writeln!(text, "leadline audit: exit code {code}, {open} open"),
            None => writeln!(text, "leadline audit: not run"),
        }
    }

    fn wrong(&self, text: &mut String) -> std::fmt::Result {
        for (kind, stories) in &self.verdict.faults {
            writeln!(text, "{kind}: {}", stories.len())?;
            stories.iter().take(SHOWN).try_for_each(|story| writeln!(text, "  {story}"))?;
        }
        self.problems.iter().try_for_each(|problem| writeln!(text, "problem: {problem}"))?;
        self.missed.iter().try_for_each(|missed| writeln!(text, "goal missed: {missed}"))?;
        if let Some(folder) = &self.folder {
            writeln!(text, "journals and logs: {}", folder.display())?;
        }
        write!(text, "{}", if self.passed { "PASSED" } else { "FAILED" })
    }
}

fn list<K: std::fmt::Display>(text: &mut String, what: &str, counts: &BTreeMap<K, usize>) -> std::fmt::Result {
    let all: Vec<String> = counts.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    writeln!(text, "{what}: {}", if all.is_empty() { "none".to_owned() } else { all.join(", ") })
}
