//! What a run has shown, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::finding::Finding;

/// A run's result.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) parts: Vec<PartReport>,
}

/// The result of one part.
#[derive(Debug, Serialize)]
pub(crate) struct PartReport {
    pub(crate) part: &'static str,
    pub(crate) inputs: u64,
    pub(crate) seconds: f64,
    pub(crate) inputs_per_second: f64,
    /// What became of the inputs, and of the leads among them.
    pub(crate) counts: BTreeMap<String, u64>,
    pub(crate) findings: Vec<Finding>,
}

impl Report {
    pub(crate) fn passed(&self) -> bool {
        self.parts.iter().all(|part| part.findings.is_empty())
    }

    pub(crate) fn json(&self) -> String {
        serde_json::to_string(self).expect("plain values serialise")
    }

    pub(crate) fn text(&self) -> String {
        let mut text = format!("seed {}\n", self.seed);
        self.parts.iter().try_for_each(|part| part.write(&mut text)).expect("a string takes everything");
        text + if self.passed() { "PASSED" } else { "FAILED" }
    }
}

impl PartReport {
    fn write(&self, text: &mut String) -> std::fmt::Result {
        let Self { part, inputs, seconds, inputs_per_second, counts, findings } = self;
        writeln!(text, "{part}: {inputs} inputs in {seconds:.0} s, {inputs_per_second:.0}/s, {} findings", findings.len())?;
        let counts: Vec<String> = counts.iter().map(|(what, count)| format!("{what} {count}")).collect();
        writeln!(text, "  {}", counts.join(", "))?;
        findings.iter().try_for_each(|finding| writeln!(text, "  {finding}"))
    }
}
