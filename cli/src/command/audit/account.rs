//! The account itself: leads received, and what stands for each at each sink. Pure.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use leadline_proto::dead_letter::DeadLetter;
use leadline_proto::retry::{Class, History, Wait};
use leadline_proto::{AcceptedLead, Headers, LeadKind, Outcome, SinkName, Status};
use serde::Serialize;
use uuid::Uuid;

/// Leads that have ended at a sink, by how.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Ended {
    pub(super) delivered: usize,
    pub(super) skipped: usize,
    pub(super) dead_lettered: usize,
}

/// A lead that has not ended at a sink.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Open {
    pub(super) lead_id: Uuid,
    pub(super) partition: i32,
    pub(super) offset: i64,
    /// Microsoft's own test.
    pub(super) test: bool,
    pub(super) place: Place,
}

/// Where an open lead is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Place {
    /// Not handled yet, or being handled.
    Leads,
    /// Waiting in the retry topic.
    Retry {
        /// Until when.
        not_before: Option<String>,
    },
    /// In the retry topic, as an operator holds its endpoint or the sink.
    Held,
    /// In the dead letters, but the outcome that says so is missing.
    DeadLetters,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leads => f.write_str("not handled yet"),
            Self::Retry { not_before: Some(time) } => write!(f, "waits in the retry topic until {time}"),
            Self::Retry { not_before: None } => f.write_str("waits in the retry topic"),
            Self::Held => f.write_str("held by an operator: `leadline hold list`"),
            Self::DeadLetters => f.write_str("in the dead letters, its outcome is missing"),
        }
    }
}

/// What stands for a lead at a sink.
#[derive(Debug, Default)]
struct Trail {
    /// The latest outcome by replay number.
    outcome: Option<(u32, Status)>,
    /// The latest retry record by replay number and round, and what it says.
    waits: Option<(u32, u32, Place)>,
    dead: Option<u32>,
}

impl Trail {
    /// Where the lead is, unless its latest replay has an outcome.
    fn open_at(&self) -> Option<Place> {
        let ended = self.outcome.as_ref().map(|(replay, _)| *replay);
        match (&self.waits, self.dead) {
            (Some((replay, _, place)), _) if ended < Some(*replay) => Some(place.clone()),
            (_, Some(replay)) if ended < Some(replay) => Some(Place::DeadLetters),
            _ if ended.is_none() => Some(Place::Leads),
            _ => None,
        }
    }
}

fn waiting(wait: Option<Wait>) -> Place {
    match wait {
        Some(Wait { class: Class::Held, .. }) => Place::Held,
        Some(wait) => Place::Retry { not_before: Some(wait.not_before.to_string()) },
        None => Place::Retry { not_before: None },
    }
}

/// Where a lead stands in `leads`, and whether it is a test.
#[derive(Debug)]
struct Stands {
    partition: i32,
    offset: i64,
    test: bool,
}

/// All leads, and what stands for them.
#[derive(Debug, Default)]
pub(super) struct Account {
    leads: BTreeMap<Uuid, Stands>,
    trails: HashMap<(SinkName, Uuid), Trail>,
}

impl Account {
    /// A record of `leads`. One that claims no id was never a lead that somebody was told about.
    pub(super) fn lead(&mut self, headers: &Headers, value: &[u8], (partition, offset): (i32, i64)) {
        if let Some(lead_id) = AcceptedLead::claimed_id(headers) {
            let test = AcceptedLead::decode(headers, value).is_ok_and(|lead| lead.kind() == LeadKind::Test);
            self.leads.entry(lead_id).or_insert(Stands { partition, offset, test });
        }
    }

    /// A record of the outcomes.
    pub(super) fn outcome(&mut self, headers: &Headers, value: &[u8]) {
        let Some(outcome) = Outcome::decode(headers, value) else { return };
        let trail = self.trails.entry((outcome.sink, outcome.lead_id)).or_default();
        if trail.outcome.as_ref().is_none_or(|(replay, _)| outcome.replay >= *replay) {
            trail.outcome = Some((outcome.replay, outcome.status));
        }
    }

    /// A record of a sink's retry topic.
    pub(super) fn retry(&mut self, sink: &SinkName, headers: &Headers) {
        let Some(lead_id) = AcceptedLead::claimed_id(headers) else { return };
        let History { replay, round, .. } = History::read(headers);
        let trail = self.trails.entry((sink.clone(), lead_id)).or_default();
        if trail.waits.as_ref().is_none_or(|(known, earlier, _)| (replay, round) >= (*known, *earlier)) {
            trail.waits = Some((replay, round, waiting(Wait::read(headers))));
        }
    }

    /// A record of a sink's dead letters.
    pub(super) fn dead_letter(&mut self, sink: &SinkName, headers: &Headers) {
        let (Some(lead_id), Some(letter)) = (AcceptedLead::claimed_id(headers), DeadLetter::read(headers)) else { return };
        let trail = self.trails.entry((sink.clone(), lead_id)).or_default();
        trail.dead = trail.dead.max(Some(letter.replay));
    }

    /// Leads received.
    pub(super) fn received(&self) -> usize {
        self.leads.len()
    }

    /// How many of them are Microsoft's own tests.
    pub(super) fn tests(&self) -> usize {
        self.leads.values().filter(|stands| stands.test).count()
    }

    /// Leads that have ended at a sink.
    pub(super) fn ended(&self, sink: &SinkName) -> Ended {
        let mut ended = Ended::default();
        for lead_id in self.leads.keys() {
            let Some(trail) = self.trails.get(&(sink.clone(), *lead_id)).filter(|trail| trail.open_at().is_none()) else {
                continue;
            };
            match &trail.outcome {
                Some((_, Status::Delivered { .. })) => ended.delivered += 1,
                Some((_, Status::Skipped { .. })) => ended.skipped += 1,
                Some((_, Status::DeadLettered { .. })) => ended.dead_lettered += 1,
                None => {}
            }
        }
        ended
    }

