//! Topics that are filled by hand, without a worker: holds, brakes and releases on `leads.control`, and what of them a replay minds.

use leadline_proto::control::{BrakeRule, Braked, Change, Held};
use leadline_proto::dead_letter::{DeadLetter, ErrorKind, Origin};
use leadline_proto::headers::{CE_ID, CE_SOURCE};
use leadline_proto::{Code, Headers, SinkName};
use leadline_tests::binaries::Binaries;
use leadline_tests::kafka::{Record, produce_at};
use leadline_tests::{Stack, Suite, Tool};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Product, Sinks};

pub(super) fn tests(suite: &mut Suite) {
    suite.test("dead_letters::a_hold_is_written_shown_and_released", [Tool::Kafka], a_hold_is_written_shown_and_released);
    suite.test("dead_letters::a_brake_stops_a_replay_until_it_is_released", [Tool::Kafka], a_brake_stops_a_replay);
    suite.test("dead_letters::a_lead_is_dropped_at_one_sink_at_a_time", [Tool::Kafka], dropped_at_one_sink);
}

/// A configuration and its topics; nothing runs.
struct Desk<'a> {
    stack: &'a Stack,
    product: Product,
}

impl<'a> Desk<'a> {
    fn new(stack: &'a Stack) -> Self {
        let sinks = Sinks { email: "to = [\"sales@contoso.example\"]\nsmtp.host = \"127.0.0.1\"".to_owned(), crm_url: None };
        let product = Product::new(stack, "desk", stack.kafka().bootstrap(), &sinks, "");
        product.create_topics();
        Self { stack, product }
    }

    #[track_caller]
    fn run(&self, code: i32, args: &[&str]) -> String {
        let output = self.product.command(&Binaries::built().leadline(), args).output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{args:?}: {text}");
        text
    }

    fn held(&self) -> Value {
        serde_json::from_str(&self.run(0, &["hold", "list", "--json"])).unwrap()
    }

    fn changes(&self) -> Vec<Change> {
        let records = self.stack.kafka().records(&self.product.topic("control"));
        let read = |record: Record| Change::read(record.key.as_deref().unwrap(), record.value.as_deref());
        records.into_iter().filter_map(read).collect()
    }

    fn put(&self, topic: &str, key: &str, headers: &Headers, value: Option<Vec<u8>>) {
        let headers = headers.iter().map(|(name, value)| (name.to_owned(), value.to_vec())).collect();
        let record = Record { partition: 0, offset: 0, key: Some(key.into()), value, headers };
        produce_at(self.stack.kafka().bootstrap(), &self.product.topic(topic), &record);
    }

    fn change(&self, change: &Change) {
        self.put("control", &change.key(), &change.headers(now()), change.value());
    }

    fn dead_letter(&self, sink: &str, id: Uuid) {
        let mut headers = Headers::new().with(CE_ID, id.to_string()).with(CE_SOURCE, "/endpoints/backup");
        let facts = DeadLetter {
            origin: Origin { topic: self.product.topic("leads"), partition: 0, offset: 0 },
            group: format!("leadline-{sink}"),
            worker: sink.to_owned(),
            kind: ErrorKind::Permanent,
            code: Code::of("made-by-hand"),
            attempts: 1,
            replay: 0,
            first_failed_at: now(),
            last_failed_at: now(),
        };
        facts.write(&mut headers);
        self.put(&format!("{sink}.dlq"), "person", &headers, Some(b"{}".to_vec()));
    }

    fn email(&self) -> SinkName {
        self.product.email_sink.parse().unwrap()
    }
}

