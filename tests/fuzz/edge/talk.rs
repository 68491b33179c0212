//! What goes over connections to ingest: requests one after the other, all at once, or cut off; in pieces, and with every end that
//! a connection can have. After anything that is no correct request a new connection must be served.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::input::Chance;

use super::account::Accepted;
use super::answer::{Answer, Read, all, read};
use super::judge::{Site, judge, repeats_nothing};
use super::request::{ENDPOINT, Request};

/// Ingest's own time limits are shorter, so an end must come.
const PATIENCE: Duration = Duration::from_secs(60);
/// No answers to a few requests are so long.
const MOST_BYTES: u64 = 1024 * 1024;

/// Some requests, and what came of them.
pub(super) struct Talk<'a> {
    site: &'a Site,
    chance: Chance,
    connection: Option<Connection>,
    ended: Ended,
}

/// What came of a talk.
#[derive(Default)]
pub(super) struct Ended {
    pub(super) accepted: Vec<Accepted>,
    pub(super) counts: BTreeMap<String, u64>,
}

impl<'a> Talk<'a> {
    pub(super) fn new(site: &'a Site, chance: Chance) -> Self {
        Self { site, chance, connection: None, ended: Ended::default() }
    }

    pub(super) fn end(self) -> Ended {
        self.ended
    }

    /// Sends the requests in one of the ways.
    pub(super) async fn hold(&mut self, requests: &[Request]) -> Result<(), String> {
        match self.chance.below(5) {
            0 => self.all_at_once(requests).await,
            1 => self.cut_off(requests).await,
            _ => self.one_by_one(requests).await,
        }
    }

    async fn one_by_one(&mut self, requests: &[Request]) -> Result<(), String> {
        for request in requests {
            match request.expected {
                Some(status) => self.ask(request, status).await?,
                None => self.provoke(&request.bytes).await?,
            }
        }
        Ok(())
    }

    /// Sends a correct request on the connection that there is, and waits for its answer.
    async fn ask(&mut self, request: &Request, status: u16) -> Result<(), String> {
        let to_head = request.bytes.starts_with(b"HEAD ");
        let mut answer = None;
        if let Some(kept) = self.connection.as_mut() {
            // Whoever keeps a connection must bear that the other side has closed it meanwhile.
            answer = kept.ask(&request.bytes, to_head, &mut self.chance).await?;
        }
        if answer.is_none() {
            let fresh = self.connection.insert(Connection::open(self.site).await?);
            answer = fresh.ask(&request.bytes, to_head, &mut self.chance).await?;
        }
        let answer = answer.ok_or("a correct request on a new connection gets no answer")?;
        if answer.closes() {
            self.connection = None;
        }
        if answer.status != status && answer.status != 503 {
            return Err(format!("{} instead of {status}", answer.status));
        }
        self.take(&answer, to_head, request.lead.as_deref())
    }

    /// Sends what may be anything, to its end.
    async fn provoke(&mut self, bytes: &[u8]) -> Result<(), String> {
        let kept = self.connection.take().filter(|_| self.chance.one_in(2));
        let connection = match kept {
            Some(kept) => kept,
            None => Connection::open(self.site).await?,
        };
        let answers = connection.say_all(bytes, &mut self.chance).await?;
        answers.iter().try_for_each(|answer| self.take(answer, holds_head(bytes), None))?;
        self.expect_service().await
    }

    async fn all_at_once(&mut self, requests: &[Request]) -> Result<(), String> {
        let bytes: Vec<u8> = requests.iter().flat_map(|request| request.bytes.iter().copied()).collect();
        let answers = Connection::open(self.site).await?.say_all(&bytes, &mut self.chance).await?;
        // As far as all is correct, the answers come in the order of the requests.
        let told = requests.iter().map_while(|request| request.expected);
        for (status, answer) in told.zip(&answers) {
            if answer.status != status && answer.status != 503 {
                return Err(format!("{} instead of {status}, of several at once", answer.status));
            }
        }
        answers.iter().try_for_each(|answer| self.take(answer, holds_head(&bytes), None))?;
        self.expect_service().await
    }

    async fn cut_off(&mut self, requests: &[Request]) -> Result<(), String> {
        let mut bytes: Vec<u8> = requests.iter().flat_map(|request| request.bytes.iter().copied()).collect();
        bytes.truncate(self.chance.below(bytes.len() + 1));
        let mut connection = Connection::open(self.site).await?;
        if self.chance.one_in(2) {
            connection.send(&bytes, &mut self.chance).await;
            drop(connection);
        } else {
            let answers = connection.say_all(&bytes, &mut self.chance).await?;
            answers.iter().try_for_each(|answer| self.take(answer, holds_head(&bytes), None))?;
        }
        self.expect_service().await
    }

