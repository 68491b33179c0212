//! Leads that come while Kafka is away: they are accepted, kept on disk over any kill, and published once Kafka is back.
//!
//! The brokers here are frozen, which is the worst that Kafka can do to a client: connections stand and nothing answers.

mod disks;
mod kills;
mod poster;

use std::collections::BTreeSet;
use std::time::Duration;

use leadline_tests::guarded::Signal;
use leadline_tests::kafka::{Cluster, Record};
use leadline_tests::{Stack, Suite, Tool, eventually};
use serde_json::json;

use crate::support::{NOWHERE, PATIENCE, Product, Running, Sinks};

/// Enough for a broker that is there, also on a busy machine.
const DEADLINE: &str = "1s";
/// Longer than librdkafka holds a record by itself, 30 s, on a busy machine.
const LONGER_THAN_THE_CLIENT_HOLDS_ON: Duration = Duration::from_secs(90);

pub(crate) fn tests(suite: &mut Suite) {
    suite.test("spool::nothing_accepted_is_lost_at_a_kill_with_or_without_kafka", [Tool::Kafka], kills::killed_again_and_again);
    suite.test("spool::a_lead_is_accepted_only_where_it_is_durable", [Tool::Kafka], accepted_only_where_it_is_durable);
    suite.test("spool::an_outage_longer_than_the_client_holds_on_loses_nothing", [Tool::Kafka], a_long_outage);
    suite.test("spool::a_full_spool_refuses_and_recovers", [Tool::Kafka], a_full_spool_recovers);
    suite.test("spool::a_flood_that_fills_the_producer_loses_nothing", [Tool::Kafka], a_flood);
    suite.test("spool::an_orphaned_spool_is_drained_by_the_command", [Tool::Kafka], an_orphaned_spool);
    suite.test("spool::a_stop_leaves_the_rest_to_the_next_start_while_kafka_is_away", [], a_stop_without_kafka);
    suite.test("spool::a_disk_that_is_full_or_read_only_costs_no_accepted_lead", [Tool::Kafka], disks::full_and_read_only);
}

fn a_stop_without_kafka(stack: &Stack) {
    // Nobody listens there.
    let product = Product::new(stack, "stop", NOWHERE, &Sinks { email: String::new(), crm_url: None }, "");
    let start = || product.start_ingest_with(&[("LEADLINE__INGEST__PUBLISH_DEADLINE", "10ms")]);
    let mut ingest = start();
    assert_eq!(product.post(json!({"OfferTitle": "Backup"}).to_string()).json()["durable"], "spool");
    assert_eq!(ingest.stop(), 0, "it does not wait for the client's own time-out");
    let again = start();
    eventually("it is still there", PATIENCE, || again.metrics().contains("leadline_spool_entries 1\n").then_some(()));
}

/// One broker of its own, which can be frozen, and ingest with a short deadline.
pub(crate) struct Site<'a> {
    pub(crate) kafka: Cluster,
    pub(crate) product: Product,
    _stack: &'a Stack,
}

impl<'a> Site<'a> {
    pub(crate) fn new(stack: &'a Stack, spool: &str) -> Self {
        let kafka = Cluster::start(1).unwrap();
        let product = Product::new(stack, "spool", kafka.bootstrap(), &Sinks::files(), spool);
        product.create_topics();
        Self { kafka, product, _stack: stack }
    }

    pub(crate) fn ingest(&self) -> Running {
        self.product.start_ingest_with(&[("LEADLINE__INGEST__PUBLISH_DEADLINE", DEADLINE)])
    }

    pub(crate) fn away(&self) {
        self.kafka.signal(1, Signal::Stop);
    }

    pub(crate) fn back(&self) {
        self.kafka.signal(1, Signal::Cont);
    }

