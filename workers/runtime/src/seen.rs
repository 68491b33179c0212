//! Whether a lead is to be handled at all: what stands for it already, whether it stands twice in `leads`, and whether it is a
//! repeat.
//!
//! What was read back at the assignment comes with the record ([`Known`]); what was seen since is in [`crate::recent`]. Where
//! neither can tell, the topics are asked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use leadline_proto::keys::ContentHash;
use leadline_proto::retry::History;
use leadline_proto::{AcceptedLead, Code, LeadKind, idempotency};
use tokio::sync::Mutex;

use crate::memory::{Known, Memory};
use crate::recall::Recall;
use crate::recent::{First, Seen, Sighting, Standing};
use crate::record::{Received, Source};
use crate::recorder::Subject;

/// A search for what was published long ago is good for so long: what happens here meanwhile is seen.
const FRESH: Duration = Duration::from_secs(20);
/// A search for what another worker may just have done.
const VERY_FRESH: Duration = Duration::from_secs(1);

/// What is to be done about a lead.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    /// It is to be handled.
    Open,
    /// Something stands for it already.
    Settled,
    /// It is in the dead letters, but the outcome that says so is missing.
    GivenUp(Code),
    /// The same was said by the same person shortly before.
    Repeat,
    /// It cannot be told now, as Kafka does not answer.
    Unknown,
}

/// The last search in a partition.
struct Searched {
    partition: i32,
    since: Timestamp,
    at: Instant,
    memory: Arc<Memory>,
}

/// Judges the leads of one worker.
pub(crate) struct Judge {
    recall: Arc<Recall>,
    /// Within which time a lead can be a repeat; zero turns it off.
    window: SignedDuration,
    searched: Mutex<Vec<Searched>>,
}

impl Judge {
    /// A judge who asks the topics by this recall.
    pub(crate) fn new(recall: Arc<Recall>, window: SignedDuration) -> Self {
        Self { recall, window, searched: Mutex::default() }
    }

    /// Says what is to be done about a lead.
    pub(crate) async fn judge(&self, record: &Received, lead: &Sighting, history: &History) -> Judged {
        if let Known::DeadLettered(code) = &record.known {
            return Judged::GivenUp(code.clone());
        }
        if let Some(written) = record.surfaced_late {
            return self.judge_late(record, written).await;
        }
        // A lead that comes back from the retry topic, or was replayed, is meant to be handled.
        if record.slot.source == Source::Retry || history.replay > 0 {
            return Judged::Open;
        }
        let seen = record.tenure.recent().look(lead, self.window);
        match seen {
            Seen::Same => Judged::Settled,
            Seen::New | Seen::Repeat(_) if record.is_redelivery() => self.judge_redelivery(record, lead, seen).await,
            Seen::New => Judged::Open,
            Seen::Repeat(first) => self.judge_repeat(record, &first).await,
        }
    }

    /// A record of the retry topic that surfaced late. If its writer was frozen with it, the next owner of the partition has not
    /// seen it, and may have handled the lead from the record before.
    async fn judge_late(&self, record: &Received, written: Timestamp) -> Judged {
        match self.search(record, written, Duration::ZERO).await {
            Some(memory) => match memory.judge(&record.headers) {
                Known::Settled => Judged::Settled,
                Known::DeadLettered(code) => Judged::GivenUp(code),
                Known::Open => Judged::Open,
            },
            None => Judged::Unknown,
        }
    }

    /// Its lead may have been published before, and handled long ago: it comes from a spool, or its sender posts it again. In the
    /// second case the record tells of the second receipt, so the search begins before it.
    async fn judge_redelivery(&self, record: &Received, lead: &Sighting, seen: Seen) -> Judged {
        let since = idempotency::known_since(lead.lead_id, lead.received_at);
        let Some(memory) = self.search(record, since, FRESH).await else { return Judged::Unknown };
        match memory.judge(&record.headers) {
            Known::Settled => Judged::Settled,
            Known::DeadLettered(code) => Judged::GivenUp(code),
            Known::Open => match seen {
                Seen::Repeat(first) => self.judge_repeat(record, &first).await,
                Seen::New | Seen::Same => Judged::Open,
            },
        }
    }

    /// A lead is no repeat of one that was given up. One that waits may have been by another worker.
    async fn judge_repeat(&self, record: &Received, first: &First) -> Judged {
        match first.standing {
            Standing::Ended => Judged::Repeat,
            Standing::GivenUp => Judged::Open,
            Standing::Waiting => match self.search(record, first.received_at, VERY_FRESH).await {
                Some(memory) if memory.was_given_up(first.lead_id) => Judged::Open,
                Some(_) => Judged::Repeat,
                None => Judged::Unknown,
            },
        }
    }

    /// What stands for the leads of the record's partition that were received since a time, as it was `fresh` before now at the
    /// earliest.
    async fn search(&self, record: &Received, since: Timestamp, fresh: Duration) -> Option<Arc<Memory>> {
        let (partition, asked) = (record.slot.partition, Instant::now());
        // One at a time: those that wait find what the first has read.
        let mut searched = self.searched.lock().await;
        searched.retain(|search| search.at.elapsed() < FRESH);
        let fits = |search: &&Searched| search.partition == partition && search.since <= since && search.at + fresh >= asked;
        if let Some(search) = searched.iter().find(fits) {
            return Some(search.memory.clone());
        }
        let (recall, at) = (self.recall.clone(), Instant::now());
        match tokio::task::spawn_blocking(move || recall.search(partition, since)).await {
            Ok(Ok(memory)) => {
                let memory = Arc::new(memory);
                searched.push(Searched { partition, since, at, memory: memory.clone() });
                Some(memory)
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, partition, "what stands for a lead cannot be looked up; it waits");
                None
            }
            Err(error) => {
                tracing::error!(%error, partition, "looking up what stands for a lead has failed");
                None
            }
        }
    }

    /// A lead as it is remembered.
    pub(crate) fn sighting(&self, lead: &AcceptedLead) -> Sighting {
        let repeatable = !self.window.is_zero() && lead.kind() != LeadKind::Blank;
        let content = repeatable.then(|| ContentHash::of(&lead.person, &lead.lead));
        Sighting { lead_id: lead.lead_id, content, received_at: lead.received_at }
    }

    /// Notes what stands for a lead now.
    pub(crate) fn note(&self, subject: Subject<'_>, standing: Standing) {
        let Subject { record, lead, content, .. } = subject;
        let sighting = Sighting { lead_id: lead.lead_id, content, received_at: lead.received_at };
        record.tenure.recent().note(&sighting, standing);
    }
}
