//! Why a record is in the dead letters: the headers that are added to it. Key, value and its own headers stay as they were.
//!
//! The `__connect.errors.*` set is that of Kafka Connect's dead letter reporter, as text, so that tools which know it can
//! show ours. They carry codes only: a server's reply may repeat an address, and must not end up here.

use jiff::Timestamp;

use crate::code::Code;
use crate::headers::{CONNECT_ERRORS, DLQ, Headers};

/// How a lead came to be given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The sink refused it for good.
    Permanent,
    /// Every try that the schedule allows has failed.
    Exhausted,
    /// The record could not be read.
    Poison,
}

impl ErrorKind {
    const ALL: [Self; 3] = [Self::Permanent, Self::Exhausted, Self::Poison];

    /// The kind as it stands in the header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Permanent => "permanent",
            Self::Exhausted => "exhausted",
            Self::Poison => "poison",
        }
    }
}

/// Where a record was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Topic name.
    pub topic: String,
    /// Partition number.
    pub partition: i32,
    /// Offset in the partition.
    pub offset: i64,
}

/// All that is known about a dead letter beside the record itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Where the record was read from when it was given up.
    pub origin: Origin,
    /// Consumer group that gave it up.
    pub group: String,
    /// Worker that gave it up: its sink's name.
    pub worker: String,
    /// How it came to be given up.
    pub kind: ErrorKind,
    /// The last failure.
    pub code: Code,
    /// Tries made.
    pub attempts: u32,
    /// How often an operator had replayed the lead to this sink.
    pub replay: u32,
    /// Time of the first failure.
    pub first_failed_at: Timestamp,
    /// Time of the last failure.
    pub last_failed_at: Timestamp,
}

impl DeadLetter {
    /// Adds the headers to those of the record.
    pub fn write(&self, headers: &mut Headers) {
        Self::strip(headers);
        let stage = if self.kind == ErrorKind::Poison { "VALUE_CONVERTER" } else { "TASK_PUT" };
        let connect = [
            ("topic", self.origin.topic.clone()),
            ("partition", self.origin.partition.to_string()),
            ("offset", self.origin.offset.to_string()),
            ("connector.name", self.worker.clone()),
            ("task.id", "0".to_owned()),
            ("stage", stage.to_owned()),
            ("exception.class.name", self.kind.as_str().to_owned()),
            ("exception.message", self.code.to_string()),
        ];
        let ours = [
            ("group", self.group.clone()),
            ("error-kind", self.kind.as_str().to_owned()),
            ("code", self.code.to_string()),
            ("attempts", self.attempts.to_string()),
            ("replay", self.replay.to_string()),
            ("first-failed-at", self.first_failed_at.to_string()),
            ("last-failed-at", self.last_failed_at.to_string()),
        ];
        for (name, value) in connect {
            headers.set(format!("{CONNECT_ERRORS}{name}"), value);
        }
        for (name, value) in ours {
            headers.set(format!("{DLQ}{name}"), value);
        }
    }

    /// Reads the headers of a dead letter; `None` when they are not complete.
    pub fn read(headers: &Headers) -> Option<Self> {
        let connect = |name: &str| headers.text(&format!("{CONNECT_ERRORS}{name}"));
        let ours = |name: &str| headers.text(&format!("{DLQ}{name}"));
        let kind = ours("error-kind")?;
        Some(Self {
            origin: Origin {
                topic: connect("topic")?.to_owned(),
                partition: connect("partition")?.parse().ok()?,
                offset: connect("offset")?.parse().ok()?,
            },
            group: ours("group")?.to_owned(),
            worker: connect("connector.name")?.to_owned(),
            kind: ErrorKind::ALL.into_iter().find(|known| known.as_str() == kind)?,
            code: Code::new(ours("code")?).ok()?,
            attempts: ours("attempts")?.parse().ok()?,
            replay: ours("replay")?.parse().ok()?,
            first_failed_at: ours("first-failed-at")?.parse().ok()?,
            last_failed_at: ours("last-failed-at")?.parse().ok()?,
        })
    }

