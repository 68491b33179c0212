//! The note that an operator has dealt with a dead letter, written behind it into the same partition of the dead letters.
//!
//! Outcomes and retry records say so too, but they are kept for 14 days and dead letters for 30: without the note a letter
//! would look open again later, and a second replay would serve people twice. It has no value, and its headers are none of a
//! dead letter's.

use jiff::Timestamp;
use uuid::Uuid;

use crate::headers::{self, CE_TYPE, Headers, REPLAY};
use crate::names::SinkName;

/// `ce_type` of the record.
pub const TYPE: &str = "leadline.dead_letter.settled.v1";
/// `ce_dataschema` of the record.
pub const SCHEMA: &str = "urn:leadline:schema:dead_letter.settled.v1";

/// A dead letter was replayed or dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Its lead.
    pub lead_id: Uuid,
    /// The replay number under which the lead went on, or was dropped.
    pub replay: u32,
}

impl Settled {
    /// The headers of the record; `now` is its time.
    pub fn headers(&self, sink: &SinkName, now: Timestamp) -> Headers {
        let source = format!("/sinks/{sink}");
        let event = headers::cloud_event(&self.lead_id.to_string(), TYPE, &source, now, SCHEMA);
        event.with(REPLAY, self.replay.to_string())
    }

    /// Reads a record of the dead letters; `None` when it is no such note.
    pub fn read(headers: &Headers) -> Option<Self> {
        (headers.text(CE_TYPE) == Some(TYPE))
            .then(|| Some(Self { lead_id: headers.parse(headers::CE_ID)?, replay: headers.parse(REPLAY)? }))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dead_letter::DeadLetter;

    #[test]
    fn what_is_written_is_read_back_and_is_no_dead_letter() {
        let settled = Settled { lead_id: Uuid::from_u128(7), replay: 2 };
        let headers = settled.headers(&"email".parse().unwrap(), Timestamp::UNIX_EPOCH);
        assert_eq!(Settled::read(&headers), Some(settled));
        assert_eq!(DeadLetter::read(&headers), None);
        assert_eq!(Settled::read(&headers.with(CE_TYPE, crate::envelope::TYPE)), None);
    }
}
