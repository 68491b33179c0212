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
            headers.set(&format!("{CONNECT_ERRORS}{name}"), value);
        }
        for (name, value) in ours {
            headers.set(&format!("{DLQ}{name}"), value);
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
