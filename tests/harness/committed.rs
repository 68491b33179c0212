//! Files of the repository that a test produces: they are read by people, and the test says whether they are still true.

use std::fs;

use crate::environment;
use crate::target::workspace_dir;

/// Compares what a test has produced with the committed file at `path`, from the root of the workspace. `LEADLINE_ACCEPT=1` makes
/// it the committed one.
///
/// # Panics
/// With the first line that differs.
#[track_caller]
pub fn assert_committed(path: &str, produced: &str) {
    let file = workspace_dir().join(path);
    if environment::accept() {
        fs::write(&file, produced).unwrap_or_else(|error| panic!("{path} cannot be written: {error}"));
        return;
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (old, new) = (lines(&committed), lines(produced));
    let differs = (0..old.len().max(new.len())).find(|&at| old.get(at) != new.get(at));
    if let Some(at) = differs {
        let line = |lines: &[String]| lines.get(at).map_or("(the end)", String::as_str).to_owned();
        panic!(
            "{path} is no longer true from line {}; LEADLINE_ACCEPT=1 rewrites it\n  committed: {}\n  now:       {}",
            at + 1,
            line(&old),
            line(&new)
        );
    }
}