    /// Leads that have not ended at a sink, oldest first: ids of version 7 are in the order of time.
    pub(super) fn open(&self, sink: &SinkName) -> Vec<Open> {
        let nothing = Trail::default();
        let open = self.leads.iter().filter_map(|(lead_id, stands)| {
            let place = self.trails.get(&(sink.clone(), *lead_id)).unwrap_or(&nothing).open_at()?;
            let Stands { partition, offset, test } = *stands;
            Some(Open { lead_id: *lead_id, partition, offset, test, place })
        });
        open.collect()
    }
}

#[cfg(test)]
mod tests {
    use leadline_proto::headers::CE_ID;
    use leadline_proto::keys::PersonHasher;
    use leadline_proto::{Code, Personal, parse};

    use super::*;

    fn sink() -> SinkName {
        "email".parse().unwrap()
    }

    fn record(lead: u128, replay: u32) -> Headers {
        waits(lead, History { replay, ..History::default() }, Class::Failed)
    }

    fn waits(lead: u128, history: History, class: Class) -> Headers {
        let mut headers = Headers::new().with(CE_ID, Uuid::from_u128(lead).to_string());
        let not_before = "2026-11-22T12:00:00Z".parse().unwrap();
        history.write(&Wait { not_before, class, reason: Code::of("x") }, &mut headers);
        headers
    }

    fn outcome(account: &mut Account, lead: u128, replay: u32, status: Status) {
        let outcome = Outcome {
            lead_id: Uuid::from_u128(lead),
            sink: sink(),
            replay,
            status,
            attempts: 1,
            endpoint: None,
            received_at: None,
            at: "2026-11-22T12:00:00Z".parse().unwrap(),
            reordered: false,
            reason: None,
        };
        account.outcome(&outcome.headers(), &outcome.encode());
    }

    fn account_of(leads: u128) -> Account {
        let mut account = Account::default();
        (1..=leads).for_each(|lead| account.lead(&record(lead, 0), b"", (0, i64::try_from(lead).unwrap())));
        account
    }

    fn places(account: &Account) -> Vec<(u128, Place)> {
        account.open(&sink()).into_iter().map(|open| (open.lead_id.as_u128(), open.place)).collect()
    }

    #[test]
    fn a_lead_is_open_until_its_latest_replay_has_an_outcome() {
        let mut account = account_of(3);
        let delivered = || Status::Delivered { reference: None, maybe_duplicate: false };
        outcome(&mut account, 1, 0, delivered());
        outcome(&mut account, 2, 0, Status::DeadLettered { code: Code::of("x") });
        assert_eq!(places(&account), [(3, Place::Leads)]);
        account.retry(&sink(), &record(2, 1));
        account.retry(&sink(), &record(3, 0));
        let waits = Place::Retry { not_before: Some("2026-11-22T12:00:00Z".to_owned()) };
        assert_eq!(places(&account), [(2, waits.clone()), (3, waits)]);
        outcome(&mut account, 2, 1, delivered());
        outcome(&mut account, 3, 0, Status::Skipped { rule: Code::of("test") });
        assert_eq!(places(&account), []);
        assert_eq!(account.ended(&sink()), Ended { delivered: 2, skipped: 1, dead_lettered: 0 });
        assert_eq!(account.open(&"crm".parse().unwrap()).len(), 3, "another sink's outcomes do not count");
    }

    #[test]
    fn a_held_lead_is_told_until_a_later_round_stands_for_it() {
        let mut account = account_of(1);
        let round = |round, class| waits(1, History { round, ..History::default() }, class);
        account.retry(&sink(), &round(1, Class::Held));
        assert_eq!(places(&account), [(1, Place::Held)]);
        account.retry(&sink(), &round(2, Class::Failed));
        assert_eq!(places(&account), [(1, Place::Retry { not_before: Some("2026-11-22T12:00:00Z".to_owned()) })]);
    }

    #[test]
    fn a_dead_letter_that_an_operator_drops_is_skipped() {
        let mut account = account_of(1);
        outcome(&mut account, 1, 0, Status::DeadLettered { code: Code::of("x") });
        outcome(&mut account, 1, 1, Status::Skipped { rule: Code::of("operator") });
        assert_eq!(places(&account), []);
        assert_eq!(account.ended(&sink()), Ended { delivered: 0, skipped: 1, dead_lettered: 0 });
    }

    #[test]
    fn a_lead_that_stands_twice_in_the_topic_counts_once() {
        let mut account = account_of(1);
        account.lead(&record(1, 0), b"", (0, 9));
        assert_eq!(account.received(), 1);
    }

    #[test]
    fn a_test_lead_is_told() {
        let mut account = Account::default();
        for (number, name) in [(1, "Ann"), (2, "MSFT_TEST_636573304831318844")] {
            let lead = parse::lead(format!("{{\"UserDetails\":{{\"LastName\":\"{name}\"}}}}").as_bytes()).unwrap();
            let endpoint = "shop".parse().unwrap();
            let accepted = AcceptedLead {
                lead_id: Uuid::from_u128(number),
                person: PersonHasher::new(b"secret").person(&endpoint, &lead),
                endpoint,
                offer_id: None,
                received_at: "2026-11-22T12:00:00Z".parse().unwrap(),
                lead,
                raw: Personal::verbatim("{}").unwrap(),
            };
            account.lead(&accepted.headers(), &accepted.encode(), (0, 0));
        }
        assert_eq!(account.tests(), 1);
        assert_eq!(account.open(&sink()).iter().map(|open| open.test).collect::<Vec<_>>(), [false, true]);
    }
}
