//! The sink against a scripted server: what is on the wire, which connections are used again, what each failure becomes.

pub(crate) mod scripted;
mod tls;

use std::sync::Arc;

use leadline_platform::metrics::prometheus::Registry;
use leadline_proto::keys::recipient_hash;
use leadline_proto::{Code, Reference};
use leadline_runtime::sink::{DownReason, Failure, Permanent, Sink, SinkDown, Transient, Verdict};
use tokio::sync::Notify;

use super::*;
use crate::handler::EmailSink;
use crate::tests::{BODY, handle, sink, sink_with, task};
use Step::{Close, Expect, Message, Say, Tell, Wait};
use scripted::{Scripted, Step, accept, greet, script, take};

const TWO: &str = "a@x.example; b@y.example";

fn code(text: &str) -> Code {
    Code::new(text).unwrap()
}

fn hash(address: &str) -> Code {
    code(&recipient_hash(address))
}

fn delivered() -> Verdict {
    Verdict::Delivered { reference: Reference::new("00000000-0000-0000-0000-000000000007.0").ok() }
}

fn down(why: DownReason, text: &str) -> SinkDown {
    SinkDown::of(why, code(text))
}

fn sink_down(why: DownReason, text: &str) -> Verdict {
    Verdict::Failed(Failure::SinkDown(down(why, text)))
}

fn transient(text: &str) -> Transient {
    Transient::of(code(text))
}

fn failed(transient: Transient) -> Verdict {
    Verdict::Failed(Failure::Transient(transient))
}

/// A sink with one recipient and little patience for one thing, for servers that say nothing.
fn impatient(server: &Scripted, timeout: &str) -> EmailSink {
    sink(&format!("{}{timeout} = '1s'", server.section()), "a@x.example").unwrap()
}

