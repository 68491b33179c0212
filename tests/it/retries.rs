//! What becomes of a lead that cannot be delivered at once: retries in place and by the retry topic, dead letters, and the waiting
//! for a mail server that is down.
//!
//! Against a real Kafka and a real mail server. What counts is read from outside: topics, mails, metrics.

mod poison;

use leadline_proto::dead_letter::{DeadLetter, ErrorKind};
use leadline_proto::headers::MAYBE_DUPLICATE;
use leadline_proto::keys::recipient_hash;
use leadline_proto::retry::{Class, History, Wait};
use leadline_proto::{Code, Headers, Outcome, Status};
use leadline_tests::kafka::Record;
use leadline_tests::smtp::{Down, Options, SmtpServer, address};
use leadline_tests::{Stack, Suite, Tool, eventually};
use mail_parser::MessageParser;
use serde_json::json;

use crate::support::{PATIENCE, Product, Running, Sinks, post};

/// Two tries in place, however slow the machine is, then the retry topic at once.
const QUICK: &str = "[worker.retry]\nin_place = \"30s\"\nin_place_tries = 2\nschedule = [\"1s\", \"2s\"]\n";
const PATIENT: &str = "give_up_after = \"1h\"\n";
/// Enough for one round through the retry topic, and never for many.
const HASTY: &str = "give_up_after = \"3s\"\n";

pub(crate) fn tests(suite: &mut Suite) {
    let needs = [Tool::Kafka, Tool::Smtp];
    suite.test("retries::who_is_refused_for_now_is_served_later_and_others_once", needs, refused_for_now);
    suite.test("retries::who_is_refused_for_good_makes_a_dead_letter_and_stops_nobody", needs, refused_for_good);
    suite.test("retries::a_lead_whose_tries_are_used_up_becomes_a_dead_letter", needs, tries_used_up);
    suite.test("retries::a_record_that_is_no_lead_becomes_a_dead_letter_and_stops_nobody", needs, poison::stops_nobody);
    suite.test("retries::while_the_mail_server_is_down_leads_wait_and_no_try_is_burnt", needs, mail_server_down);
    suite.test("retries::a_mail_whose_answer_never_came_is_told_as_maybe_twice", needs, answer_never_came);
}

/// The product with ingest and an e-mail worker, and what a test looks at.
pub(crate) struct Mailing<'a> {
    stack: &'a Stack,
    product: Product,
    email: Running,
    _ingest: Running,
}

impl<'a> Mailing<'a> {
    /// `endpoints` are added, each with its contacts.
    fn start(stack: &'a Stack, smtp: &SmtpServer, retry: &str, endpoints: &[(&str, &[&str])]) -> Self {
        let sinks = Sinks::to(smtp);
        let sinks = Sinks { email: format!("{}\nsmtp.data_timeout = \"1s\"", sinks.email), ..sinks };
        let product = Product::new(stack, "retries", stack.kafka().bootstrap(), &sinks, &format!("{QUICK}{retry}"));
        for (name, contacts) in endpoints {
            product.add_endpoint(name, &format!("contacts = \"{}\"", contacts.join("; ")));
        }
        product.create_topics();
        let (ingest, email) = (product.start_ingest(), product.start_email());
        Self { stack, product, email, _ingest: ingest }
    }

    /// Posts a lead of the one person of these tests and waits for its outcome.
    fn outcome_at(&self, endpoint: &str) -> Outcome {
        let id = self.post_to(endpoint);
        self.product.outcome(self.stack.kafka(), &self.product.email_sink, id)
    }

    /// All leads are of one person, so they are handled one after the other.
    fn post_to(&self, endpoint: &str) -> uuid::Uuid {
        let lead = json!({"UserDetails": {"FirstName": "Ann", "Email": "ann@contoso.example"}});
        let json = [("content-type", "application/json")];
        post(&self.product.url_of(endpoint), lead.to_string().into(), &json).lead_id()
    }

    /// What lies in a topic now: `leads`, or `retry` and `dlq` of the e-mail sink.
    fn records(&self, topic: &str) -> Vec<Record> {
        let name = if topic == "leads" { topic.to_owned() } else { format!("{}.{topic}", self.product.email_sink) };
        self.stack.kafka().records(&self.product.topic(&name))
    }

    /// Waits until a series of the worker has a value.
    fn wait_for_metric(&self, series: &str, value: &str) {
        let wanted = |line: &str| line.contains(series) && line.ends_with(value);
        eventually(&format!("{series} is {value}"), PATIENCE, || self.email.metrics().lines().any(wanted).then_some(()));
    }

