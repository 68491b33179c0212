//! The product as separate processes: their start, their stop, their admin ports, several workers of one sink, and ingest without
//! Kafka. What is in the mails and records belongs in `delivery`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use leadline_proto::Status;
use leadline_tests::binaries::Binaries;
use leadline_tests::smtp::address;
use leadline_tests::{Stack, Suite, Tool, eventually, fixtures, free_port};
use serde_json::json;
use uuid::Uuid;

use crate::support::{PATIENCE, Posted, Product, Running, Sinks, post};

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
const PARTITIONS: u32 = 4;
/// Far beyond the deadline of the test, far below that of the defaults.
const SOON: Duration = Duration::from_secs(4);

pub(crate) fn tests(suite: &mut Suite) {
    let (kafka, smtp) = (Tool::Kafka, Tool::Smtp);
    suite.test("processes::a_restart_loses_no_lead_and_sends_none_twice", [kafka, smtp], a_restart_sends_none_twice);
    suite.test("processes::workers_hand_over_partitions_without_a_second_mail", [kafka, smtp], workers_hand_over_partitions);
    suite.test("processes::ingest_without_kafka_asks_to_come_again", [], ingest_without_kafka_asks_to_come_again);
    suite.test("processes::each_has_an_admin_port", [kafka, smtp], each_has_an_admin_port);
    suite.test("processes::an_audit_finds_what_is_open_and_when_nothing_is", [kafka, smtp], an_audit_finds_what_is_open);
}

fn a_restart_sends_none_twice(stack: &Stack) {
    let product = Product::new(stack, "restart", stack.kafka().bootstrap(), &Sinks::to(stack.smtp()), "");
    product.create_topics();
    let mut leads = Vec::new();
    for _start in 0..2 {
        let mut ingest = product.start_ingest();
        leads.push(product.post(fixtures::lead("sample")).lead_id());
        // It is gone when the workers come: the lead is in Kafka.
        assert_eq!(ingest.stop(), 0);
        let mut workers = [product.start_email(), product.start_crm()];
        for sink in [&product.email_sink, &product.crm_sink] {
            let outcome = product.outcome(stack.kafka(), sink, leads[leads.len() - 1]);
            assert!(matches!(outcome.status, Status::Delivered { .. }), "{outcome:?}");
        }
        for worker in &mut workers {
            assert_eq!(worker.stop(), 0);
        }
    }
    assert_eq!(product.outcomes(stack.kafka()).len(), 4, "two leads, two sinks");
    assert_eq!(mails(stack, &format!("sales@{}.example", product.prefix)), leads.into_iter().map(|lead| (lead, 1)).collect());
}

fn an_audit_finds_what_is_open(stack: &Stack) {
    let product = Product::new(stack, "audit", stack.kafka().bootstrap(), &Sinks::to(stack.smtp()), "");
    product.create_topics();
    let _ingest = product.start_ingest();
    let leads: Vec<Uuid> = fixtures::lead_names().iter().map(|name| product.post(fixtures::lead(name)).lead_id()).collect();
    let (code, audit) = audit(&product);
    assert_eq!((code, &audit["received"]), (1, &json!(leads.len())));
    for sink in audit["sinks"].as_array().unwrap() {
        let open: Vec<Uuid> =
            sink["open"].as_array().unwrap().iter().map(|open| open["lead_id"].as_str().unwrap().parse().unwrap()).collect();
        assert_eq!(open, leads, "oldest first");
    }
    let _workers = [product.start_email(), product.start_crm()];
    eventually("nothing to be open", PATIENCE, || (self::audit(&product).0 == 0).then_some(()));
    let ended = self::audit(&product).1;
    let crm = ended["sinks"].as_array().unwrap().iter().find(|sink| sink["sink"] == product.crm_sink.as_str()).unwrap();
    assert_eq!(crm["ended"], json!({"delivered": leads.len() - 2, "skipped": 2, "dead_lettered": 0}), "two are tests");
}

/// The exit code of `leadline audit` and what it printed.
fn audit(product: &Product) -> (i32, serde_json::Value) {
    let output = product.command(&Binaries::built().leadline(), &["audit", "--json"]).output().unwrap();
    let printed = serde_json::from_slice(&output.stdout);
    (
        output.status.code().unwrap(),
        printed.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr))),
    )
}

/// 200 leads of 50 persons. Each takes a second to mail, so there are always leads in flight when partitions move.
fn workers_hand_over_partitions(stack: &Stack) {
    let sinks = Sinks::to(stack.smtp());
    let sinks = Sinks { email: format!("{}\nsmtp.connections = 50", sinks.email), ..sinks };
    let product = Product::new(stack, "share", stack.kafka().bootstrap(), &sinks, "");
    let domain = format!("{}.example", product.prefix);
    let recipients = [format!("fast@{domain}"), address::waiting(1, &format!("slow@{domain}"))];
    product.add_endpoint("many", &format!("contacts = {:?}", recipients.join(";")));
    product.create_topics();
    let _ingest = product.start_ingest();
    let mut first = product.start_email();
    let mut leads = post_leads(&product, 0..80);
    let second = product.spawn("email", &Binaries::built().email(), &["--sink", &product.email_sink]);
    leads.extend(post_leads(&product, 80..140));
    eventually("both workers have partitions", PATIENCE, || {
        let counts = [&first, &second].map(|worker| assigned(worker, &product.email_sink));
        (counts.iter().all(|count| *count > 0) && counts.iter().sum::<u32>() == PARTITIONS).then_some(())
    });
    leads.extend(post_leads(&product, 140..170));
    eventually("the first has leads in flight", PATIENCE, || {
        (gauge(&first, "leadline_in_flight_leads", &[("sink", &product.email_sink)]) > 0).then_some(())
    });
    first.process.signal_term();
    leads.extend(post_leads(&product, 170..200));
    assert_eq!(first.process.wait_exit(PATIENCE), 0);
    check_all_delivered_once(stack, &product, &leads);
    eventually("the second has all partitions", PATIENCE, || {
        (assigned(&second, &product.email_sink) == PARTITIONS).then_some(())
    });
    for recipient in recipients {
        assert_eq!(mails(stack, &recipient), leads.iter().map(|lead| (*lead, 1)).collect(), "mails of {recipient}");
    }
}

