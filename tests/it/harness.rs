//! The harness itself: each server starts, works and fails as its users rely on. No tests of the product.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use leadline_tests::kafka::Cluster;
use leadline_tests::panics::panic_text;
use leadline_tests::process::Process;
use leadline_tests::smtp::{Down, SmtpServer, address};
use leadline_tests::{Stack, Suite, Tool, eventually, fixtures};
use rdkafka::producer::{BaseRecord, Producer as _, ThreadedProducer};

const SOON: Duration = Duration::from_secs(30);

pub(crate) fn tests(suite: &mut Suite) {
    suite.test("harness::eventually_fails_with_its_sentence", [], |_| eventually_fails_with_its_sentence());
    suite.test("harness::sample_leads_are_there", [], |_| sample_leads_are_there());
    suite.test("harness::unique_names_differ", [], unique_names_differ);
    suite.test("harness::a_process_is_watched_and_ended", [], |_| a_process_is_watched_and_ended());
    suite.test("harness::a_record_goes_through_kafka", [Tool::Kafka], a_record_goes_through_kafka);
    suite.test("harness::a_killed_broker_comes_back", [Tool::Kafka], a_killed_broker_comes_back);
    suite.test_async("harness::postgres_answers", [Tool::Postgres], postgres_answers);
    suite.test("harness::mail_is_taken_or_refused_by_recipient", [Tool::Smtp], mail_is_taken_or_refused_by_recipient);
    suite.test("harness::mail_server_goes_down_and_up", [Tool::Smtp], |_| mail_server_goes_down_and_up());
    suite.test("harness::mail_server_speaks_tls_and_wants_a_login", [Tool::Smtp], |_| tls_and_login());
}

fn eventually_fails_with_its_sentence() {
    let text = panic_text(|| eventually("the sea is dry", Duration::from_millis(30), || None::<()>));
    assert!(text.contains("the sea is dry") && text.contains("did not happen"), "{text}");
    assert_eq!(eventually("at once", Duration::ZERO, || Some(7)), 7);
}

fn sample_leads_are_there() {
    assert!(fixtures::lead_names().contains(&"sample".to_owned()));
    for name in fixtures::lead_names() {
        assert!(!fixtures::lead(&name).is_empty(), "{name}");
    }
}

fn unique_names_differ(stack: &Stack) {
    let (one, two) = (stack.unique("email"), stack.unique("email"));
    assert_ne!(one, two);
    assert!(one.len() <= 40, "{one} does not fit a sink's name");
}

fn a_process_is_watched_and_ended() {
    let folder = tempfile::tempdir().unwrap();
    let script = "echo \"pid $$\"; echo odd >&2; trap 'exit 7' TERM; echo go; while :; do sleep 0.05; done";
    let start = |log: &str| Process::spawn("loop", Command::new("sh").args(["-c", script]), &folder.path().join(log));
    let mut asked = start("asked.log");
    asked.wait_for_line("go", SOON);
    asked.signal_term();
    assert_eq!(asked.wait_exit(SOON), 7);
    assert!(asked.output().contains("odd"), "standard error is read too");

    let mut killed = start("killed.log");
    killed.wait_for_line("go", SOON);
    killed.kill();
    assert_eq!(killed.wait_exit(SOON), 128 + 9);

    let mut dropped = start("dropped.log");
    let line = dropped.wait_for_line("pid ", SOON);
    let pid = line.trim_start_matches("pid ").to_owned();
    drop(dropped);
    let alive = Command::new("kill").args(["-0", &pid]).output().unwrap();
    assert!(!alive.status.success(), "a dropped process must be gone");

    let mut short = Process::spawn("short", Command::new("sh").args(["-c", "echo bye; exit 3"]), &folder.path().join("short"));
    let text = panic_text(|| short.wait_for_line("ready", SOON));
    assert!(text.contains("ended with code 3") && text.contains("| bye"), "{text}");
}

fn send(cluster: &Cluster, topic: &str, value: &str) {
    let mut settings = cluster.client();
    settings.set("acks", "all").set("message.timeout.ms", "30000");
    let producer: ThreadedProducer<_> = settings.create().unwrap();
    producer.send(BaseRecord::to(topic).key("person").payload(value)).map_err(|(error, _)| error).unwrap();
    producer.flush(SOON).unwrap();
}

fn values(cluster: &Cluster, topic: &str) -> Vec<String> {
    let records = cluster.records(topic).into_iter();
    records.map(|record| String::from_utf8(record.value.unwrap()).unwrap()).collect()
}

