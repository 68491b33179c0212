//! Dependencies between the workspace's own crates go one way.

use std::process::Command;

use serde::Deserialize;

use super::sources::root;

const PREFIX: &str = "leadline";
/// These see everything; nobody sees them.
const TOP: [&str; 2] = ["leadline", "leadline-tests"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
}

/// What a crate may depend on. A crate that is not named here is a sink.
fn allowed(package: &str) -> &'static [&'static str] {
    match package {
        "leadline-proto" | "leadline-platform" => &[],
        "leadline-ingest" | "leadline-runtime" => &["leadline-proto", "leadline-platform"],
        _ => &["leadline-proto", "leadline-platform", "leadline-runtime"],
    }
}

pub(crate) fn go_one_way() {
    let mut cargo = Command::new(env!("CARGO"));
    let output =
        cargo.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Metadata = serde_json::from_slice(&output.stdout).unwrap();
    assert!(metadata.packages.len() >= 8, "cargo does not see the whole workspace");
    let bad: Vec<String> = metadata.packages.iter().flat_map(upward).collect();
    assert!(bad.is_empty(), "\n{}", bad.join("\n"));
}

/// The dependencies of a package that go the wrong way. Those for its tests count: they would tie the crates together just so.
fn upward(package: &Package) -> Vec<String> {
    let name = package.name.as_str();
    if TOP.contains(&name) {
        return vec![];
    }
    let own = package.dependencies.iter().map(|dependency| dependency.name.as_str()).filter(|name| name.starts_with(PREFIX));
    own.filter(|wanted| !allowed(name).contains(wanted)).map(|wanted| format!("{name} must not depend on {wanted}")).collect()
}