fn post_leads(product: &Product, numbers: std::ops::Range<usize>) -> Vec<Uuid> {
    let lead = |number: usize| {
        let email = format!("person{}@contoso.example", number % 50);
        json!({"UserDetails": {"Email": email}, "OfferTitle": "x", "Description": number.to_string()}).to_string()
    };
    numbers.map(|number| post(&product.url_of("many"), lead(number).into_bytes(), JSON).lead_id()).collect()
}

/// Partitions of the topic `leads` that a worker has.
fn assigned(worker: &Running, sink: &str) -> u32 {
    gauge(worker, "leadline_consumer_assigned_partitions", &[("sink", sink), ("source", "leads")])
}

/// A figure of a worker; 0 before it is there.
fn gauge(worker: &Running, name: &str, labels: &[(&str, &str)]) -> u32 {
    let metrics = worker.admin("/metrics").map(|answer| answer.body).unwrap_or_default();
    let wanted = |line: &&str| {
        let has = |(label, value): &(&str, &str)| line.contains(&format!("{label}=\"{value}\""));
        line.starts_with(&format!("{name}{{")) && labels.iter().all(has)
    };
    let value = metrics.lines().find(wanted).and_then(|line| line.rsplit(' ').next());
    value.map_or(0, |value| value.parse().unwrap())
}

fn check_all_delivered_once(stack: &Stack, product: &Product, leads: &[Uuid]) {
    let outcomes = eventually("an outcome for each lead", PATIENCE, || {
        Some(product.outcomes(stack.kafka())).filter(|outcomes| outcomes.len() >= leads.len())
    });
    let count = |lead: &Uuid| outcomes.iter().filter(|outcome| outcome.lead_id == *lead).count();
    let odd: Vec<_> = leads.iter().map(|lead| (lead, count(lead))).filter(|(_, count)| *count != 1).collect();
    assert!(odd.is_empty(), "leads without exactly one outcome: {odd:?}");
    for outcome in outcomes {
        assert!(matches!(outcome.status, Status::Delivered { maybe_duplicate: false, .. }), "{outcome:?}");
    }
}

/// How many mails of each lead a recipient has got. A Message-ID begins with the lead id.
fn mails(stack: &Stack, recipient: &str) -> BTreeMap<Uuid, usize> {
    let mut counts = BTreeMap::new();
    for mail in stack.smtp().received_for(recipient) {
        let text = String::from_utf8_lossy(&mail.data).into_owned();
        let id = text.split_once("Message-ID: <").unwrap().1.split('.').next().unwrap();
        *counts.entry(id.parse().unwrap()).or_default() += 1;
    }
    counts
}

fn ingest_without_kafka_asks_to_come_again(stack: &Stack) {
    let nobody = format!("127.0.0.1:{}", free_port());
    let product = Product::new(stack, "alone", &nobody, &Sinks { email: String::new(), crm_url: None }, "");
    let mut command = product.command(&Binaries::built().ingest(), &[]);
    command.env("LEADLINE__INGEST__PUBLISH_DEADLINE", "1s").env("LEADLINE__INGEST__SPOOL__FOLDER", "");
    let mut ingest = product.spawn_command("ingest", command);
    ingest.process.wait_for_line("ingest open", PATIENCE);
    let started = Instant::now();
    let answer = product.post(fixtures::lead("sample"));
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert_eq!((answer.header("retry-after"), answer.header("content-type")), (Some("30"), Some("application/problem+json")));
    assert_eq!(answer.json()["type"], json!("urn:leadline:problem:unavailable"));
    let ready = ingest.admin("/readyz").unwrap();
    let expected = "not ready: ingest: Kafka answers and has the topic of leads, or the spool can be used\n";
    assert_eq!((ready.status, ready.body.as_str()), (503, expected));
    assert_eq!(ingest.admin("/livez").map(|live| live.status), Some(200), "Kafka is no reason to restart it");
    assert!(ingest.process.is_running(), "it never ends for Kafka");
}

fn each_has_an_admin_port(stack: &Stack) {
    let product = Product::new(stack, "admin", stack.kafka().bootstrap(), &Sinks::to(stack.smtp()), "");
    product.create_topics();
    let processes = [
        (product.start_ingest(), "leadline_ingest_accepted_total"),
        (product.start_email(), "leadline_email_transactions_total"),
        (product.start_crm(), "leadline_crm_upserts_total"),
    ];
    for (process, own) in processes {
        let get = |path: &str| process.admin(path).unwrap();
        let told = |answer: Posted| (answer.status, answer.body);
        assert_eq!(told(get("/livez")), (200, "live\n".to_owned()));
        // A worker that gets its partitions a moment after it has joined reads them back first.
        let ready = || (told(get("/readyz")) == (200, "ready\n".to_owned())).then_some(());
        eventually("it is ready", PATIENCE, ready);
        let metrics = get("/metrics");
        assert!(metrics.header("content-type").is_some_and(|kind| kind.starts_with("text/plain; version=0.0.4")));
        for name in [own, "process_resident_memory_bytes"] {
            assert!(metrics.body.lines().any(|line| line.starts_with(name)), "no {name} in\n{}", metrics.body);
        }
        assert_eq!(get("/").status, 404);
    }
}
