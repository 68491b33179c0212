//! What ingest answers while Kafka, its topic, its own memory or its disk fail: an accepted lead is somewhere, a refused one is told
//! when to come again, and nobody waits for somebody else's trouble.
//!
//! Other lessons about it are `spool::an_outage_longer_than_the_client_holds_on_loses_nothing` and
//! `spool::a_full_spool_refuses_and_recovers`.

use std::collections::BTreeSet;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use leadline_tests::binaries::Binaries;
use leadline_tests::{Stack, eventually};
use serde_json::{Value, json};

use crate::spool::{Site, figure};
use crate::support::http::{Answer, Body, Request};
use crate::support::{Posted, Running, post};

const JSON: (&str, &str) = ("content-type", "application/json");
const SHORT: (&str, &str) = ("LEADLINE__INGEST__PUBLISH_DEADLINE", "1s");
const NO_SPOOL: (&str, &str) = ("LEADLINE__INGEST__SPOOL__FOLDER", "");
/// Before Kafka is back, and long after the producer is full.
const LONG: (&str, &str) = ("LEADLINE__INGEST__PUBLISH_DEADLINE", "60s");

/// Kafka does not answer, then it is not even there.
pub(super) fn no_202_without_an_entry(stack: &Stack) {
    let site = Site::new(stack, "");
    let mut accepted = Vec::new();
    for is_dead in [false, true] {
        let mut ingest = site.ingest();
        if is_dead {
            site.kafka.kill(1)
        } else {
            site.away()
        }
        for number in 0..10 {
            let (status, durable, id) = site.post(&format!("p{number}"));
            assert_eq!((status, durable.as_str()), (202, "spool"), "dead: {is_dead}");
            accepted.push(id);
        }
        ingest.process.kill();
        assert_eq!(spooled(&site), 10, "what was told to be in the spool lies on the disk");
        if is_dead {
            site.kafka.restart(1)
        } else {
            site.back()
        }
        let ingest = site.ingest();
        site.until_published(&accepted);
        eventually("the spool is empty", Duration::from_secs(60), || {
            (figure(&ingest, "leadline_spool_entries") == 0.0).then_some(())
        });
    }
    let ingest = site.product.start_ingest_with(&[NO_SPOOL, SHORT]);
    site.away();
    for number in 0..3 {
        let (status, durable, _) = site.post(&format!("p{number}"));
        assert_eq!((status, durable.as_str()), (503, ""), "without a spool nobody is told that a lead is safe");
    }
    site.back();
    drop(ingest);
}

/// How many leads lie in the spool that nobody uses now.
fn spooled(site: &Site<'_>) -> usize {
    let mut show = site.product.command(&Binaries::built().leadline(), &["spool", "show", "leadline-data/spool"]);
    let said = String::from_utf8(show.output().unwrap().stdout).unwrap();
    let count = said.split_once(" leads wait for Kafka").and_then(|(before, _)| before.split_whitespace().next_back());
    count.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("{said}"))
}

/// Faults of ours are transient for the sender; faults of the sender are told as such, whatever is wrong here.
pub(super) fn each_fault_has_its_status(stack: &Stack) {
    let site = Site::new(stack, "");
    let ours = |what: &str, answer: &Posted| {
        let problem = answer.json();
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("30")), "{what}: {}", answer.body);
        assert_eq!(problem["type"], "urn:leadline:problem:unavailable", "{what}");
    };
    let lead = || site.product.post("{}");
    let refusing = site.product.topic("refusing");
    site.kafka.create_topics(&[&refusing], 1, &[("max.message.bytes", "100")]);
    let no_folder = site.product.folder().join("a-file");
    fs::write(&no_folder, "not a folder").unwrap();
    let no_folder = ("LEADLINE__INGEST__SPOOL__FOLDER", no_folder.to_str().unwrap());
    let topic = |name: &'static str| ("LEADLINE__TOPICS__LEADS", name);

    let refusing = ("LEADLINE__TOPICS__LEADS", refusing.as_str());
    for (what, settings) in [
        ("Kafka refuses the record", [NO_SPOOL, SHORT, refusing]),
        ("the topic is not there", [NO_SPOOL, SHORT, topic("nowhere")]),
        ("the topic is not there and the disk fails", [no_folder, SHORT, topic("nowhere")]),
    ] {
        let ingest = spawn(&site, &settings);
        ours(what, &lead());
        drop(ingest);
    }
    let ingest = site.product.start_ingest_with(&[NO_SPOOL, SHORT]);
    site.away();
    ours("Kafka does not answer", &lead());
    of_the_sender(&site);
    drop(ingest);
    let ingest = site.product.start_ingest_with(&[SHORT]);
    assert_eq!(lead().status, 202, "the spool takes it");
    of_the_sender(&site);
    drop(ingest);
    site.back();
}

