//! Writes the published JSON Schemas to `docs/reference/`, so that they need not be kept in step by hand.
//!
//! Run it after a change of a message type: `cargo run -p leadline-proto --example schemas`.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference");
    std::fs::create_dir_all(&folder)?;
    for (name, text) in leadline_proto::schema::all() {
        std::fs::write(folder.join(name), text)?;
    }
    Ok(())
}
