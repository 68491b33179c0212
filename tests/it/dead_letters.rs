//! `leadline dead-letters`: what an operator sees of the leads that were given up, and what a replay and a drop do to them. Against a
//! real Kafka and a real mail server; what counts is read from outside: topics, mails, exit codes.

mod by_hand;

use std::process::Output;

use leadline_proto::dead_letter::DeadLetter;
use leadline_proto::headers::REPLAY;
use leadline_proto::{Code, Headers, Outcome, Status};
use leadline_tests::binaries::Binaries;
use leadline_tests::kafka::Record;
use leadline_tests::smtp::address;
use leadline_tests::{Stack, Suite, Tool, eventually};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{PATIENCE, Product, Running, Sinks, post};

pub(crate) fn tests(suite: &mut Suite) {
    let needs = [Tool::Kafka, Tool::Smtp];
    suite.test("dead_letters::a_replay_serves_only_the_sink_that_gave_up", needs, serves_only_the_sink_that_gave_up);
    suite.test("dead_letters::an_interrupted_replay_goes_on_where_it_stopped", needs, goes_on_where_it_stopped);
    suite.test("dead_letters::what_fails_each_time_is_replayed_three_times_and_then_dropped", needs, three_times_then_dropped);
    by_hand::tests(suite);
}

/// The product with one endpoint, and its processes.
struct Office<'a> {
    stack: &'a Stack,
    product: Product,
    _running: Vec<Running>,
}

impl<'a> Office<'a> {
    /// Mails of the endpoint `desk` go to this contact.
    fn open(stack: &'a Stack, contact: &str) -> Self {
        let product = Product::new(stack, "letters", stack.kafka().bootstrap(), &Sinks::to(stack.smtp()), "");
        product.add_endpoint("desk", &format!("contacts = \"{contact}\""));
        product.create_topics();
        let running = vec![product.start_ingest(), product.start_email(), product.start_crm()];
        Self { stack, product, _running: running }
    }

    /// Posts a lead of a person of its own.
    fn post(&self, person: usize) -> Uuid {
        let email = format!("ann{person}@fabrikam.example");
        let lead = json!({"UserDetails": {"FirstName": "Annabel", "Email": email}, "OfferTitle": "x"});
        post(&self.product.url_of("desk"), lead.to_string().into(), &[("content-type", "application/json")]).lead_id()
    }

    fn outcomes(&self, sink: &str) -> Vec<Outcome> {
        let outcomes = self.product.outcomes(self.stack.kafka()).into_iter();
        outcomes.filter(|outcome| outcome.sink.as_str() == sink).collect()
    }

    fn wait_for_outcomes(&self, sink: &str, replay: u32, count: usize) -> Vec<Outcome> {
        eventually(&format!("{count} outcomes of {sink} for replay {replay}"), PATIENCE, || {
            let mut outcomes = self.outcomes(sink);
            outcomes.retain(|outcome| outcome.replay == replay);
            (outcomes.len() >= count).then_some(outcomes)
        })
    }

    /// Records of a sink's topic: `retry` or `dlq`.
    fn records(&self, sink: &str, topic: &str) -> Vec<Record> {
        self.stack.kafka().records(&self.product.topic(&format!("{sink}.{topic}")))
    }

    fn email(&self) -> &str {
        &self.product.email_sink
    }

    fn run(&self, args: &[&str]) -> Output {
        self.product.command(&Binaries::built().leadline(), args).output().unwrap()
    }

    /// What a command prints that must end with this code. It must not print anything personal.
    #[track_caller]
    fn told(&self, code: i32, args: &[&str]) -> String {
        let output = self.run(args);
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{args:?}: {text}");
        for personal in ["Annabel", "fabrikam", "contoso"] {
            assert!(!text.contains(personal), "{args:?} prints `{personal}`: {text}");
        }
        text
    }

    #[track_caller]
    fn json(&self, args: &[&str]) -> Value {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stdout)))
    }

    fn open_letters(&self) -> Value {
        self.json(&["dead-letters", "list", "--json"])["open"].clone()
    }
}

fn own(stack: &Stack, name: &str) -> String {
    format!("{}@contoso.example", stack.unique(name))
}

