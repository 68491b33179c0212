//! The messages on the topic `leads.control`: what operators and workers have set at run time. The topic is compacted; of each
//! key the latest record counts, and a record without a value takes the setting back.
//!
//! What a worker does about a setting belongs in `workers/runtime`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::headers::{self, Headers};
use crate::names::{EndpointName, SinkName};

/// `ce_type` of the messages.
pub const TYPE: &str = "leadline.control.v1";
/// `ce_dataschema` of the messages.
pub const SCHEMA: &str = "urn:leadline:schema:control.v1";

const HOLD_ENDPOINT: &str = "hold/endpoint/";
const HOLD_SINK: &str = "hold/sink/";
const BRAKE: &str = "brake/";
const RELEASE: &str = "release/";

/// Whose leads are held back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Held {
    /// All leads of an endpoint, at every sink.
    Endpoint(EndpointName),
    /// All leads for a sink.
    Sink(SinkName),
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint(name) => write!(f, "endpoint {name}"),
            Self::Sink(name) => write!(f, "sink {name}"),
        }
    }
}

/// Which rule of the brake has stopped a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BrakeRule {
    /// Too many of the latest leads were given up.
    Ratio,
    /// Too many were given up in a row.
    Run,
}

/// Why a sink is stopped by its brake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Braked {
    /// The rule.
    pub rule: BrakeRule,
    /// The latest leads that were looked at.
    pub seen: u32,
    /// How many of them were given up.
    pub given_up: u32,
    /// Why the last one was to be given up.
    pub code: Code,
    /// When.
    pub at: Timestamp,
}

impl fmt::Display for Braked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seen, given_up, code, at, .. } = self;
        match self.rule {
            BrakeRule::Ratio => {
                write!(f, "{given_up} of the latest {seen} leads were given up, the last one for {code}, at {at}")
            }
            BrakeRule::Run => write!(f, "{given_up} leads in a row were given up, the last one for {code}, at {at}"),
        }
    }
}

/// One change of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Leads are held back from now on.
    Hold(Held, Timestamp),
    /// They are held back no longer.
    Unhold(Held),
    /// The brake has stopped a sink.
    Brake(SinkName, Braked),
    /// It goes on.
    Unbrake(SinkName),
    /// An operator asks a worker to go on: to probe a sink that refuses its configuration now, and to go on with the oldest
    /// record where a position has left the topic. Means something only to workers that run.
    Release(SinkName, Timestamp),
}

/// The value of a hold and a release.
#[derive(Serialize, Deserialize)]
struct Since {
    at: Timestamp,
}

impl Change {
    /// The key of the record.
    pub fn key(&self) -> String {
        match self {
            Self::Hold(Held::Endpoint(name), _) | Self::Unhold(Held::Endpoint(name)) => format!("{HOLD_ENDPOINT}{name}"),
            Self::Hold(Held::Sink(name), _) | Self::Unhold(Held::Sink(name)) => format!("{HOLD_SINK}{name}"),
            Self::Brake(sink, _) | Self::Unbrake(sink) => format!("{BRAKE}{sink}"),
            Self::Release(sink, _) => format!("{RELEASE}{sink}"),
        }
    }

    /// The value of the record; `None` takes the setting back.
    pub fn value(&self) -> Option<Vec<u8>> {
        let value = match self {
            Self::Hold(_, at) | Self::Release(_, at) => serde_json::to_vec(&Since { at: *at }),
            Self::Brake(_, braked) => serde_json::to_vec(braked),
            Self::Unhold(_) | Self::Unbrake(_) => return None,
        };
        #[allow(clippy::expect_used)]
        // invariant: words, numbers and timestamps always serialise.
        Some(value.expect("a setting always serialises"))
    }

    /// The headers of the record; `now` is its time.
    pub fn headers(&self, now: Timestamp) -> Headers {
        headers::cloud_event(&format!("{}@{now}", self.key()), TYPE, "/control", now, SCHEMA)
    }

    /// Reads a record; `None` when it is of a later version.
    pub fn read(key: &[u8], value: Option<&[u8]>) -> Option<Self> {
        let key = std::str::from_utf8(key).ok()?;
        let since = || value.and_then(|value| serde_json::from_slice::<Since>(value).ok());
        if let Some(sink) = key.strip_prefix(BRAKE) {
            let sink = sink.parse().ok()?;
            return match value {
                Some(value) => Some(Self::Brake(sink, serde_json::from_slice(value).ok()?)),
                None => Some(Self::Unbrake(sink)),
            };
        }
        if let Some(sink) = key.strip_prefix(RELEASE) {
            return Some(Self::Release(sink.parse().ok()?, since()?.at));
        }
        let held = match key.strip_prefix(HOLD_ENDPOINT) {
            Some(name) => Held::Endpoint(name.parse().ok()?),
            None => Held::Sink(key.strip_prefix(HOLD_SINK)?.parse().ok()?),
        };
        if value.is_none() { Some(Self::Unhold(held)) } else { Some(Self::Hold(held, since()?.at)) }
    }
}

