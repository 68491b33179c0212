//! The product in one process on its embedded broker, as `leadline up` starts it, and the commands that need no server. Runs on
//! every machine: no test here needs a tool.

mod configuration;
mod operator;
mod send;
mod trial;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use leadline_proto::{Outcome, Status};
use leadline_tests::kafka::records_at;
use leadline_tests::{Suite, eventually, fixtures};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{PATIENCE, Posted, get, post};
use trial::{Trial, Up};

/// A body of about 60 KiB, all of it needed.
const BIG: usize = 60_000;
/// Far more such leads than the embedded broker holds.
const TOO_MANY: usize = 200;

pub(crate) fn tests(suite: &mut Suite) {
    suite
        .test("embedded::the_printed_curl_becomes_a_mail_and_a_record", [], |_| the_printed_curl_becomes_a_mail_and_a_record());
    suite.test("embedded::every_sample_comes_to_an_end", [], |_| every_sample_comes_to_an_end());
    suite.test("embedded::a_stop_delivers_first_and_keeps_the_token", [], |_| a_stop_delivers_first_and_keeps_the_token());
    suite
        .test("embedded::nothing_accepted_is_dropped_when_the_broker_is_full", [], |_| nothing_accepted_is_dropped_when_full());
    send::tests(suite);
    configuration::tests(suite);
    operator::tests(suite);
}

fn the_printed_curl_becomes_a_mail_and_a_record() {
    let trial = Trial::new();
    let mut process = trial.spawn(&["up", "--data", "data"]);
    process.wait_for_line("Ctrl-C stops", PATIENCE);
    let printed = process.output();
    assert!(printed.contains("ready in ") && printed.contains("keeps nothing after it stops"), "{printed}");
    let metrics = printed.lines().find_map(|line| line.trim().strip_prefix("metrics  ")).unwrap();
    assert_eq!(get(metrics).map(|answer| answer.status), Some(200));
    let receipt = run_curl(trial.folder(), &printed_curl(&printed));
    assert_eq!(receipt["durable"], json!("memory"));
    eventually("both outcomes of the lead", PATIENCE, || (trial.running().outcomes().len() == 2).then_some(()));
    let lead_id = receipt["lead_id"].as_str().unwrap();
    assert_eq!(trial.mailed_leads(), BTreeSet::from([lead_id.parse().unwrap()]));
    let rows = trial.rows();
    assert_eq!((rows.len(), rows[0]["lead_id"].as_str(), rows[0]["email"].as_str()), (1, lead_id, "someone@contoso.com"));
}

/// The command as a person would copy it, over several lines.
fn printed_curl(printed: &str) -> String {
    let from = printed.lines().skip_while(|line| !line.trim_start().starts_with("curl "));
    from.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

/// Runs it, or where there is no curl posts what it would post. Gives the receipt.
fn run_curl(folder: &Path, curl: &str) -> Value {
    if Command::new("curl").arg("--version").output().is_err() {
        let quoted: Vec<&str> = curl.split('\'').skip(1).step_by(2).collect();
        return post(quoted[0], quoted[2].into(), &[("content-type", "application/json")]).json();
    }
    let output = Command::new("sh").args(["-c", curl]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{curl}\n{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stdout)))
}

fn every_sample_comes_to_an_end() {
    let trial = Trial::new();
    let up = trial.up();
    let leads: Vec<Uuid> = fixtures::lead_names().iter().map(|name| up.post(fixtures::lead(name)).lead_id()).collect();
    let outcomes = eventually("both outcomes of each sample", PATIENCE, || {
        Some(up.outcomes()).filter(|outcomes| outcomes.len() >= 2 * leads.len())
    });
    assert_eq!(outcomes.len(), 2 * leads.len(), "one outcome a sink");
    let delivered = |sink: &str| -> BTreeSet<Uuid> {
        let of_sink = |outcome: &&Outcome| outcome.sink.as_str() == sink && matches!(outcome.status, Status::Delivered { .. });
        outcomes.iter().filter(of_sink).map(|outcome| outcome.lead_id).collect()
    };
    assert_eq!(delivered("email"), leads.iter().copied().collect());
    assert_eq!(trial.mailed_leads(), delivered("email"));
    let written: BTreeSet<Uuid> = trial.rows().iter().map(|row| row["lead_id"].parse().unwrap()).collect();
    assert_eq!(written, delivered("crm"));
    assert_eq!(leads.len() - written.len(), 2, "the two test leads are not for the CRM");
}

/// What only the embedded broker holds is gone when it stops, so a stop delivers first.
fn a_stop_delivers_first_and_keeps_the_token() {
    let trial = Trial::new();
    let mut up = trial.up();
    let leads: BTreeSet<Uuid> =
        (0..40).map(|number| up.post(lead(&format!("p{number}@contoso.example"), "")).lead_id()).collect();
    assert_eq!(up.stop(), 0);
    assert_eq!(trial.mailed_leads(), leads);
    assert_eq!(trial.rows().len(), leads.len());
    assert!(!trial.data().join("up.json").exists(), "nobody is sent to a trial that is over");
    let mut again = trial.up();
    let token = |up: &Up| up.url.split_once("?sig=").unwrap().1.to_owned();
    assert_eq!(token(&again), token(&up));
    assert_eq!(again.stop(), 0);
}

/// The outbox cannot be written while a file stands in its place, so leads pile up until ingest takes no more.
fn nothing_accepted_is_dropped_when_full() {
    let trial = Trial::new();
    trial.block_outbox();
    let mut up = trial.up();
    let big = |number: usize| lead("big@contoso.example", &format!("{number} {}", "x".repeat(BIG)));
    let mut accepted = Vec::new();
    let refused = (0..TOO_MANY).map(|number| up.post(big(number))).find(|answer| {
        let taken = answer.status == 202;
        accepted.extend(taken.then(|| answer.lead_id()));
        !taken
    });
    check_full(&refused.expect("the embedded broker cannot hold so much"));
    assert!(accepted.len() > 20, "it holds 4 MiB, but only {} leads were taken", accepted.len());
    let held: Vec<Uuid> =
        records_at(&up.kafka, "leads").iter().map(|record| record.header("ce_id").unwrap().parse().unwrap()).collect();
    assert_eq!(held, accepted, "all of one person: one partition, in order");
    trial.unblock_outbox();
    let accepted: BTreeSet<Uuid> = accepted.into_iter().collect();
    eventually("each accepted lead is mailed", PATIENCE, || (trial.mailed_leads() == accepted).then_some(()));
    eventually("there is room again", PATIENCE, || (up.post(big(TOO_MANY)).status == 202).then_some(()));
    assert_eq!(up.stop(), 0);
}

fn check_full(answer: &Posted) {
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(answer.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok_and(|seconds| seconds > 0)));
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.json()["type"], json!("urn:leadline:problem:unavailable"));
    assert!(answer.body.contains("--kafka"), "it says what to do: {}", answer.body);
}

fn lead(email: &str, description: &str) -> Vec<u8> {
    json!({"UserDetails": {"Email": email}, "OfferTitle": "x", "Description": description}).to_string().into_bytes()
}