#[tokio::test]
async fn each_recipient_has_an_own_transaction_on_the_same_connection() {
    let server = Scripted::start([script([greet(), accept(), accept()])]).await;
    let registry = Registry::new();
    let sink = sink_with(&registry, &server.section(), TWO).unwrap();
    assert_eq!(handle(&sink, &task(BODY)).await, delivered());
    let seen = server.seen();
    assert_eq!(seen.len(), 1);
    let commands: Vec<&str> = seen[0].iter().map(String::as_str).filter(|line| !line.contains('\n')).collect();
    let expected = [
        "EHLO own.example",
        "MAIL FROM:<leads@own.example>",
        "RCPT TO:<a@x.example>",
        "DATA",
        "MAIL FROM:<leads@own.example>",
        "RCPT TO:<b@y.example>",
        "DATA",
    ];
    assert_eq!(commands, expected);
    let text = leadline_platform::metrics::prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
    assert!(text.contains(r#"leadline_email_transactions_total{result="accepted",sink="email"} 2"#), "{text}");
    assert!(text.contains(r#"leadline_email_connections_total{event="reused",sink="email"} 1"#), "{text}");
}

#[tokio::test]
async fn who_was_served_is_not_served_again() {
    let refuse = vec![Expect("MAIL"), Say("250 ok"), Expect("RCPT TO:<b@y.example>"), Say("451 4.3.0 later")];
    let server = Scripted::start([script([greet(), accept(), refuse]), script([greet(), accept()])]).await;
    let sink = sink(&server.section(), TWO).unwrap();
    let mut task = task(BODY);
    let progress = vec![hash("a@x.example")];
    let expected = Transient { progress: progress.clone(), ..transient("smtp-rcpt-451-4.3.0") };
    assert_eq!(handle(&sink, &task).await, failed(expected));
    task.history.progress = progress;
    assert_eq!(handle(&sink, &task).await, delivered());
    assert_eq!(server.seen()[1][2], "RCPT TO:<b@y.example>");
}

#[tokio::test]
async fn one_refused_address_keeps_nobody_else_from_the_lead() {
    let refuse = vec![Expect("MAIL"), Say("250 ok"), Expect("RCPT TO:<a@x.example>"), Say("550 5.1.1 <a@x.example> unknown")];
    let server = Scripted::start([script([greet(), refuse]), script([greet(), accept()])]).await;
    let sink = sink(&server.section(), TWO).unwrap();
    assert_eq!(
        handle(&sink, &task(BODY)).await,
        Verdict::Failed(Failure::Permanent(Permanent {
            code: code("smtp-rcpt-550-5.1.1"),
            progress: vec![hash("b@y.example")]
        }))
    );
    assert_eq!(server.seen()[1][2], "RCPT TO:<b@y.example>");
}

#[tokio::test]
async fn silence_after_the_final_dot_is_ambiguous() {
    let server = Scripted::start([script([greet(), take()])]).await;
    let verdict = handle(&impatient(&server, "data_timeout"), &task(BODY)).await;
    assert_eq!(verdict, failed(Transient { ambiguous: true, silent: true, ..transient("smtp-dot-timeout") }));
}

#[tokio::test]
async fn a_connection_lost_after_the_final_dot_is_ambiguous() {
    let server = Scripted::start([script([greet(), take(), vec![Close]])]).await;
    let verdict = handle(&sink(&server.section(), "a@x.example").unwrap(), &task(BODY)).await;
    assert_eq!(verdict, failed(Transient { ambiguous: true, ..transient("smtp-dot-lost") }));
}

#[tokio::test]
async fn an_ambiguous_message_is_not_forgotten_when_the_server_goes_down() {
    let server = Scripted::start([script([greet(), take(), vec![Close]]), vec![Say("421 4.3.2 closing")]]).await;
    let verdict = handle(&sink(&server.section(), TWO).unwrap(), &task(BODY)).await;
    assert_eq!(verdict, failed(Transient { ambiguous: true, ..transient("smtp-dot-lost") }));
}

#[tokio::test]
async fn a_server_that_never_greets_is_given_up() {
    let server = Scripted::start([vec![]]).await;
    let sink = impatient(&server, "command_timeout");
    assert_eq!(handle(&sink, &task(BODY)).await, sink_down(DownReason::Unreachable, "smtp-greeting-timeout"));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let server = Scripted::start([]).await;
    let section = server.section().replace(&server.port.to_string(), "1");
    let sink = sink(&section, "a@x.example").unwrap();
    assert_eq!(sink.probe().await, Err(down(DownReason::Unreachable, "smtp-connect-lost")));
}

#[tokio::test]
async fn silence_before_the_final_dot_is_not_ambiguous() {
    let silent = vec![Expect("MAIL"), Say("250 ok"), Expect("RCPT"), Say("250 ok"), Expect("DATA")];
    let server = Scripted::start([script([greet(), silent])]).await;
    assert_eq!(
        handle(&impatient(&server, "command_timeout"), &task(BODY)).await,
        failed(Transient { silent: true, ..transient("smtp-data-timeout") })
    );
}

/// The answer to a message whose send was cancelled must never be read as the answer to the next one.
#[tokio::test]
async fn a_cancelled_send_takes_its_connection_with_it() {
    let (got, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let late = vec![Tell(got.clone()), Wait(go.clone()), Say("250 late"), Expect("MAIL"), Say("250 wrong connection")];
    let refuse = vec![Say("554 5.7.1 refused")];
    let server = Scripted::start([script([greet(), take(), late]), script([greet(), take(), refuse])]).await;
    let sink = sink(&server.section(), "a@x.example").unwrap();
    let task = task(BODY);
    tokio::select! {
        verdict = handle(&sink, &task) => panic!("{verdict:?}"),
        () = got.notified() => {}
    }
    go.notify_one();
    assert_eq!(handle(&sink, &task).await, Verdict::Failed(Failure::Permanent(Permanent::of(code("smtp-dot-554-5.7.1")))));
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    assert!(!seen[0].iter().skip(5).any(|line| line.starts_with("MAIL")), "{seen:?}");
}

#[tokio::test]
async fn a_failed_connection_is_not_used_again() {
    let refuse = vec![Expect("MAIL"), Say("250 ok"), Expect("RCPT"), Say("450 4.2.1 later")];
    let server = Scripted::start([script([greet(), refuse, accept()]), script([greet(), accept()])]).await;
    let sink = sink(&server.section(), "a@x.example").unwrap();
    assert_eq!(handle(&sink, &task(BODY)).await, failed(transient("smtp-rcpt-450-4.2.1")));
    assert_eq!(handle(&sink, &task(BODY)).await, delivered());
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_parked_connection_that_died_is_replaced_in_silence() {
    for goodbye in [vec![Close], vec![Expect("MAIL"), Say("421 4.4.2 idle for too long"), Close]] {
        let server = Scripted::start([script([greet(), accept(), goodbye]), script([greet(), accept()])]).await;
        let sink = sink(&server.section(), TWO).unwrap();
        assert_eq!(handle(&sink, &task(BODY)).await, delivered());
        assert_eq!(server.seen()[1][2], "RCPT TO:<b@y.example>");
    }
}

#[tokio::test]
async fn closing_a_new_connection_at_mail_is_told() {
    let server = Scripted::start([script([greet(), vec![Expect("MAIL"), Say("421 4.3.2 no"), Close]])]).await;
    let sink = sink(&server.section(), "a@x.example").unwrap();
    assert_eq!(handle(&sink, &task(BODY)).await, failed(transient("smtp-mail-421-4.3.2")));
}

#[tokio::test]
async fn an_answer_that_belongs_to_another_command_ends_the_dialogue() {
    let confused = vec![Expect("MAIL"), Say("250 ok\r\n250 one more"), Expect("RCPT"), Say("250 ok")];
    let server = Scripted::start([script([greet(), confused])]).await;
    let sink = sink(&server.section(), "a@x.example").unwrap();
    assert_eq!(handle(&sink, &task(BODY)).await, failed(transient("smtp-data-lost")));
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let long: &'static str = "2".repeat(200_000).leak();
    let server = Scripted::start([vec![Say(long)]]).await;
    let sink = sink(&server.section(), "a@x.example").unwrap();
    assert_eq!(sink.probe().await, Err(down(DownReason::Unreachable, "smtp-greeting-lost")));
}

#[tokio::test]
async fn there_are_never_more_connections_than_allowed() {
    let server = Scripted::start([script([greet(), accept(), accept(), accept()])]).await;
    let sink = sink(&format!("{}connections = 1", server.section()), "a@x.example").unwrap();
    let task = task(BODY);
    let verdicts = tokio::join!(handle(&sink, &task), handle(&sink, &task), handle(&sink, &task));
    assert_eq!(verdicts, (delivered(), delivered(), delivered()));
    assert_eq!(server.seen().len(), 1);
}

/// The connections alone, without a sink around them.
fn alone(port: u16) -> Smtp {
    let section = SmtpSection {
        host: "127.0.0.1".to_owned(),
        port: Some(port),
        tls: TlsMode::None,
        connections: 1,
        ..SmtpSection::default()
    };
    let metrics = Metrics::of_sink(&Registry::new(), "email").unwrap();
    Smtp::new(Server::new(&section, "own.example", "sinks.email").unwrap(), &section, metrics)
}

#[tokio::test]
async fn a_message_that_was_not_written_to_its_end_is_not_ambiguous() {
    let silent = vec![Expect("MAIL"), Say("250 ok"), Expect("RCPT"), Say("250 ok"), Expect("DATA"), Say("354 go")];
    let server = Scripted::start([script([greet(), silent, vec![Wait(Arc::default())]])]).await;
    // More than the buffers between both ends can hold.
    let bytes = vec![b'x'; 64 << 20];
    let mail = Mail { from: "a@own.example".parse().unwrap(), to: "a@x.example".parse().unwrap(), bytes };
    let error = alone(server.port).send(&mail, &Claim::default(), Instant::now() + Duration::from_secs(1)).await.unwrap_err();
    assert_eq!(error, SmtpError::new(Stage::Body, Fault::Timeout));
}

#[tokio::test]
async fn waiting_too_long_for_a_connection_is_not_the_lead_s_fault() {
    let smtp = alone(1);
    let taken = smtp.slot(Instant::now() + Duration::from_secs(60)).await.unwrap();
    let error = smtp.probe(Instant::now()).await.unwrap_err();
    assert_eq!(error, SmtpError::new(Stage::Connect, Fault::Busy));
    drop(taken);
    drop(smtp.slot(Instant::now()).await.unwrap());
}

#[tokio::test]
async fn a_probe_sends_nothing_and_its_connection_is_used() {
    let server = Scripted::start([script([greet(), accept()])]).await;
    let sink = sink(&server.section(), "a@x.example").unwrap();
    sink.probe().await.unwrap();
    assert_eq!(server.seen(), [["EHLO own.example"]]);
    assert_eq!(handle(&sink, &task(BODY)).await, delivered());
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn an_overloaded_server_is_not_given_more() {
    let server = Scripted::start([vec![Say("421 4.3.2 too many connections"), Close]]).await;
    let sink = sink(&server.section(), "a@x.example").unwrap();
    assert_eq!(handle(&sink, &task(BODY)).await, sink_down(DownReason::Throttled, "smtp-greeting-421-4.3.2"));
}

#[tokio::test]
async fn a_non_ascii_address_needs_a_server_that_knows_them() {
    let offer = |offers| vec![Say("220 hi"), Expect("EHLO"), Say(offers)];
    let rcpt = vec![
        Expect("MAIL FROM:<leads@own.example> SMTPUTF8 BODY=8BITMIME"),
        Say("250 ok"),
        Expect("RCPT TO:<jörg@"),
        Say("250 ok"),
    ];
    let data = vec![Expect("DATA"), Say("354 go"), Message, Say("250 ok")];
    let server =
        Scripted::start([offer("250-m\r\n250 8BITMIME"), script([offer("250-m\r\n250-8BITMIME\r\n250 SMTPUTF8"), rcpt, data])])
            .await;
    let sink = sink(&server.section(), "jörg@x.example").unwrap();
    assert_eq!(
        handle(&sink, &task(BODY)).await,
        Verdict::Failed(Failure::Permanent(Permanent::of(code("smtp-mail-unsupported"))))
    );
    assert_eq!(handle(&sink, &task(BODY)).await, delivered());
}
