//! A short fuzz run with a seed that never changes: the program in `tests/fuzz`, with as many inputs as a test run bears.
//! CONTRIBUTING.md says how to let it run for longer, and with other seeds.

use std::process::Command;

use leadline_tests::{Stack, Suite, Tool};
use serde_json::Value;

const SEED: &str = "20261126";

pub(crate) fn tests(suite: &mut Suite) {
    suite.test("fuzz::every_body_is_refused_or_can_be_read_back_as_it_came", [], parse);
    suite.test("fuzz::the_http_edge_bears_any_bytes_and_keeps_what_it_accepts", [Tool::Kafka], edge);
}

fn parse(_: &Stack) {
    let counts = run(&["--only", "parse", "--inputs", "20000"]);
    // Each kind of end is reached, or nothing is shown about it.
    for what in
        ["customer", "test", "do_not_contact", "blank", "not-json", "not-utf8", "too-deep", "schema-violation", "too-large"]
    {
        assert!(count(&counts, what) > 0, "no input was `{what}`: {counts}");
    }
}

fn edge(stack: &Stack) {
    let counts = run(&["--only", "edge", "--inputs", "5000", "--kafka", stack.kafka().bootstrap()]);
    for what in ["202", "400", "401", "404", "405", "413", "415", "431", "compared with their bodies"] {
        assert!(count(&counts, what) > 0, "no answer was `{what}`: {counts}");
    }
}

/// Runs it, and gives what it has counted.
fn run(arguments: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let mut fuzz = Command::new(env!("CARGO_BIN_EXE_fuzz"));
    fuzz.args(arguments).args(["--seed", SEED, "--json", "--folder"]).arg(folder.path());
    let output = fuzz.output().unwrap();
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    if !output.status.success() {
        panic!("found, and kept in {}:\n{complained}\n{said}", folder.keep().display());
    }
    let report: Value = serde_json::from_str(&said).unwrap();
    report["parts"][0]["counts"].clone()
}

fn count(counts: &Value, what: &str) -> u64 {
    counts[what].as_u64().unwrap_or_default()
}
