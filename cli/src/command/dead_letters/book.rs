//! The book of dead letters: the latest of each lead at each sink, and what an operator has done about it since. Pure; it is
//! filled by `survey`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use leadline_proto::dead_letter::DeadLetter;
use leadline_proto::retry::{History, Wait};
use leadline_proto::settled::Settled;
use leadline_proto::{AcceptedLead, EndpointName, Headers, Outcome, SinkName, Status};
use uuid::Uuid;

/// A dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Letter {
    pub(super) sink: SinkName,
    pub(super) lead_id: Uuid,
    /// Where it stands in the dead letters.
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) key: Option<Vec<u8>>,
    pub(super) facts: DeadLetter,
    pub(super) endpoint: Option<EndpointName>,
    pub(super) received_at: Option<Timestamp>,
    /// Steps that are done already and are not done again by a replay.
    pub(super) steps_done: usize,
    pub(super) maybe_duplicate: bool,
}

impl Letter {
    /// The replay number under which it goes on, or is dropped.
    pub(super) fn next_replay(&self) -> u32 {
        self.facts.replay + 1
    }
}

/// What stands for a lead beside its dead letter, by replay number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Since {
    /// An operator has dealt with it; what became of it is not kept any more.
    Settled,
    /// It waits in the retry topic.
    Waits { until: Option<Timestamp> },
    /// It has ended.
    Ended { status: Status, at: Timestamp, reason: Option<String> },
}

impl Since {
    /// Of two about one replay, the one that says more.
    fn rank(&self) -> u8 {
        match self {
            Self::Settled => 0,
            Self::Waits { .. } => 1,
            Self::Ended { .. } => 2,
        }
    }
}

/// One lead at one sink.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) letter: Letter,
    /// Dead letters of the lead at this sink, all replays.
    pub(super) letters: usize,
    latest: Option<(u32, Since)>,
}

impl Entry {
    /// What has become of the letter; `None` while it is open.
    pub(super) fn since(&self) -> Option<(u32, &Since)> {
        let (replay, since) = self.latest.as_ref()?;
        (*replay > self.letter.facts.replay).then_some((*replay, since))
    }

    /// Whether nothing with a higher replay number stands for the lead.
    pub(super) fn is_open(&self) -> bool {
        self.since().is_none()
    }

    fn note(&mut self, replay: u32, since: Since) {
        let newer = self.latest.as_ref().is_none_or(|(known, what)| (replay, since.rank()) >= (*known, what.rank()));
        if newer {
            self.latest = Some((replay, since));
        }
    }
}

/// All dead letters. First they are written into it, then what stands for their leads.
#[derive(Debug, Default)]
pub(super) struct Book {
    entries: BTreeMap<(SinkName, Uuid), Entry>,
    without_id: BTreeMap<SinkName, usize>,
}

impl Book {
    /// A record of a sink's dead letters, in the order of its partition.
    pub(super) fn record(&mut self, sink: &SinkName, place: (i32, i64), key: Option<&[u8]>, headers: &Headers) {
        if let Some(Settled { lead_id, replay }) = Settled::read(headers) {
            return self.note(sink, lead_id, replay, Since::Settled);
        }
        match letter(sink, place, key, headers) {
            Some(letter) => self.letter(letter),
            None => *self.without_id.entry(sink.clone()).or_default() += 1,
        }
    }

    fn letter(&mut self, letter: Letter) {
        let key = (letter.sink.clone(), letter.lead_id);
        match self.entries.get_mut(&key) {
            None => drop(self.entries.insert(key, Entry { letter, letters: 1, latest: None })),
            Some(entry) => {
                entry.letters += 1;
                if letter.facts.replay >= entry.letter.facts.replay {
                    entry.letter = letter;
                }
            }
        }
    }

    /// A record of a sink's retry topic.
    pub(super) fn retry(&mut self, sink: &SinkName, headers: &Headers) {
        let Some(lead_id) = AcceptedLead::claimed_id(headers) else { return };
        let until = Wait::read(headers).map(|wait| wait.not_before);
        self.note(sink, lead_id, History::read(headers).replay, Since::Waits { until });
    }

    /// A record of the outcomes.
    pub(super) fn outcome(&mut self, headers: &Headers, value: &[u8]) {
        let Some(outcome) = Outcome::decode(headers, value) else { return };
        let reason = outcome.reason.map(String::from);
        let since = Since::Ended { status: outcome.status, at: outcome.at, reason };
        self.note(&outcome.sink, outcome.lead_id, outcome.replay, since);
    }

    /// What stands for leads that are not in the dead letters is not kept.
    fn note(&mut self, sink: &SinkName, lead_id: Uuid, replay: u32, since: Since) {
        if let Some(entry) = self.entries.get_mut(&(sink.clone(), lead_id)) {
            entry.note(replay, since);
        }
    }

    /// All of them, by sink and lead.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Those of one lead, by sink.
    pub(super) fn of_lead(&self, lead_id: Uuid) -> Vec<&Entry> {
        self.entries().filter(|entry| entry.letter.lead_id == lead_id).collect()
    }

    /// Records of a sink that name no lead: nothing can be said or done about them.
    pub(super) fn without_id(&self, sink: &SinkName) -> usize {
        self.without_id.get(sink).copied().unwrap_or_default()
    }
}

fn letter(sink: &SinkName, (partition, offset): (i32, i64), key: Option<&[u8]>, headers: &Headers) -> Option<Letter> {
    let history = History::read(headers);
    Some(Letter {
        sink: sink.clone(),
        lead_id: AcceptedLead::claimed_id(headers)?,
        partition,
        offset,
        key: key.map(<[u8]>::to_vec),
        facts: DeadLetter::read(headers)?,
        endpoint: AcceptedLead::claimed_endpoint(headers),
        received_at: AcceptedLead::claimed_receipt(headers),
        steps_done: history.progress.len(),
        maybe_duplicate: history.maybe_duplicate,
    })
}

#[cfg(test)]
pub(super) mod tests;
