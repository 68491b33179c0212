//! Tells the person who waits what takes long.

use std::time::Instant;

/// Says what begins, and when it ends how long it took.
pub(crate) fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    say(&format!("{what} …"));
    let start = Instant::now();
    let result = work();
    say(&format!("{what}: {:.1} s", start.elapsed().as_secs_f64()));
    result
}

/// Prints a line in one go: two threads' lines shall not mix.
fn say(what: &str) {
    let line = format!("harness: {what}\n");
    eprint!("{line}");
}