fn now() -> jiff::Timestamp {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

fn braked() -> Braked {
    Braked { rule: BrakeRule::Run, seen: 20, given_up: 20, code: Code::of("smtp-550"), at: now() }
}

fn a_hold_is_written_shown_and_released(stack: &Stack) {
    let desk = Desk::new(stack);
    let (sink, endpoint) = (desk.product.email_sink.clone(), desk.product.endpoint.clone());
    assert_eq!(desk.held(), json!({"holds": [], "brakes": []}));
    assert!(desk.run(0, &["hold", "list"]).contains("nothing is held"));
    assert!(desk.run(0, &["hold", "endpoint", &endpoint]).contains(&format!("`leadline release endpoint {endpoint}`")));
    desk.run(0, &["hold", "sink", &sink]);
    assert!(desk.run(0, &["hold", "sink", &sink]).contains("is held already, since "));
    let held = desk.held();
    assert_eq!((&held["holds"][0]["endpoint"], &held["holds"][1]["sink"]), (&json!(endpoint), &json!(sink)));
    let told = desk.run(64, &["hold", "endpoint", "nowhere"]);
    assert!(told.contains(&format!("there is no endpoint `nowhere`; there are: {endpoint}")), "{told}");
    assert!(desk.run(64, &["release", "sink", "nowhere"]).contains("there is no sink `nowhere`"));

    desk.change(&Change::Brake(desk.email(), braked()));
    let told = desk.run(0, &["hold", "list"]);
    assert!(told.contains("stopped by its brake: 20 leads in a row were given up, the last one for smtp-550"), "{told}");
    let told = desk.run(0, &["release", "sink", &sink]);
    println!("{told}");
    assert!(
        told.contains("is released: its leads go on") && told.contains("the brake is released: 20 leads in a row"),
        "{told}"
    );
    desk.run(0, &["release", "endpoint", &endpoint]);
    assert_eq!(desk.held(), json!({"holds": [], "brakes": []}));
    let told = desk.run(0, &["release", "sink", &sink]);
    assert!(told.contains("is not held, and its brake is not engaged") && told.contains("probes now"), "{told}");
    let changes = desk.changes();
    let (email, of_sink) = (desk.email(), Held::Sink(desk.email()));
    assert_eq!(changes.iter().filter(|change| matches!(change, Change::Hold(..))).count(), 2);
    assert!(
        matches!(&changes[3..6], [Change::Unhold(held), Change::Unbrake(sink), Change::Release(told, _)]
        if (held, sink, told) == (&of_sink, &email, &email)),
        "{changes:?}"
    );

    // A name that the configuration has lost can still be released.
    desk.change(&Change::Hold(Held::Endpoint("gone".parse().unwrap()), now()));
    assert!(desk.run(0, &["release", "endpoint", "gone"]).contains("held since 2026-11-22T10:00:00Z, is released"));
    assert_eq!(desk.held()["holds"], json!([]));
}

fn a_brake_stops_a_replay(stack: &Stack) {
    let desk = Desk::new(stack);
    let sink = desk.product.email_sink.clone();
    desk.dead_letter(&sink, Uuid::now_v7());
    desk.change(&Change::Brake(desk.email(), braked()));
    let retries = || stack.kafka().records(&desk.product.topic(&format!("{sink}.retry"))).len();
    let told = desk.run(1, &["dead-letters", "replay", "--all"]);
    assert!(told.contains("is stopped by its brake") && told.contains(&format!("leadline release sink {sink}")), "{told}");
    desk.run(0, &["dead-letters", "replay", "--all", "--dry-run"]);
    assert_eq!(retries(), 0);
    desk.run(0, &["release", "sink", &sink]);
    desk.run(0, &["hold", "endpoint", &desk.product.endpoint]);
    desk.change(&Change::Hold(Held::Endpoint("backup".parse().unwrap()), now()));
    let told = desk.run(0, &["dead-letters", "replay", "--all"]);
    assert!(told.contains("endpoint backup is held: what is replayed waits"), "{told}");
    assert!(!told.contains(&desk.product.endpoint), "another endpoint's hold does not matter: {told}");
    assert_eq!(retries(), 1);
    let told = desk.run(64, &["dead-letters", "replay"]);
    assert!(told.contains("say what to replay"), "{told}");
}

fn dropped_at_one_sink(stack: &Stack) {
    let desk = Desk::new(stack);
    let (id, email, crm) = (Uuid::now_v7(), desk.product.email_sink.clone(), desk.product.crm_sink.clone());
    desk.dead_letter(&email, id);
    desk.dead_letter(&crm, id);
    // It names no lead, so it can only be counted.
    desk.put(&format!("{crm}.dlq"), "person", &Headers::new(), Some(b"{}".to_vec()));
    let lead = id.to_string();
    let told = desk.run(64, &["dead-letters", "drop", &lead, "--reason", "spam"]);
    assert!(told.contains("name one by --sink") && told.contains(&email) && told.contains(&crm), "{told}");
    desk.run(0, &["dead-letters", "drop", &lead, "--reason", "spam", "--sink", &crm]);
    let list: Value = serde_json::from_str(&desk.run(0, &["dead-letters", "list", "--json"])).unwrap();
    assert_eq!((&list["open"], &list["without_id"], &list["groups"][0]["sink"]), (&json!(1), &json!(1), &json!(email)));
    assert!(desk.run(0, &["dead-letters", "list"]).contains("1 records name no lead"));
    desk.run(0, &["dead-letters", "drop", &lead, "--reason", "spam"]);
    let outcomes = desk.product.outcomes(stack.kafka());
    assert_eq!(outcomes.iter().map(|outcome| outcome.replay).collect::<Vec<_>>(), [1, 1]);
}