    /// Waits until all of these are in the topic.
    #[track_caller]
    pub(crate) fn until_published(&self, expected: &[String]) {
        eventually("what was accepted is published", 2 * PATIENCE, || {
            let found: BTreeSet<String> = ids(&self.leads()).into_iter().collect();
            expected.iter().all(|id| found.contains(id)).then_some(())
        });
    }

    pub(crate) fn leads(&self) -> Vec<Record> {
        self.kafka.records(&self.product.topic("leads"))
    }

    /// Posts a lead of a person; gives the status, where it is durable, and its id.
    pub(crate) fn post(&self, person: &str) -> (u16, String, String) {
        let lead = json!({"UserDetails": {"Email": format!("{person}@contoso.example")}});
        let posted = self.product.post(lead.to_string());
        let text = |name: &str| posted.json()[name].as_str().unwrap_or_default().to_owned();
        (posted.status, text("durable"), text("lead_id"))
    }
}

fn entries(ingest: &Running) -> f64 {
    figure(ingest, "leadline_spool_entries")
}

pub(crate) fn figure(ingest: &Running, name: &str) -> f64 {
    let metrics = ingest.metrics();
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).expect("the metric is there");
    line.parse().unwrap()
}

/// Records that the client did not get acknowledged before it gave them up.
fn given_up(ingest: &Running) -> f64 {
    let metrics = ingest.metrics();
    let line = metrics.lines().find(|line| line.starts_with("leadline_produce_records_total") && line.contains("\"error\""));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).expect("the metric is there")
}

fn ids(records: &[Record]) -> Vec<String> {
    records.iter().filter_map(|record| record.header("ce_id")).collect()
}

fn accepted_only_where_it_is_durable(stack: &Stack) {
    let site = Site::new(stack, "");
    let ingest = site.ingest();
    // A busy machine may miss the deadline.
    let mut posted = Vec::new();
    eventually("Kafka takes a lead in time", PATIENCE, || {
        let (status, durable, id) = site.post("ada");
        assert_eq!(status, 202);
        posted.push(id);
        (durable == "kafka").then_some(())
    });
    site.away();
    let (status, durable, second) = site.post("ada");
    assert_eq!((status, durable.as_str()), (202, "spool"));
    posted.push(second);
    eventually("the entry is counted", PATIENCE, || (entries(&ingest) == 1.0).then_some(()));
    assert!(figure(&ingest, "leadline_spool_oldest_timestamp_seconds") > 0.0);
    site.back();
    site.until_published(&posted);
    eventually("leads go to Kafka again", PATIENCE, || {
        let (status, durable, id) = site.post("ada");
        assert_eq!(status, 202);
        posted.push(id);
        (durable == "kafka").then_some(())
    });
    let mut found = ids(&site.leads());
    found.dedup();
    assert_eq!(found, posted, "in the order in which they came");

    // Without a spool nobody is told that a lead is safe while it is not.
    drop(ingest);
    let ingest = site
        .product
        .start_ingest_with(&[("LEADLINE__INGEST__SPOOL__FOLDER", ""), ("LEADLINE__INGEST__PUBLISH_DEADLINE", DEADLINE)]);
    assert_eq!(figure(&ingest, "leadline_spool_limit_bytes"), 0.0);
    site.away();
    let refused = site.product.post("{}");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("30")));
    site.back();
}

fn a_long_outage(stack: &Stack) {
    let site = Site::new(stack, "");
    let ingest = site.ingest();
    site.away();
    let accepted: Vec<_> = (0..50).map(|number| site.post(&format!("p{}", number % 5))).collect();
    assert!(accepted.iter().all(|(status, durable, _)| (*status, durable.as_str()) == (202, "spool")));
    // The first was handed to Kafka's client, which holds on to it for `delivery.timeout.ms`.
    eventually("the client has given it up", LONGER_THAN_THE_CLIENT_HOLDS_ON, || (given_up(&ingest) >= 1.0).then_some(()));
    site.back();
    site.until_published(&accepted.iter().map(|(_, _, id)| id.clone()).collect::<Vec<_>>());
    let records = site.leads();
    for person in 0..5 {
        let of_person: Vec<_> = accepted.iter().skip(person).step_by(5).map(|(_, _, id)| id.clone()).collect();
        let mut found: Vec<_> = ids(&records).into_iter().filter(|id| of_person.contains(id)).collect();
        found.dedup();
        assert_eq!(found, of_person, "each is there, and a person's in their order");
    }
    let marked = records.iter().filter(|record| record.header("leadline-redelivery").as_deref() == Some("1")).count();
    assert!(marked >= 49, "what comes from the spool says so: {marked}");
}

