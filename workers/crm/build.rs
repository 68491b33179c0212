//! Makes Cargo see a new migration: the files are compiled in, and only those that exist already are watched.
//!
//! Nothing else is done at build time.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
