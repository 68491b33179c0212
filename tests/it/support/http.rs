//! A bare HTTP client: sends exactly what a case says, also what no library would send, and reads all that comes back.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::PATIENCE;

/// A request as it goes over the wire.
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) target: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Body,
}

/// How a body is sent.
pub(crate) enum Body {
    /// With its length in the head.
    Whole(Vec<u8>),
    /// In one chunk, without a length in the head.
    Chunked(Vec<u8>),
    /// Less than the length in the head says; the connection stays open.
    Half(Vec<u8>),
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    /// Head and body as they came.
    pub(crate) text: String,
}

impl Request {
    fn bytes(&self) -> Vec<u8> {
        let (length, body) = match &self.body {
            Body::Whole(body) => (format!("content-length: {}", body.len()), body.clone()),
            Body::Half(body) => (format!("content-length: {}", 2 * body.len()), body.clone()),
            Body::Chunked(body) => ("transfer-encoding: chunked".to_owned(), chunk(body)),
        };
        let headers: String = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!("{} {} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n", self.method, self.target);
        [format!("{head}{headers}{length}\r\n\r\n").into_bytes(), body].concat()
    }

    /// Sends it and reads the answer.
    #[track_caller]
    pub(crate) fn send(&self, host: &str) -> Answer {
        self.try_send(host).expect("somebody answers")
    }

    /// The same as often as the server is too busy to read even the head in time: then it has taken nothing.
    pub(crate) fn try_send_until_read(&self, host: &str) -> Option<Answer> {
        let mut answers = std::iter::from_fn(|| self.try_send(host));
        answers.find(|answer| answer.status != 408 || !answer.body.is_empty())
    }

    /// The same to a server that may have gone; `None` when there is no whole answer.
    pub(crate) fn try_send(&self, host: &str) -> Option<Answer> {
        let mut stream = TcpStream::connect(host).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        // A server that has seen enough may answer and close before it has read everything.
        let _ = stream.write_all(&self.bytes());
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        (!bytes.is_empty()).then(|| Answer::read(String::from_utf8(bytes).expect("an answer is text")))
    }
}

impl Answer {
    /// An answer as it came.
    #[track_caller]
    pub(crate) fn read(text: String) -> Self {
        // What may come before an answer is none.
        let text = text.strip_prefix("HTTP/1.1 100 Continue\r\n\r\n").map_or(text.clone(), str::to_owned);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer, but `{text}`"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Self { status: status.unwrap_or_else(|| panic!("no status in `{head}`")), body: body.to_owned(), text }
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let fields = self.text.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.split_once(": "));
        fields.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

fn chunk(body: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", body.len()).as_bytes(), body, b"\r\n0\r\n\r\n"].concat()
}
