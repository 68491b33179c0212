//! Showing what a program wrote, when it did not do what it should.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const LINES: usize = 20;

/// The last lines of a text, indented.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].iter().map(|line| format!("\n  | {line}")).collect()
}

/// The last lines of a file, indented; a word about it when it cannot be read.
pub(crate) fn tail_of(file: &Path) -> String {
    match fs::read(file) {
        Ok(bytes) => tail(&String::from_utf8_lossy(&bytes)),
        Err(error) => format!(" (no log at {}: {error})", file.display()),
    }
}

/// Runs a helper program to its end and gives what it printed.
///
/// # Errors
/// A sentence with the program's last lines when it cannot be started or fails.
pub(crate) fn run(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let Output { status, stdout, stderr } =
        command.output().map_err(|error| format!("`{program}` could not be started: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if status.success() {
        return Ok(text(&stdout));
    }
    Err(format!("`{program}` failed ({status}):{}", tail(&(text(&stdout) + &text(&stderr)))))
}
