//! Waiting for something to become true.
//!
//! The only place of the tests that sleeps. A test never waits for a fixed time: it says what it waits for, and for how long at
//! most.

use std::fmt;
use std::future::Future;
use std::thread;
use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// What was waited for did not happen in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overdue {
    what: String,
    waited: Duration,
    tries: u32,
}

impl fmt::Display for Overdue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, waited, tries } = self;
        write!(f, "waited {:.1} s for this, and it did not happen ({tries} tries): {what}", waited.as_secs_f64())
    }
}

/// Calls `probe` until it gives a value, and returns that.
///
/// # Panics
/// With `what` in its text, when there is no value after `deadline`.
#[track_caller]
pub fn eventually<T>(what: &str, deadline: Duration, probe: impl FnMut() -> Option<T>) -> T {
    within(what, deadline, probe).unwrap_or_else(|overdue| panic!("{overdue}"))
}

/// The same, for those who want to say more about the failure.
///
/// # Errors
/// [`Overdue`] when there is no value after `deadline`.
pub fn within<T>(what: &str, deadline: Duration, mut probe: impl FnMut() -> Option<T>) -> Result<T, Overdue> {
    let mut tries = Tries::new(what);
    loop {
        if let Some(value) = probe() {
            return Ok(value);
        }
        thread::sleep(tries.pause(deadline)?);
    }
}

/// The same for an asynchronous probe.
///
/// # Panics
/// With `what` in its text, when there is no value after `deadline`.
pub async fn eventually_async<T, F>(what: &str, deadline: Duration, mut probe: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let mut tries = Tries::new(what);
    loop {
        if let Some(value) = probe().await {
            return value;
        }
        let pause = tries.pause(deadline).unwrap_or_else(|overdue| panic!("{overdue}"));
        tokio::time::sleep(pause).await;
    }
}

/// Counts the tries and gives the pauses between them, which grow: most waits are short, and long ones should not load the
/// machine.
struct Tries {
    overdue: Overdue,
    start: Instant,
    pause: Duration,
}

impl Tries {
    fn new(what: &str) -> Self {
        let overdue = Overdue { what: what.to_owned(), waited: Duration::ZERO, tries: 0 };
        Self { overdue, start: Instant::now(), pause: FIRST_PAUSE }
    }

    fn pause(&mut self, deadline: Duration) -> Result<Duration, Overdue> {
        self.overdue.tries += 1;
        self.overdue.waited = self.start.elapsed();
        if self.overdue.waited >= deadline {
            return Err(self.overdue.clone());
        }
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        Ok(pause)
    }
}
