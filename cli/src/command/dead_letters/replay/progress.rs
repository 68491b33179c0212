//! How far a replay is, on standard error: a bar where there is a terminal, a line now and then where there is none.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Pause between two lines.
const PAUSE: Duration = Duration::from_secs(10);
const TEMPLATE: &str = "{bar:40} {pos} of {len} replayed, {eta} to go";

/// The progress of one replay.
pub(super) struct Progress {
    bar: ProgressBar,
    total: usize,
    said: Instant,
}

impl Progress {
    pub(super) fn start(total: usize, rate: f64) -> Self {
        eprintln!("replaying {total} at {rate} a second; Ctrl-C stops, and the same command goes on later");
        // Draws nothing by itself where standard error is no terminal.
        let bar = ProgressBar::new(u64::try_from(total).unwrap_or(u64::MAX));
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style.progress_chars("=> "));
        }
        Self { bar, total, said: Instant::now() }
    }

    /// So many are done.
    pub(super) fn at(&mut self, done: usize) {
        self.bar.set_position(u64::try_from(done).unwrap_or(u64::MAX));
        if self.bar.is_hidden() && self.said.elapsed() >= PAUSE {
            eprintln!("{done} of {} replayed", self.total);
            self.said = Instant::now();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // The bar stays where it was; the lines after it say how it ended.
        self.bar.abandon();
    }
}
