//! Tools that are fetched once and kept in cargo's target folder, so that `cargo clean` removes them too.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::progress::timed;
use crate::target::target_dir;

/// Whether the tool has been fetched already.
pub(crate) fn has(name: &str) -> bool {
    folder(name).exists()
}

/// The folder of a tool. When it is not there, `fill` gets an empty folder to fill.
///
/// The folder appears by a rename, so it is complete or absent. A lock keeps a second test run waiting meanwhile.
///
/// # Errors
/// A sentence when it can not be fetched.
pub(crate) fn fetched(name: &str, what: &str, fill: impl FnOnce(&Path) -> Result<(), String>) -> Result<PathBuf, String> {
    let wanted = folder(name);
    let parent = target_dir().join("test-tools");
    let failed = |error: std::io::Error| format!("{} cannot be filled: {error}", wanted.display());
    fs::create_dir_all(&parent).map_err(failed)?;
    let lock = File::create(parent.join(format!("{name}.lock"))).map_err(failed)?;
    lock.lock().map_err(failed)?;
    if !wanted.exists() {
        let fresh = tempfile::tempdir_in(&parent).map_err(failed)?;
        timed(what, || fill(fresh.path()))?;
        fs::rename(fresh.keep(), &wanted).map_err(failed)?;
    }
    Ok(wanted)
}

fn folder(name: &str) -> PathBuf {
    target_dir().join("test-tools").join(name)
}
