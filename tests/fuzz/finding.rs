//! An input for which something does not hold: kept in a file, made small, and told with what makes it again.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// More are of the same kind, as a rule, and nobody reads them.
pub(crate) const MOST: usize = 20;
/// Tries to make an input smaller.
const TRIES: usize = 2_000;

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Finding {
    /// What does not hold.
    pub(crate) what: String,
    pub(crate) seed: u64,
    /// The number of the input.
    pub(crate) input: u64,
    /// Where its bytes lie, as small as they could be made.
    pub(crate) file: Option<PathBuf>,
}

impl Finding {
    /// Writes the bytes down.
    pub(crate) fn keep(what: String, seed: u64, input: u64, bytes: &[u8], folder: &Path) -> Self {
        let file = folder.join(format!("leadline-fuzz-{seed}-{input}.bin"));
        let written = fs::create_dir_all(folder).and_then(|()| fs::write(&file, bytes));
        if let Err(error) = &written {
            eprintln!("the input cannot be written to {}: {error}", file.display());
        }
        Self { what, seed, input, file: written.is_ok().then_some(file) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, seed, input, file } = self;
        write!(f, "FOUND: {what}; again: --seed {seed} --first {input} --inputs 1")?;
        file.iter().try_for_each(|file| write!(f, "; its bytes: {}", file.display()))
    }
}

/// Leaves out whatever can be left out, larger pieces first, as long as `fails` still holds.
pub(crate) fn minimised(bytes: &[u8], mut fails: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    let (mut small, mut piece, mut tries) = (bytes.to_vec(), bytes.len() / 2, 0);
    while piece > 0 && tries < TRIES {
        let mut at = 0;
        while at < small.len() && tries < TRIES {
            let mut less = small.clone();
            less.drain(at..(at + piece).min(small.len()));
            tries += 1;
            if fails(&less) {
                small = less;
            } else {
                at += piece;
            }
        }
        piece /= 2;
    }
    small
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_matter_is_left_out() {
        let fails = |bytes: &[u8]| bytes.contains(&b'x') && bytes.contains(&b'y');
        assert_eq!(minimised(b"aaaaaxaaaaaaaaaybbbb", fails), b"xy");
        assert_eq!(minimised(b"", |_| true), b"");
    }

    #[test]
    fn a_finding_says_how_to_see_it_again() {
        let folder = tempfile::tempdir().unwrap();
        let finding = Finding::keep("it burns".to_owned(), 7, 42, b"{}", folder.path());
        let file = finding.file.clone().unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"{}");
        let said = format!("FOUND: it burns; again: --seed 7 --first 42 --inputs 1; its bytes: {}", file.display());
        assert_eq!(finding.to_string(), said);
    }
}
