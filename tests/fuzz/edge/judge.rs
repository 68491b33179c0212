//! What must hold for every answer: a status that is documented, a body that fits it, and nothing of the request in it.

use std::net::SocketAddr;

use serde_json::Value;
use uuid::Uuid;

use crate::input::CANARY;

use super::answer::Answer;
use super::request::ENDPOINT;

/// Problem types with their statuses, as the README lists them.
const PROBLEMS: &[(&str, u16)] = &[
    ("not-utf8", 400),
    ("not-json", 400),
    ("not-an-object", 400),
    ("too-deep", 400),
    ("incomplete", 400),
    ("idempotency-key", 400),
    ("unauthorized", 401),
    ("not-found", 404),
    ("method-not-allowed", 405),
    ("timeout", 408),
    ("too-large", 413),
    ("unsupported-media-type", 415),
    ("unavailable", 503),
];
/// Statuses without a body, for what never became a request: no HTTP, a head that came too slowly, one that is too large.
const OF_HTTP: &[u16] = &[400, 408, 431];
/// Headers that a status must have.
const HEADERS: &[(u16, &str)] = &[(401, "www-authenticate"), (405, "allow"), (503, "retry-after")];

/// Where ingest listens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Site {
    pub(super) address: SocketAddr,
}

/// No text of a request stands in what came back: names, tokens and keys all have the canary in them.
pub(super) fn repeats_nothing(received: &[u8]) -> Result<(), String> {
    let repeated = received.windows(CANARY.len()).any(|window| window.eq_ignore_ascii_case(CANARY.as_bytes()));
    if repeated { Err("an answer repeats something of its request".to_owned()) } else { Ok(()) }
}

/// Judges an answer; gives the id of a lead that was accepted, if its receipt has come.
pub(super) fn judge(answer: &Answer, may_be_bodiless: bool) -> Result<Option<Uuid>, String> {
    if answer.status == 202 && !(may_be_bodiless && answer.body.is_empty()) {
        return receipt(&answer.body).map(Some).ok_or("a 202 without a whole receipt".to_owned());
    }
    let (status, bodiless) = (answer.status, answer.body.is_empty());
    let known = status == 202 || PROBLEMS.iter().any(|(_, known)| *known == status) || OF_HTTP.contains(&status);
    if !known || (bodiless && !may_be_bodiless && !OF_HTTP.contains(&status)) {
        return Err(format!("an answer that is not documented: {status}, {} bytes", answer.body.len()));
    }
    if bodiless {
        return Ok(None);
    }
    let missing = HEADERS.iter().find(|(of, name)| *of == status && answer.header(name).is_none());
    match missing {
        Some((_, name)) => Err(format!("a {status} without {name}")),
        None if is_problem(answer) => Ok(None),
        None => Err(format!("a {status} that is no problem as documented")),
    }
}

fn receipt(body: &[u8]) -> Option<Uuid> {
    let receipt: Value = serde_json::from_slice(body).ok()?;
    let text = |name: &str| receipt[name].as_str();
    let durable = matches!(text("durable"), Some("kafka" | "spool"));
    let received = text("received_at").is_some_and(|time| time.parse::<jiff::Timestamp>().is_ok());
    let whole = durable && received && text("endpoint") == Some(ENDPOINT) && receipt["test"].is_boolean();
    text("lead_id").filter(|_| whole && receipt.as_object().is_some_and(|all| all.len() == 5))?.parse().ok()
}

fn is_problem(answer: &Answer) -> bool {
    let problem: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let kind = problem["type"].as_str().and_then(|kind| kind.strip_prefix("urn:leadline:problem:"));
    answer.header("content-type") == Some("application/problem+json")
        && problem["status"] == answer.status
        && problem["title"].is_string()
        && problem["detail"].is_string()
        && kind.is_some_and(|kind| PROBLEMS.contains(&(kind, answer.status)))
}
