//! What is known about the leads of a partition from before it was assigned: which have ended, which wait in the retry topic,
//! which are in the dead letters. Built by `recall`, asked by `state`.

use std::collections::{HashMap, HashSet};

use leadline_proto::dead_letter::DeadLetter;
use leadline_proto::retry::History;
use leadline_proto::{AcceptedLead, Code, Headers, Outcome, SinkName, Status};
use uuid::Uuid;

use crate::record::{Received, Source};

/// What stands for a record already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Nothing: it is to be handled.
    Open,
    /// Its lead has an outcome, or a later record in the retry topic stands for it.
    Settled,
    /// Its lead is in the dead letters, but the outcome that says so is missing.
    DeadLettered(Code),
}

/// How often a lead was replayed and put into the retry topic: the greater one is the later record of two.
type Turn = (u32, u32);

/// The latest outcome of a lead.
#[derive(Clone, Copy, Debug, Default)]
struct Ended {
    replay: u32,
    given_up: bool,
}

/// The leads of one partition that something stands for.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    ended: HashMap<Uuid, Ended>,
    waiting: HashMap<Uuid, Turn>,
    dead: HashMap<Uuid, (u32, Code)>,
    /// Where records stood that are in the dead letters and name no lead.
    nameless: HashSet<(Source, i64)>,
}

impl Memory {
    /// Remembers an outcome, if it is one of this sink, and returns it.
    pub(crate) fn outcome(&mut self, sink: &SinkName, headers: &Headers, value: &[u8]) -> Option<Outcome> {
        let outcome = Outcome::decode(headers, value).filter(|outcome| outcome.sink == *sink)?;
        let latest = self.ended.entry(outcome.lead_id).or_default();
        if outcome.replay >= latest.replay {
            *latest = Ended { replay: outcome.replay, given_up: matches!(outcome.status, Status::DeadLettered { .. }) };
        }
        Some(outcome)
    }

    /// Remembers a record of the retry topic.
    pub(crate) fn retry(&mut self, headers: &Headers) {
        let Some(lead_id) = AcceptedLead::claimed_id(headers) else { return };
        let latest = self.waiting.entry(lead_id).or_default();
        *latest = turn(headers).max(*latest);
    }

    /// Remembers a dead letter; `leads` is the name of that topic.
    pub(crate) fn dead_letter(&mut self, headers: &Headers, leads: &str) {
        let Some(letter) = DeadLetter::read(headers) else { return };
        let Some(lead_id) = AcceptedLead::claimed_id(headers) else {
            let source = if letter.origin.topic == leads { Source::Leads } else { Source::Retry };
            self.nameless.insert((source, letter.origin.offset));
            return;
        };
        let newer = self.dead.get(&lead_id).is_none_or(|(replay, _)| letter.replay >= *replay);
        if newer {
            self.dead.insert(lead_id, (letter.replay, letter.code));
        }
    }

    /// Whether a lead was given up in the end.
    pub(crate) fn was_given_up(&self, lead_id: Uuid) -> bool {
        let dead = self.dead.get(&lead_id).map(|(replay, _)| *replay);
        let waits = self.waiting.get(&lead_id).map(|(replay, _)| *replay);
        match self.ended.get(&lead_id) {
            Some(ended) => ended.given_up && waits <= Some(ended.replay),
            None => dead.is_some() && waits <= dead,
        }
    }

    /// What stands for a record.
    pub(crate) fn judge_record(&self, record: &Received) -> Known {
        if AcceptedLead::claimed_id(&record.headers).is_none() {
            let known = self.nameless.contains(&(record.slot.source, record.slot.offset));
            return if known { Known::Settled } else { Known::Open };
        }
        self.judge(&record.headers)
    }

