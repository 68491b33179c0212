//! One connection to the mail server. Commands are answered one by one as they come, so a client may send several at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use uuid::Uuid;

use super::{Ailment, DROPPED, REFUSED, Sink, THROTTLED};

/// A mail takes so long at least, and twice that at the most: there shall always be some on their way.
const LATENCY_MS: u64 = 40;

struct Dialogue<'a> {
    sink: &'a Sink,
    lines: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
    worker: String,
    to: String,
    on_its_way: Option<OnItsWay>,
}

/// Counts a mail as long as it is on its way.
struct OnItsWay(Arc<AtomicUsize>);

impl OnItsWay {
    fn new(counter: Arc<AtomicUsize>) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(counter)
    }
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Serves a client until it goes, or has to.
pub(super) async fn hold(stream: TcpStream, sink: &Sink) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (read, write) = stream.into_split();
    let lines = BufReader::new(read);
    let mut dialogue = Dialogue { sink, lines, write, worker: String::new(), to: String::new(), on_its_way: None };
    if sink.ailment() == Ailment::Busy {
        return dialogue.say("421 4.7.0 too many mails").await;
    }
    dialogue.say("220 sink ESMTP").await?;
    let mut line = Vec::new();
    while dialogue.lines.read_until(b'\n', &mut line).await? > 0 {
        let command = String::from_utf8_lossy(&line).trim_end().to_owned();
        if !dialogue.obey(&command).await? {
            break;
        }
        line.clear();
    }
    Ok(())
}

impl Dialogue<'_> {
    async fn say(&mut self, text: &str) -> io::Result<()> {
        self.write.write_all(format!("{text}\r\n").as_bytes()).await
    }

    /// Carries out a command; false when the connection has to end.
    async fn obey(&mut self, command: &str) -> io::Result<bool> {
        let (verb, rest) = command.split_once([' ', ':']).unwrap_or((command, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" | "HELO" => {
                self.worker = rest.split('.').next().unwrap_or_default().to_owned();
                self.say("250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES").await?;
            }
            "MAIL" => return self.mail().await,
            "RCPT" => self.rcpt(rest).await?,
            "DATA" => return self.data().await,
            "RSET" => {
                self.on_its_way = None;
                self.say("250 2.0.0 ok").await?;
            }
            "NOOP" => self.say("250 2.0.0 ok").await?,
            "QUIT" => {
                self.say("221 2.0.0 bye").await?;
                return Ok(false);
            }
            _ => self.say("502 5.5.1 what?").await?,
        }
        Ok(true)
    }

    async fn mail(&mut self) -> io::Result<bool> {
        if self.sink.ailment() == Ailment::Busy {
            self.say("421 4.7.0 too many mails").await?;
            return Ok(false);
        }
        self.on_its_way = Some(OnItsWay::new(self.sink.counter(&self.worker)));
        if self.sink.ailment() == Ailment::HangAtCommand {
            return self.hang().await;
        }
        self.say("250 2.1.0 ok").await.map(|()| true)
    }

    async fn rcpt(&mut self, rest: &str) -> io::Result<()> {
        self.to = between(rest, '<', '>').unwrap_or_default().to_owned();
        let refusal = if self.sink.strikes(Ailment::Permanent, REFUSED) {
            Some("550 5.1.1 no such user")
        } else if self.sink.strikes(Ailment::Throttle, THROTTLED) {
            Some("451 4.7.1 come again later")
        } else {
            None
        };
        if refusal.is_some() {
            self.on_its_way = None;
        }
        self.say(refusal.unwrap_or("250 2.1.5 ok")).await
    }

    /// Takes a mail. It is in the journal before anything is said about it.
    async fn data(&mut self) -> io::Result<bool> {
        self.say("354 go on").await?;
        let message = self.message().await?;
        let Some((lead, replay)) = message_id(&message) else {
            return self.say("554 5.6.0 no Message-ID of Leadline").await.map(|()| true);
        };
        let n = self.sink.arrivals.arrived(lead, &self.to, replay, &self.worker);
        if self.sink.ailment() == Ailment::HangAtDot {
            return self.hang().await;
        }
        let latency = LATENCY_MS + LATENCY_MS * self.sink.draw() / 1000;
        tokio::time::sleep(Duration::from_millis(latency)).await;
        if self.sink.strikes(Ailment::Drop, DROPPED) {
            self.write.write_all(b"25").await?;
            return Ok(false);
        }
        self.say("250 2.0.0 taken").await?;
        self.sink.arrivals.answered(n);
        self.on_its_way = None;
        Ok(true)
    }

    /// Reads up to the final dot and keeps the head.
    async fn message(&mut self) -> io::Result<String> {
        let (mut head, mut line, mut in_head) = (Vec::new(), Vec::new(), true);
        loop {
            line.clear();
            if self.lines.read_until(b'\n', &mut line).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line == b".\r\n" {
                return Ok(String::from_utf8_lossy(&head).into_owned());
            }
            in_head &= line != b"\r\n";
            if in_head {
                head.extend_from_slice(&line);
            }
        }
    }

    /// Says nothing more, and waits until the client has had enough.
    async fn hang(&mut self) -> io::Result<bool> {
        let mut rest = [0; 1024];
        while self.lines.read(&mut rest).await? > 0 {}
        Ok(false)
    }
}

/// Lead id and replay number from the header `Message-ID: <{lead_id}.{recipient_hash}.{replay}@domain>`.
fn message_id(head: &str) -> Option<(Uuid, u32)> {
    let start = head.to_ascii_lowercase().find("message-id:")?;
    let id = between(&head[start..], '<', '@')?;
    let mut parts = id.split('.');
    let lead = parts.next()?.parse().ok()?;
    let replay = parts.nth(1)?.parse().ok()?;
    Some((lead, replay))
}

fn between(text: &str, open: char, close: char) -> Option<&str> {
    text.split_once(open)?.1.split_once(close).map(|(inside, _)| inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_id_is_read_also_from_a_folded_header() {
        let lead = Uuid::from_u128(7);
        let head = format!("Subject: x\r\nMessage-ID:\r\n <{lead}.0a1b2c3d.2@rig.example>\r\nTo: a@b.example\r\n");
        assert_eq!(message_id(&head), Some((lead, 2)));
        assert_eq!(message_id("Subject: x\r\n"), None);
    }
}
