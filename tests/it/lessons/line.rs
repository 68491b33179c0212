//! What the lessons share: a product with topics of its own, whose leads are put into Kafka as ingest would put them, so that a
//! test says in which partition a lead stands; and what a test looks at. No test belongs here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use leadline_proto::control::Change;
use leadline_proto::keys::PersonHasher;
use leadline_proto::{AcceptedLead, Headers, Outcome, Personal, Status, parse};
use leadline_tests::binaries::Binaries;
use leadline_tests::kafka::{Record, produce_at};
use leadline_tests::smtp::SmtpServer;
use leadline_tests::{Stack, eventually};
use serde_json::json;
use uuid::Uuid;

use super::kafka;
use crate::support::{PATIENCE, Product, REPEATS, Running, Sinks};

/// Partitions of each topic.
pub(super) const PARTITIONS: i32 = 4;
/// A killed member keeps its partitions for 15 s; the rest is for busy machines.
pub(super) const AFTER_KILL: Duration = Duration::from_secs(120);

/// The product, without ingest.
pub(super) struct Line<'a> {
    pub(super) stack: &'a Stack,
    pub(super) product: Product,
}

impl<'a> Line<'a> {
    /// `email` is TOML of the e-mail sink beside the server's address, `extra` stands at the end; each endpoint has a contact.
    pub(super) fn new(stack: &'a Stack, smtp: &SmtpServer, email: &str, extra: &str, endpoints: &[(&str, &str)]) -> Self {
        Self::at(stack, smtp.port(), email, extra, endpoints)
    }

    /// The same with a mail server on any port.
    pub(super) fn at(stack: &'a Stack, port: u16, email: &str, extra: &str, endpoints: &[(&str, &str)]) -> Self {
        let email = format!("smtp.host = \"127.0.0.1\"\nsmtp.port = {port}\nsmtp.tls = \"none\"\n{email}");
        let sinks = Sinks { email, crm_url: None };
        let product = Product::new(stack, "lesson", stack.kafka().bootstrap(), &sinks, extra);
        for (name, contact) in endpoints {
            product.add_endpoint(name, &format!("contacts = \"{contact}\""));
        }
        product.create_topics();
        Self { stack, product }
    }

    /// Starts an e-mail worker and waits until it is ready.
    pub(super) fn email(&self) -> Running {
        self.product.start_email()
    }

    /// Starts an e-mail worker that may never become ready.
    pub(super) fn spawn_email(&self) -> Running {
        self.product.spawn("email", &Binaries::built().email(), &["--sink", &self.product.email_sink])
    }

    /// Starts an e-mail worker that tells repeats.
    pub(super) fn email_with_repeats(&self) -> Running {
        self.with_repeats("email", &Binaries::built().email(), &self.product.email_sink)
    }

    /// Starts a CRM worker that tells repeats.
    pub(super) fn crm_with_repeats(&self) -> Running {
        self.with_repeats("crm", &Binaries::built().crm(), &self.product.crm_sink)
    }

    fn with_repeats(&self, name: &str, program: &std::path::Path, sink: &str) -> Running {
        let mut command = self.product.command(program, &["--sink", sink]);
        command.env_remove(REPEATS);
        let running = self.product.spawn_command(name, command);
        running.wait_until_ready();
        running
    }

    pub(super) fn bootstrap(&self) -> &str {
        self.stack.kafka().bootstrap()
    }

    /// The physical name of `leads`, `outcomes`, `control`, or of `retry` and `dlq` of the e-mail sink.
    pub(super) fn topic(&self, name: &str) -> String {
        match name {
            "retry" | "dlq" => self.product.topic(&format!("{}.{name}", self.product.email_sink)),
            _ => self.product.topic(name),
        }
    }

    /// What lies in a topic now.
    pub(super) fn records(&self, topic: &str) -> Vec<Record> {
        self.stack.kafka().records(&self.topic(topic))
    }

