//! The product killed with leads on their way: none is lost, and none is delivered twice that need not be.
//!
//! As `leadline up --kafka` is started by someone who tries it, with a real Kafka and a mail server.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use leadline_proto::Status;
use leadline_tests::binaries::Binaries;
use leadline_tests::kafka::Cluster;
use leadline_tests::smtp::{Down, Options, SmtpServer};
use leadline_tests::{Stack, Suite, Tool, eventually};
use mail_parser::MessageParser;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::http::{Body, Request};
use crate::support::{PATIENCE, Product, Running, Sinks};

const SENDERS: usize = 16;
/// A killed member keeps its partitions for 15 s, and then everything is still to be delivered.
const AFTER_KILL: Duration = Duration::from_secs(120);

pub(crate) fn tests(suite: &mut Suite) {
    let needs = [Tool::Kafka, Tool::Smtp];
    suite.test("crash::a_thousand_leads_accepted_before_a_kill_are_delivered_once", needs, killed_before_delivery);
    suite.test("crash::a_kill_amid_deliveries_repeats_only_what_was_in_flight", needs, killed_amid_deliveries);
}

/// What is started, killed and started again.
struct Trial<'a> {
    kafka: &'a Cluster,
    smtp: SmtpServer,
    product: Product,
}

impl<'a> Trial<'a> {
    fn new(stack: &'a Stack) -> Self {
        let (kafka, smtp) = (stack.kafka(), SmtpServer::start(&Options::default()).unwrap());
        let product = Product::new(stack, "crash", kafka.bootstrap(), &Sinks::to(&smtp), "");
        Self { kafka, smtp, product }
    }

    fn up(&self) -> Running {
        let args = ["up", "--kafka", self.kafka.bootstrap(), "--data", "data"];
        let up = self.product.spawn("up", &Binaries::built().leadline(), &args);
        up.wait_until_ready();
        up
    }

    /// Posts that many leads of as many persons, several at a time, and gives the ids of all: each must be accepted.
    fn post(&self, leads: usize) -> BTreeSet<Uuid> {
        let post = |sender: usize| (sender..leads).step_by(SENDERS).map(|number| self.post_one(number)).collect::<Vec<_>>();
        thread::scope(|scope| {
            let senders: Vec<_> = (0..SENDERS).map(|sender| scope.spawn(move || post(sender))).collect();
            senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect()
        })
    }

    fn post_one(&self, number: usize) -> Uuid {
        let url = self.product.url();
        let (host, path) = url.trim_start_matches("http://").split_once('/').unwrap();
        let lead = json!({"UserDetails": {"LastName": "Lee", "Email": format!("lee{number}@contoso.example")}}).to_string();
        let body = Body::Whole(lead.into());
        let answer = Request { method: "POST", target: format!("/{path}"), headers: vec![], body }.send(host);
        let receipt: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        assert_eq!((answer.status, receipt["durable"].as_str()), (202, Some("kafka")), "{}", answer.text);
        receipt["lead_id"].as_str().unwrap().parse().unwrap()
    }

    /// The leads that a sink has delivered, as far as Kafka knows.
    fn delivered(&self, sink: &str) -> BTreeSet<Uuid> {
        let outcomes = self.product.outcomes(self.kafka).into_iter();
        let delivered =
            outcomes.filter(|outcome| outcome.sink.as_str() == sink && matches!(outcome.status, Status::Delivered { .. }));
        delivered.map(|outcome| outcome.lead_id).collect()
    }

    fn wait_until_delivered(&self, ids: &BTreeSet<Uuid>) {
        for sink in [&self.product.email_sink, &self.product.crm_sink] {
            eventually(&format!("{sink} has delivered all"), AFTER_KILL, || (self.delivered(sink) == *ids).then_some(()));
        }
    }

    /// How many mails each recipient of each lead has got.
    fn mails(&self) -> BTreeMap<(Uuid, String), usize> {
        let mut mails = BTreeMap::new();
        for mail in self.smtp.received() {
            let message = MessageParser::new().parse(&mail.data).unwrap();
            let id = message.message_id().and_then(|id| id.split_once('.')).unwrap().0.parse().unwrap();
            *mails.entry((id, mail.rcpt[0].clone())).or_default() += 1;
        }
        mails
    }

    /// Each lead has reached both contacts.
    fn assert_complete(&self, ids: &BTreeSet<Uuid>, mails: &BTreeMap<(Uuid, String), usize>) {
        let prefix = &self.product.prefix;
        let contacts = [format!("sales@{prefix}.example"), format!("partner@{prefix}.example")];
        let expected: BTreeSet<_> = ids.iter().flat_map(|id| contacts.iter().map(|to| (*id, to.clone()))).collect();
        let got: BTreeSet<_> = mails.keys().cloned().collect();
        let (missing, more) = (expected.difference(&got).count(), got.difference(&expected).count());
        assert_eq!((missing, more), (0, 0), "mails that are missing, and mails of leads that nobody accepted");
    }
}

fn killed_before_delivery(stack: &Stack) {
    let trial = Trial::new(stack);
    trial.smtp.down(Down::Refuse);
    let mut first = trial.up();
    let start = Instant::now();
    let ids = trial.post(1000);
    let posted = start.elapsed();
    assert_eq!(ids.len(), 1000);
    first.process.kill();
    assert!(trial.delivered(&trial.product.email_sink).is_empty());
    let in_crm = trial.delivered(&trial.product.crm_sink).len();
    trial.smtp.up();
    let restart = Instant::now();
    let _second = trial.up();
    trial.wait_until_delivered(&ids);
    let mails = trial.mails();
    trial.assert_complete(&ids, &mails);
    let repeated = mails.values().filter(|copies| **copies > 1).count();
    println!(
        "1,000 leads accepted in {:.1} s, {in_crm} in the CRM at the kill; {} mails, {repeated} repeated, {:.1} s after the restart",
        posted.as_secs_f64(),
        mails.len(),
        restart.elapsed().as_secs_f64()
    );
    assert_eq!(repeated, 0, "no mail was in flight");
}

fn killed_amid_deliveries(stack: &Stack) {
    let trial = Trial::new(stack);
    let mut first = trial.up();
    let ids = trial.post(400);
    eventually("some mails are out", PATIENCE, || (trial.smtp.received().len() > 200).then_some(()));
    first.process.kill();
    let recorded = trial.delivered(&trial.product.email_sink);
    assert!(recorded.len() < ids.len(), "all were delivered before the kill");
    let _second = trial.up();
    trial.wait_until_delivered(&ids);
    let mails = trial.mails();
    trial.assert_complete(&ids, &mails);
    let repeated: BTreeSet<Uuid> = mails.iter().filter(|(_, copies)| **copies > 1).map(|((id, _), _)| *id).collect();
    let needless = repeated.intersection(&recorded).count();
    println!(
        "{} of 400 leads were recorded at the kill; {} repeated, {needless} of them needlessly",
        recorded.len(),
        repeated.len()
    );
    assert_eq!(needless, 0, "leads with a recorded outcome were mailed again");
}
