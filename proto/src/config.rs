//! The parts of the configuration that ingest and the workers share: `[topics]` and `[endpoints]`.
//!
//! Sections of one process belong in that process' own `config.rs`; how the layers are read in `platform`.

mod tokens;

pub use tokens::{Token, TokenHash, Tokens};

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;

use serde::Deserialize;

use crate::lead::is_address;
use crate::mapping::Mapping;
use crate::names::{EndpointName, SinkName};
use crate::topics::Topic;

/// The commented defaults of these sections.
pub const DEFAULTS: &str = include_str!("defaults.toml");

/// Every section that the configuration file may have. A process reads some of them, and refuses any other name.
pub const SECTIONS: &[&str] = &["kafka", "topics", "admin", "log", "lifecycle", "ingest", "worker", "endpoints", "sinks"];

/// `[topics]`: physical names and the common partition count.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topics {
    /// Accepted leads.
    pub leads: String,
    /// Retry topic of a sink; `{sink}` stands for its name.
    pub retry: String,
    /// Dead letters of a sink; `{sink}` stands for its name.
    pub dead_letters: String,
    /// Outcomes.
    pub outcomes: String,
    /// Rejected bodies.
    pub rejected: String,
    /// Operators' settings.
    pub control: String,
    /// Partitions of every topic but `control`.
    pub partitions: i32,
    /// Replicas of every topic.
    pub replication: i32,
    /// Replicas that must have a record before it is acknowledged.
    pub min_insync_replicas: i32,
}

impl Topics {
    /// The physical name of a topic.
    pub fn name(&self, topic: &Topic) -> String {
        match topic {
            Topic::Leads => self.leads.clone(),
            Topic::Retry(sink) => self.retry.replace("{sink}", sink.as_str()),
            Topic::DeadLetters(sink) => self.dead_letters.replace("{sink}", sink.as_str()),
            Topic::Outcomes => self.outcomes.clone(),
            Topic::Rejected => self.rejected.clone(),
            Topic::Control => self.control.clone(),
        }
    }
}

/// `[endpoints]`: each endpoint by its name.
pub type Endpoints = BTreeMap<EndpointName, Endpoint>;

/// `[endpoints.NAME]`: one URL that is entered in Partner Center, usually one per offer.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Endpoint {
    /// Who may post there: hashes of the tokens that are accepted, and until when.
    pub tokens: Tokens,
    /// The offer that leads of this endpoint are for, such as `contoso.backup`.
    pub offer_id: Option<String>,
    /// Who is told about a lead, as in Partner Center: addresses separated by `;`.
    pub contacts: Contacts,
    /// Sinks that get its leads; without it all of them.
    pub sinks: Option<Vec<SinkName>>,
    /// A file with the JSON Schema of its bodies, from the folder of the configuration file.
    pub schema: Option<String>,
    /// What becomes of a body that does not fit the schema.
    pub schema_mode: SchemaMode,
    /// Where the fields stand in bodies of another sender; without it bodies are read as Microsoft's.
    pub mapping: Option<Mapping>,
    /// Leads a second that are accepted; without it there is no limit of its own.
    pub leads_per_second: Option<NonZeroU32>,
}

/// What becomes of a body that does not fit the schema of its endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SchemaMode {
    /// It is accepted, counted and logged.
    #[default]
    Warn,
    /// It is refused and kept in the rejected bodies.
    Reject,
}

impl Endpoint {
    /// Whether leads of this endpoint are for the sink.
    pub fn routes_to(&self, sink: &SinkName) -> bool {
        self.sinks.as_ref().is_none_or(|sinks| sinks.contains(sink))
    }
}

/// An endpoint that names a sink which does not exist: its leads would silently reach nobody there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no sink `{sink}`; there are: {known}")]
pub struct UnknownSink {
    /// The endpoint.
    pub endpoint: EndpointName,
    /// The sink it names.
    pub sink: SinkName,
    /// The sinks of the configuration, separated by commas.
    pub known: String,
}

/// Checks that the sinks which endpoints name are among those of the configuration.
///
/// # Errors
/// [`UnknownSink`] for the first that is not.
pub fn check_routes(endpoints: &Endpoints, sinks: &[String]) -> Result<(), UnknownSink> {
    let unknown = |sink: &&SinkName| !sinks.iter().any(|known| known == sink.as_str());
    for (endpoint, settings) in endpoints {
        if let Some(sink) = settings.sinks.iter().flatten().find(unknown) {
            return Err(UnknownSink { endpoint: endpoint.clone(), sink: sink.clone(), known: sinks.join(", ") });
        }
    }
    Ok(())
}

/// Addresses of the people who are told about leads, without duplicates.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Contacts(Vec<String>);

impl Contacts {
    /// The addresses in order.
    pub fn addresses(&self) -> &[String] {
        &self.0
    }
}

impl TryFrom<String> for Contacts {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let mut addresses: Vec<String> = Vec::new();
        let parts = text.split([';', ',']).map(str::trim).filter(|part| !part.is_empty());
        for (address, number) in parts.zip(1..) {
            if !is_address(address) {
                return Err(format!("address {number} is no e-mail address; separate addresses by `;`"));
            }
            if !addresses.iter().any(|known| known.eq_ignore_ascii_case(address)) {
                addresses.push(address.to_owned());
            }
        }
        Ok(Self(addresses))
    }
}

impl fmt::Debug for Contacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} contacts>", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contacts_are_split_as_in_partner_center() {
        let contacts = |text: &str| Contacts::try_from(text.to_owned());
        assert_eq!(contacts("a@x.com; b@y.com;A@X.com;").unwrap().addresses(), ["a@x.com", "b@y.com"]);
        assert!(contacts("a@x.com b@y.com").unwrap_err().contains("separate addresses by `;`"));
        assert!(contacts("").unwrap().addresses().is_empty());
    }

    #[test]
    fn a_route_to_a_sink_that_does_not_exist_is_refused() {
        let endpoint = Endpoint { sinks: Some(vec!["emial".parse().unwrap()]), ..Endpoint::default() };
        let endpoints = Endpoints::from([("shop".parse().unwrap(), endpoint)]);
        let known = ["crm", "email"].map(str::to_owned);
        let error = check_routes(&endpoints, &known).unwrap_err();
        assert_eq!(error.to_string(), "there is no sink `emial`; there are: crm, email");
        assert_eq!(check_routes(&endpoints, &["emial".to_owned()]), Ok(()));
    }

    #[test]
    fn an_endpoint_without_sinks_feeds_all() {
        let sink = "email".parse().unwrap();
        assert!(Endpoint::default().routes_to(&sink));
        assert!(!Endpoint { sinks: Some(vec![]), ..Endpoint::default() }.routes_to(&sink));
    }
}