fn a_full_spool_recovers(stack: &Stack) {
    let site = Site::new(stack, "[ingest.spool]\nlimit = 262144\n");
    let ingest = site.ingest();
    site.away();
    let body = json!({"UserDetails": {"Email": "ada@contoso.example"}, "Description": "x".repeat(20_000)}).to_string();
    let mut accepted = Vec::new();
    let refused = loop {
        let posted = site.product.post(body.clone());
        if posted.status != 202 {
            break posted;
        }
        accepted.push(posted.json()["lead_id"].as_str().unwrap().to_owned());
    };
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("30")), "{}", refused.body);
    assert!(accepted.len() >= 4 && figure(&ingest, "leadline_spool_bytes") <= 262_144.0);
    site.back();
    site.until_published(&accepted);
    eventually("the spool has room again", PATIENCE, || (entries(&ingest) == 0.0).then_some(()));
    assert_eq!(site.post("bob").0, 202);
}

/// The producer's memory holds 16 MiB, a record here has 120 KB: it is full long before the deadline of the first lead.
fn a_flood(stack: &Stack) {
    let site = Site::new(stack, "[ingest.spool]\nlimit = 1073741824\n");
    let patient = [("LEADLINE__INGEST__PUBLISH_DEADLINE", "20s"), ("LEADLINE__INGEST__LIMITS__MEMORY", "1073741824")];
    let ingest = site.product.start_ingest_with(&patient);
    site.away();
    let body = json!({"UserDetails": {"Email": "ada@contoso.example"}, "Description": "x".repeat(60_000)}).to_string();
    // All at once: each sender waits for its answer.
    let accepted = poster::many(&site.product, 160, 160, &|_| body.clone());
    assert_eq!(accepted.len(), 160, "each is accepted");
    assert!(given_up(&ingest) >= 1.0, "the producer was full");
    // Nothing was blocked by it.
    assert_eq!(ingest.admin("/readyz").unwrap().status, 200);
    site.back();
    site.until_published(&accepted.into_iter().map(|one| one.lead_id).collect::<Vec<_>>());
}

fn an_orphaned_spool(stack: &Stack) {
    let site = Site::new(stack, "");
    let mut ingest = site.ingest();
    site.away();
    let accepted: Vec<_> = (0..20).map(|number| site.post(&format!("p{number}")).2).collect();
    let command = |args: &[&str]| {
        let program = leadline_tests::binaries::Binaries::built().leadline();
        let output = site.product.command(&program, args).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let (code, said) = command(&["spool", "show", "leadline-data/spool"]);
    assert!(code == Some(75) && said.contains("another process uses this spool"), "{said}");
    ingest.process.kill();
    let (code, said) = command(&["spool", "show", "leadline-data/spool"]);
    assert!(code == Some(0) && said.contains("20 leads wait for Kafka"), "{said}");
    site.back();
    let (code, said) = command(&["spool", "drain", "leadline-data/spool"]);
    assert!(code == Some(0) && said.contains("20 of 20 leads are in Kafka now"), "{said}");
    let found = ids(&site.leads());
    assert!(accepted.iter().all(|id| found.contains(id)));
    let (code, said) = command(&["spool", "show", "leadline-data"]);
    assert!(code == Some(64) && said.contains("there is no spool in leadline-data"), "{said}");
}
