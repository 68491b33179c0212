//! What the tests of this crate share: leads, tasks, and sinks built from a configuration.

use std::sync::Arc;
use std::time::Duration;

use leadline_platform::config::{ConfigError, Settings, Sources};
use leadline_platform::metrics::prometheus::Registry;
use leadline_proto::config::{Endpoints, SECTIONS};
use leadline_proto::keys::PersonHasher;
use leadline_proto::retry::History;
use leadline_proto::{AcceptedLead, Personal, parse};
use leadline_runtime::sink::{Claim, Deadlines, Kind, Setup, Sink, Task, Verdict};
use uuid::Uuid;

use crate::Email;
use crate::handler::EmailSink;

/// A body as the marketplace sends it.
pub(crate) const BODY: &str = r#"{"UserDetails":{"FirstName":"Ann","LastName":"Lee","Email":"ann@contoso.example",
    "Phone":"+1 555","Country":"US","Company":"Contoso","Title":"CTO"},
    "LeadSource":"AzureMarketplace","ActionCode":"INS","OfferTitle":"Backup","Description":"Call me."}"#;

/// A lead that was accepted at the endpoint `shop`.
pub(crate) fn accepted(body: &str) -> AcceptedLead {
    let lead = parse::lead(body.as_bytes()).unwrap();
    let endpoint = "shop".parse().unwrap();
    AcceptedLead {
        lead_id: Uuid::from_u128(7),
        offer_id: Some("contoso.backup".to_owned()),
        received_at: "2026-11-22T10:00:00.5Z".parse().unwrap(),
        person: PersonHasher::new(b"secret").person(&endpoint, &lead),
        endpoint,
        lead,
        raw: Personal::verbatim(body).unwrap(),
    }
}

/// A lead to be handled for the first time.
pub(crate) fn task(body: &str) -> Task {
    Task { lead: Arc::new(accepted(body)), history: History::default(), claim: Claim::default() }
}

/// A sink from the TOML of its section, for an endpoint `shop` with these contacts.
pub(crate) fn sink(section: &str, contacts: &str) -> Result<EmailSink, ConfigError> {
    sink_with(&Registry::new(), section, contacts)
}

/// The same, with its metrics in sight.
pub(crate) fn sink_with(registry: &Registry, section: &str, contacts: &str) -> Result<EmailSink, ConfigError> {
    let preset = format!("[endpoints.shop]\ncontacts = '{contacts}'\n[sinks.email]\nkind = 'email'\n{section}");
    let settings = Settings::load(&Sources { sections: SECTIONS, preset: Some(preset), ..Sources::default() })?;
    let endpoints: Endpoints = settings.section("endpoints")?;
    let name = "email".parse().unwrap();
    let deadlines = Deadlines { call: Duration::from_secs(30), confirm: Duration::from_secs(60) };
    Email::build(&Setup { settings: &settings, name: &name, endpoints: &endpoints, registry, deadlines })
}

/// Handles one lead.
pub(crate) async fn handle(sink: &EmailSink, task: &Task) -> Verdict {
    sink.handle(std::slice::from_ref(task)).await.pop().unwrap()
}
