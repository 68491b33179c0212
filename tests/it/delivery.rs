//! What becomes of a lead when nothing goes wrong: the record in Kafka, the mails, the CRM record, the outcomes.

mod mails;
mod samples;

use std::collections::BTreeMap;

use leadline_proto::{Outcome, Status};
use leadline_tests::kafka::{Cluster, Record};
use leadline_tests::{Stack, Suite, Tool, eventually, fixtures};
use serde_json::json;
use uuid::Uuid;

use crate::support::{Database, PATIENCE, Product, Row, Running, Sinks, post};
use samples::Sample;

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

pub(crate) fn tests(suite: &mut Suite) {
    let (kafka, smtp, postgres) = (Tool::Kafka, Tool::Smtp, Tool::Postgres);
    suite.test("delivery::every_sample_becomes_a_mail_and_a_record", [kafka, smtp], every_sample_with_sqlite);
    suite.test("delivery::every_sample_becomes_a_record_in_postgres", [kafka, smtp, postgres], every_sample_with_postgres);
    suite.test("delivery::a_lead_is_a_cloud_event_keyed_by_its_person", [kafka], a_lead_is_a_cloud_event_keyed_by_its_person);
    suite.test("delivery::an_endpoint_can_feed_one_sink_only", [kafka, smtp], an_endpoint_can_feed_one_sink_only);
    suite.test("delivery::leads_of_one_person_keep_their_order", [kafka, smtp], leads_of_one_person_keep_their_order);
}

fn every_sample_with_sqlite(stack: &Stack) {
    let product = Product::new(stack, "sqlite", stack.kafka().bootstrap(), &Sinks::to(stack.smtp()), "");
    let database = Database::Sqlite(product.crm_file());
    every_sample(stack, product, &database);
}

fn every_sample_with_postgres(stack: &Stack) {
    let url = stack.postgres().create_database(&stack.unique("crm"));
    let sinks = Sinks { crm_url: Some(url.clone()), ..Sinks::to(stack.smtp()) };
    let product = Product::new(stack, "postgres", stack.kafka().bootstrap(), &sinks, "");
    every_sample(stack, product, &Database::Postgres(url));
}

fn every_sample(stack: &Stack, product: Product, database: &Database) {
    let names: Vec<&str> = samples::ALL.iter().map(|sample| sample.name).collect();
    assert_eq!(fixtures::lead_names(), names, "each sample lead has a line in `samples`, in order");
    let delivery = Delivery::start(stack.kafka(), product);
    let leads: BTreeMap<&str, Uuid> =
        names.iter().map(|name| (*name, delivery.product.post(fixtures::lead(name)).lead_id())).collect();
    let product = delivery.finish(leads.values());
    let outcomes = product.outcomes(stack.kafka());
    let records = database.records();
    let written = samples::ALL.iter().filter(|sample| !sample.columns.is_empty()).count();
    assert_eq!((records.len(), database.history().len()), (written, written), "one row for each lead that is no test");
    for sample in samples::ALL {
        let lead_id = leads[sample.name];
        check_outcomes(&product, &outcomes, sample, lead_id);
        check_record(database, &records, sample, lead_id);
    }
    let domain = &product.prefix;
    for recipient in [format!("sales@{domain}.example"), format!("partner@{domain}.example")] {
        mails::check(stack.smtp(), &recipient, &leads);
    }
}

/// One outcome at each sink. A test lead is told by mail, and left out of the CRM.
fn check_outcomes(product: &Product, outcomes: &[Outcome], sample: &Sample, lead_id: Uuid) {
    let statuses = |sink: &str| -> Vec<&Status> {
        let of_lead = |outcome: &&Outcome| outcome.sink.as_str() == sink && outcome.lead_id == lead_id;
        outcomes.iter().filter(of_lead).map(|outcome| &outcome.status).collect()
    };
    let (email, crm) = (statuses(&product.email_sink), statuses(&product.crm_sink));
    assert!(matches!(email[..], [Status::Delivered { maybe_duplicate: false, .. }]), "{}: {email:?}", sample.name);
    match crm[..] {
        [Status::Skipped { rule }] => assert!(sample.columns.is_empty() && rule.as_str() == "test", "{}: {rule}", sample.name),
        [Status::Delivered { .. }] => assert!(!sample.columns.is_empty(), "{}", sample.name),
        _ => panic!("{}: one outcome of the CRM was expected: {crm:?}", sample.name),
    }
}

