//! A record as it was taken from a topic, copied out of librdkafka's memory, and where it stands.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use leadline_platform::kafka::headers;
use leadline_platform::kafka::rdkafka::message::{BorrowedMessage, Message};
use leadline_proto::headers::REDELIVERY;
use leadline_proto::{AcceptedLead, EndpointName, Headers};

use crate::memory::Known;
use crate::tenure::Tenure;

/// Which of a worker's two topics a record comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Source {
    /// `leads`
    Leads,
    /// The sink's retry topic.
    Retry,
}

impl Source {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Leads, Self::Retry];

    /// The source as a metric label.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Leads => "leads",
            Self::Retry => "retry",
        }
    }
}

/// Where a record stands, and in which assignment of its partition it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Slot {
    pub(crate) source: Source,
    pub(crate) partition: i32,
    pub(crate) epoch: u64,
    pub(crate) offset: i64,
}

/// A record of `leads` or of the retry topic.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) slot: Slot,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) headers: Headers,
    pub(crate) value: Option<Vec<u8>>,
    /// What stands for it already, from before its partition was assigned.
    pub(crate) known: Known,
    /// The assignment it was taken in.
    pub(crate) tenure: Arc<Tenure>,
    /// A record of the retry topic that was first seen long after it was written: then.
    pub(crate) surfaced_late: Option<Timestamp>,
}

/// A record is seen sooner than this after it was written, unless it waited for an owner, or its writer was frozen with it.
const SOON: SignedDuration = SignedDuration::from_secs(5);

impl Received {
    /// Copies a message.
    pub(crate) fn copy(message: &BorrowedMessage<'_>, source: Source, epoch: u64) -> Self {
        Self {
            slot: Slot { source, partition: message.partition(), epoch, offset: message.offset() },
            key: message.key().map(<[u8]>::to_vec),
            headers: headers(message).into_iter().collect(),
            value: message.payload().map(<[u8]>::to_vec),
            known: Known::Open,
            tenure: Arc::default(),
            surfaced_late: written(message).filter(|written| source == Source::Retry && is_late(*written, Timestamp::now())),
        }
    }

    /// About how much memory the record takes.
    pub(crate) fn bytes(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        headers + self.value.as_ref().map_or(0, Vec::len) + self.key.as_ref().map_or(0, Vec::len)
    }

    /// When its lead was received, as its headers say.
    pub(crate) fn received_at(&self) -> Option<Timestamp> {
        AcceptedLead::claimed_receipt(&self.headers)
    }

    /// The endpoint its lead was posted to, as its headers say.
    pub(crate) fn endpoint(&self) -> Option<EndpointName> {
        AcceptedLead::claimed_endpoint(&self.headers)
    }

    /// Whether its lead may stand twice in the topic: it comes from a spool, or may have been posted again.
    pub(crate) fn is_redelivery(&self) -> bool {
        self.slot.source == Source::Leads && self.headers.text(REDELIVERY) == Some("1")
    }
}

/// When a message was written; one without a time of its own counts as an old one.
fn written(message: &BorrowedMessage<'_>) -> Option<Timestamp> {
    Timestamp::from_millisecond(message.timestamp().to_millis().unwrap_or_default()).ok()
}

fn is_late(written: Timestamp, now: Timestamp) -> bool {
    now.duration_since(written) > SOON
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_late_more_than_five_seconds_after_it_was_written() {
        let written = Timestamp::UNIX_EPOCH;
        assert!(!is_late(written, written + SignedDuration::from_secs(5)));
        assert!(is_late(written, written + SignedDuration::from_millis(5001)));
        assert!(!is_late(written, written - SignedDuration::from_secs(60)), "a clock may be ahead");
    }
}
