//! Not written yet.
use leadline_tests::Suite;

pub(crate) fn tests(_suite: &mut Suite) {}
