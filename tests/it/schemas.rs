//! What an endpoint may say about its bodies: a JSON Schema that warns or rejects, places of the fields in another sender's
//! payload. And what is seen of Microsoft's test leads. Needs nothing but the product itself.

use std::fs;
use std::process::Output;

use leadline_tests::binaries::Binaries;
use leadline_tests::{Stack, Suite, eventually, fixtures};
use serde_json::{Value, json};

use crate::rejected::figure;
use crate::support::{Database, PATIENCE, Posted, Product, outcomes_at, post};

pub(crate) fn tests(suite: &mut Suite) {
    suite.test("schemas::a_schema_warns_or_rejects", [], a_schema_warns_or_rejects);
    suite.test("schemas::a_payload_of_another_sender_is_mapped", [], a_payload_of_another_sender_is_mapped);
    suite.test("schemas::a_test_lead_is_seen_as_one", [], a_test_lead_is_seen_as_one);
    suite.test("schemas::every_sample_fits_what_was_inferred_from_it", [], every_sample_fits_what_was_inferred);
}

fn post_to(product: &Product, endpoint: &str, body: &Value) -> Posted {
    post(&product.url_of(endpoint), body.to_string().into(), &[("content-type", "application/json")])
}

fn a_schema_warns_or_rejects(stack: &Stack) {
    let product = Product::on_embedded(stack, "schemas", "");
    let text = json!({"type": "string"});
    let details = json!({"type": "object", "properties": {"Email": text, "LastName": text}});
    let schema = json!({"properties": {"UserDetails": details, "LeadSource": text}});
    // Beside the configuration.
    fs::write(product.folder().join("lead.schema.json"), schema.to_string()).unwrap();
    product.add_endpoint("lax", "schema = \"lead.schema.json\"");
    product.add_endpoint("strict", "schema = \"lead.schema.json\"\nschema_mode = \"reject\"");
    let (up, _kafka) = product.up_with_broker(&[]);
    let body = json!({"userDetails": {"Email": "ann@fabrikam.example", "Fax": "tel4711"}, "LeadSource": 1, "Campaign Ann": 2});

    let lead_id = post_to(&product, "lax", &body).lead_id().to_string();
    let refused = post_to(&product, "strict", &body);
    assert_eq!(refused.status, 400, "{}", refused.body);
    let problem = refused.json();
    assert_eq!(problem["type"], json!("urn:leadline:problem:schema-violation"));
    assert_eq!(problem["detail"], json!("the body does not fit the endpoint's schema at /properties/LeadSource/type"));
    assert!(problem["rejected_id"].is_string());
    let fitting = json!({"UserDetails": {"Email": "ann@fabrikam.example"}, "LeadSource": "x", "Fax": "tel4712"});
    post_to(&product, "strict", &fitting).lead_id();

    let metrics = up.metrics();
    for (endpoint, unknown) in [("lax", 2.0), ("strict", 3.0)] {
        let violations = |keyword| {
            figure(
                &metrics,
                &format!("leadline_ingest_schema_violations_total{{endpoint=\"{endpoint}\",keyword=\"{keyword}\"}}"),
            )
        };
        assert_eq!((violations("type"), violations("required")), (1.0, 0.0), "{endpoint}");
        assert_eq!(figure(&metrics, &format!("leadline_ingest_unknown_fields_total{{endpoint=\"{endpoint}\"}}")), unknown);
    }
    assert!(!metrics.contains(&format!("unknown_fields_total{{endpoint=\"{}\"}}", product.endpoint)), "it has no schema");
    check_log(&up.process.output(), &lead_id);
}

/// Places in the schema and names that look like names; nothing else of a body.
fn check_log(log: &str, lead_id: &str) {
    let lines = |words: &str| log.lines().filter(|line| line.contains(words)).collect::<Vec<_>>();
    let misfits = lines("does not fit the schema");
    assert!(misfits.iter().any(|line| line.contains(lead_id) && line.contains("/properties/LeadSource/type")), "{log}");
    let members = lines("a member is not in the schema");
    assert!(members.len() == 1 && members[0].contains("Fax"), "once, and only the plain name: {members:?}");
    for personal in ["fabrikam", "tel4711", "tel4712", "Campaign"] {
        assert!(!log.contains(personal), "`{personal}`: {log}");
    }
}

