//! The mail server as a client meets it, well and ill.

use std::time::Duration;

use leadline_tests::free_port;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use uuid::Uuid;

use super::*;
use crate::journal::{Arrival, read_arrivals};

struct Client(BufReader<TcpStream>);

impl Client {
    /// Connects, however long the port takes to open.
    async fn connect(port: u16) -> Self {
        loop {
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)).await {
                return Self(BufReader::new(stream));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Sends text and reads the last line of the answer; empty when the connection ends.
    async fn ask(&mut self, text: &str) -> String {
        self.0.write_all(text.as_bytes()).await.unwrap();
        self.answer().await
    }

    async fn answer(&mut self) -> String {
        loop {
            let mut line = String::new();
            let read = self.0.read_line(&mut line).await.unwrap_or_default();
            if read == 0 || line.as_bytes().get(3) != Some(&b'-') {
                return line.trim_end().to_owned();
            }
        }
    }

    /// A whole mail; the answer to its final dot.
    async fn mail(&mut self, lead: Uuid) -> String {
        self.ask("MAIL FROM:<a@b.example>\r\n").await;
        self.ask("RCPT TO:<sales@rig.example>\r\n").await;
        self.ask("DATA\r\n").await;
        self.ask(&format!("Message-ID: <{lead}.01234567.0@rig.example>\r\n\r\nMessage-ID: text\r\n..\r\n.\r\n")).await
    }
}

async fn greeted(port: u16) -> Client {
    let mut client = Client::connect(port).await;
    assert!(client.answer().await.starts_with("220"));
    assert!(client.ask("EHLO mail-1.rig.example\r\n").await.starts_with("250 "));
    client
}

fn start(folder: &Path) -> (Arc<Sink>, u16) {
    let (sink, port) = (Arc::new(Sink::new(&folder.join("arrivals"), 1).unwrap()), free_port());
    tokio::spawn(Arc::clone(&sink).serve(port));
    (sink, port)
}

fn arrivals(folder: &Path) -> Vec<Arrival> {
    read_arrivals(&folder.join("arrivals")).unwrap()
}

#[tokio::test]
async fn a_mail_is_journaled_and_answered_and_the_next_may_follow() {
    let folder = tempfile::tempdir().unwrap();
    let (_sink, port) = start(folder.path());
    let mut client = greeted(port).await;
    for lead in [Uuid::from_u128(1), Uuid::from_u128(2)] {
        assert!(client.mail(lead).await.starts_with("250"));
    }
    // Its journal line follows the answer.
    assert!(client.ask("NOOP\r\n").await.starts_with("250"));
    let mails = arrivals(folder.path());
    let told: Vec<_> =
        mails.iter().map(|mail| (mail.n, mail.lead, mail.to.as_str(), mail.worker.as_str(), mail.answered)).collect();
    let expected = |n: u64| (n, Uuid::from_u128(u128::from(n) + 1), "sales@rig.example", "mail-1", true);
    assert_eq!(told, [expected(0), expected(1)]);
}

#[tokio::test]
async fn while_it_hangs_mails_are_taken_and_never_answered() {
    let folder = tempfile::tempdir().unwrap();
    let (sink, port) = start(folder.path());
    let mut client = greeted(port).await;
    sink.suffer(Ailment::HangAtDot);
    let silent = tokio::time::timeout(Duration::from_millis(300), client.mail(Uuid::from_u128(1))).await;
    assert!(silent.is_err());
    assert_eq!(sink.open_of("mail-1"), 1);
    let mails = arrivals(folder.path());
    assert_eq!((mails.len(), mails[0].answered), (1, false));
}

#[tokio::test]
async fn while_it_drops_some_answers_break_off() {
    let folder = tempfile::tempdir().unwrap();
    let (sink, port) = start(folder.path());
    sink.suffer(Ailment::Drop);
    let mut broken = 0;
    for lead in 0..20 {
        let answer = greeted(port).await.mail(Uuid::from_u128(lead)).await;
        broken += usize::from(answer == "25");
    }
    let unanswered = arrivals(folder.path()).iter().filter(|mail| !mail.answered).count();
    assert!(broken > 0 && broken < 20);
    assert_eq!(unanswered, broken);
}

#[tokio::test]
async fn while_it_refuses_nobody_gets_through_and_afterwards_everybody() {
    let folder = tempfile::tempdir().unwrap();
    let (sink, port) = start(folder.path());
    let mut old = greeted(port).await;
    sink.suffer(Ailment::Refuse);
    assert_eq!(old.answer().await, "");
    while TcpStream::connect(("127.0.0.1", port)).await.is_ok() {}
    sink.suffer(Ailment::Healthy);
    assert!(greeted(port).await.mail(Uuid::from_u128(1)).await.starts_with("250"));
}

#[tokio::test]
async fn refusals_have_their_codes() {
    let folder = tempfile::tempdir().unwrap();
    let (sink, port) = start(folder.path());
    let mut old = greeted(port).await;
    sink.suffer(Ailment::Busy);
    assert!(old.ask("MAIL FROM:<a@b.example>\r\n").await.starts_with("421"));
    assert!(Client::connect(port).await.answer().await.starts_with("421"));
    for (ailment, code) in [(Ailment::Throttle, "451 4.7.1"), (Ailment::Permanent, "550 5.1.1")] {
        sink.suffer(ailment);
        let mut client = greeted(port).await;
        let mut refused = 0;
        for _ in 0..200 {
            refused += usize::from(client.ask("RCPT TO:<a@b.example>\r\n").await.starts_with(code));
        }
        assert!(refused > 0 && refused < 150, "{ailment:?}: {refused}");
    }
    assert!(arrivals(folder.path()).is_empty());
}
