//! The commands around the configuration file, and how every program refuses a bad one.

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use leadline_proto::config::TokenHash;
use leadline_tests::Suite;
use leadline_tests::binaries::Binaries;

use super::trial::Trial;

const PERSON_KEY: &str = "[ingest]\nperson_key = \"a secret of the tests\"\n";
/// Sinks, so that each worker finds its own.
const SINKS: &str =
    "[sinks.email]\nkind = \"email\"\nfrom = \"Leadline <leads@contoso.example>\"\n[sinks.crm]\nkind = \"crm\"\n";

pub(super) fn tests(suite: &mut Suite) {
    suite.test("embedded::the_printed_defaults_are_a_good_start", [], |_| the_printed_defaults_are_a_good_start());
    suite.test("embedded::a_new_endpoint_has_a_url_and_its_hash", [], |_| a_new_endpoint_has_a_url_and_its_hash());
    suite.test("embedded::a_bad_key_stops_each_program_that_reads_it", [], |_| a_bad_key_stops_each_program_that_reads_it());
}

fn leadline(trial: &Trial, args: &[&str]) -> String {
    let output = trial.command(&Binaries::built().leadline(), args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What follows `before` on its line, up to `after`.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text.split_once(before).unwrap_or_else(|| panic!("`{before}` is not in:\n{text}")).1;
    rest.split_once(after).unwrap_or_else(|| panic!("`{after}` is not in:\n{rest}")).0
}

fn the_printed_defaults_are_a_good_start() {
    let trial = Trial::new();
    let defaults = leadline(&trial, &["config", "default"]);
    let printed = leadline(&trial, &["endpoint", "new", "contoso-backup"]);
    let hash = between(&printed, "tokens = [\"", "\"]");
    let secret = between(&printed, "person_key = \"", "\"");
    let mut config = defaults.replace("person_key = \"\"", &format!("person_key = \"{secret}\""));
    assert_ne!(config, defaults, "the defaults name the key that is missing");
    config += &format!("\n[endpoints.contoso-backup]\ntokens = [\"{hash}\"]\ncontacts = \"a@contoso.example\"\n{SINKS}");
    fs::write(trial.folder().join("leadline.toml"), config).unwrap();
    let said = leadline(&trial, &["config", "check"]);
    assert!(said.contains("endpoint   contoso-backup: 1 tokens, 1 contacts, sinks: crm, email"), "{said}");
    assert!(said.ends_with("the configuration is good\n"), "{said}");
}

fn a_new_endpoint_has_a_url_and_its_hash() {
    let trial = Trial::new();
    let printed = leadline(&trial, &["endpoint", "new", "x", "--public-url", "https://leads.contoso.example/"]);
    let token = between(&printed, "https://leads.contoso.example/v1/leads/x?sig=", "\n");
    assert_eq!(token.len(), 64, "256 bits: {token}");
    assert_eq!(between(&printed, "tokens = [\"", "\"]"), String::from(TokenHash::of(token)));
    let again = leadline(&trial, &["endpoint", "new", "x"]);
    assert_ne!(between(&again, "?sig=", "\n"), token);
}

/// A bad line, the key as the sentence names it, and the programs that read it.
struct Bad {
    toml: String,
    key: &'static str,
    programs: Vec<(PathBuf, &'static [&'static str])>,
}

fn bad_keys() -> Vec<Bad> {
    let built = Binaries::built();
    let up = (built.leadline(), &["up"][..]);
    let check = (built.leadline(), &["config", "check"][..]);
    let [ingest, email, crm] = [built.ingest(), built.email(), built.crm()].map(|program| (program, &[][..]));
    let bad = |toml: &str, key, programs: &[_]| Bad { toml: toml.to_owned(), key, programs: programs.to_vec() };
    let all = [ingest.clone(), email.clone(), crm.clone(), up.clone(), check.clone()];
    vec![
        bad("[kafka]\nbootstrapp = \"x:1\"", "`kafka.bootstrapp`", &all),
        bad("[lifecycle]\ndrain = \"soon\"", "`lifecycle.drain`", &all),
        bad("[kafak]\nbootstrap = \"x:1\"", "`kafak`", &all),
        bad("[endpoints.a.mapping]\nemail = \"mail\"", "`endpoints.a.mapping.email`", &all),
        bad("[endpoints.a]\nschema = \"none.json\"", "`endpoints.a.schema`", &[ingest.clone(), up.clone(), check.clone()]),
        bad("[ingest]\nbody_limitt = 1", "`ingest.body_limitt`", &[ingest.clone(), up.clone(), check.clone()]),
        bad("[ingest]\nperson_key = \"short\"", "`ingest.person_key`", &[ingest, up.clone(), check.clone()]),
        bad("[worker]\nconcurrency = 0", "`worker.concurrency`", &[email.clone(), crm.clone(), up.clone(), check.clone()]),
        bad("[sinks.email.smtp]\nhots = \"x\"", "`sinks.email.smtp.hots`", &[email, up.clone(), check.clone()]),
        bad("[sinks.crm.sql]\nurl = \"mysql:x\"", "`sinks.crm.sql.url`", &[crm, up, check]),
    ]
}

fn a_bad_key_stops_each_program_that_reads_it() {
    for Bad { toml, key, programs } in bad_keys() {
        let trial = Trial::new();
        let rest = if toml.starts_with("[ingest]") { SINKS.to_owned() } else { format!("{PERSON_KEY}{SINKS}") };
        fs::write(trial.folder().join("leadline.toml"), format!("{toml}\n{rest}")).unwrap();
        for (program, args) in programs {
            let output = trial.command(&program, args).output().unwrap();
            check_refusal(&output, key, &format!("{} {}", program.display(), args.join(" ")));
        }
    }
}

fn check_refusal(output: &Output, key: &str, program: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{program} with a bad {key}: {said}");
    // Logs of the start may stand above it.
    let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(said.lines().last(), errors.first().copied(), "{program} ends with one sentence: {said}");
    assert!(errors.len() == 1 && errors[0].contains(key), "{program}: {said}");
}