fn check_record(database: &Database, records: &[Row], sample: &Sample, lead_id: Uuid) {
    let Some(record) = records.iter().find(|record| record["lead_id"] == lead_id.to_string()) else {
        assert!(sample.columns.is_empty(), "{} has no record", sample.name);
        return;
    };
    for (column, value) in sample.columns {
        assert_eq!(record[column], *value, "{column} of {}", sample.name);
    }
    assert_eq!(record["crm_key"].len(), 32);
    let raw = String::from_utf8(fixtures::lead(sample.name)).unwrap();
    assert_eq!(database.history()[&lead_id.to_string()], raw, "the body of {} as it was sent", sample.name);
}

fn a_lead_is_a_cloud_event_keyed_by_its_person(stack: &Stack) {
    let product = Product::new(stack, "event", stack.kafka().bootstrap(), &Sinks { email: String::new(), crm_url: None }, "");
    product.create_topics();
    let _ingest = product.start_ingest();
    let lead = |email: &str| json!({"UserDetails": {"Email": email}, "ActionCode": "INS"}).to_string();
    let receipt = product.post(lead("Ann@Contoso.example"));
    let (one, two) = (receipt.lead_id(), product.post(lead("ann@CONTOSO.example")).lead_id());
    let other = product.post(lead("bob@contoso.example")).lead_id();
    let records = stack.kafka().records(&product.topic("leads"));
    let record = |id: Uuid| records.iter().find(|record| record.header("ce_id") == Some(id.to_string())).unwrap();
    check_headers(record(one), &product, &receipt.json());
    check_value(record(one), one);
    let key = record(one).key.clone().unwrap();
    assert!(key.len() == 32 && key.iter().all(u8::is_ascii_hexdigit), "32 hex digits: {key:?}");
    assert_eq!(record(two).key.as_ref(), Some(&key), "an address is the same in other case");
    assert_ne!(record(other).key.as_ref(), Some(&key));
    assert_eq!(record(one).partition, record(two).partition);
}

fn check_headers(record: &Record, product: &Product, receipt: &serde_json::Value) {
    let expected = [
        ("ce_specversion", "1.0"),
        ("ce_id", receipt["lead_id"].as_str().unwrap()),
        ("ce_type", "leadline.lead.accepted.v1"),
        ("ce_source", &format!("/endpoints/{}", product.endpoint)),
        ("ce_time", receipt["received_at"].as_str().unwrap()),
        ("ce_dataschema", "urn:leadline:schema:lead.accepted.v1"),
        ("content-type", "application/json"),
    ];
    for (name, value) in expected {
        assert_eq!(record.header(name).as_deref(), Some(value), "{name}");
    }
}

fn check_value(record: &Record, lead_id: Uuid) {
    let value: serde_json::Value = serde_json::from_slice(record.value.as_ref().unwrap()).unwrap();
    assert_eq!(value["lead_id"], json!(lead_id));
    assert_eq!(value["lead"]["contact"]["email"]["text"], json!("Ann@Contoso.example"));
    assert_eq!(value["person"].as_str().map(str::as_bytes), record.key.as_deref());
}