    fn take(&mut self, answer: &Answer, may_be_bodiless: bool, lead: Option<&[u8]>) -> Result<(), String> {
        *self.ended.counts.entry(answer.status.to_string()).or_default() += 1;
        if let Some(id) = judge(answer, may_be_bodiless)? {
            self.ended.accepted.push(Accepted::new(id, lead));
        }
        Ok(())
    }

    async fn expect_service(&mut self) -> Result<(), String> {
        let asked =
            format!("POST /v1/leads/{ENDPOINT} HTTP/1.1\r\nhost: fuzz\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let mut connection = Connection::open(self.site).await?;
        let answer = connection.ask(asked.as_bytes(), false, &mut self.chance).await?;
        match answer.map(|answer| answer.status) {
            Some(401) => Ok(()),
            other => Err(format!("a new connection is not served: {other:?}")),
        }
    }
}

/// Whether an answer may have no body. actix-http leaves out that of the answer it is about to write when the request it read last is
/// a `HEAD`, also when it has read ahead; only who sends several at once can meet it.
fn holds_head(bytes: &[u8]) -> bool {
    bytes.windows(4).any(|word| word == b"HEAD")
}

/// A connection, and what came over it.
struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    async fn open(site: &Site) -> Result<Self, String> {
        let opened = timeout(PATIENCE, TcpStream::connect(site.address)).await.map_err(|_| "no connection in time")?;
        let stream = opened.map_err(|error| format!("no connection: {error}"))?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        Ok(Self { stream, received: Vec::new() })
    }

    /// Sends in some pieces. Who has seen enough may close meanwhile, so a failure tells nothing.
    async fn send(&mut self, bytes: &[u8], chance: &mut Chance) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let size = if chance.one_in(3) { 1 + chance.below(rest.len()) } else { rest.len() };
            match timeout(PATIENCE, self.stream.write_all(&rest[..size])).await {
                Ok(Ok(())) => rest = &rest[size..],
                Ok(Err(_)) | Err(_) => return,
            }
            tokio::task::yield_now().await;
        }
    }

    /// Sends a request and reads its answer; `None` when the connection ends before there is any of it.
    async fn ask(&mut self, bytes: &[u8], to_head: bool, chance: &mut Chance) -> Result<Option<Answer>, String> {
        self.send(bytes, chance).await;
        loop {
            if let Read::Whole(answer, used) = read(&self.received, to_head)? {
                repeats_nothing(&self.received[..used])?;
                self.received.drain(..used);
                if answer.status >= 200 {
                    return Ok(Some(answer));
                }
                continue;
            }
            let got = timeout(PATIENCE, self.stream.read_buf(&mut self.received)).await;
            match got.map_err(|_| "a correct request gets no answer in time")? {
                Ok(0) | Err(_) if self.received.is_empty() => return Ok(None),
                Ok(0) => return Err("an answer is cut off".to_owned()),
                Err(error) => return Err(format!("an answer is cut off: {error}")),
                Ok(_) => {}
            }
        }
    }

    /// Sends all there is to be sent, and reads to the end.
    async fn say_all(mut self, bytes: &[u8], chance: &mut Chance) -> Result<Vec<Answer>, String> {
        let (mut from, mut to) = self.stream.into_split();
        let mut received = std::mem::take(&mut self.received);
        let sending = async {
            let mut rest = bytes;
            while !rest.is_empty() {
                let size = if chance.one_in(3) { 1 + chance.below(rest.len()) } else { rest.len() };
                if to.write_all(&rest[..size]).await.is_err() {
                    break;
                }
                rest = &rest[size..];
                tokio::task::yield_now().await;
            }
            // Only this side has ended: answers may come.
            let _ = to.shutdown().await;
        };
        let reading = async { (&mut from).take(MOST_BYTES).read_to_end(&mut received).await };
        let both = timeout(PATIENCE, async { tokio::join!(sending, reading).1 }).await;
        let ended = both.map_err(|_| "a connection does not end")?;
        repeats_nothing(&received)?;
        let (answers, rest) = all(&received, holds_head(bytes))?;
        // Whoever is cut off by the other side can know nothing of the rest.
        if ended.is_ok() && !rest.is_empty() { Err("an answer is cut off".to_owned()) } else { Ok(answers) }
    }
}
