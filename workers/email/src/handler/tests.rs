//! Who gets a message, and what a lead's verdict is. Dialogues with a server are tested in `smtp`.

use std::sync::Arc;

use leadline_proto::keys::recipient_hash;

use super::*;
use crate::tests::{BODY, handle, sink, task};

const FROM: &str = "from = 'Leadline <leads@own.example>'\ntransport = 'file'\n";

fn outbox(folder: &tempfile::TempDir, extra: &str) -> String {
    format!("{FROM}{extra}\n[sinks.email.file]\ndirectory = '{}'", folder.path().display())
}

fn files(folder: &tempfile::TempDir) -> Vec<String> {
    let names = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

fn file(address: &str, replay: u32) -> String {
    format!("00000000-0000-0000-0000-000000000007.{}.{replay}.eml", recipient_hash(address))
}

#[tokio::test]
async fn each_recipient_has_an_own_file_and_a_second_delivery_replaces_it() {
    let folder = tempfile::tempdir().unwrap();
    let sink = sink(&outbox(&folder, ""), "a@x.example; b@y.example").unwrap();
    sink.probe().await.unwrap();
    let mut task = task(BODY);
    for replay in [0, 0, 1] {
        task.history.replay = replay;
        let reference = Reference::new(file("a@x.example", replay)).ok();
        assert_eq!(handle(&sink, &task).await, Verdict::Delivered { reference });
    }
    let mut expected: Vec<String> =
        [0, 1].into_iter().flat_map(|n| ["a@x.example", "b@y.example"].map(|a| file(a, n))).collect();
    expected.sort();
    assert_eq!(files(&folder), expected);
}

#[tokio::test]
async fn without_contacts_the_sink_s_own_recipients_count() {
    let folder = tempfile::tempdir().unwrap();
    let sink = sink(&outbox(&folder, "to = 'c@z.example'"), "").unwrap();
    handle(&sink, &task(BODY)).await;
    assert_eq!(files(&folder), [file("c@z.example", 0)]);
    // An endpoint that is gone from the configuration.
    let mut task = task(BODY);
    Arc::make_mut(&mut task.lead).endpoint = "gone".parse().unwrap();
    assert!(matches!(handle(&sink, &task).await, Verdict::Delivered { .. }));
}

#[tokio::test]
async fn a_lead_nobody_is_told_about_is_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let sink = sink(&outbox(&folder, ""), "").unwrap();
    assert_eq!(handle(&sink, &task(BODY)).await, Verdict::Skipped(Code::of("no_recipient")));
    assert!(files(&folder).is_empty());
}

#[tokio::test]
async fn a_test_lead_is_mailed_unless_the_operator_says_otherwise() {
    let body = r#"{"UserDetails":{"LastName":"MSFT_TEST_636573304831318844"}}"#;
    let folder = tempfile::tempdir().unwrap();
    let usual = sink(&outbox(&folder, ""), "a@x.example").unwrap();
    assert!(matches!(handle(&usual, &task(body)).await, Verdict::Delivered { .. }));
    let folder = tempfile::tempdir().unwrap();
    let quiet = sink(&outbox(&folder, "test_leads = 'skip'"), "a@x.example").unwrap();
    assert_eq!(handle(&quiet, &task(body)).await, Verdict::Skipped(Code::of("test")));
    assert!(files(&folder).is_empty());
    assert!(matches!(handle(&quiet, &task(BODY)).await, Verdict::Delivered { .. }));
}

#[tokio::test]
async fn a_lead_whose_recipients_all_have_it_is_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let sink = sink(&outbox(&folder, ""), "a@x.example").unwrap();
    let mut task = task(BODY);
    task.history.progress = vec![Code::new(recipient_hash("A@x.example")).unwrap()];
    assert!(matches!(handle(&sink, &task).await, Verdict::Delivered { .. }));
    assert!(files(&folder).is_empty());
}

#[tokio::test]
async fn one_verdict_for_each_lead_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let sink = sink(&outbox(&folder, ""), "a@x.example").unwrap();
    let (mut other, mut broken) = (task(BODY), task(BODY));
    other.history.replay = 3;
    Arc::make_mut(&mut broken.lead).received_at = Timestamp::MIN;
    let verdicts = sink.handle(&[task(BODY), broken, other]).await;
    let delivered = |replay| Verdict::Delivered { reference: Reference::new(file("a@x.example", replay)).ok() };
    let unbuildable = Verdict::Failed(Failure::Permanent(Permanent::of(Code::of("message-unbuildable"))));
    assert_eq!(verdicts, [delivered(0), unbuildable, delivered(3)]);
}

