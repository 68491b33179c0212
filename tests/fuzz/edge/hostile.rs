//! What is wrong with a request: its line, its headers, the length of its body. Each can go together with each.

use crate::input::text::text;
use crate::input::{CANARY, Chance, damage};

use super::request::{ENDPOINT, Framing, Parts, TOKEN};

/// Beyond what any server takes for a head.
const HUGE: usize = 150_000;
/// More than any server takes.
const MANY: usize = 130;

const METHODS: &[&str] = &["", "post", "P\0ST", "POST POST", "CONNECT", "TRACE", "PRI", "{}", "GET\t", "\u{e9}", "HEAD"];
const VERSIONS: &[&str] = &["", "HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/1.2", "HTTP/1.1 x", "http/1.1", "HTTP/1.1\0", "ICY"];
const PATHS: &[&str] = &[
    "",
    "*",
    "/",
    "//",
    "fuzz:80",
    "/v1/leads/",
    "/v1/leads//",
    "/v1/leads/%66uzz",
    "/v1/leads/fu%7a%7A",
    "/v1/leads/fuzz%00",
    "/v1/leads/fuzz%2f..",
    "/v1/leads/%",
    "/v1/leads/%zz",
    "/v1/leads/%ff%fe",
    "/v1/leads/\u{e9}",
    "/v1/leads/../leads/fuzz",
    "/v1/leads/fuzz;x=1",
    "/v1/leads/fuzz#x",
    "/v1/leads/FUZZ",
    "http://fuzz/v1/leads/fuzz",
    "https://Quillfeather@fuzz:99999/v1/leads/fuzz",
    "http://[::1/v1/leads/fuzz",
    "javascript:alert(1)",
];
const QUERIES: &[&str] = &[
    "?sig=%",
    "?sig=%ff%fe",
    "?sig=%00",
    "?sig=%51uillfeather",
    "?sig=Quillfeather&sig=Quillfeather",
    "?sig[]=Quillfeather",
    "?sig",
    "?=&&==&",
    "?SIG=Quillfeather",
    "?sig=+++",
    "??sig=Quillfeather",
    "?sig=Quillfeather\u{7f}",
];
const LENGTHS: &[&str] =
    &["-1", "+5", "0x10", "5, 5", "", " ", "99999999999999999999", "18446744073709551615", "1e3", "65537", "0"];
const CODINGS: &[&str] =
    &["chunked, chunked", "gzip, chunked", "identity", "chunked\0", "\tchunked", "xchunked", "chunked;q=1", ""];
const HEADERS: &[&str] = &[
    "expect: 100-continue",
    "expect: Quillfeather",
    "connection: upgrade",
    "connection: close",
    "connection: keep-alive, Quillfeather",
    "upgrade: websocket",
    "upgrade: h2c",
    "http2-settings: AAMAAABkAARAAAAAAAIAAAAA",
    "host: Quillfeather",
    "host:",
    "content-encoding: gzip",
    "accept-encoding: br",
    "authorization: Bearer",
    "authorization: Bearer Quillfeather",
    "authorization: \u{e9}",
    "content-type: application/json",
    "content-type: \u{e9}",
    "content-type: multipart/form-data; boundary=Quillfeather",
    "idempotency-key: Quillfeather",
    "idempotency-key:",
    "range: bytes=0-",
    "transfer-encoding: chunked",
    "content-length: 3",
    "cookie: Quillfeather=1",
    "x-forwarded-for: Quillfeather",
    " folded",
    "no colon",
    ": no name",
    "spaced : x",
    "x\0y: z",
    "bare: a\rb",
    "bare: a\nb",
    "\u{1f}: x",
];

/// The bytes of a request in which something is wrong.
pub(super) fn spoilt(mut parts: Parts, chance: &mut Chance) -> Vec<u8> {
    for _ in 0..=chance.below(3) {
        spoil(&mut parts, chance);
    }
    let mut bytes = parts.written();
    if chance.one_in(10) {
        // A chunk is cut, or the head.
        bytes.truncate(chance.below(bytes.len() + 1));
    }
    bytes
}

fn spoil(parts: &mut Parts, chance: &mut Chance) {
    match chance.below(10) {
        0 => parts.method = chance.pick(METHODS).into(),
        1 => parts.version = chance.pick(VERSIONS).into(),
        2 => parts.target = target(chance).into_bytes(),
        3 => damage(&mut parts.target, b"?&=%00#", chance),
        4 => lengths(parts, chance),
        5 => parts.headers.push(format!("transfer-encoding: {}", chance.pick(CODINGS)).into_bytes()),
        6 => soup(parts, chance),
        7 => {
            let at = chance.below(parts.headers.len() + 1);
            parts.headers.insert(at, chance.pick(HEADERS).into());
        }
        8 => chunked_badly(parts, chance),
        _ => huge(parts, chance),
    }
}

fn target(chance: &mut Chance) -> String {
    let path = if chance.one_in(2) { format!("/v1/leads/{ENDPOINT}") } else { chance.pick(PATHS).to_owned() };
    let query = if chance.one_in(2) { format!("?sig={TOKEN}") } else { chance.pick(QUERIES).to_owned() };
    path + &query
}

/// A length that is none, another one, or two.
fn lengths(parts: &mut Parts, chance: &mut Chance) {
    let length = match chance.below(3) {
        0 => chance.pick(LENGTHS).to_owned(),
        1 => chance.below(2 * parts.body.len() + 2).to_string(),
        _ => parts.body.len().to_string(),
    };
    parts.headers.push(format!("content-length: {length}").into_bytes());
    if chance.one_in(2) {
        parts.framing = Framing::Untold;
    }
}

/// Headers of any kind, few or many.
fn soup(parts: &mut Parts, chance: &mut Chance) {
    let count = if chance.one_in(10) { MANY } else { chance.length(20) };
    for _ in 0..count {
        let line = match chance.below(3) {
            0 => chance.pick(HEADERS).to_owned(),
            1 => format!("x-{CANARY}-{}: {CANARY}", chance.below(1000)),
            _ => format!("x: {}", text(chance)),
        };
        parts.headers.push(line.into_bytes());
    }
}

/// Chunks with a size that is wrong, or more in them than there should be.
fn chunked_badly(parts: &mut Parts, chance: &mut Chance) {
    const CHUNKS: &[&str] = &[
        "5\r\n{}\r\n0\r\n\r\n",
        "2;Quillfeather=1\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}\r\n0\r\nquill: Quillfeather\r\n\r\n",
        "ffffffffffffffffff\r\n{}",
        "-2\r\n{}\r\n0\r\n\r\n",
        "2\n{}\n0\n\n",
        "0x2\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}0\r\n\r\n",
        "\r\n",
        "2 \r\n{}\r\n00\r\n\r\n",
        "7fffffffffffffff\r\n{",
        "2\r\n{}\r\n0\r\n",
    ];
    parts.headers.push(b"transfer-encoding: chunked".to_vec());
    parts.framing = Framing::Untold;
    parts.body = chance.pick(CHUNKS).into();
}

fn huge(parts: &mut Parts, chance: &mut Chance) {
    let length = if chance.one_in(8) { HUGE } else { chance.length(10_000) };
    let filler = CANARY.repeat(length / CANARY.len());
    match chance.below(3) {
        0 => parts.target.extend(filler.into_bytes()),
        1 => parts.headers.push(format!("x-huge: {filler}").into_bytes()),
        _ => parts.body.extend(filler.into_bytes()),
    }
}
