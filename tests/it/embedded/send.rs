//! `leadline send`: what it prints and how it ends.

use std::fs;
use std::process::Output;

use leadline_tests::Suite;
use leadline_tests::binaries::Binaries;
use serde_json::{Value, json};

use super::trial::Trial;

pub(super) fn tests(suite: &mut Suite) {
    suite.test("embedded::send_follows_a_lead_to_both_sinks", [], |_| send_follows_a_lead_to_both_sinks());
    suite.test("embedded::send_tells_why_a_lead_is_refused", [], |_| send_tells_why_a_lead_is_refused());
    suite.test("embedded::send_needs_a_running_trial", [], |_| send_needs_a_running_trial());
}

fn send(trial: &Trial, args: &[&str]) -> Output {
    let mut command = trial.command(&Binaries::built().leadline(), &["send", "--data", "data"]);
    command.args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The second word group of each line: the time comes first.
fn steps(output: &Output) -> Vec<String> {
    text(&output.stdout).lines().map(|line| line.split_whitespace().nth(2).unwrap().to_owned()).collect()
}

fn send_follows_a_lead_to_both_sinks() {
    let trial = Trial::new();
    let _up = trial.up();
    let output = send(&trial, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    check_steps(steps(&output));
    let words = text(&output.stdout);
    assert!(words.contains("durable: memory") && words.contains("delivered as "), "{words}");

    let output = send(&trial, &["--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let lines: Vec<Value> = text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    check_steps(lines.iter().map(|line| line["step"].as_str().unwrap().to_owned()).collect());
    assert!(lines.iter().all(|line| line["after_ms"].is_u64()));
    let lead_id = &lines[0]["detail"]["lead_id"];
    for line in &lines[1..] {
        let outcome = &line["detail"]["outcome"];
        assert_eq!((&outcome["lead_id"], &outcome["status"]), (lead_id, &json!("delivered")));
    }
}

/// The sinks end in any order.
#[track_caller]
fn check_steps(mut steps: Vec<String>) {
    assert_eq!(steps.first().map(String::as_str), Some("accepted"));
    steps.sort();
    assert_eq!(steps, ["accepted", "crm", "email"]);
}

fn send_tells_why_a_lead_is_refused() {
    let trial = Trial::new();
    let _up = trial.up();
    fs::write(trial.folder().join("list.json"), "[1, 2]").unwrap();
    let output = send(&trial, &["list.json"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let words = text(&output.stdout);
    assert_eq!(steps(&output), ["refused"]);
    assert!(words.contains("400 The body is not a lead"), "{words}");
    let output = send(&trial, &["no-such-file.json"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stderr).contains("no-such-file.json cannot be read"));
}

fn send_needs_a_running_trial() {
    let output = send(&Trial::new(), &[]);
    assert_eq!(output.status.code(), Some(75));
    let words = text(&output.stderr);
    assert_eq!(words.lines().count(), 1, "one sentence: {words}");
    assert!(words.contains("start it in another terminal") && words.contains("--url"), "{words}");
    assert!(output.stdout.is_empty());
}