fn serves_only_the_sink_that_gave_up(stack: &Stack) {
    let contact = address::at_first(1, &address::refused(550, &own(stack, "mended")));
    let office = Office::open(stack, &contact);
    let (id, email) = (office.post(1), office.email().to_owned());
    office.wait_for_outcomes(&email, 0, 1);
    office.wait_for_outcomes(&office.product.crm_sink, 0, 1);
    check_list(&office, id);
    check_show(&office, id);

    let dry = office.told(0, &["dead-letters", "replay", "--code", "smtp-rcpt-550", "--dry-run"]);
    assert!(dry.contains(&format!("{email}: 1 to replay")) && dry.contains("nothing was published"), "{dry}");
    assert!(office.records(&email, "retry").is_empty());
    let told = office.told(0, &["dead-letters", "replay", &id.to_string(), "--rate", "100"]);
    assert!(told.contains("1 replayed; "), "{told}");

    let outcome = office.wait_for_outcomes(&email, 1, 1).remove(0);
    assert!(matches!(outcome.status, Status::Delivered { maybe_duplicate: false, .. }), "{outcome:?}");
    assert_eq!((outcome.lead_id, outcome.reordered, outcome.attempts), (id, true, 1));
    assert_eq!(stack.smtp().received_for(&contact).len(), 1);
    assert!(office.records(&office.product.crm_sink, "retry").is_empty());
    assert_eq!(office.outcomes(&office.product.crm_sink).len(), 1, "the other sink does not run again");
    check_retry_record(&office, id);

    assert_eq!(office.open_letters(), json!(0));
    let all = office.json(&["dead-letters", "list", "--all", "--ids", "--json"]);
    assert_eq!((&all["letters"][0]["state"], &all["letters"][0]["since"]["replay"]), (&json!("delivered"), &json!(1)));
    let again = office.json(&["dead-letters", "replay", "--all", "--json"]);
    assert_eq!((&again["chosen"], &again["left_out"]["settled"]), (&json!(0), &json!(1)));
    office.told(0, &["audit"]);
}

fn check_list(office: &Office<'_>, id: Uuid) {
    let list = office.json(&["dead-letters", "list", "--json"]);
    let group = &list["groups"][0];
    assert_eq!((&list["open"], &list["groups"].as_array().unwrap().len()), (&json!(1), &1));
    assert_eq!((&group["sink"], &group["kind"]), (&json!(office.email()), &json!("permanent")));
    assert_eq!((&group["code"], &group["count"], &group["open"]), (&json!("smtp-rcpt-550"), &json!(1), &json!(1)));
    assert_eq!((&group["endpoints"], &group["sample"]), (&json!(["desk"]), &json!(id)));
    let text = office.told(0, &["dead-letters", "list"]);
    assert!(text.contains(&format!("{}: 1 open\n", office.email())) && text.contains("next: leadline dead-letters"), "{text}");
    println!("{text}");
    let single = office.told(0, &["dead-letters", "list", "--sink", office.email(), "--code", "smtp-rcpt-550"]);
    assert!(single.contains(&id.to_string()) && single.contains("1 tries, replay 0"), "{single}");
    let none = office.json(&["dead-letters", "list", "--until", "1h", "--json"]);
    assert_eq!(none["open"], json!(0));
    assert!(office.told(64, &["dead-letters", "list", "--sink", "nowhere"]).contains("there is no sink `nowhere`"));
}

fn check_show(office: &Office<'_>, id: Uuid) {
    let text = office.told(0, &["dead-letters", "show", &id.to_string()]);
    assert!(text.contains(": open\n") && text.contains("refused for good (permanent): smtp-rcpt-550"), "{text}");
    println!("{text}");
    let shown = office.json(&["dead-letters", "show", &id.to_string(), "--json"]);
    let letter = &shown["letters"][0];
    assert_eq!((&letter["state"], &letter["replay"], &letter["attempts"]), (&json!("open"), &json!(0), &json!(1)));
    assert_eq!((&letter["endpoint"], &letter["origin"]["topic"]), (&json!("desk"), &json!(office.product.topic("leads"))));
    assert!(letter.get("body").is_none());
    let shown = office.json(&["dead-letters", "show", &id.to_string(), "--json", "--body"]);
    assert_eq!(shown["letters"][0]["body"]["lead"]["contact"]["first_name"], json!("Annabel"));
    let unknown = office.told(1, &["dead-letters", "show", &Uuid::nil().to_string()]);
    assert!(unknown.contains("is not in the dead letters of"), "{unknown}");
}

