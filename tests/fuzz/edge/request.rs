//! One request: a correct one, a correct one that must be refused, or one that is broken somewhere (`hostile`).

use crate::input::body::Bodies;
use crate::input::{CANARY, Chance, damage};

use super::hostile;

/// The endpoint that everything is posted to.
pub(crate) const ENDPOINT: &str = "fuzz";
/// Its token.
pub(crate) const TOKEN: &str = "token-Quillfeather-7";

/// A lead of so many bytes never gives too large a record.
const SURE: usize = 10_000;

/// A request as it goes over the wire.
pub(crate) struct Request {
    pub(crate) bytes: Vec<u8>,
    /// The status it must get. Then it is also whole: the connection can go on.
    pub(crate) expected: Option<u16>,
    /// Its body, when it is a lead that must be accepted.
    pub(crate) lead: Option<Vec<u8>>,
}

/// The parts of a request before they are written.
pub(super) struct Parts {
    pub(super) method: Vec<u8>,
    pub(super) target: Vec<u8>,
    pub(super) version: Vec<u8>,
    /// Whole lines without their ends.
    pub(super) headers: Vec<Vec<u8>>,
    pub(super) framing: Framing,
    pub(super) body: Vec<u8>,
}

/// How the length of a body is told.
pub(super) enum Framing {
    /// `Content-Length`
    Length,
    /// In chunks of so many bytes.
    Chunks(usize),
    /// By whatever the headers say.
    Untold,
}

impl Request {
    pub(crate) fn any(chance: &mut Chance, bodies: &Bodies) -> Self {
        match chance.below(10) {
            0..=2 => Self::good(chance, bodies),
            3 => Self::refused(chance, bodies),
            4 => Self::odd_body(chance, bodies),
            5..=8 => Self::broken(hostile::spoilt(Parts::good(bodies.any(chance), chance), chance)),
            _ => {
                let mut bytes = Parts::good(bodies.any(chance), chance).written();
                damage(&mut bytes, bodies.sample(chance), chance);
                Self::broken(bytes)
            }
        }
    }

    fn broken(bytes: Vec<u8>) -> Self {
        Self { bytes, expected: None, lead: None }
    }

    fn good(chance: &mut Chance, bodies: &Bodies) -> Self {
        let lead = bodies.sample(chance).to_vec();
        Self { bytes: Parts::good(lead.clone(), chance).written(), expected: Some(202), lead: Some(lead) }
    }

    /// Framed well, so it is a lead or not by its body.
    fn odd_body(chance: &mut Chance, bodies: &Bodies) -> Self {
        let body = bodies.any(chance);
        let bytes = Parts::good(body.clone(), chance).written();
        let is_lead = leadline_proto::parse::lead(&body).is_ok();
        let expected = match is_lead {
            // The record may be too large then.
            true if body.len() > SURE => None,
            true => Some(202),
            false => Some(400),
        };
        Self { bytes, expected, lead: is_lead.then_some(body) }
    }

    /// Correct, and refused for one reason.
    fn refused(chance: &mut Chance, bodies: &Bodies) -> Self {
        let mut parts = Parts::good(bodies.sample(chance).to_vec(), chance);
        let path = format!("/v1/leads/{ENDPOINT}");
        let sig = format!("?sig={TOKEN}");
        let without_token = |parts: &mut Parts, target: String| {
            parts.target = target.into_bytes();
            parts.headers.retain(|line| !line.starts_with(b"authorization"));
        };
        let expected = match chance.below(8) {
            0 => {
                without_token(&mut parts, path);
                401
            }
            1 => {
                without_token(&mut parts, format!("{path}?sig={CANARY}"));
                401
            }
            2 => {
                // What stands in a header counts, whatever the query says.
                without_token(&mut parts, format!("{path}{sig}"));
                parts.headers.push(format!("authorization: Basic {CANARY}").into_bytes());
                401
            }
            3 => {
                without_token(&mut parts, format!("/v1/leads/{}{sig}", CANARY.to_lowercase()));
                404
            }
            4 => {
                without_token(&mut parts, format!("/{CANARY}{sig}"));
                404
            }
            5 => {
                parts.method = chance.pick(&["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "QUILL"]).into();
                405
            }
            6 => {
                parts.headers.retain(|line| !line.starts_with(b"content-type"));
                parts.headers.push(format!("content-type: text/{CANARY}").into_bytes());
                415
            }
            _ => {
                parts.headers.retain(|line| !line.starts_with(b"idempotency-key"));
                parts.headers.push(format!("idempotency-key: {CANARY} {CANARY}").into_bytes());
                400
            }
        };
        Self { bytes: parts.written(), expected: Some(expected), lead: None }
    }
}

impl Parts {
    /// A request that nothing is wrong with, but perhaps the body.
    pub(super) fn good(body: Vec<u8>, chance: &mut Chance) -> Self {
        let path = format!("/v1/leads/{ENDPOINT}");
        let (target, token) = match chance.below(4) {
            0 => (path, Some(format!("authorization: Bearer {TOKEN}"))),
            1 => (format!("{path}?{CANARY}=1&sig={}&x", TOKEN.replace('-', "%2D")), None),
            _ => (format!("{path}?sig={TOKEN}"), None),
        };
        let mut headers = vec!["host: fuzz".to_owned()];
        headers.extend(token);
        headers
            .extend(chance.pick(&[None, Some("application/json"), Some("Application/JSON; charset=utf-8")]).map(content_type));
        if chance.one_in(5) {
            // So few that the same come again.
            headers.push(format!("idempotency-key: {CANARY}-{}", chance.below(500)));
        }
        if chance.one_in(20) {
            headers.push("connection: close".to_owned());
        }
        let framing = if chance.one_in(4) { Framing::Chunks(1 + chance.below(2000)) } else { Framing::Length };
        let headers = headers.into_iter().map(String::into_bytes).collect();
        Self { method: b"POST".to_vec(), target: target.into_bytes(), version: b"HTTP/1.1".to_vec(), headers, framing, body }
    }

    pub(super) fn written(self) -> Vec<u8> {
        let Self { method, target, version, mut headers, framing, body } = self;
        let body = match framing {
            Framing::Length => {
                headers.push(format!("content-length: {}", body.len()).into_bytes());
                body
            }
            Framing::Chunks(size) => {
                headers.push(b"transfer-encoding: chunked".to_vec());
                chunks(&body, size)
            }
            Framing::Untold => body,
        };
        let mut bytes = [&method[..], &target, &version].join(&b' ');
        headers.iter().for_each(|line| bytes.extend([b"\r\n", &line[..]].concat()));
        bytes.extend(b"\r\n\r\n");
        bytes.extend(body);
        bytes
    }
}

fn content_type(media: &str) -> String {
    format!("content-type: {media}")
}

fn chunks(body: &[u8], size: usize) -> Vec<u8> {
    let chunk = |part: &[u8]| [format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat();
    let mut bytes: Vec<u8> = body.chunks(size).flat_map(chunk).collect();
    bytes.extend(b"0\r\n\r\n");
    bytes
}