fn an_endpoint_can_feed_one_sink_only(stack: &Stack) {
    let product = Product::new(stack, "routed", stack.kafka().bootstrap(), &Sinks::to(stack.smtp()), "");
    product.add_endpoint("crm-only", &format!("sinks = [{:?}]", product.crm_sink));
    let contacts = format!("contacts = \"only@{}.example\"", product.prefix);
    product.add_endpoint("email-only", &format!("sinks = [{:?}]\n{contacts}", product.email_sink));
    let delivery = Delivery::start(stack.kafka(), product);
    let posted = |endpoint| post(&delivery.product.url_of(endpoint), fixtures::lead("sample"), JSON).lead_id();
    let (to_crm, to_email) = (posted("crm-only"), posted("email-only"));
    let product = delivery.finish([&to_crm, &to_email]);
    let status = |sink: &str, lead| product.outcome(stack.kafka(), sink, lead).status;
    for (fed, other, lead) in
        [(&product.crm_sink, &product.email_sink, to_crm), (&product.email_sink, &product.crm_sink, to_email)]
    {
        assert!(matches!(status(fed, lead), Status::Delivered { .. }), "{fed} is fed");
        let Status::Skipped { rule } = status(other, lead) else { panic!("{other} is not fed") };
        assert_eq!(rule.as_str(), "not_routed");
    }
    assert_eq!(stack.smtp().received_for(&format!("only@{}.example", product.prefix)).len(), 1);
    let records = Database::Sqlite(product.crm_file()).records();
    assert_eq!(records.iter().map(|record| record["lead_id"].as_str()).collect::<Vec<_>>(), [to_crm.to_string()]);
}

/// Each mail takes a second, so leads that were not held back would overtake or overlap.
fn leads_of_one_person_keep_their_order(stack: &Stack) {
    let product = Product::new(stack, "order", stack.kafka().bootstrap(), &Sinks::to(stack.smtp()), "");
    let slow = leadline_tests::smtp::address::waiting(1, &format!("slow@{}.example", product.prefix));
    product.add_endpoint("slow", &format!("contacts = \"{slow}\""));
    let delivery = Delivery::start(stack.kafka(), product);
    let lead = |text: &str| json!({"UserDetails": {"Email": "ann@contoso.example"}, "OfferTitle": "x", "Description": text});
    let url = delivery.product.url_of("slow");
    let [first, second] = ["older", "newer"].map(|text| post(&url, lead(text).to_string().into_bytes(), JSON).lead_id());
    let product = delivery.finish([&first, &second]);
    for sink in [&product.email_sink, &product.crm_sink] {
        let outcomes = product.outcomes(stack.kafka()).into_iter().filter(|outcome| outcome.sink.as_str() == sink);
        assert_eq!(outcomes.map(|outcome| outcome.lead_id).collect::<Vec<_>>(), [first, second], "at {sink}");
    }
    let mails = stack.smtp().received_for(&slow);
    let ids: Vec<Uuid> = mails.iter().map(|mail| mails::lead_id(&mail.data)).collect();
    assert_eq!(ids, [first, second]);
    assert!(mails[1].at >= mails[0].at + 1000, "the second is sent after the first is done: {} {}", mails[0].at, mails[1].at);
    let records = Database::Sqlite(product.crm_file()).records();
    assert_eq!(records.len(), 1, "one person, one offer");
    assert_eq!((&records[0]["lead_id"], &records[0]["description"]), (&second.to_string(), &"newer".to_owned()));
}

/// The whole product running.
struct Delivery<'a> {
    kafka: &'a Cluster,
    product: Product,
    processes: [Running; 3],
}

impl<'a> Delivery<'a> {
    fn start(kafka: &'a Cluster, product: Product) -> Self {
        product.create_topics();
        let processes = [product.start_ingest(), product.start_email(), product.start_crm()];
        Self { kafka, product, processes }
    }

    /// Waits until both sinks have an outcome for each of the leads, and stops: nothing is on its way any more.
    #[track_caller]
    fn finish<'i>(mut self, leads: impl IntoIterator<Item = &'i Uuid>) -> Product {
        let leads: Vec<&Uuid> = leads.into_iter().collect();
        eventually("an outcome of both sinks for each lead", PATIENCE, || {
            let outcomes = self.product.outcomes(self.kafka);
            let done = |lead: &&&Uuid| outcomes.iter().filter(|outcome| outcome.lead_id == ***lead).count() >= 2;
            (leads.iter().filter(done).count() == leads.len()).then_some(())
        });
        for process in &mut self.processes {
            assert_eq!(process.stop(), 0);
        }
        self.product
    }
}