/// Beyond the budget nothing is begun, so that a call ends before the runtime ends it and the progress is kept.
#[tokio::test]
async fn a_call_that_took_too_long_keeps_its_progress() {
    let smtp = "from = 'a@own.example'\n[sinks.email.smtp]\ntls = 'none'";
    let sink = sink(smtp, "a@x.example; b@y.example").unwrap();
    let mut task = task(BODY);
    task.history.progress = vec![recipient("a@x.example").hash];
    let progress = task.history.progress.clone();
    let down = SinkDown { progress, ..SinkDown::of(DownReason::Throttled, Code::of("smtp-slow")) };
    assert_eq!(sink.deliver(&task, Instant::now()).await, Verdict::Failed(Failure::SinkDown(down)));
}

#[test]
fn the_start_is_refused_with_the_key() {
    let refusal = |section: &str, contacts: &str| sink(section, contacts).map(|_| ()).unwrap_err().to_string();
    assert!(refusal("", "").contains("`sinks.email.from`:"));
    assert!(refusal("from = 'a@b.example'\nports = 1", "").contains("`sinks.email.ports`: unknown key"));
    let long = format!("{}@x.example", "a".repeat(65));
    for (section, key) in [(FROM, "endpoints.shop.contacts"), (&format!("{FROM}to = '{long}'"), "sinks.email.to")] {
        let text = refusal(section, if section == FROM { &long } else { "" });
        assert!(text.contains(&format!("`{key}")), "{text}");
    }
    let ca = "from = 'a@b.example'\n[sinks.email.smtp]\nca = 'none'";
    assert_eq!(refusal(ca, ""), "`sinks.email.smtp.ca`: the named authorities hold no PEM certificate");
}

fn recipient(address: &str) -> Recipient {
    Recipient::read(address).unwrap()
}

fn run() -> Run {
    Run::new(Vec::new())
}

#[test]
fn as_long_as_anyone_may_be_served_the_lead_is_tried_again() {
    let mut run = run();
    let wait = Some(Duration::from_secs(5));
    run.note(&recipient("a@x.example"), Err(Failure::Permanent(Permanent::of(Code::of("a")))));
    run.note(&recipient("b@x.example"), Err(Failure::Transient(Transient::of(Code::of("b")))));
    run.note(&recipient("c@x.example"), Ok(()));
    let last = Transient { after: wait, ambiguous: true, ..Transient::of(Code::of("d")) };
    run.note(&recipient("d@x.example"), Err(Failure::Transient(last)));
    let progress = vec![recipient("c@x.example").hash];
    let expected = Transient { code: Code::of("b"), after: wait, progress, ambiguous: true, silent: false };
    assert_eq!(run.verdict(None), Verdict::Failed(Failure::Transient(expected)));
}

#[test]
fn it_is_silence_when_nobody_got_an_answer() {
    let silent = || Err(Failure::Transient(Transient { silent: true, ..Transient::of(Code::of("x")) }));
    let is_silent = |run: Run| matches!(run.verdict(None), Verdict::Failed(Failure::Transient(failure)) if failure.silent);
    let mut both = run();
    both.note(&recipient("a@x.example"), silent());
    both.note(&recipient("b@x.example"), silent());
    assert!(is_silent(both));
    let mut one = run();
    one.note(&recipient("a@x.example"), silent());
    one.note(&recipient("b@x.example"), Ok(()));
    assert!(!is_silent(one));
}

#[test]
fn a_sink_that_goes_down_keeps_the_progress() {
    let mut run = run();
    run.note(&recipient("a@x.example"), Ok(()));
    run.note(&recipient("b@x.example"), Err(Failure::Transient(Transient::of(Code::of("b")))));
    let down = SinkDown::of(DownReason::Unreachable, Code::of("down"));
    let stop = run.note(&recipient("c@x.example"), Err(Failure::SinkDown(down.clone()))).unwrap();
    let progress = vec![recipient("a@x.example").hash];
    assert_eq!(run.cut_short(stop), Verdict::Failed(Failure::SinkDown(SinkDown { progress, ..down })));
}
