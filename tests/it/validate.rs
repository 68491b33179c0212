//! What comes of pressing Validate in Partner Center, or of publishing an offer: Microsoft's test lead, from the post to its end
//! at each sink, and what becomes of it when it is sent as the guide prints it, which is no JSON.

use std::collections::BTreeMap;
use std::fs;
use std::process::Output;

use leadline_proto::headers::REASON;
use leadline_proto::{Outcome, Status};
use leadline_tests::binaries::Binaries;
use leadline_tests::kafka::records_at;
use leadline_tests::{Stack, Suite, eventually, fixtures};
use mail_parser::MessageParser;
use serde_json::json;
use uuid::Uuid;

use crate::rejected::{figure, rejected_id};
use crate::support::{Database, PATIENCE, Product, Running, outcomes_at};

/// Beside the two sinks with the defaults, one of each kind that is told the opposite.
const OTHERS: &str = r#"
[sinks.quiet]
kind = "email"
from = "Leadline <leads@contoso.example>"
transport = "file"
file.directory = "quiet"
test_leads = "skip"
[sinks.thorough]
kind = "crm"
test_leads = "write"
sql.url = "sqlite:thorough.db"
"#;

pub(crate) fn tests(suite: &mut Suite) {
    suite.test("validate::the_contacts_are_told_and_the_crm_is_spared", [], the_contacts_are_told_and_the_crm_is_spared);
    suite.test("validate::a_broken_test_lead_is_kept_and_can_be_repaired", [], a_broken_test_lead_is_kept);
}

/// When the test lead last came, as the figure says.
fn last_came(product: &Product, up: &Running) -> f64 {
    let series = format!("leadline_ingest_test_lead_timestamp_seconds{{endpoint=\"{}\"}}", product.endpoint);
    figure(&up.metrics(), &series)
}

/// How a lead ended at each of the sinks.
fn ends(product: &Product, kafka: &str, lead_id: Uuid) -> BTreeMap<String, Status> {
    eventually("an outcome of each sink", PATIENCE, || {
        let of_lead = |outcome: &Outcome| outcome.lead_id == lead_id;
        let outcomes = outcomes_at(kafka, &product.topic("outcomes")).into_iter().filter(of_lead);
        let ends: BTreeMap<_, _> = outcomes.map(|outcome| (outcome.sink.to_string(), outcome.status)).collect();
        (ends.len() == 4).then_some(ends)
    })
}

#[track_caller]
fn assert_ends(product: &Product, ends: &BTreeMap<String, Status>) {
    for sink in [&product.email_sink, "thorough"] {
        assert!(matches!(ends[sink], Status::Delivered { .. }), "{sink}: {ends:?}");
    }
    for sink in [&product.crm_sink, "quiet"] {
        assert!(matches!(&ends[sink], Status::Skipped { rule } if rule.as_str() == "test"), "{sink}: {ends:?}");
    }
}

fn the_contacts_are_told_and_the_crm_is_spared(stack: &Stack) {
    let product = Product::on_embedded(stack, "validate", OTHERS);
    let (up, kafka) = product.up_with_broker(&[]);
    assert_eq!(last_came(&product, &up), 0.0);
    let answer = product.post(fixtures::lead("validate-button"));
    let receipt = answer.json();
    assert_eq!(receipt["test"], json!(true));
    let received_at: jiff::Timestamp = receipt["received_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(last_came(&product, &up), received_at.as_duration().as_secs_f64());
    assert_ends(&product, &ends(&product, &kafka, answer.lead_id()));

    let mails = fs::read_dir(product.folder().join("outbox")).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap());
    let subjects: Vec<String> =
        mails.map(|mail| MessageParser::default().parse(&mail).unwrap().subject().unwrap().to_owned()).collect();
    assert!(
        !subjects.is_empty() && subjects.iter().all(|subject| subject.starts_with("[Test] Lead: MSFT_TEST_")),
        "{subjects:?}"
    );
    let thorough = Database::Sqlite(product.folder().join("thorough.db")).records();
    assert_eq!(thorough.iter().map(|record| record["test"].as_str()).collect::<Vec<_>>(), ["yes"]);
    assert!(!product.folder().join("quiet").exists() && !product.crm_file().exists(), "nothing was written");
}

fn a_broken_test_lead_is_kept(stack: &Stack) {
    let product = Product::on_embedded(stack, "validate", OTHERS);
    let (up, kafka) = product.up_with_broker(&[]);
    let right = String::from_utf8(fixtures::lead("validate-button")).unwrap();
    let printed = right.replace("\"Contoso Test\",", "\"Contoso Test\"");
    let id = rejected_id(&product.post(printed.clone())).expect("it is kept");
    let kept = records_at(&kafka, &product.topic("rejected")).remove(0);
    assert_eq!(kept.value.as_deref(), Some(printed.as_bytes()), "byte for byte");
    assert_eq!((kept.header("ce_id"), kept.header(REASON)), (Some(id.to_string()), Some("not-json".to_owned())));
    assert_eq!(last_came(&product, &up), 0.0, "what is no lead is no test lead either");

    let file = product.folder().join("repaired.json");
    fs::write(&file, right).unwrap();
    let mut command = product.command(&Binaries::built().leadline(), &["rejected", "resubmit", &id.to_string(), "--file"]);
    let Output { status, stdout, stderr } = command.arg(&file).env("LEADLINE__KAFKA__BOOTSTRAP", &kafka).output().unwrap();
    let told = String::from_utf8_lossy(&stdout);
    assert!(status.success(), "{told}{}", String::from_utf8_lossy(&stderr));
    let made = told.trim().strip_prefix("resubmitted as lead ").and_then(|rest| rest.strip_suffix(", a test lead"));
    assert_ends(&product, &ends(&product, &kafka, made.unwrap_or_else(|| panic!("{told}")).parse().unwrap()));
}