    /// Puts records into `leads`.
    pub(super) fn put(&self, records: &[Record]) {
        kafka::put(self.stack.kafka(), &self.topic("leads"), records);
    }

    /// Puts a lead into a partition of `leads`.
    pub(super) fn put_one(&self, lead: &AcceptedLead, partition: i32) -> Uuid {
        self.put(&[record(lead, partition)]);
        lead.lead_id
    }

    /// Puts leads of as many persons into `leads`, in all partitions by turns.
    pub(super) fn put_many(&self, endpoint: &str, persons: &str, count: i32) -> Vec<Uuid> {
        let leads = (0..count).map(|number| (lead(endpoint, &format!("{persons}{number}"), ""), number % PARTITIONS));
        let leads: Vec<(AcceptedLead, i32)> = leads.collect();
        self.put(&leads.iter().map(|(lead, partition)| record(lead, *partition)).collect::<Vec<_>>());
        leads.into_iter().map(|(lead, _)| lead.lead_id).collect()
    }

    /// Changes a setting, as the operator's command does.
    pub(super) fn control(&self, change: &Change) {
        let headers = list(&change.headers(Timestamp::now()));
        let record = Record { partition: 0, offset: 0, key: Some(change.key().into_bytes()), value: change.value(), headers };
        produce_at(self.bootstrap(), &self.topic("control"), &record);
    }

    /// The outcomes of the e-mail sink.
    pub(super) fn outcomes(&self) -> Vec<Outcome> {
        self.outcomes_of(&self.product.email_sink)
    }

    /// The outcomes of a sink.
    pub(super) fn outcomes_of(&self, sink: &str) -> Vec<Outcome> {
        let all = self.product.outcomes(self.stack.kafka());
        all.into_iter().filter(|outcome| outcome.sink.as_str() == sink).collect()
    }

    /// Waits until the e-mail sink has an outcome for each lead, and gives them all.
    #[track_caller]
    pub(super) fn ended(&self, leads: &[Uuid], patience: Duration) -> Vec<Outcome> {
        self.ended_at(&self.product.email_sink, leads, patience)
    }

    /// Waits until a sink has an outcome for each lead, and gives them all.
    #[track_caller]
    pub(super) fn ended_at(&self, sink: &str, leads: &[Uuid], patience: Duration) -> Vec<Outcome> {
        eventually(&format!("an outcome of {} leads at {sink}", leads.len()), patience, || {
            let outcomes = self.outcomes_of(sink);
            let ended: BTreeSet<Uuid> = outcomes.iter().map(|outcome| outcome.lead_id).collect();
            leads.iter().all(|lead| ended.contains(lead)).then_some(outcomes)
        })
    }

    /// Waits until a topic holds that many records.
    #[track_caller]
    pub(super) fn wait_for_records(&self, topic: &str, count: usize) -> Vec<Record> {
        eventually(&format!("{count} records in {topic}"), PATIENCE, || {
            Some(self.records(topic)).filter(|records| records.len() >= count)
        })
    }

    /// The next offset to be read in each partition of `leads`, as the e-mail sink has committed it.
    pub(super) fn committed(&self) -> BTreeMap<i32, i64> {
        self.committed_by(&self.product.email_sink)
    }

    /// The same of any sink.
    pub(super) fn committed_by(&self, sink: &str) -> BTreeMap<i32, i64> {
        kafka::committed(self.stack.kafka(), &format!("leadline-{sink}"), &self.topic("leads"), PARTITIONS)
    }
}

/// A lead of a person, as ingest would accept it.
pub(super) fn lead(endpoint: &str, person: &str, text: &str) -> AcceptedLead {
    let details = json!({"FirstName": "Ann", "Email": format!("{person}@contoso.example")});
    lead_of(endpoint, &json!({"UserDetails": details, "OfferTitle": "x", "Description": text}).to_string())
}

