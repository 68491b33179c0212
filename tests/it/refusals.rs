//! Bad and odd input: what each gets as an answer, and that whatever was accepted comes to an end at every sink.
//!
//! The test produces `docs/reference/bad-input.md`. Inputs: `cases`. Needs nothing but the product itself.

mod cases;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use cases::{Case, Site};
use leadline_proto::Status;
use leadline_tests::committed::assert_committed;
use leadline_tests::{Stack, Suite, eventually};
use serde_json::Value;
use uuid::Uuid;

use crate::support::document::Document;
use crate::support::http::{Answer, Body};
use crate::support::{PATIENCE, Product, outcomes_at};

const TABLE: &str = "docs/reference/bad-input.md";
/// Shorter words stand in answers by themselves.
const WORD: usize = 6;

pub(crate) fn tests(suite: &mut Suite) {
    suite.test("refusals::each_bad_or_odd_input_gets_what_the_table_says", [], each_input_gets_what_the_table_says);
}

fn each_input_gets_what_the_table_says(stack: &Stack) {
    let product = Product::on_embedded(stack, "refusals", "");
    let (up, kafka) = product.up_with_broker(&[("LEADLINE__INGEST__BODY_TIMEOUT", "1s")]);
    let url = product.url();
    let host = url.split('/').nth(2).unwrap();
    let cases = Site { endpoint: &product.endpoint, token: &product.token }.cases();
    let answers: Vec<Answer> = cases.iter().map(|case| case.request.send(host)).collect();
    let (document, both) = (Document::made(), cases.iter().zip(&answers));
    let wrong: Vec<String> = both.flat_map(|(case, answer)| faults(case, answer, &product, &document)).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    // Anybody can send what is no request.
    assert!(!up.process.output().contains("actix"), "{}", up.process.output());
    let table = table(&product, &kafka, &cases, &answers);
    println!("{table}");
    assert_committed(TABLE, &table);
}

/// What is wrong with an answer, also by the OpenAPI document.
fn faults(case: &Case, answer: &Answer, product: &Product, document: &Document) -> Vec<String> {
    let mut faults = Vec::new();
    if answer.status != case.status {
        faults.push(format!("{} instead of {}", answer.status, case.status));
    }
    if case.unreadable && !answer.body.is_empty() {
        faults.push(format!("the body `{}` although nothing is known of the request", answer.body));
    } else if answer.status >= 400 && !case.unreadable {
        faults.extend(problem_faults(case, answer));
    }
    faults.extend(document.faults(answer));
    let repeated = words(case, product).into_iter().find(|word| answer.text.contains(word.as_str()));
    faults.extend(repeated.map(|word| format!("the answer repeats `{word}`")));
    faults.into_iter().map(|fault| format!("{}: {fault}", case.what)).collect()
}

fn problem_faults(case: &Case, answer: &Answer) -> Vec<String> {
    let mut faults = Vec::new();
    let mut expect = |name: &str, value: &str| {
        if answer.header(name) != Some(value) {
            faults.push(format!("`{name}` is {:?}", answer.header(name)));
        }
    };
    expect("content-type", "application/problem+json");
    match answer.status {
        401 => expect("www-authenticate", "Bearer"),
        405 => expect("allow", "POST"),
        _ => {}
    }
    let members: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let texts = ["type", "title", "detail"].into_iter().all(|name| members[name].is_string());
    // What is not a lead but holds something is kept, and its id is a member of its own.
    let is_read = members["type"] != "urn:leadline:problem:idempotency-key";
    let kept = answer.status == 400 && is_read && !blank(&case.request.body);
    let named = members["rejected_id"].as_str().is_some_and(|id| id.parse::<Uuid>().is_ok());
    let count = if kept { 5 } else { 4 };
    let whole = texts && members["status"] == answer.status && members.as_object().is_some_and(|all| all.len() == count);
    if kept != named {
        faults.push(format!("kept is {kept}, but its id is {}", members["rejected_id"]));
    }
    if !whole && case.request.method != "HEAD" {
        faults
            .push(format!("the members are not type, title, status, detail and for what is kept rejected_id: {}", answer.body));
    }
    faults
}

