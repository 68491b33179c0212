//! All tests of the whole system, in one program. Each module says what belongs in it; `suite` says how they are run.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a panic with a sentence is the error message")]

mod harness;
mod tidy;

use std::process::ExitCode;

use leadline_tests::Suite;

fn main() -> ExitCode {
    let mut suite = Suite::default();
    tidy::tests(&mut suite);
    harness::tests(&mut suite);
    suite.run()
}
