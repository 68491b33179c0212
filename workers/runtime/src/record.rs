//! A record as it was taken from a topic, copied out of librdkafka's memory, and where it stands.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use leadline_platform::kafka::headers;
use leadline_platform::kafka::rdkafka::message::{BorrowedMessage, Message};
use leadline_proto::Headers;

use crate::memory::Known;

/// Which of a worker's two topics a record comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    /// `leads`
    Leads,
    /// The sink's retry topic.
    Retry,
}

impl Source {
    /// The source as a metric label.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Leads => "leads",
            Self::Retry => "retry",
        }
    }
}

/// Where a record stands, and in which assignment of its partition it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// Set when its partition is about to be given up: the next owner handles it.
    pub(crate) going: Arc<AtomicBool>,
}

impl Received {
    /// Copies a message.
    pub(crate) fn copy(message: &BorrowedMessage<'_>, source: Source, epoch: u64) -> Self {
        Self {
            slot: Slot { source, partition: message.partition(), epoch, offset: message.offset() },
            key: message.key().map(<[u8]>::to_vec),
            headers: headers(message).into_iter().collect(),
            value: message.payload().map(<[u8]>::to_vec),
            known: Known::Open,
            going: Arc::default(),
        }
    }

    /// Whether its partition is about to be given up.
    pub(crate) fn is_going(&self) -> bool {
        self.going.load(Ordering::Acquire)
    }

    /// About how much memory the record takes.
    pub(crate) fn bytes(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        headers + self.value.as_ref().map_or(0, Vec::len) + self.key.as_ref().map_or(0, Vec::len)
    }
}