    /// Removes the headers again, for a replay.
    pub fn strip(headers: &mut Headers) {
        headers.remove_prefix(CONNECT_ERRORS);
        headers.remove_prefix(DLQ);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::headers::{ATTEMPT, CE_ID, REPLAY};

    fn dead_letter(kind: ErrorKind) -> DeadLetter {
        DeadLetter {
            origin: Origin { topic: "leads".to_owned(), partition: 11, offset: 9_000_000_123 },
            group: "leadline-email".to_owned(),
            worker: "email".to_owned(),
            kind,
            code: Code::of("smtp-550-5.1.1"),
            attempts: 7,
            replay: 2,
            first_failed_at: "2026-11-22T10:00:00.25Z".parse().unwrap(),
            last_failed_at: "2026-11-25T10:00:00Z".parse().unwrap(),
        }
    }

    fn record() -> Headers {
        Headers::new().with(CE_ID, "x").with(ATTEMPT, "7").with("custom", vec![0xff, 0x00])
    }

    #[test]
    fn what_is_written_is_read_back() {
        for kind in ErrorKind::ALL {
            let mut headers = record();
            dead_letter(kind).write(&mut headers);
            assert_eq!(DeadLetter::read(&headers), Some(dead_letter(kind)));
        }
    }

    #[test]
    fn the_record_keeps_its_own_headers_and_strip_leaves_only_them() {
        let mut headers = record();
        dead_letter(ErrorKind::Permanent).write(&mut headers);
        let own: Headers = headers.iter().take(3).map(|(name, value)| (name, value.to_vec())).collect();
        assert_eq!(own, record());
        assert_eq!(headers.iter().count(), 3 + 15);
        DeadLetter::strip(&mut headers);
        assert_eq!(headers, record());
    }

    #[test]
    fn nothing_of_an_earlier_dead_letter_stays() {
        let mut headers = record().with("__connect.errors.exception.stacktrace", "550 <ann@x.example>").with("dlq.old", "1");
        dead_letter(ErrorKind::Exhausted).write(&mut headers);
        let mut fresh = record();
        dead_letter(ErrorKind::Exhausted).write(&mut fresh);
        assert_eq!(headers, fresh);
    }

    #[test]
    fn the_values_are_what_was_given_or_fixed_words() {
        for (kind, word, stage) in [
            (ErrorKind::Permanent, "permanent", "TASK_PUT"),
            (ErrorKind::Exhausted, "exhausted", "TASK_PUT"),
            (ErrorKind::Poison, "poison", "VALUE_CONVERTER"),
        ] {
            let mut headers = Headers::new();
            dead_letter(kind).write(&mut headers);
            let written: Vec<(&str, &str)> = headers.iter().map(|(name, _)| (name, headers.text(name).unwrap())).collect();
            let expected = [
                ("__connect.errors.topic", "leads"),
                ("__connect.errors.partition", "11"),
                ("__connect.errors.offset", "9000000123"),
                ("__connect.errors.connector.name", "email"),
                ("__connect.errors.task.id", "0"),
                ("__connect.errors.stage", stage),
                ("__connect.errors.exception.class.name", word),
                ("__connect.errors.exception.message", "smtp-550-5.1.1"),
                ("dlq.group", "leadline-email"),
                ("dlq.error-kind", word),
                ("dlq.code", "smtp-550-5.1.1"),
                ("dlq.attempts", "7"),
                ("dlq.replay", "2"),
                ("dlq.first-failed-at", "2026-11-22T10:00:00.25Z"),
                ("dlq.last-failed-at", "2026-11-25T10:00:00Z"),
            ];
            assert_eq!(written, expected);
        }
    }

    #[test]
    fn incomplete_or_malformed_headers_are_no_dead_letter() {
        let mut whole = Headers::new();
        dead_letter(ErrorKind::Permanent).write(&mut whole);
        // For people and tools only: they repeat other headers or never change.
        let unread =
            ["task.id", "stage", "exception.class.name", "exception.message"].map(|name| format!("{CONNECT_ERRORS}{name}"));
        for (missing, _) in whole.iter().filter(|(name, _)| !unread.contains(&(*name).to_owned())) {
            let rest: Headers =
                whole.iter().filter(|(name, _)| *name != missing).map(|(name, value)| (name, value.to_vec())).collect();
            assert_eq!(DeadLetter::read(&rest), None, "{missing}");
        }
        for (name, value) in
            [(REPLAY, "x"), ("dlq.replay", "-1"), ("dlq.code", "550 <ann@x.example>"), ("dlq.error-kind", "other")]
        {
            let read = DeadLetter::read(&whole.clone().with(name, value));
            assert_eq!(read.is_some(), name == REPLAY, "{name}");
        }
    }
}
