//! All tests of the whole system, in one program. Each module says what belongs in it; `suite` says how they are run.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a panic with a sentence is the error message")]

mod crash;
mod dead_letters;
mod delivery;
mod deploy;
mod embedded;
mod endpoints;
mod figures;
mod fuzz;
mod harness;
mod hygiene;
mod idempotency;
mod lessons;
mod limits;
mod openapi;
mod processes;
mod reading;
mod readme;
mod refusals;
mod rejected;
mod retries;
mod schemas;
mod spool;
mod support;
mod tidy;
mod tls;
mod traces;
mod validate;

use std::process::ExitCode;

use leadline_tests::Suite;

fn main() -> ExitCode {
    let mut suite = Suite::default();
    tidy::tests(&mut suite);
    refusals::tests(&mut suite);
    rejected::tests(&mut suite);
    schemas::tests(&mut suite);
    openapi::tests(&mut suite);
    validate::tests(&mut suite);
    embedded::tests(&mut suite);
    endpoints::tests(&mut suite);
    limits::tests(&mut suite);
    tls::tests(&mut suite);
    delivery::tests(&mut suite);
    idempotency::tests(&mut suite);
    processes::tests(&mut suite);
    deploy::tests(&mut suite);
    figures::tests(&mut suite);
    retries::tests(&mut suite);
    dead_letters::tests(&mut suite);
    reading::tests(&mut suite);
    hygiene::tests(&mut suite);
    spool::tests(&mut suite);
    lessons::tests(&mut suite);
    readme::tests(&mut suite);
    traces::tests(&mut suite);
    crash::tests(&mut suite);
    fuzz::tests(&mut suite);
    harness::tests(&mut suite);
    suite.run()
}
