//! Finds the Rust files of the workspace, and tells production code from tests.

use std::fs;
use std::path::{Path, PathBuf};

/// A file.
pub(crate) struct Source {
    /// Its path from the root of the workspace.
    pub(crate) name: String,
    pub(crate) text: String,
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// All of them.
pub(crate) fn all() -> Vec<Source> {
    let mut found = Vec::new();
    collect(&root(), &mut found);
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// Those that hold more than tests.
pub(crate) fn production() -> Vec<Source> {
    let all = all();
    let test_modules: Vec<String> = all.iter().flat_map(Source::test_modules).collect();
    let is_test = |name: &str| {
        let in_module = |module: &String| name == format!("{module}.rs") || name.starts_with(&format!("{module}/"));
        name.starts_with("tests/") || name.contains("/tests/") || test_modules.iter().any(in_module)
    };
    all.into_iter().filter(|file| !is_test(&file.name)).collect()
}

impl Source {
    /// The lines before the inline tests, with their numbers from 1. `#[cfg(test)] mod tests;` ends nothing: it only points.
    pub(crate) fn production_lines(&self) -> Vec<(usize, &str)> {
        let lines: Vec<&str> = self.text.lines().collect();
        let begins_tests = |at: &usize| {
            let next = lines.get(at + 1).copied().unwrap_or_default();
            lines[*at].trim() == "#[cfg(test)]" && declared(next).is_none()
        };
        let end = (0..lines.len()).find(begins_tests).unwrap_or(lines.len());
        lines.into_iter().take(end).enumerate().map(|(at, line)| (at + 1, line)).collect()
    }

    /// The modules that this file declares for tests only, as paths without the ending.
    fn test_modules(&self) -> Vec<String> {
        let stem = self.name.trim_end_matches(".rs");
        let (folder, file) = stem.rsplit_once('/').unwrap_or(("", stem));
        let folder = if ["lib", "main", "mod"].contains(&file) { folder } else { stem };
        let lines: Vec<&str> = self.text.lines().collect();
        let pairs = lines.windows(2).filter(|pair| pair[0].trim() == "#[cfg(test)]");
        pairs.filter_map(|pair| declared(pair[1])).map(|module| format!("{folder}/{module}")).collect()
    }
}

/// The module of a line such as `pub(crate) mod tests;`.
fn declared(line: &str) -> Option<&str> {
    let (visibility, module) = line.trim().strip_suffix(';')?.split_once("mod ")?;
    (visibility.is_empty() || visibility.starts_with("pub")).then_some(module)
}

fn collect(folder: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            // What cargo, git and the product itself put there.
            if !name.starts_with('.') && name != "target" && name != "leadline-data" {
                collect(&path, found);
            }
        } else if name.ends_with(".rs") {
            let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
            found.push(Source { name, text: fs::read_to_string(&path).unwrap() });
        }
    }
}