/// It is the record as it was: only what says why it was given up is gone, and the replay is counted.
fn check_retry_record(office: &Office<'_>, id: Uuid) {
    let (retries, letters) = (office.records(office.email(), "retry"), office.records(office.email(), "dlq"));
    let (retry, letter) = (&retries[0], &letters[0]);
    assert_eq!((&retry.partition, &retry.key, &retry.value), (&letter.partition, &letter.key, &letter.value));
    assert_eq!((retry.header(REPLAY).as_deref(), retry.header("ce_id")), (Some("1"), Some(id.to_string())));
    assert!(retry.headers.iter().all(|(name, _)| !name.starts_with("dlq.") && !name.starts_with("__connect")));
    // Kafka deletes outcomes before dead letters, so the dead letters say themselves that it is dealt with.
    assert_eq!((letters.len(), letters[1].header(REPLAY).as_deref(), &letters[1].value), (2, Some("1"), &None));
}

fn goes_on_where_it_stopped(stack: &Stack) {
    const LEADS: usize = 6;
    let times = u32::try_from(LEADS).unwrap();
    let contact = address::at_first(times, &address::refused(550, &own(stack, "many")));
    let office = Office::open(stack, &contact);
    for person in 0..LEADS {
        office.post(person);
    }
    office.wait_for_outcomes(office.email(), 0, LEADS);

    let args = ["dead-letters", "replay", "--all", "--rate", "1"];
    let mut replay = office.product.spawn("replay", &Binaries::built().leadline(), &args);
    eventually("the first is replayed", PATIENCE, || (!office.records(office.email(), "retry").is_empty()).then_some(()));
    assert_eq!(replay.stop(), 1);
    let told = replay.process.output();
    let replayed = office.records(office.email(), "retry").len();
    assert!(told.contains(&format!("interrupted: {replayed} of {LEADS} replayed; the same command goes on")), "{told}");
    assert!(replayed < LEADS, "it was too fast for this test");
    assert_eq!(office.open_letters(), json!(LEADS - replayed));

    let report = office.json(&["dead-letters", "replay", "--all", "--rate", "100", "--json"]);
    assert_eq!((&report["replayed"], &report["end"]), (&json!(LEADS - replayed), &json!("done")));
    assert_eq!(report["left_out"]["settled"], json!(replayed));
    office.wait_for_outcomes(office.email(), 1, LEADS);
    assert_eq!(office.records(office.email(), "retry").len(), LEADS, "each is replayed once");
    assert_eq!(stack.smtp().received_for(&contact).len(), LEADS);
    assert_eq!(office.open_letters(), json!(0));
}

fn three_times_then_dropped(stack: &Stack) {
    let office = Office::open(stack, &address::refused(550, &own(stack, "never")));
    let id = office.post(1).to_string();
    for replay in 0..=3 {
        office.wait_for_outcomes(office.email(), replay, 1);
        let report = office.json(&["dead-letters", "replay", &id, "--json"]);
        let (replayed, often) = if replay < 3 { (1, 0) } else { (0, 1) };
        assert_eq!((&report["replayed"], &report["left_out"]["replayed_often"]), (&json!(replayed), &json!(often)), "{replay}");
    }
    let told = office.told(0, &["dead-letters", "replay", &id]);
    assert!(told.contains("1 replayed 3 times or more already; --again") && told.contains("nothing to replay"), "{told}");
    office.told(0, &["dead-letters", "replay", &id, "--again"]);
    office.wait_for_outcomes(office.email(), 4, 1);
    let last = office.records(office.email(), "dlq").into_iter();
    let last =
        last.filter_map(|record| DeadLetter::read(&record.headers.into_iter().collect::<Headers>())).max_by_key(|l| l.replay);
    assert_eq!(last.unwrap().replay, 4);

    let told = office.told(64, &["dead-letters", "drop", &id, "--reason", "no such person"]);
    assert!(told.contains("a-z, 0-9") && told.contains("personal data"), "{told}");
    let told = office.told(0, &["dead-letters", "drop", &id, "--reason", "no-such-person"]);
    assert!(told.contains("dropped, reason no-such-person"), "{told}");
    let outcome = office.wait_for_outcomes(office.email(), 5, 1).remove(0);
    assert_eq!(outcome.status, Status::Skipped { rule: Code::of("operator") });
    assert_eq!((outcome.reason, outcome.endpoint.unwrap().as_str()), (Some(Code::of("no-such-person")), "desk"));
    let told = office.told(1, &["dead-letters", "drop", &id, "--reason", "again"]);
    assert!(told.contains("is not open: dropped at ") && told.contains("no-such-person"), "{told}");
    let audit = office.json(&["audit", "--json"]);
    let sink = audit["sinks"].as_array().unwrap().iter().find(|sink| sink["sink"] == office.email()).unwrap();
    assert_eq!(sink["ended"], json!({"delivered": 0, "skipped": 1, "dead_lettered": 0}));
}