fn of_the_sender(site: &Site<'_>) {
    let url = site.product.url();
    let large = json!({ "Description": "x".repeat(70_000) }).to_string();
    for (status, url, body, header) in [
        (400, url.clone(), "{", JSON),
        (401, url.replace(&site.product.token, "guessed"), "{}", JSON),
        (404, site.product.url_of("nowhere"), "{}", JSON),
        (413, url.clone(), large.as_str(), JSON),
        (415, url, "{}", ("content-type", "text/plain")),
    ] {
        let answer = post(&url, body.into(), &[header]);
        assert_eq!((answer.status, answer.header("retry-after")), (status, None), "{}", answer.body);
    }
}

/// Starts ingest without waiting: it need not be ready to answer.
fn spawn(site: &Site<'_>, settings: &[(&str, &str)]) -> Running {
    let mut command = site.product.command(&Binaries::built().ingest(), &[]);
    command.envs(settings.iter().copied());
    let mut running = site.product.spawn_command("ingest", command);
    running.process.wait_for_line("ingest open", Duration::from_secs(60));
    running
}

/// The producer's memory holds 16 MiB, a record here has 120 KB, and there is no spool to take the rest.
pub(super) fn a_full_producer(stack: &Stack) {
    let site = Site::new(stack, "");
    let roomy = ("LEADLINE__INGEST__LIMITS__MEMORY", "1073741824");
    let ingest = site.product.start_ingest_with(&[NO_SPOOL, LONG, roomy]);
    site.away();
    let body = json!({"UserDetails": {"Email": "ada@contoso.example"}, "Description": "x".repeat(60_000)}).to_string();
    let url = site.product.url();
    let host = url.split('/').nth(2).unwrap();
    let (answers, slowest) = thread::scope(|scope| {
        let flood: Vec<_> = (0..160).map(|_| scope.spawn(|| request(&url, &body).try_send_until_read(host))).collect();
        eventually("the producer is full", Duration::from_secs(60), || (refused(&ingest) >= 1.0).then_some(()));
        // The same threads that hold hundreds of waiting requests answer others meanwhile.
        let guessed = url.replace(&site.product.token, "guessed");
        let slowest = (0..20).map(|_| asked(&guessed)).max().unwrap();
        site.back();
        (flood.into_iter().map(|sender| sender.join().unwrap().expect("an answer")).collect::<Vec<_>>(), slowest)
    });
    let (accepted, refused): (Vec<&Answer>, Vec<&Answer>) = answers.iter().partition(|answer| answer.status == 202);
    println!("{} accepted, {} refused; the slowest other answer took {slowest:?}", accepted.len(), refused.len());
    let told = |answer: &Answer| (answer.status, answer.header("retry-after")) == (503, Some("30"));
    let others: Vec<(u16, &str)> = refused.iter().filter(|a| !told(a)).map(|a| (a.status, a.body.as_str())).collect();
    assert!(others.is_empty() && accepted.len() > 100, "{others:?}");
    let id = |answer: &&Answer| serde_json::from_str::<Value>(&answer.body).unwrap()["lead_id"].as_str().unwrap().to_owned();
    let accepted: BTreeSet<String> = accepted.iter().map(id).collect();
    site.until_published(&accepted.iter().cloned().collect::<Vec<_>>());
    let found: BTreeSet<String> = site.leads().iter().filter_map(|record| record.header("ce_id")).collect();
    assert_eq!(found, accepted, "and who was refused can come again");
}

/// Without a library, which would take more of the machine than ingest does.
fn request(url: &str, body: &str) -> Request {
    let path = url.splitn(4, '/').nth(3).unwrap();
    Request { method: "POST", target: format!("/{path}"), headers: vec![], body: Body::Whole(body.into()) }
}

fn asked(url: &str) -> Duration {
    let started = Instant::now();
    assert_eq!(post(url, b"{}".to_vec(), &[JSON]).status, 401);
    started.elapsed()
}

/// Leads that were refused because they could be stored nowhere.
fn refused(ingest: &Running) -> f64 {
    let metrics = ingest.metrics();
    let line = metrics.lines().find(|line| line.starts_with("leadline_ingest_refused") && line.contains("\"unavailable\""));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).expect("the metric is there")
}