fn a_payload_of_another_sender_is_mapped(stack: &Stack) {
    let product = Product::on_embedded(stack, "schemas", "");
    let mapping = "[endpoints.form.mapping]\nemail = \"/contact/mail\"\nlast_name = \"/contact/name\"\noffer = \"/what\"";
    product.add_endpoint("form", mapping);
    let (_up, kafka) = product.up_with_broker(&[]);
    let body =
        json!({"contact": {"mail": "ann@fabrikam.example", "name": "Lee", "vip": true}, "what": "Backup", "LeadSource": "x"});
    let lead_id = post_to(&product, "form", &body).lead_id().to_string();
    eventually("the CRM's outcome", PATIENCE, || {
        let outcomes = outcomes_at(&kafka, &product.topic("outcomes"));
        outcomes.into_iter().find(|outcome| outcome.sink.as_str() == product.crm_sink)
    });
    let rows = Database::Sqlite(product.crm_file()).records();
    let row = &rows[0];
    assert_eq!((row["lead_id"].as_str(), row["email"].as_str()), (lead_id.as_str(), "ann@fabrikam.example"));
    assert_eq!((row["last_name"].as_str(), row["offer"].as_str(), row["source"].as_str()), ("Lee", "Backup", ""));
    let raw = Database::Sqlite(product.crm_file()).history().remove(&lead_id);
    assert_eq!(raw, Some(body.to_string()), "the body is kept as it came");
}

fn a_test_lead_is_seen_as_one(stack: &Stack) {
    let product = Product::on_embedded(stack, "schemas", "");
    let (up, kafka) = product.up_with_broker(&[]);
    let seen = || {
        let series = format!("leadline_ingest_test_lead_timestamp_seconds{{endpoint=\"{}\"}}", product.endpoint);
        figure(&up.metrics(), &series)
    };
    product.post(fixtures::lead("sample")).lead_id();
    assert_eq!(seen(), 0.0, "none has come");
    let answer = product.post(fixtures::lead("validate-button"));
    assert_eq!(answer.json()["test"], json!(true));
    let received_at: jiff::Timestamp = answer.json()["received_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(seen(), received_at.as_duration().as_secs_f64());

    let file = product.folder().join("test.json");
    fs::write(&file, fixtures::lead("validate-button-coded")).unwrap();
    let leadline = |args: &[&str]| -> Output {
        let mut command = product.command(&Binaries::built().leadline(), args);
        command.env("LEADLINE__KAFKA__BOOTSTRAP", &kafka).output().unwrap()
    };
    let sent = leadline(&["send", file.to_str().unwrap(), "--url", &product.url()]);
    let told = String::from_utf8_lossy(&sent.stdout).into_owned();
    assert!(sent.status.success() && told.contains(", a test lead\n") && told.contains("skipped by the rule test"), "{told}");
    let audit = eventually("every lead is accounted for", PATIENCE, || {
        Some(leadline(&["audit", "--json"])).filter(|audit| audit.status.success())
    });
    let audit: Value = serde_json::from_slice(&audit.stdout).unwrap();
    assert_eq!((&audit["received"], &audit["tests"]), (&json!(3), &json!(2)));
}

fn every_sample_fits_what_was_inferred(_stack: &Stack) {
    let names = fixtures::lead_names();
    let folder = tempfile::tempdir().unwrap();
    let files = names.iter().map(|name| {
        let file = folder.path().join(name);
        fs::write(&file, fixtures::lead(name)).unwrap();
        file
    });
    let files: Vec<_> = files.collect();
    let infer = |files: &[std::path::PathBuf]| {
        let mut command = std::process::Command::new(Binaries::built().leadline());
        command.args(["schema", "infer"]).args(files).current_dir(folder.path()).output().unwrap()
    };
    let schema = |files: &[std::path::PathBuf]| -> Value { serde_json::from_slice(&infer(files).stdout).unwrap() };
    let all = schema(&files);
    assert_eq!(all["$schema"], json!("http://json-schema.org/draft-04/schema#"));
    let validator = jsonschema::validator_for(&all).unwrap();
    for name in &names {
        let body: Value = serde_json::from_slice(&fixtures::lead(name)).unwrap();
        assert!(validator.is_valid(&body), "{name}");
    }
    assert!(!validator.is_valid(&json!({"LeadSource": 1})));

    let one = files.iter().position(|file| file.ends_with("sample")).unwrap();
    let of_one = schema(&files[one..=one]);
    let required = json!(["ActionCode", "Description", "LeadSource", "OfferTitle", "UserDetails"]);
    assert_eq!(of_one["required"], required);
    assert!(!of_one.to_string().contains("contoso"), "names and types only");
    fs::write(&files[one], "[1]").unwrap();
    let refused = infer(&files);
    assert_eq!(refused.status.code(), Some(64));
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(why.contains("sample: the body is JSON but not an object"), "{why}");
}
