//! The OpenAPI document of the public port: it is valid, the README says the same, and a tester that sends what it allows and
//! forbids gets no answer that does not stand in it. That recorded answers do, `refusals` shows.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use leadline_tests::schemathesis::{self, Test};
use leadline_tests::{Stack, Suite, Tool};

use crate::rejected::figure;
use crate::support::document::Document;
use crate::support::http::Answer;
use crate::support::{Product, Sinks};

/// Another seed is another run.
const SEED: u32 = 1;
const EXAMPLES: u32 = 300;

pub(crate) fn tests(suite: &mut Suite) {
    suite.test("openapi::the_readme_lists_the_documented_answers", [], |_| the_readme_lists_the_documented_answers());
    suite.test("openapi::an_answer_is_compared_with_the_document", [], |_| an_answer_is_compared_with_the_document());
    suite.test("openapi::the_document_is_valid", [Tool::Schemathesis], |_| the_document_is_valid());
    suite.test("openapi::no_answer_is_undocumented", [Tool::Kafka, Tool::Schemathesis], no_answer_is_undocumented);
}

fn the_readme_lists_the_documented_answers() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    let (_, table) = readme.split_once("| status | type,").expect("the README has a table of answers");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let listed: BTreeSet<(String, String)> = rows.flat_map(answers_of_a_row).collect();
    assert_eq!(listed, Document::made().answers().into_iter().collect());
}

/// Status and types of a row such as `` | 503 | `unavailable`, with `Retry-After` | … | ``.
fn answers_of_a_row(row: &str) -> Vec<(String, String)> {
    let cells: Vec<&str> = row.split('|').map(str::trim).collect();
    let is_name = |word: &&str| word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let names = cells[2].split('`').skip(1).step_by(2).filter(is_name).map(|name| format!("urn:leadline:problem:{name}"));
    let names: Vec<String> = if cells[2].is_empty() { vec![String::new()] } else { names.collect() };
    names.into_iter().map(|name| (cells[1].to_owned(), name)).collect()
}

fn an_answer_is_compared_with_the_document() {
    let document = Document::made();
    let faults = |head: &str, body: &str| document.faults(&Answer::read(format!("HTTP/1.1 {head}\r\n\r\n{body}"))).join("; ");
    let problem = |kind: &str| format!(r#"{{"type":"urn:leadline:problem:{kind}","title":"","status":401,"detail":""}}"#);
    let json = "content-type: application/problem+json";
    let good = format!("401 x\r\nwww-authenticate: Bearer\r\n{json}");
    assert_eq!(faults(&good, &problem("unauthorized")), "");
    assert!(faults(&good, &problem("unknown")).contains("urn:leadline:problem:unknown"));
    assert!(faults(&good, "{}").contains("required"));
    assert!(faults(&good, "no").contains("no JSON"));
    assert!(faults(&good.replace("problem+", ""), &problem("unauthorized")).contains("`application/json` is not documented"));
    assert!(faults(&good.replace("Bearer", "Basic"), "").contains("`www-authenticate`"));
    assert!(faults("401 x", "").contains("`www-authenticate` is missing"));
    assert_eq!(faults("503 x\r\nretry-after: 30", ""), "");
    assert!(faults("503 x\r\nretry-after: soon", "").contains("`retry-after`"));
    assert_eq!(faults("418 x", ""), "the status 418 is not documented");
    let receipt = r#"{"lead_id":"01a20568-8e03-7978-80d5-bc936894a57f","endpoint":"a","received_at":"2026-11-22T22:37:39Z",
        "durable":"kafka","test":false}"#;
    assert_eq!(faults("202 x\r\ncontent-type: application/json", receipt), "");
    assert!(faults("202 x\r\ncontent-type: application/json", &receipt.replace("kafka", "tape")).contains("tape"));
}

fn the_document_is_valid() {
    schemathesis::validate(&Document::file()).unwrap_or_else(|found| panic!("{found}"));
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("openapi.json");
    let text = fs::read_to_string(Document::file()).unwrap();
    fs::write(&broken, text.replace("\"operationId\": ", "\"operationid\": ").replace("\"in\": \"path\"", "\"in\": \"road\""))
        .unwrap();
    assert!(schemathesis::validate(&broken).is_err(), "a wrong document is told");
}

fn no_answer_is_undocumented(stack: &Stack) {
    let sinks = Sinks { email: String::new(), crm_url: None };
    let product = Product::new(stack, "openapi", stack.kafka().bootstrap(), &sinks, "");
    product.create_topics();
    // It fails on purpose, again and again.
    let ingest = product.start_ingest_with(&[("LEADLINE__INGEST__LIMITS__FAILURES_PER_MINUTE", "1000000")]);
    let url = product.url();
    let base = url.split("/v1/").next().unwrap();
    for settings in [right_endpoint(&product), any_endpoint(&product)] {
        let (document, folder) = (Document::file(), product.folder());
        let test = Test { document: &document, url: base, settings: &settings, folder, seed: SEED, examples: EXAMPLES };
        println!("{}", test.run().unwrap_or_else(|found| panic!("{found}")));
    }
    // It was a test of something: leads were taken, and much was tried that is wrong with one.
    let metrics = ingest.metrics();
    let figure = |name: &str, labels: &str| figure(&metrics, &format!("leadline_ingest_{name}_total{{{labels}}}"));
    let accepted = figure("accepted", &format!("durable=\"kafka\",endpoint=\"{}\",kind=\"customer\"", product.endpoint));
    assert!(accepted >= 50.0, "{metrics}");
    for reason in ["not-an-object", "not-json", "idempotency-key", "unauthorized", "not-found", "method-not-allowed"] {
        assert!(figure("refused", &format!("reason=\"{reason}\"")) >= 1.0, "nothing was refused as {reason}:\n{metrics}");
    }
}

/// The endpoint that there is, with its token: what is wrong is in the rest.
fn right_endpoint(product: &Product) -> String {
    format!("{}[parameters]\n\"path.endpoint\" = \"{}\"\n", any_endpoint(product), product.endpoint)
}

/// All that an endpoint may and may not be called.
fn any_endpoint(product: &Product) -> String {
    format!("[cache]\nenabled = false\n[auth.openapi.sig]\napi_key = \"{}\"\n", product.token)
}
