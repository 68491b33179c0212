//! Writes the reference pages to `docs/reference/`, so that they need not be kept in step by hand.
//!
//! Run it after a change of a setting, a metric or a command: `cargo run -p leadline --example reference`.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference");
    std::fs::create_dir_all(&folder)?;
    for (name, text) in leadline::reference::all() {
        std::fs::write(folder.join(name), text)?;
    }
    Ok(())
}
