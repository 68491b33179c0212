//! `leadline rejected`: what an operator sees of a rejected body, and what becomes of it once it is repaired. Against a real Kafka.

use std::fs;
use std::process::{Command, Output, Stdio};

use leadline_proto::headers::{CE_TIME, REASON, REDELIVERY};
use leadline_proto::{AcceptedLead, Status};
use leadline_tests::binaries::Binaries;
use leadline_tests::kafka::Record;
use leadline_tests::{Stack, Suite, Tool, fixtures};
use serde_json::{Value, json};
use uuid::Uuid;

use super::rejected_id;
use crate::support::{Product, Running, Sinks};

pub(super) fn tests(suite: &mut Suite) {
    suite.test("rejected::a_repaired_body_becomes_the_lead_it_was_meant_to_be", [Tool::Kafka], becomes_a_lead);
    suite.test("rejected::an_editor_is_opened_until_the_body_is_a_lead", [Tool::Kafka], an_editor_is_opened);
}

/// Ingest and a CRM worker.
struct Desk<'a> {
    stack: &'a Stack,
    product: Product,
    _running: [Running; 2],
}

impl<'a> Desk<'a> {
    fn open(stack: &'a Stack) -> Self {
        let product = Product::new(stack, "rejected", stack.kafka().bootstrap(), &Sinks::files(), "");
        product.create_topics();
        let running = [product.start_ingest(), product.start_crm()];
        Self { stack, product, _running: running }
    }

    fn command(&self, args: &[&str]) -> Command {
        self.product.command(&Binaries::built().leadline(), args)
    }

    /// Standard output of a command that must end with this code, and what it says beside.
    #[track_caller]
    fn told(&self, code: i32, args: &[&str]) -> (String, String) {
        let output = self.command(args).output().unwrap();
        let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8(bytes.clone()).unwrap());
        assert_eq!(output.status.code(), Some(code), "{args:?}: {out}{err}");
        (out, err)
    }

    fn records(&self, topic: &str) -> Vec<Record> {
        self.stack.kafka().records(&self.product.topic(topic))
    }

    /// The leads of an id that stand in the topic.
    fn leads(&self, id: Uuid) -> Vec<(Record, AcceptedLead)> {
        let decode = |record: Record| {
            let lead = AcceptedLead::decode(&record.headers.clone().into_iter().collect(), &record.value.clone()?).ok()?;
            Some((record, lead)).filter(|(_, lead)| lead.lead_id == id)
        };
        self.records("leads").into_iter().filter_map(decode).collect()
    }
}

/// The sample without the comma behind the phone number, as a sender that builds its JSON by hand may send it.
fn broken() -> String {
    let sample = String::from_utf8(fixtures::lead("sample")).unwrap();
    let broken = sample.replacen("\"16175555555\",", "\"16175555555\"", 1);
    assert_ne!(broken, sample);
    broken
}

/// The id of the lead that a command says it has made.
#[track_caller]
fn lead_id(told: &str) -> Uuid {
    told.trim().strip_prefix("resubmitted as lead ").unwrap_or_else(|| panic!("{told}")).parse().unwrap()
}

fn becomes_a_lead(stack: &Stack) {
    let desk = Desk::open(stack);
    let id = rejected_id(&desk.product.post(broken())).unwrap();
    let record = desk.records("rejected").remove(0);
    assert_eq!(record.value.as_deref(), Some(broken().as_bytes()), "byte for byte");
    assert_eq!((record.header("ce_id"), record.header(REASON)), (Some(id.to_string()), Some("not-json".to_owned())));
    check_list(&desk, id);

    let (body, note) = desk.told(0, &["rejected", "show", &id.to_string()]);
    assert_eq!(body, broken());
    assert!(note.contains("may hold personal data") && note.contains("not-json"), "{note}");
    let (out, why) = desk.told(1, &["rejected", "resubmit", &id.to_string()]);
    assert!(out.is_empty() && why.contains("not-json: the body is not valid JSON (line "), "{why}");
    assert!(why.contains("nothing was published") && !why.contains("contoso"), "{why}");
    assert!(desk.records("leads").is_empty());

    let file = desk.product.folder().join("repaired.json");
    fs::write(&file, fixtures::lead("sample")).unwrap();
    let args = ["rejected", "resubmit", &id.to_string(), "--file", file.to_str().unwrap()];
    let made = lead_id(&desk.told(0, &args).0);
    let outcome = desk.product.outcome(stack.kafka(), &desk.product.crm_sink, made);
    assert!(matches!(outcome.status, Status::Delivered { .. }), "{outcome:?}");
    assert_eq!(lead_id(&desk.told(0, &args).0), made, "the same lead again");
    // Leads of one person are handled in order, so the second copy is dealt with once this one is.
    let later = desk.product.post(fixtures::lead("sample")).lead_id();
    desk.product.outcome(stack.kafka(), &desk.product.crm_sink, later);
    check_lead(&desk, made, later, &record.header(CE_TIME).unwrap());
    let outcomes = desk.product.outcomes(stack.kafka());
    assert_eq!(outcomes.iter().filter(|outcome| outcome.lead_id == made).count(), 1, "handled once");
}

