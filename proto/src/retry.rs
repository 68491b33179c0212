//! State of a lead that waits in the retry topic of a sink. It travels in the headers; key, value and all other headers
//! of the record stay as they were.
//!
//! When and how often to try is decided in `workers/runtime`.

use jiff::Timestamp;

use crate::code::Code;
use crate::headers::{ATTEMPT, CLASS, FIRST_FAILED_AT, Headers, MAYBE_DUPLICATE, NOT_BEFORE, PROGRESS, REASON, REPLAY, ROUND};

/// Why a lead waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A try failed and counts.
    Failed,
    /// The sink asked for a later time; no try was burnt.
    Later,
    /// An operator holds the endpoint or the sink.
    Held,
}

impl Class {
    const ALL: [Self; 3] = [Self::Failed, Self::Later, Self::Held];

    /// The class as it stands in the header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Later => "later",
            Self::Held => "held",
        }
    }
}

/// Why a lead waits, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Not to be handled before this time.
    pub not_before: Timestamp,
    /// Whether a try was burnt.
    pub class: Class,
    /// The failure, or the rule that asked for a later time.
    pub reason: Code,
}

/// What earlier runs of a lead at one sink have left behind. The default is a lead that was never tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Tries that failed and count.
    pub attempts: u32,
    /// How often the lead was put into the retry topic, for whatever reason. Of two records of one lead and replay the one
    /// with the higher round is the later.
    pub round: u32,
    /// How often an operator has replayed the lead to this sink.
    pub replay: u32,
    /// Time of the first failure.
    pub first_failed_at: Option<Timestamp>,
    /// Steps the sink has done already, such as recipients served; codes, no personal data.
    pub progress: Vec<Code>,
    /// An earlier try may have delivered although no answer came.
    pub maybe_duplicate: bool,
}

impl History {
    /// Reads the state from the headers of a record; what is absent or malformed counts as never tried.
    pub fn read(headers: &Headers) -> Self {
        let progress = headers.text(PROGRESS).unwrap_or_default();
        Self {
            attempts: headers.parse(ATTEMPT).unwrap_or_default(),
            round: headers.parse(ROUND).unwrap_or_default(),
            replay: headers.parse(REPLAY).unwrap_or_default(),
            first_failed_at: headers.parse(FIRST_FAILED_AT),
            progress: progress.split(',').filter_map(|step| Code::new(step).ok()).collect(),
            maybe_duplicate: headers.text(MAYBE_DUPLICATE) == Some("1"),
        }
    }

    /// Writes the state of a lead that waits into the headers of its retry record.
    pub fn write(&self, wait: &Wait, headers: &mut Headers) {
        headers.remove(FIRST_FAILED_AT);
        headers.set(ATTEMPT, self.attempts.to_string());
        headers.set(ROUND, self.round.to_string());
        headers.set(REPLAY, self.replay.to_string());
        headers.set(NOT_BEFORE, wait.not_before.to_string());
        headers.set(CLASS, wait.class.as_str());
        headers.set(REASON, wait.reason.as_str());
        if let Some(at) = self.first_failed_at {
            headers.set(FIRST_FAILED_AT, at.to_string());
        }
        self.write_progress(headers);
    }

    /// Writes how far the sink has come, which also a dead letter keeps.
    pub fn write_progress(&self, headers: &mut Headers) {
        headers.remove(PROGRESS);
        headers.remove(MAYBE_DUPLICATE);
        if !self.progress.is_empty() {
            let steps: Vec<&str> = self.progress.iter().map(Code::as_str).collect();
            headers.set(PROGRESS, steps.join(","));
        }
        if self.maybe_duplicate {
            headers.set(MAYBE_DUPLICATE, "1");
        }
    }
}

impl Wait {
    /// Reads why a record waits; `None` when it carries no such headers.
    pub fn read(headers: &Headers) -> Option<Self> {
        let class = headers.text(CLASS)?;
        Some(Self {
            not_before: headers.parse(NOT_BEFORE)?,
            class: Class::ALL.into_iter().find(|known| known.as_str() == class)?,
            reason: Code::new(headers.text(REASON)?).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let history = History {
            attempts: 3,
            round: 2,
            replay: 1,
            first_failed_at: Some("2026-11-22T10:00:00Z".parse().unwrap()),
            progress: vec![Code::of("1a2b3c4d"), Code::of("ffff0000")],
            maybe_duplicate: true,
        };
        let wait =
            Wait { not_before: "2026-11-22T11:00:00.5Z".parse().unwrap(), class: Class::Failed, reason: Code::of("smtp-451") };
        let mut headers = Headers::new().with("ce_id", "x").with(ATTEMPT, "2").with(crate::headers::REDELIVERY, "1");
        history.write(&wait, &mut headers);
        assert_eq!(History::read(&headers), history);
        assert_eq!(Wait::read(&headers), Some(wait));
        assert_eq!(headers.text("ce_id"), Some("x"));
        assert_eq!(headers.text(crate::headers::REDELIVERY), Some("1"), "it says how the lead came into `leads`");
    }

    #[test]
    fn a_record_without_headers_was_never_tried() {
        assert_eq!(History::read(&Headers::new()), History::default());
        assert_eq!(Wait::read(&Headers::new()), None);
    }
}