/// All settings that hold now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    holds: BTreeMap<Held, Timestamp>,
    brakes: BTreeMap<SinkName, Braked>,
}

impl Settings {
    /// Takes in a change, in the order of the topic.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Hold(held, at) => drop(self.holds.insert(held, at)),
            Change::Unhold(held) => drop(self.holds.remove(&held)),
            Change::Brake(sink, braked) => drop(self.brakes.insert(sink, braked)),
            Change::Unbrake(sink) => drop(self.brakes.remove(&sink)),
            Change::Release(..) => {}
        }
    }

    /// Whether a lead of this endpoint is held back from this sink.
    pub fn holds(&self, sink: &SinkName, endpoint: &EndpointName) -> bool {
        self.holds.keys().any(|held| match held {
            Held::Endpoint(name) => name == endpoint,
            Held::Sink(name) => name == sink,
        })
    }

    /// Everything that is held back, and since when.
    pub fn held(&self) -> impl Iterator<Item = (&Held, Timestamp)> {
        self.holds.iter().map(|(held, at)| (held, *at))
    }

    /// Why the brake of a sink has stopped it, if it has.
    pub fn brake(&self, sink: &SinkName) -> Option<&Braked> {
        self.brakes.get(sink)
    }

    /// Sinks that are stopped by their brake.
    pub fn braked(&self) -> BTreeSet<&SinkName> {
        self.brakes.keys().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> Timestamp {
        "2026-11-23T10:00:00Z".parse().unwrap()
    }

    fn endpoint() -> Held {
        Held::Endpoint("backup".parse().unwrap())
    }

    fn sink() -> SinkName {
        "email".parse().unwrap()
    }

    fn braked() -> Braked {
        Braked { rule: BrakeRule::Run, seen: 20, given_up: 20, code: Code::of("smtp-550"), at: at() }
    }

    fn changes() -> [(Change, &'static str, Option<&'static str>); 7] {
        let since = Some(r#"{"at":"2026-11-23T10:00:00Z"}"#);
        let why = r#"{"rule":"run","seen":20,"given_up":20,"code":"smtp-550","at":"2026-11-23T10:00:00Z"}"#;
        [
            (Change::Hold(endpoint(), at()), "hold/endpoint/backup", since),
            (Change::Hold(Held::Sink(sink()), at()), "hold/sink/email", since),
            (Change::Unhold(endpoint()), "hold/endpoint/backup", None),
            (Change::Unhold(Held::Sink(sink())), "hold/sink/email", None),
            (Change::Brake(sink(), braked()), "brake/email", Some(why)),
            (Change::Unbrake(sink()), "brake/email", None),
            (Change::Release(sink(), at()), "release/email", since),
        ]
    }

    #[test]
    fn every_change_is_written_as_it_stands_here_and_read_back() {
        for (change, key, value) in changes() {
            assert_eq!((change.key().as_str(), change.value().as_deref()), (key, value.map(str::as_bytes)));
            assert_eq!(Change::read(key.as_bytes(), value.map(str::as_bytes)), Some(change));
        }
    }

    #[test]
    fn what_is_not_understood_is_no_change() {
        for (key, value) in [("hold/person/x", Some("{}")), ("brake/email", Some("{}")), ("release/email", None), ("", None)] {
            assert_eq!(Change::read(key.as_bytes(), value.map(str::as_bytes)), None, "{key}");
        }
        assert_eq!(Change::read(&[0xff], None), None);
    }

    #[test]
    fn the_latest_change_of_a_key_counts() {
        let (mut settings, backup) = (Settings::default(), "backup".parse().unwrap());
        settings.apply(Change::Hold(endpoint(), at()));
        assert!(settings.holds(&sink(), &backup));
        assert!(!settings.holds(&sink(), &"other".parse().unwrap()));
        settings.apply(Change::Unhold(endpoint()));
        assert_eq!(settings, Settings::default());
        settings.apply(Change::Hold(Held::Sink(sink()), at()));
        assert!(settings.holds(&sink(), &backup) && !settings.holds(&"crm".parse().unwrap(), &backup));
        settings.apply(Change::Brake(sink(), braked()));
        assert_eq!(settings.brake(&sink()), Some(&braked()));
        settings.apply(Change::Unbrake(sink()));
        assert_eq!(settings.brake(&sink()), None);
    }
}
