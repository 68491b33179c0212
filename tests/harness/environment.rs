//! The few environment variables that the tests obey, all in one place.
//!
//! No settings of the product: those go through its configuration.
#![allow(clippy::disallowed_methods, reason = "the tests are no process of the product, and have no configuration file")]

use std::env;
use std::path::PathBuf;

/// Whether a missing tool fails the tests that need it. CI says so, lest a test that never runs looks like one that passes.
pub(crate) fn require_all_tools() -> bool {
    env::var("LEADLINE_TESTS_REQUIRE").is_ok_and(|value| value == "all")
}

/// Whether a generated file that differs from the committed one replaces it.
pub(crate) fn accept() -> bool {
    env::var("LEADLINE_ACCEPT").is_ok_and(|value| value == "1")
}

/// The cargo that runs the tests.
pub(crate) fn cargo() -> PathBuf {
    env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

/// Where programs are looked for.
pub(crate) fn path() -> Vec<PathBuf> {
    env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default()
}
