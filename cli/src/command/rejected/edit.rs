//! Repairing a body in the operator's editor, on a file that nobody else can read and that is gone afterwards.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{BufRead, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use leadline_platform::process::Fatal;

/// Starts the editor that the environment names, which may come with arguments: the shell takes it apart, as git does.
const EDITOR: &str = "eval \"${EDITOR:-vi} \\\"\\$1\\\"\"";

/// Opens the body in the editor until `check` takes it or the operator gives up, which is `None`.
pub(super) fn until_good<T, E: std::fmt::Display>(
    body: &[u8],
    check: impl Fn(&[u8]) -> Result<T, E>,
) -> Result<Option<Result<T, E>>, Fatal> {
    // A folder of its own, for the copies that editors leave beside a file.
    let folder = tempfile::Builder::new().prefix("leadline-").permissions(Permissions::from_mode(0o700)).tempdir();
    let folder = folder.map_err(|error| Fatal::internal(format!("no folder for the editor could be made: {error}")))?;
    let file = folder.path().join("lead.json");
    let failed = |error: std::io::Error| Fatal::internal(format!("the file for the editor: {error}"));
    let mut created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file).map_err(failed)?;
    created.write_all(body).map_err(failed)?;
    drop(created);
    loop {
        run_editor(&file)?;
        match check(&fs::read(&file).map_err(failed)?) {
            Ok(good) => return Ok(Some(Ok(good))),
            Err(why) => {
                eprintln!("{why}");
                if !asked_to_go_on() {
                    return Ok(None);
                }
            }
        }
    }
}

fn run_editor(file: &Path) -> Result<(), Fatal> {
    let status = Command::new("sh").args(["-c", EDITOR, "editor"]).arg(file).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Fatal::usage(format!("the editor ($EDITOR, or else vi) ended with {status}; nothing was published"))),
        Err(error) => Err(Fatal::internal(format!("no shell could be started for the editor: {error}"))),
    }
}

/// The end of the input counts as no.
fn asked_to_go_on() -> bool {
    eprint!("edit it again? [Y/n] ");
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer).unwrap_or_default();
    read > 0 && !answer.trim().to_lowercase().starts_with('n')
}
