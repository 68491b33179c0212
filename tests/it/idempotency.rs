//! Leads that their sender names by an `Idempotency-Key`: posted again they are one lead, however long ago the first was handled.
//! Which keys are refused belongs in `refusals`.

use std::collections::BTreeMap;

use leadline_proto::headers::REDELIVERY;
use leadline_proto::{Outcome, Status};
use leadline_tests::{Stack, Suite, Tool};
use serde_json::json;
use uuid::Uuid;

use crate::support::{Database, Posted, Product, Running, Sinks, post};

pub(crate) fn tests(suite: &mut Suite) {
    suite.test(
        "idempotency::a_lead_posted_again_gives_one_mail_and_one_record",
        [Tool::Kafka, Tool::Smtp],
        posted_again_gives_one_mail_and_one_record,
    );
}

fn post_named(product: &Product, key: &str, said: &str) -> Posted {
    let body = json!({"UserDetails": {"Email": "ann@contoso.example"}, "OfferTitle": said}).to_string();
    post(&product.url(), body.into(), &[("content-type", "application/json"), ("idempotency-key", key)])
}

/// Repeats are not told here, so nothing but the id can keep the second post from being handled.
fn posted_again_gives_one_mail_and_one_record(stack: &Stack) {
    let product = Product::new(stack, "named", stack.kafka().bootstrap(), &Sinks::to(stack.smtp()), "");
    product.create_topics();
    let _ingest = product.start_ingest();
    let mut workers = start(&product);
    let first = post_named(&product, "order-1", "one");
    let again = post_named(&product, "order-1", "one");
    let other = post_named(&product, "order-2", "two");
    assert_eq!(again.lead_id(), first.lead_id(), "{}", again.body);
    assert_ne!(other.lead_id(), first.lead_id());
    assert_eq!((again.status, first.lead_id().get_version_num()), (202, 5));
    wait_for(stack, &product, other.lead_id());
    // The workers forget what they have in mind. What they commit says that there is nothing to be read back.
    workers.iter_mut().for_each(|worker| assert_eq!(worker.stop(), 0));
    let _workers = start(&product);
    let late = post_named(&product, "order-1", "one");
    assert_eq!(late.lead_id(), first.lead_id());
    assert!(late.json()["received_at"].as_str() > first.json()["received_at"].as_str(), "it tells of its own receipt");
    // Of the same person, so it comes after.
    let last = post_named(&product, "order-3", "three");
    wait_for(stack, &product, last.lead_id());

    let leads = [first.lead_id(), other.lead_id(), last.lead_id()];
    let records = stack.kafka().records(&product.topic("leads"));
    assert_eq!(records.len(), 5, "each post is a record");
    assert!(records.iter().all(|record| record.header(REDELIVERY).as_deref() == Some("1")));
    let once: BTreeMap<(Uuid, String), usize> =
        leads.iter().flat_map(|lead| [&product.email_sink, &product.crm_sink].map(|sink| ((*lead, sink.clone()), 1))).collect();
    assert_eq!(outcomes(&product.outcomes(stack.kafka())), once);
    let mails = stack.smtp().received_for(&format!("sales@{}.example", product.prefix));
    assert_eq!(mails.len(), leads.len());
    let records = Database::Sqlite(product.crm_file());
    let mut written: Vec<Uuid> = records.history().keys().map(|id| id.parse().unwrap()).collect();
    let mut expected = leads.to_vec();
    written.sort();
    expected.sort();
    assert_eq!((written, records.records().len()), (expected, leads.len()), "one record for each offer");
}

fn start(product: &Product) -> [Running; 2] {
    [product.start_email(), product.start_crm()]
}

fn wait_for(stack: &Stack, product: &Product, lead: Uuid) {
    for sink in [&product.email_sink, &product.crm_sink] {
        let outcome = product.outcome(stack.kafka(), sink, lead);
        assert!(matches!(outcome.status, Status::Delivered { .. }), "{outcome:?}");
    }
}

/// How many outcomes each lead has at each sink.
fn outcomes(all: &[Outcome]) -> BTreeMap<(Uuid, String), usize> {
    let mut counts = BTreeMap::new();
    for outcome in all {
        *counts.entry((outcome.lead_id, outcome.sink.to_string())).or_default() += 1;
    }
    counts
}