    /// Waits until the worker has found the mail server down that many times more.
    fn wait_for_failed_probes(&self, probes: usize) {
        let failed = || self.email.process.output().matches("the sink is still down").count();
        let before = failed();
        eventually("the mail server is probed in vain", PATIENCE, || (failed() >= before + probes).then_some(()));
    }
}

/// An address of this test alone: the mail server is shared.
fn own(stack: &Stack, name: &str) -> String {
    format!("{}@contoso.example", stack.unique(name))
}

fn headers(record: &Record) -> Headers {
    record.headers.iter().cloned().collect()
}

/// Whether key, value and every header of a record came along.
fn assert_kept(original: &Record, copy: &Record) {
    assert_eq!((&copy.key, &copy.value), (&original.key, &original.value));
    for header in &original.headers {
        assert!(copy.headers.contains(header), "{} is lost or changed: {:?}", header.0, copy.headers);
    }
}

fn delivered(outcome: &Outcome, maybe: bool) -> bool {
    matches!(outcome.status, Status::Delivered { maybe_duplicate, .. } if maybe_duplicate == maybe)
}

fn refused_for_now(stack: &Stack) {
    // Two tries at once, two after 1 s, the fifth after 2 s more, and the sixth is taken.
    let (slow, quick) = (address::at_first(5, &address::refused(451, &own(stack, "slow"))), own(stack, "quick"));
    let mailing = Mailing::start(stack, stack.smtp(), PATIENT, &[("mixed", &[&slow, &quick])]);
    let outcome = mailing.outcome_at("mixed");
    assert!(delivered(&outcome, false) && outcome.reordered && outcome.attempts == 6, "{outcome:?}");
    let (first, second) = (stack.smtp().received_for(&quick), stack.smtp().received_for(&slow));
    assert_eq!((first.len(), second.len()), (1, 1));

    let (leads, rounds) = (mailing.records("leads"), mailing.records("retry"));
    assert_eq!((leads.len(), rounds.len(), mailing.records("dlq").len()), (1, 2, 0));
    let began = outcome.received_at.unwrap();
    let mut failed_at = None;
    for (round, record) in (1..).zip(&rounds) {
        assert_kept(&leads[0], record);
        let (history, wait) = (History::read(&headers(record)), Wait::read(&headers(record)).unwrap());
        let first_failed_at = *failed_at.get_or_insert(history.first_failed_at.unwrap());
        let served = vec![Code::new(recipient_hash(&quick)).unwrap()];
        let expected = History {
            attempts: 2 * round,
            round,
            replay: 0,
            first_failed_at: Some(first_failed_at),
            progress: served,
            maybe_duplicate: false,
        };
        assert_eq!(history, expected);
        assert!(first_failed_at >= began, "{first_failed_at} {began}");
        assert_eq!((wait.class, wait.reason.as_str()), (Class::Failed, "smtp-rcpt-451"));
        let waited = wait.not_before.duration_since(first_failed_at).as_secs_f64();
        // 1 s, then 1 s and 2 s.
        assert!(waited >= f64::from(2 * round - 1), "round {round} is due after {waited} s");
        assert!(i128::from(second[0].at) >= wait.not_before.as_millisecond().into(), "tried before its time");
    }
}

fn refused_for_good(stack: &Stack) {
    let (bad, good) = (address::refused(550, &own(stack, "bad")), own(stack, "good"));
    let mailing = Mailing::start(stack, stack.smtp(), PATIENT, &[("bad", &[&bad]), ("good", &[&good])]);
    let outcome = mailing.outcome_at("bad");
    assert_eq!(outcome.status, Status::DeadLettered { code: Code::of("smtp-rcpt-550") });
    assert!(!outcome.reordered && outcome.attempts == 1, "{outcome:?}");

    let (leads, letters) = (mailing.records("leads"), mailing.records("dlq"));
    assert_eq!((leads.len(), letters.len(), mailing.records("retry").len()), (1, 1, 0));
    assert_kept(&leads[0], &letters[0]);
    let letter = DeadLetter::read(&headers(&letters[0])).unwrap();
    let sink = &mailing.product.email_sink;
    assert_eq!(letter.origin.topic, mailing.product.topic("leads"));
    assert_eq!((letter.origin.partition, letter.origin.offset), (leads[0].partition, leads[0].offset));
    assert_eq!((&letter.group, &letter.worker), (&format!("leadline-{sink}"), sink));
    assert_eq!((letter.kind, letter.code.as_str()), (ErrorKind::Permanent, "smtp-rcpt-550"));
    assert_eq!((letter.attempts, letter.replay), (1, 0));
    assert!(outcome.received_at.unwrap() <= letter.first_failed_at && letter.first_failed_at <= letter.last_failed_at);
    assert!(letter.last_failed_at <= outcome.at);
    // Not read by the product itself, but by tools that know Kafka Connect.
    let connect = ["task.id", "stage", "exception.class.name", "exception.message"];
    let connect = connect.map(|name| letters[0].header(&format!("__connect.errors.{name}")).unwrap());
    assert_eq!(connect, ["0", "TASK_PUT", "permanent", "smtp-rcpt-550"]);

    assert!(delivered(&mailing.outcome_at("good"), false), "the next lead of the same person must be delivered");
    assert_eq!(stack.smtp().received_for(&good).len(), 1);
}