fn blank(body: &Body) -> bool {
    match body {
        Body::Whole(body) | Body::Chunked(body) | Body::Half(body) => body.trim_ascii().is_empty(),
    }
}

/// Everything of a request that must not come back: the words of its body, its path, its credentials.
fn words(case: &Case, product: &Product) -> Vec<String> {
    let body = match &case.request.body {
        Body::Whole(body) | Body::Chunked(body) | Body::Half(body) => String::from_utf8_lossy(body).into_owned(),
    };
    let path = case.request.target.replace("/v1/leads/", "").replace(&product.endpoint, "");
    let authorization = case.request.headers.iter().filter(|(name, _)| *name == "authorization");
    let credentials = authorization.filter_map(|(_, value)| value.split_once(' ')).map(|(_scheme, rest)| rest.to_owned());
    let texts = [body, path].into_iter().chain(credentials).collect::<Vec<_>>().join(" ");
    let words = texts.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() >= WORD).map(str::to_owned);
    words.chain([product.token.clone()]).collect()
}

fn table(product: &Product, kafka: &str, cases: &[Case], answers: &[Answer]) -> String {
    let rows = || cases.iter().zip(answers);
    let mut text = HEAD.to_owned();
    for (case, answer) in rows().filter(|(_, answer)| answer.status != 202) {
        let problem: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let kind = problem["type"].as_str().map_or("(no body)".to_owned(), |kind| format!("`{kind}`"));
        writeln!(text, "| {} | {} | {kind} |", case.what, answer.status).unwrap();
    }
    text += ACCEPTED;
    let accepted: Vec<(&Case, Uuid)> = rows().filter_map(|(case, answer)| Some((case, lead_id(answer)?))).collect();
    let ends = outcomes(product, kafka, &accepted.iter().map(|(_, id)| *id).collect::<Vec<_>>());
    for (case, id) in accepted {
        let end = |sink: &String| shown(&ends[&(id, sink.clone())]);
        writeln!(text, "| {} | {} | {} |", case.what, end(&product.email_sink), end(&product.crm_sink)).unwrap();
    }
    text
}

/// The id of an accepted lead.
fn lead_id(answer: &Answer) -> Option<Uuid> {
    let receipt: Value = serde_json::from_str(&answer.body).ok()?;
    receipt["lead_id"].as_str()?.parse().ok()
}

/// All outcomes, once there is one of each accepted lead at both sinks.
fn outcomes(product: &Product, kafka: &str, ids: &[Uuid]) -> BTreeMap<(Uuid, String), Status> {
    eventually("an outcome of each accepted lead at both sinks", PATIENCE, || {
        let outcomes = outcomes_at(kafka, &product.topic("outcomes")).into_iter();
        let ends: BTreeMap<_, _> =
            outcomes.map(|outcome| ((outcome.lead_id, outcome.sink.to_string()), outcome.status)).collect();
        let ended =
            |id: &Uuid| [&product.email_sink, &product.crm_sink].iter().all(|sink| ends.contains_key(&(*id, (*sink).clone())));
        ids.iter().all(ended).then_some(ends)
    })
}

fn shown(status: &Status) -> String {
    match status {
        Status::Delivered { .. } => "delivered".to_owned(),
        Status::Skipped { rule } => format!("skipped: {rule}"),
        Status::DeadLettered { code } => format!("dead letter: {code}"),
    }
}

const HEAD: &str = "# Bad and odd input

What ingest answers to input that is not an ordinary lead, and what becomes of the leads among it. Written by the test
`refusals::each_bad_or_odd_input_gets_what_the_table_says` from what the product really did; do not edit it by hand.

## Refused

Each answer is `application/problem+json` with `type`, `title`, `status` and `detail`, and repeats nothing of the request. That
to a body which is not a lead also has `rejected_id`, unless the body is blank: under this id it is kept. A 405 names the
allowed method in `Allow`. What cannot be read as a request is answered without a body, as is HEAD. Limits are those of the
default configuration. All of it is as [openapi.json](openapi.json) says.

| Input | Status | Problem type |
|---|---|---|
";

const ACCEPTED: &str = "
## Accepted

Each was answered with 202. The columns say how the lead ended at an e-mail sink and at a CRM sink.

| Input | E-mail | CRM |
|---|---|---|
";
