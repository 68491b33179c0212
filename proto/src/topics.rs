//! The topics: what each is for, and how it must be set up.
//!
//! A topic is named by its role; the physical name comes from the configuration ([`crate::config::Topics`]).

use std::time::Duration;

use crate::names::SinkName;

/// A topic by its role.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Accepted leads.
    Leads,
    /// Leads that one sink will try again later.
    Retry(SinkName),
    /// Leads that one sink has given up.
    DeadLetters(SinkName),
    /// How each lead ended at each sink.
    Outcomes,
    /// Bodies that are no leads but came with a valid token.
    Rejected,
    /// What operators have set at run time: holds, brakes.
    Control,
}

/// How a topic is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Number of partitions; `None` stands for the common count of the configuration.
    pub partitions: Option<i32>,
    /// How long records are kept; `None` means compacted.
    pub retention: Option<Duration>,
    /// Largest record in bytes.
    pub max_message_bytes: usize,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const KIB: usize = 1024;

impl Topic {
    /// The topics that do not belong to one sink.
    pub const COMMON: [Self; 4] = [Self::Leads, Self::Outcomes, Self::Rejected, Self::Control];

    /// All topics for the given sinks.
    pub fn all<'a>(sinks: impl IntoIterator<Item = &'a SinkName>) -> Vec<Self> {
        let per_sink = |sink: &SinkName| [Self::Retry(sink.clone()), Self::DeadLetters(sink.clone())];
        Self::COMMON.into_iter().chain(sinks.into_iter().flat_map(per_sink)).collect()
    }

    /// How the topic must be set up. A record grows on its way (headers of a retry, of a dead letter), so the limit does too.
    pub fn spec(&self) -> Spec {
        let keep = |days: u32, kib: usize| Spec { partitions: None, retention: Some(DAY * days), max_message_bytes: kib * KIB };
        match self {
            Self::Leads => keep(14, 256),
            Self::Retry(_) => keep(14, 512),
            Self::Outcomes => keep(14, 256),
            Self::DeadLetters(_) => keep(30, 1024),
            Self::Rejected => keep(30, 256),
            Self::Control => Spec { partitions: Some(1), retention: None, max_message_bytes: 256 * KIB },
        }
    }
}
