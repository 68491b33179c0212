//! How a dead letter is told, to people and as JSON. Ids, codes and times only.

use leadline_proto::Status;
use leadline_proto::dead_letter::ErrorKind;
use serde_json::{Value, json};

use super::book::{Entry, Since};
pub(super) use crate::command::times::moment;

/// How it came to be given up.
pub(super) fn kind(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Permanent => "refused for good",
        ErrorKind::Exhausted => "every try failed",
        ErrorKind::Poison => "not readable",
    }
}

/// What has become of it.
pub(super) fn state(entry: &Entry) -> String {
    let Some((replay, since)) = entry.since() else { return "open".to_owned() };
    match since {
        Since::Settled => format!("replayed or dropped (replay {replay}); how that ended is not kept any more"),
        Since::Waits { until: Some(time) } => {
            format!("replayed (replay {replay}), in the retry topic, due {}", moment(*time))
        }
        Since::Waits { until: None } => format!("replayed (replay {replay}), in the retry topic"),
        Since::Ended { status: Status::Delivered { .. }, at, .. } => {
            format!("replayed (replay {replay}) and delivered at {}", moment(*at))
        }
        Since::Ended { status: Status::Skipped { .. }, at, reason: Some(reason) } => {
            format!("dropped at {}, reason {reason}", moment(*at))
        }
        Since::Ended { status: Status::Skipped { rule }, at, reason: None } => {
            format!("replayed (replay {replay}) and skipped by the rule {rule} at {}", moment(*at))
        }
        Since::Ended { status: Status::DeadLettered { code }, at, .. } => {
            format!("replayed (replay {replay}) and given up again at {}: {code}", moment(*at))
        }
    }
}

/// The state as one word.
fn state_word(entry: &Entry) -> &'static str {
    match entry.since() {
        None => "open",
        Some((_, Since::Settled)) => "settled",
        Some((_, Since::Waits { .. })) => "waits",
        Some((_, Since::Ended { status, .. })) => status.as_str(),
    }
}

/// One line of a list.
pub(super) fn line(entry: &Entry) -> String {
    let (letter, facts) = (&entry.letter, &entry.letter.facts);
    let (at, kind, replay) = (moment(facts.last_failed_at), facts.kind.as_str(), facts.replay);
    let state = if entry.is_open() { String::new() } else { format!("  {}", state(entry)) };
    format!("{}  {at}  {kind:9}  {:20}  {} tries, replay {replay}{state}", letter.lead_id, facts.code.as_str(), facts.attempts)
}

/// Everything about it.
pub(super) fn as_json(entry: &Entry) -> Value {
    let (letter, facts) = (&entry.letter, &entry.letter.facts);
    json!({
        "lead_id": letter.lead_id,
        "sink": letter.sink,
        "state": state_word(entry),
        "since": since_json(entry),
        "kind": facts.kind.as_str(),
        "code": facts.code,
        "attempts": facts.attempts,
        "replay": facts.replay,
        "endpoint": letter.endpoint,
        "received_at": letter.received_at,
        "first_failed_at": facts.first_failed_at,
        "last_failed_at": facts.last_failed_at,
        "steps_done": letter.steps_done,
        "maybe_duplicate": letter.maybe_duplicate,
        "origin": {"topic": facts.origin.topic, "partition": facts.origin.partition, "offset": facts.origin.offset},
        "partition": letter.partition,
        "offset": letter.offset,
        "letters": entry.letters,
    })
}

/// What stands for it since, unless it is open.
fn since_json(entry: &Entry) -> Value {
    match entry.since() {
        None => Value::Null,
        Some((replay, Since::Settled)) => json!({"replay": replay}),
        Some((replay, Since::Waits { until })) => json!({"replay": replay, "not_before": until}),
        Some((replay, Since::Ended { status, at, reason })) => {
            json!({"replay": replay, "outcome": status, "at": at, "reason": reason})
        }
    }
}