fn tries_used_up(stack: &Stack) {
    let never = address::refused(451, &own(stack, "never"));
    let mailing = Mailing::start(stack, stack.smtp(), HASTY, &[("never", &[&never])]);
    let outcome = mailing.outcome_at("never");
    assert_eq!(outcome.status, Status::DeadLettered { code: Code::of("smtp-rcpt-451") });
    let (leads, rounds, letters) = (mailing.records("leads"), mailing.records("retry"), mailing.records("dlq"));
    assert_eq!((leads.len(), letters.len()), (1, 1));
    assert_kept(&leads[0], &letters[0]);
    let letter = DeadLetter::read(&headers(&letters[0])).unwrap();
    assert_eq!((letter.kind, letter.code.as_str()), (ErrorKind::Exhausted, "smtp-rcpt-451"));
    let last = rounds.last().expect("it has been in the retry topic");
    assert_eq!(letter.origin.topic, mailing.product.topic(&format!("{}.retry", mailing.product.email_sink)));
    assert_eq!((letter.origin.partition, letter.origin.offset), (last.partition, last.offset));
    let tries = 2 * (u32::try_from(rounds.len()).unwrap() + 1);
    assert_eq!((letter.attempts, outcome.attempts, outcome.reordered), (tries, tries, true));
    assert_eq!(Some(letter.first_failed_at), History::read(&headers(last)).first_failed_at);
    println!("given up after {tries} tries in {} rounds", rounds.len() + 1);
}

fn mail_server_down(stack: &Stack) {
    let smtp = SmtpServer::start(&Options::default()).unwrap();
    let contact = own(stack, "down");
    let mailing = Mailing::start(stack, &smtp, HASTY, &[("down", &[&contact])]);
    assert!(delivered(&mailing.outcome_at("down"), false));
    let mut taken = 1;
    for how in [Down::Refuse, Down::Busy] {
        smtp.down(how);
        let ids: Vec<_> = (0..5).map(|_| mailing.post_to("down")).collect();
        mailing.wait_for_metric("leadline_sink_circuit_state{", "state=\"open\"} 1");
        // By then a lead that fails by itself would have been given up.
        mailing.wait_for_failed_probes(3);
        assert_eq!(smtp.received().len(), taken);
        assert!(mailing.records("retry").is_empty() && mailing.records("dlq").is_empty(), "{how:?}");
        smtp.up();
        for id in ids {
            let outcome = mailing.product.outcome(stack.kafka(), &mailing.product.email_sink, id);
            assert!(delivered(&outcome, false) && outcome.attempts == 1 && !outcome.reordered, "{how:?}: {outcome:?}");
            taken += 1;
        }
        mailing.wait_for_metric("leadline_sink_circuit_state{", "state=\"open\"} 0");
        assert_eq!(smtp.received_for(&contact).len(), taken, "{how:?}: each mail exactly once");
    }
}

fn answer_never_came(stack: &Stack) {
    // One connection ends three times without an answer; the other answer comes once, but too late.
    let lost = address::at_first(3, &address::silent(&own(stack, "lost")));
    let late = address::at_first(1, &address::waiting(5, &own(stack, "late")));
    let mailing = Mailing::start(stack, stack.smtp(), PATIENT, &[("silent", &[&lost, &late])]);
    let outcome = mailing.outcome_at("silent");
    assert!(delivered(&outcome, true) && outcome.reordered && outcome.attempts == 4, "{outcome:?}");
    let rounds = mailing.records("retry");
    assert_eq!((rounds.len(), mailing.records("dlq").len()), (1, 0));
    assert_eq!(rounds[0].header(MAYBE_DUPLICATE).as_deref(), Some("1"));
    for (contact, copies) in [(&lost, 4), (&late, 2)] {
        let mails = stack.smtp().received_for(contact);
        assert_eq!(mails.len(), copies, "{contact}");
        let id = |data: &[u8]| MessageParser::new().parse(data).unwrap().message_id().unwrap().to_owned();
        let hash = recipient_hash(contact);
        let first = id(&mails[0].data);
        assert!(first.starts_with(&format!("{}.{hash}.0@", outcome.lead_id)), "{first}");
        assert!(mails.iter().all(|mail| id(&mail.data) == first), "the copies of {contact} have different Message-IDs");
    }
}
