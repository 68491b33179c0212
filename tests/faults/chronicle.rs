//! What was done during a run, and when: printed to standard error, written to a file, counted, and kept for the checker.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::checker::{Blow, BlowKind};
use crate::journal::now;

/// The record of a run.
pub(crate) struct Chronicle {
    start: Instant,
    book: Mutex<Book>,
}

struct Book {
    file: File,
    blows: Vec<Blow>,
    done: BTreeMap<&'static str, usize>,
    kills: usize,
    kills_in_flight: usize,
    problems: Vec<String>,
}

/// What the chronicle has counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counted {
    pub(crate) blows: Vec<Blow>,
    pub(crate) done: BTreeMap<&'static str, usize>,
    pub(crate) kills: usize,
    pub(crate) kills_in_flight: usize,
    pub(crate) problems: Vec<String>,
}

/// A blow that is being dealt.
pub(crate) struct Dealing<'a> {
    chronicle: &'a Chronicle,
    worker: String,
    from: i64,
}

impl Chronicle {
    /// An empty one; time begins now.
    pub(crate) fn create(file: &Path) -> io::Result<Self> {
        let file = File::create(file)?;
        let book = Book { file, blows: vec![], done: BTreeMap::new(), kills: 0, kills_in_flight: 0, problems: vec![] };
        Ok(Self { start: Instant::now(), book: Mutex::new(book) })
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prints a line with its time, and keeps it.
    pub(crate) fn note(&self, what: &str) {
        let line = format!("[{:6.1} s] {what}\n", self.start.elapsed().as_secs_f64());
        eprint!("{line}");
        let mut book = self.book();
        // A full disk will be noticed by the journals.
        let _ = book.file.write_all(format!("{} {line}", now()).as_bytes());
    }

    /// Notes what must not happen.
    pub(crate) fn problem(&self, what: &str) {
        self.note(&format!("PROBLEM: {what}"));
        self.book().problems.push(what.to_owned());
    }

    /// Counts a fault that was carried out.
    pub(crate) fn count(&self, kind: &'static str) {
        *self.book().done.entry(kind).or_default() += 1;
    }

    /// Counts a kill, and whether there was work in flight.
    pub(crate) fn count_kill(&self, in_flight: usize) {
        let mut book = self.book();
        book.kills += 1;
        book.kills_in_flight += usize::from(in_flight > 0);
    }

    /// Begins a blow to a worker.
    pub(crate) fn blow(&self, worker: &str) -> Dealing<'_> {
        Dealing { chronicle: self, worker: worker.to_owned(), from: now() }
    }

    pub(crate) fn counted(&self) -> Counted {
        let book = self.book();
        Counted {
            blows: book.blows.clone(),
            done: book.done.clone(),
            kills: book.kills,
            kills_in_flight: book.kills_in_flight,
            problems: book.problems.clone(),
        }
    }
}

impl Dealing<'_> {
    /// The blow is dealt.
    pub(crate) fn done(self, kind: BlowKind) {
        let Self { chronicle, worker, from } = self;
        chronicle.book().blows.push(Blow { worker, kind, from, to: now() });
    }
}