fn a_record_goes_through_kafka(stack: &Stack) {
    let topic = stack.unique("through");
    stack.kafka().create_topics(&[&topic], 3, &[("max.message.bytes", "65536")]);
    send(stack.kafka(), &topic, "hello");
    assert_eq!(values(stack.kafka(), &topic), ["hello"]);
}

fn a_killed_broker_comes_back(stack: &Stack) {
    let cluster = stack.kafka3();
    let topic = stack.unique("three");
    cluster.create_topics(&[&topic], 3, &[]);
    for broker in 1..=cluster.size() {
        cluster.kill(broker);
        send(&cluster, &topic, &format!("without {broker}"));
        cluster.restart(broker);
    }
    let mut all = values(&cluster, &topic);
    all.sort();
    assert_eq!(all, ["without 1", "without 2", "without 3"]);
}

async fn postgres_answers(stack: Arc<Stack>) {
    use sqlx::Connection as _;
    let url = stack.postgres().create_database(&stack.unique("answers"));
    let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
    let sum: i32 = sqlx::query_scalar("select 40 + $1").bind(2).fetch_one(&mut connection).await.unwrap();
    assert_eq!(sum, 42);
}

/// Says each line in turn and gives the code of each answer; stops when the connection ends.
fn dialogue(server: &SmtpServer, lines: &[&str]) -> Vec<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    let mut codes = Vec::new();
    for line in std::iter::once(&"").chain(lines) {
        if !line.is_empty() && write!(stream, "{line}\r\n").is_err() {
            break;
        }
        let mut answer = "250-".to_owned();
        while answer.get(3..4) == Some("-") {
            answer.clear();
            if answers.read_line(&mut answer).unwrap_or(0) == 0 {
                return codes;
            }
        }
        codes.push(answer[..3].to_owned());
    }
    codes
}

fn mail_is_taken_or_refused_by_recipient(stack: &Stack) {
    let smtp = stack.smtp();
    let to = format!("{}@example.com", stack.unique("ada"));
    let mail = |to: &str| {
        dialogue(smtp, &["EHLO t", "MAIL FROM:<a@b.c>", &format!("RCPT TO:<{to}>"), "DATA", "Subject: x\r\n\r\nhi\r\n."])
    };
    assert_eq!(mail(&to), ["220", "250", "250", "250", "354", "250"]);
    assert_eq!(smtp.received_for(&to).len(), 1);
    assert_eq!(smtp.received_for(&to)[0].data, b"Subject: x\r\n\r\nhi\r\n");
    assert_eq!(mail(&address::refused(451, &to))[3], "451");
    assert_eq!(mail(&address::refused(550, &to))[3], "550");
    assert_eq!(mail(&address::refused_at_end(552, &to))[5], "552");
    assert!(smtp.received_for(&address::refused_at_end(552, &to)).is_empty());
    assert_eq!(mail(&address::silent(&to)).len(), 5, "the connection ends without an answer to the final dot");
    assert_eq!(smtp.received_for(&address::silent(&to)).len(), 1);
    let start = Instant::now();
    assert_eq!(mail(&address::waiting(1, &to))[5], "250");
    assert!(start.elapsed() >= Duration::from_secs(1));
}

fn mail_server_goes_down_and_up() {
    let smtp = SmtpServer::start(&leadline_tests::smtp::Options::default()).unwrap();
    smtp.down(Down::Busy);
    assert_eq!(dialogue(&smtp, &[]), ["421"]);
    smtp.down(Down::Refuse);
    assert!(TcpStream::connect(("127.0.0.1", smtp.port())).is_err());
    smtp.up();
    assert_eq!(dialogue(&smtp, &[]), ["220"]);
}

fn tls_and_login() {
    use leadline_tests::smtp::{Options, Security};
    let folder = tempfile::tempdir().unwrap();
    let files = leadline_tests::certificate::for_localhost(folder.path());
    let login = Some(("ada".to_owned(), "secret".to_owned()));
    let starttls = SmtpServer::start(&Options { security: Security::StartTls(files.clone()), login }).unwrap();
    // `AUTH PLAIN` of ada with a wrong and the right password.
    let codes = dialogue(&starttls, &["EHLO t", "AUTH PLAIN AGFkYQB3cm9uZw==", "AUTH PLAIN AGFkYQBzZWNyZXQ="]);
    assert_eq!(codes, ["220", "250", "535", "235"]);
    assert_eq!(dialogue(&starttls, &["EHLO t", "MAIL FROM:<a@b.c>", "STARTTLS"]), ["220", "250", "530", "220"]);
    // From the first byte: a plain client hears nothing it could read.
    let implicit = SmtpServer::start(&Options { security: Security::Implicit(files), login: None }).unwrap();
    assert!(dialogue(&implicit, &["EHLO t"]).is_empty());
}
