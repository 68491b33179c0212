//! The part without a network: bodies through the whole way to an accepted lead, its record, and back; on all processors.
//!
//! What must hold is in `rules`, how bodies of an endpoint are read in `setup`.

mod rules;
mod setup;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use leadline_tests::panics::caught;

use crate::arguments::Arguments;
use crate::finding::{Finding, MOST, minimised};
use crate::input::Chance;
use crate::input::body::Bodies;
use crate::progress::Progress;
use crate::report::PartReport;
use rules::{Case, Fate};
use setup::Setups;

/// Inputs that a thread takes at once.
const BATCH: u64 = 500;

type Counts = BTreeMap<&'static str, u64>;

/// What the threads share.
struct Run<'a> {
    arguments: &'a Arguments,
    bodies: Bodies,
    setups: Setups,
    next: AtomicU64,
    progress: Progress,
    counts: Mutex<Counts>,
    findings: Mutex<Vec<Finding>>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<PartReport, String> {
    let run = Run {
        arguments,
        bodies: Bodies::of_samples(),
        setups: Setups::new()?,
        next: AtomicU64::new(arguments.numbers().start),
        progress: Progress::new("parse", arguments.inputs),
        counts: Mutex::default(),
        findings: Mutex::default(),
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(|| run.work()))));
    let counts = run.counts.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(PartReport {
        part: "parse",
        inputs: run.progress.done(),
        seconds: run.progress.seconds(),
        inputs_per_second: run.progress.rate(),
        counts: counts.into_iter().map(|(what, count)| (what.to_owned(), count)).collect(),
        findings: run.findings.into_inner().unwrap_or_else(PoisonError::into_inner),
    })
}

impl Run<'_> {
    /// Takes inputs until there are none, or enough was found.
    fn work(&self) {
        let mut counts = Counts::new();
        let end = self.arguments.numbers().end;
        while self.findings().len() < MOST {
            let from = self.next.fetch_add(BATCH, Ordering::Relaxed);
            if from >= end {
                break;
            }
            let numbers = from..end.min(from + BATCH);
            numbers.clone().for_each(|number| self.try_input(number, &mut counts));
            self.progress.add(numbers.end - numbers.start);
        }
        let mut all = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.into_iter().for_each(|(what, count)| *all.entry(what).or_default() += count);
    }

    fn try_input(&self, number: u64, counts: &mut Counts) {
        let mut chance = Chance::of(self.arguments.seed, number);
        let case = Case::draw(&mut chance, &self.setups);
        let body = self.bodies.any(&mut chance);
        match judged(&case, &body) {
            Ok(fate) => *counts.entry(fate.name()).or_default() += 1,
            Err(what) => self.found(what, number, &case, &body),
        }
    }

    fn found(&self, what: String, number: u64, case: &Case<'_>, body: &[u8]) {
        let small = minimised(body, |less| judged(case, less).is_err());
        let finding = Finding::keep(what, self.arguments.seed, number, &small, &self.arguments.folder());
        eprintln!("{finding}");
        self.findings().push(finding);
    }

    fn findings(&self) -> std::sync::MutexGuard<'_, Vec<Finding>> {
        self.findings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What became of the body, or what does not hold for it: a panic above all.
fn judged(case: &Case<'_>, body: &[u8]) -> Result<Fate, String> {
    caught(|| case.judge(body)).unwrap_or_else(|panic| Err(format!("it panics: {panic}")))
}
