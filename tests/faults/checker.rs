//! The verdict over a run: from what was accepted, what arrived and what Kafka holds. Pure, so its rules have tests of their own.
//!
//! How the evidence is gathered is in `evidence`. Times are milliseconds since 1970, all of this machine's one clock.

mod accounts;
mod copies;
mod order;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;
use uuid::Uuid;

use crate::journal::{Arrival, Post};

/// The two sinks of a run.
pub(crate) const SINKS: [&str; 2] = [MAIL, CRM];
pub(crate) const MAIL: &str = "mail";
pub(crate) const CRM: &str = "crm";

/// Everything that is known about a run.
#[derive(Default)]
pub(crate) struct Evidence {
    /// What the generator has posted, and what it was answered.
    pub(crate) posts: Vec<Post>,
    /// Who must get a mail about a lead of an endpoint.
    pub(crate) contacts: HashMap<String, Vec<String>>,
    /// The topic `leads`: which post each lead id stands for.
    pub(crate) leads: HashMap<Uuid, u64>,
    /// Mails, in the order of the sink's journal.
    pub(crate) arrivals: Vec<Arrival>,
    /// The topic of outcomes.
    pub(crate) outcomes: Vec<Ending>,
    /// Leads that were in the retry topic of the e-mail sink, with the times at which they were put there.
    pub(crate) retried: HashMap<Uuid, Vec<i64>>,
    /// Leads in the dead letters, by sink.
    pub(crate) dead: HashSet<(String, Uuid)>,
    /// Leads in the CRM's history.
    pub(crate) crm: HashSet<Uuid>,
    /// Leads that stand in a record of the CRM although a newer one of that record was written.
    pub(crate) outdated: Vec<Uuid>,
    /// What was done to workers of the e-mail sink.
    pub(crate) blows: Vec<Blow>,
}

/// An outcome.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    pub(crate) lead: Uuid,
    pub(crate) sink: String,
    pub(crate) replay: u32,
    pub(crate) status: EndStatus,
    /// When the broker appended it.
    pub(crate) at: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndStatus {
    Delivered { maybe_duplicate: bool },
    Skipped,
    DeadLettered,
}

/// What may make a worker repeat a lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blow {
    pub(crate) worker: String,
    pub(crate) kind: BlowKind,
    /// Just before it was done.
    pub(crate) from: i64,
    /// When it was surely done; of a stop, when the worker went on.
    pub(crate) to: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlowKind {
    /// SIGKILL.
    Kill,
    /// SIGSTOP for longer than a session.
    Frozen,
    /// The worker's log says that Kafka took its partitions away.
    Lost,
}

/// The verdict.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Verdict {
    pub(crate) accepted: usize,
    pub(crate) unknown: usize,
    pub(crate) refused: usize,
    /// Posts without an answer that are in the topic nevertheless.
    pub(crate) unknown_but_stored: usize,
    pub(crate) arrivals: usize,
    /// Outcomes by sink and status.
    pub(crate) outcomes: BTreeMap<String, usize>,
    /// Leads that were in the retry topic of the e-mail sink.
    pub(crate) retried: usize,
    /// Pairs of leads whose order was looked at.
    pub(crate) ordered_pairs: usize,
    /// Mails that came once more, by what explains them.
    pub(crate) explained: BTreeMap<&'static str, usize>,
    /// Everything that must not be.
    pub(crate) faults: BTreeMap<&'static str, Vec<String>>,
}

impl Verdict {
    /// Whether nothing is wrong.
    pub(crate) fn is_good(&self) -> bool {
        self.faults.values().all(Vec::is_empty)
    }

    fn fault(&mut self, kind: &'static str, story: impl Into<String>) {
        self.faults.entry(kind).or_default().push(story.into());
    }
}

/// The kinds of faults; each is in the verdict, if only as an empty list.
pub(crate) const LOST: &str = "lost";
pub(crate) const NOT_IN_SINK: &str = "delivered_but_not_in_sink";
pub(crate) const NOT_IN_TOPIC: &str = "accepted_but_not_in_topic";
pub(crate) const UNKNOWN: &str = "unknown_id";
pub(crate) const ORDER: &str = "order";
pub(crate) const COPY: &str = "unexplained_duplicate";
pub(crate) const OUTDATED: &str = "older_lead_won_in_crm";
const KINDS: [&str; 7] = [LOST, NOT_IN_SINK, NOT_IN_TOPIC, UNKNOWN, ORDER, COPY, OUTDATED];

/// Judges a run.
pub(crate) fn judge(evidence: &Evidence) -> Verdict {
    let mut verdict = Verdict { faults: KINDS.map(|kind| (kind, Vec::new())).into(), ..Verdict::default() };
    let index = Index::new(evidence);
    accounts::check(evidence, &index, &mut verdict);
    order::check(evidence, &mut verdict);
    copies::check(evidence, &index, &mut verdict);
    verdict
}

/// The outcomes of each lead.
struct Index<'a> {
    endings: HashMap<&'a str, HashMap<Uuid, Vec<&'a Ending>>>,
}

impl<'a> Index<'a> {
    fn new(evidence: &'a Evidence) -> Self {
        let mut endings: HashMap<_, HashMap<_, Vec<_>>> = HashMap::new();
        for ending in &evidence.outcomes {
            endings.entry(ending.sink.as_str()).or_default().entry(ending.lead).or_default().push(ending);
        }
        Self { endings }
    }

    fn of(&self, sink: &str, lead: Uuid) -> &[&'a Ending] {
        self.endings.get(sink).and_then(|leads| leads.get(&lead)).map_or(&[], Vec::as_slice)
    }
}
