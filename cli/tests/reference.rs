//! The reference pages under `docs/reference/` are those of the code.

use std::path::Path;

const REFRESH: &str = "run `cargo run -p leadline --example reference`";

#[test]
fn the_published_pages_are_those_of_the_code() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference");
    for (name, text) in leadline::reference::all() {
        let published = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert!(published == text, "docs/reference/{name} is not that of the code: {REFRESH}");
    }
}

#[test]
fn every_command_and_every_setting_has_its_place() {
    let pages = leadline::reference::all();
    let page = |wanted| pages.iter().find(|(name, _)| *name == wanted).map(|(_, text)| text.as_str()).unwrap_or_default();
    for command in [
        "leadline up",
        "leadline send",
        "leadline endpoint new",
        "leadline endpoint rotate",
        "leadline config default",
        "leadline topics create",
        "leadline dead-letters replay",
        "leadline hold list",
        "leadline release sink",
    ] {
        assert!(page("cli.md").contains(&format!("## `{command}`\n")), "{command}");
    }
    for section in ["[kafka]", "[topics]", "[endpoints]", "[ingest]", "[worker.retry]", "[sinks.email]", "[sinks.crm]"] {
        assert!(page("configuration.toml").contains(section), "{section}");
    }
}
