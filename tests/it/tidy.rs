//! Rules of the house that no lint knows: who may depend on whom, and how a source file looks.
//!
//! Reads the sources as text. Needs nothing but cargo.

mod dependencies;
pub(crate) mod sources;

use leadline_tests::Suite;
use sources::Source;

/// Beyond this a file does not fit a head.
const LONGEST: usize = 400;
/// How far above a call its reason may stand.
const REASON_LINES: usize = 3;
const UNITS: [&str; 6] = ["_total", "_seconds", "_bytes", "_records", "_state", "_leads"];

pub(crate) fn tests(suite: &mut Suite) {
    suite.test("tidy::dependencies_go_one_way", [], |_| dependencies::go_one_way());
    suite.test("tidy::each_file_says_why_it_exists", [], |_| none(sources::all(), no_header));
    suite.test("tidy::no_file_is_too_long", [], |_| none(sources::production(), too_long));
    suite.test("tidy::no_unwrap_without_an_invariant", [], |_| none(sources::production(), unwraps));
    suite.test("tidy::metric_names_live_in_metrics", [], |_| none(sources::production(), metric_names));
    suite.test("tidy::nothing_discards_what_it_publishes", [], |_| none(sources::production(), discards));
    suite.test("tidy::no_toolchain_file", [], |_| no_toolchain_file());
}

/// Fails with everything that `check` finds in the files.
fn none(files: Vec<Source>, check: impl Fn(&Source) -> Vec<String>) {
    assert!(!files.is_empty(), "no sources found: does this test look in the right place?");
    let found: Vec<String> = files.iter().flat_map(check).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

fn no_header(file: &Source) -> Vec<String> {
    let headed = file.text.starts_with("//!");
    if headed { vec![] } else { vec![format!("{}: must open with `//!` and say why it exists", file.name)] }
}

fn too_long(file: &Source) -> Vec<String> {
    let lines = file.production_lines().last().map_or(0, |&(number, _)| number);
    if lines <= LONGEST { vec![] } else { vec![format!("{}: {lines} lines; split it at {LONGEST}", file.name)] }
}

fn unwraps(file: &Source) -> Vec<String> {
    let lines = file.production_lines();
    let bad = |&(number, line): &(usize, &str)| {
        let code = line.split("//").next().unwrap_or_default();
        let panics = code.contains(".unwrap()") || code.contains(".expect(");
        let above = lines.iter().filter(|(other, _)| (number.saturating_sub(REASON_LINES)..=number).contains(other));
        panics && !above.into_iter().any(|(_, line)| line.contains("invariant:"))
    };
    let say = |&(number, _): &(usize, &str)| {
        format!("{}:{number}: may panic; return an error or say why it cannot, as `// invariant: …`", file.name)
    };
    lines.iter().filter(|line| bad(line)).map(say).collect()
}

fn metric_names(file: &Source) -> Vec<String> {
    if file.name.ends_with("/metrics.rs") {
        return vec![];
    }
    let lines = file.production_lines().into_iter();
    lines
        .filter(|(_, line)| !line.trim_start().starts_with("//") && names_a_metric(line))
        .map(|(number, _)| format!("{}:{number}: a metric's name belongs in metrics.rs", file.name))
        .collect()
}

/// Whether the line holds a literal such as `"leadline_leads_total"`.
fn names_a_metric(line: &str) -> bool {
    let literals = line.split('"').skip(1).step_by(2);
    let is_metric = |text: &str| {
        let plain = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        plain && text.starts_with("leadline_") && UNITS.iter().any(|unit| text.ends_with(unit))
    };
    literals.into_iter().any(is_metric)
}

/// There is a producer that throws everything away, for benches.
fn discards(file: &Source) -> Vec<String> {
    let uses = file.text.contains("Producer::discarding(");
    if uses { vec![format!("{}: a discarding producer loses leads; it is for benches only", file.name)] } else { vec![] }
}

/// The version that the code needs is `rust-version`; which newer one is used is up to whoever builds it.
fn no_toolchain_file() {
    for name in ["rust-toolchain", "rust-toolchain.toml"] {
        assert!(!sources::root().join(name).exists(), "remove {name}: `rust-version` in Cargo.toml says what is needed");
    }
}