/// It is the lead that ingest would have made, but for its id and that it may stand twice.
fn check_lead(desk: &Desk<'_>, made: Uuid, later: Uuid, received_at: &str) {
    let (copies, posted) = (desk.leads(made), desk.leads(later));
    assert_eq!((copies.len(), posted.len()), (2, 1));
    let (posted_record, posted) = &posted[0];
    for (record, lead) in &copies {
        assert_eq!((&record.key, record.partition), (&posted_record.key, posted_record.partition), "one person");
        assert_eq!(record.header(REDELIVERY).as_deref(), Some("1"));
        assert_eq!(
            (record.header(CE_TIME).as_deref(), lead.received_at.to_string().as_str()),
            (Some(received_at), received_at)
        );
        assert_eq!(
            (&lead.lead, &lead.raw, &lead.endpoint, &lead.person),
            (&posted.lead, &posted.raw, &posted.endpoint, &posted.person)
        );
    }
}

fn check_list(desk: &Desk<'_>, id: Uuid) {
    let (list, _) = desk.told(0, &["rejected", "list", "--json"]);
    let list: Value = serde_json::from_str(&list).unwrap();
    let group = &list["groups"][0];
    assert_eq!((&list["count"], &group["reason"], &group["ids"]), (&json!(1), &json!("not-json"), &json!([id])));
    let endpoint = &desk.product.endpoint;
    let (text, _) = desk.told(0, &["rejected", "list", "--endpoint", endpoint, "--since", "1d"]);
    assert!(text.contains(&format!("{endpoint}: 1 not-json")) && text.contains(&id.to_string()), "{text}");
    assert!(!text.contains("contoso") && !text.contains("1617"), "{text}");
    assert!(desk.told(0, &["rejected", "list", "--endpoint", "other"]).0.starts_with("0 rejected bodies"));
    let unknown = desk.told(1, &["rejected", "show", &Uuid::nil().to_string()]).1;
    assert!(unknown.contains("is not among the rejected bodies"), "{unknown}");
}

fn an_editor_is_opened(stack: &Stack) {
    let desk = Desk::open(stack);
    let id = rejected_id(&desk.product.post(broken())).unwrap().to_string();
    let folder = desk.product.folder();
    fs::write(folder.join("good.json"), fixtures::lead("sample")).unwrap();
    // Says how the file lay there, and repairs it only the second time.
    let script = "stat -c %a \"$1\" >> modes; echo \"$1\" > path\n\
                  if [ -e once ]; then cp good.json \"$1\"; else touch once; fi\n";
    fs::write(folder.join("editor.sh"), script).unwrap();
    let edit = |editor: &str, answer: &str| {
        fs::write(folder.join("answer"), answer).unwrap();
        let mut command = desk.command(&["rejected", "resubmit", &id, "--edit"]);
        command.env("EDITOR", editor).stdin(Stdio::from(fs::File::open(folder.join("answer")).unwrap()));
        command.output().unwrap()
    };
    let text =
        |output: &Output| format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));

    let given_up = edit("true", "n\n");
    assert_eq!(given_up.status.code(), Some(1), "{}", text(&given_up));
    assert!(
        text(&given_up).contains("edit it again?") && text(&given_up).contains("nothing was published"),
        "{}",
        text(&given_up)
    );
    let failed = edit("false", "");
    assert_eq!(failed.status.code(), Some(64), "{}", text(&failed));
    assert!(desk.records("leads").is_empty());

    let made = edit("sh editor.sh", "y\n");
    assert_eq!(made.status.code(), Some(0), "{}", text(&made));
    assert_eq!(text(&made).matches("edit it again?").count(), 1, "{}", text(&made));
    assert_eq!(desk.leads(lead_id(&String::from_utf8_lossy(&made.stdout))).len(), 1);
    assert_eq!(fs::read_to_string(folder.join("modes")).unwrap(), "600\n600\n");
    let path = fs::read_to_string(folder.join("path")).unwrap();
    assert!(!fs::exists(path.trim()).unwrap(), "nothing stays behind");
}