/// The lead of a body.
pub(super) fn lead_of(endpoint: &str, body: &str) -> AcceptedLead {
    let (lead, endpoint) = (parse::lead(body.as_bytes()).unwrap(), endpoint.parse().unwrap());
    let person = PersonHasher::new(b"a secret of the tests").person(&endpoint, &lead);
    let raw = Personal::verbatim(body).unwrap();
    AcceptedLead { lead_id: Uuid::now_v7(), endpoint, offer_id: None, received_at: Timestamp::now(), person, lead, raw }
}

/// A lead as it stands in `leads`.
pub(super) fn record(lead: &AcceptedLead, partition: i32) -> Record {
    let key = Some(lead.person.as_str().into());
    Record { partition, offset: 0, key, value: Some(lead.encode()), headers: list(&lead.headers()) }
}

pub(super) fn list(headers: &Headers) -> Vec<(String, Vec<u8>)> {
    headers.iter().map(|(name, value)| (name.to_owned(), value.to_vec())).collect()
}

pub(super) fn headers(record: &Record) -> Headers {
    record.headers.iter().cloned().collect()
}

/// The lead of a record.
pub(super) fn id_of(record: &Record) -> Option<Uuid> {
    AcceptedLead::claimed_id(&headers(record))
}

/// An address of one test alone: the mail server is shared.
pub(super) fn own(stack: &Stack, name: &str) -> String {
    format!("{}@contoso.example", stack.unique(name))
}

/// How many mails of each lead a recipient has got. A Message-ID begins with the lead id.
pub(super) fn copies(smtp: &SmtpServer, recipient: &str) -> BTreeMap<Uuid, usize> {
    let mut copies = BTreeMap::new();
    for mail in smtp.received_for(recipient) {
        let text = String::from_utf8_lossy(&mail.data).into_owned();
        let id = text.split_once("Message-ID: <").unwrap().1.split('.').next().unwrap();
        *copies.entry(id.parse().unwrap()).or_default() += 1;
    }
    copies
}

/// Each of these leads once.
pub(super) fn once(leads: &[Uuid]) -> BTreeMap<Uuid, usize> {
    leads.iter().map(|lead| (*lead, 1)).collect()
}

/// The outcome of a lead, of which there must be exactly one.
#[track_caller]
pub(super) fn the_outcome(outcomes: &[Outcome], lead: Uuid) -> &Outcome {
    let all: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.lead_id == lead).collect();
    assert_eq!(all.len(), 1, "{all:?}");
    all[0]
}

pub(super) fn is_delivered(outcome: &Outcome) -> bool {
    matches!(outcome.status, Status::Delivered { maybe_duplicate: false, .. })
}

/// The rule by which a lead was skipped.
pub(super) fn skipped(outcome: &Outcome) -> Option<&str> {
    match &outcome.status {
        Status::Skipped { rule } => Some(rule.as_str()),
        Status::Delivered { .. } | Status::DeadLettered { .. } => None,
    }
}

/// A figure of a worker, by name and by what stands in its labels; 0 before it is there.
pub(super) fn figure(worker: &Running, name: &str, label: &str) -> f64 {
    let metrics = worker.admin("/metrics").map(|answer| answer.body).unwrap_or_default();
    let wanted = |line: &&str| line.starts_with(&format!("{name}{{")) && line.contains(label);
    let value = metrics.lines().find(wanted).and_then(|line| line.rsplit(' ').next());
    value.map_or(0.0, |value| value.parse().unwrap())
}

/// Waits until a figure of a worker is right.
#[track_caller]
pub(super) fn wait_for_figure(worker: &Running, name: &str, label: &str, is_right: impl Fn(f64) -> bool) {
    eventually(&format!("{name} {label} is right"), PATIENCE, || is_right(figure(worker, name, label)).then_some(()));
}

/// Why a worker is not ready; nothing when it is.
pub(super) fn unready(worker: &Running) -> String {
    let answer = worker.admin("/readyz").expect("the admin port answers");
    if answer.status == 200 { String::new() } else { answer.body }
}