    /// What stands for a record with these headers.
    pub(crate) fn judge(&self, headers: &Headers) -> Known {
        let Some(lead_id) = AcceptedLead::claimed_id(headers) else { return Known::Open };
        let now = turn(headers);
        let ended = self.ended.get(&lead_id).is_some_and(|ended| ended.replay >= now.0);
        let waits = self.waiting.get(&lead_id).is_some_and(|later| *later > now);
        match self.dead.get(&lead_id) {
            _ if ended || waits => Known::Settled,
            Some((replay, code)) if *replay >= now.0 => Known::DeadLettered(code.clone()),
            Some(_) | None => Known::Open,
        }
    }
}

fn turn(headers: &Headers) -> Turn {
    let history = History::read(headers);
    (history.replay, history.round)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use leadline_proto::Status;
    use leadline_proto::dead_letter::{ErrorKind, Origin};
    use leadline_proto::headers::CE_ID;
    use leadline_proto::retry::{Class, Wait};

    use super::*;

    fn record(lead: u128, replay: u32, round: u32) -> Headers {
        let mut headers = Headers::new().with(CE_ID, Uuid::from_u128(lead).to_string());
        let wait = Wait { not_before: Timestamp::UNIX_EPOCH, class: Class::Failed, reason: Code::of("x") };
        History { replay, round, ..History::default() }.write(&wait, &mut headers);
        headers
    }

    fn outcome(lead: u128, sink: &str, replay: u32) -> Outcome {
        Outcome {
            lead_id: Uuid::from_u128(lead),
            sink: sink.parse().unwrap(),
            replay,
            status: Status::Delivered { reference: None, maybe_duplicate: false },
            attempts: 1,
            endpoint: None,
            received_at: None,
            at: Timestamp::UNIX_EPOCH,
            reordered: false,
            reason: None,
        }
    }

    fn ended(memory: &mut Memory, outcome: &Outcome) {
        memory.outcome(&"email".parse().unwrap(), &outcome.headers(), &outcome.encode());
    }

    #[test]
    fn an_outcome_of_this_sink_settles_its_replay_and_those_before() {
        let mut memory = Memory::default();
        ended(&mut memory, &outcome(1, "email", 1));
        ended(&mut memory, &outcome(2, "crm", 0));
        assert_eq!(memory.judge(&record(1, 0, 0)), Known::Settled);
        assert_eq!(memory.judge(&record(1, 1, 3)), Known::Settled);
        assert_eq!(memory.judge(&record(1, 2, 0)), Known::Open, "replayed since");
        assert_eq!(memory.judge(&record(2, 0, 0)), Known::Open, "another sink's");
        assert_eq!(memory.judge(&Headers::new()), Known::Open);
    }

    #[test]
    fn a_later_retry_record_stands_for_the_earlier_ones() {
        let mut memory = Memory::default();
        memory.retry(&record(1, 0, 2));
        memory.retry(&record(1, 0, 1));
        assert_eq!(memory.judge(&record(1, 0, 0)), Known::Settled);
        assert_eq!(memory.judge(&record(1, 0, 1)), Known::Settled);
        assert_eq!(memory.judge(&record(1, 0, 2)), Known::Open, "it is the latest itself");
        assert_eq!(memory.judge(&record(1, 1, 0)), Known::Open);
    }

    #[test]
    fn a_dead_letter_without_its_outcome_is_told() {
        let mut memory = Memory::default();
        let mut headers = record(1, 0, 0);
        let letter = DeadLetter {
            origin: Origin { topic: "leads".to_owned(), partition: 0, offset: 7 },
            group: "g".to_owned(),
            worker: "email".to_owned(),
            kind: ErrorKind::Permanent,
            code: Code::of("smtp-550"),
            attempts: 1,
            replay: 0,
            first_failed_at: Timestamp::UNIX_EPOCH,
            last_failed_at: Timestamp::UNIX_EPOCH,
        };
        letter.write(&mut headers);
        memory.dead_letter(&headers, "leads");
        assert_eq!(memory.judge(&record(1, 0, 0)), Known::DeadLettered(Code::of("smtp-550")));
        assert_eq!(memory.judge(&record(1, 1, 0)), Known::Open);
        ended(&mut memory, &outcome(1, "email", 0));
        assert_eq!(memory.judge(&record(1, 0, 0)), Known::Settled);
    }
}
