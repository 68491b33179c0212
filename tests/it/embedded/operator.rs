//! The operator's commands beside a running `leadline up`, which they find by its folder.

use leadline_tests::Suite;
use leadline_tests::binaries::Binaries;
use leadline_tests::kafka::records_at;

use super::lead;
use super::trial::{Trial, Up};

pub(super) fn tests(suite: &mut Suite) {
    suite.test("embedded::the_operators_commands_find_a_running_trial", [], |_| commands_find_a_running_trial());
}

fn commands_find_a_running_trial() {
    let trial = Trial::new();
    let run = |code: i32, args: &[&str]| {
        let mut command = trial.command(&Binaries::built().leadline(), args);
        let output = command.args(["--data", "data"]).output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{args:?}: {text}");
        text
    };
    assert!(run(64, &["hold", "list"]).contains("start `leadline up`"));
    let mut up = trial.up();
    up.post(lead("ann@contoso.example", ""));
    run(0, &["hold", "endpoint", "trial"]);
    run(0, &["hold", "sink", "crm"]);
    let told = run(0, &["hold", "list"]);
    assert!(told.contains("endpoint trial: held since") && told.contains("sink crm: held since"), "{told}");
    run(0, &["release", "endpoint", "trial"]);
    run(0, &["release", "sink", "crm"]);
    assert!(run(64, &["hold", "endpoint", "nowhere"]).contains("there are: trial"));
    assert!(run(0, &["dead-letters", "list"]).contains("email: 0 open"));
    assert!(run(0, &["dead-letters", "replay", "--all"]).contains("nothing to replay"));
    resubmit_with_the_trials_own_key(&up, &run);
    assert_eq!(up.stop(), 0);
}

/// The configuration has no `person_key`; the trial has one in its folder.
fn resubmit_with_the_trials_own_key(up: &Up, run: &dyn Fn(i32, &[&str]) -> String) {
    let lead = String::from_utf8(lead("ann@contoso.example", "again")).unwrap();
    let refused = up.post(lead.trim_end_matches('}').into());
    let id = refused.json()["rejected_id"].as_str().unwrap().to_owned();
    assert!(run(0, &["rejected", "list"]).contains(&id));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, &lead).unwrap();
    assert!(run(1, &["rejected", "resubmit", &id]).contains("not-json"));
    run(0, &["rejected", "resubmit", &id, "--file", file.path().to_str().unwrap()]);
    let keys: Vec<_> = records_at(&up.kafka, "leads").into_iter().map(|record| record.key).collect();
    assert!(keys.len() == 2 && keys[0] == keys[1], "the person who posted before: {keys:?}");
}
