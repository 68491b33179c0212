//! Sample leads as the marketplace sends them: `fixtures/leads/NAME.json`.

use std::fs;
use std::path::PathBuf;

/// The bytes of a sample lead, exactly as they would be posted. Some are not JSON, as the original is not.
///
/// # Panics
/// When there is none of that name.
pub fn lead(name: &str) -> Vec<u8> {
    let path = folder().join(format!("{name}.json"));
    fs::read(&path).unwrap_or_else(|error| panic!("no sample lead at {}: {error}", path.display()))
}

/// The names of all sample leads, sorted.
///
/// # Panics
/// When the folder cannot be read.
pub fn lead_names() -> Vec<String> {
    let entries = fs::read_dir(folder()).expect("the sample leads lie beside the harness");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.ok()?.path().file_stem()?.to_str().map(str::to_owned);
    let mut names: Vec<String> = entries.filter_map(name).collect();
    names.sort();
    names
}

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/leads"))
}
