//! From a body to an accepted lead and the record of it. Used by ingest, and by the command that resubmits a body that was
//! rejected, so that both make the same of it.
//!
//! How JSON becomes fields is the business of `leadline_proto::parse`; what an error becomes in HTTP that of `problem`.

use jiff::Timestamp;
use leadline_platform::kafka::Record;
use leadline_proto::keys::PersonHasher;
use leadline_proto::parse::{self, ParseError};
use leadline_proto::{AcceptedLead, Code, EndpointName, Personal};
use uuid::Uuid;

use crate::prepared::PreparedEndpoint;
use crate::problem::Kind;
use crate::schema::{Findings, Schema};

/// What is known of a lead before its body is read.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The id it gets.
    pub lead_id: Uuid,
    /// The endpoint it was posted to.
    pub endpoint: &'a EndpointName,
    /// When the whole body was there.
    pub received_at: Timestamp,
}

/// Why a body is not a lead. Repeats nothing of the body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoLead {
    /// It is no JSON object.
    #[error(transparent)]
    Body(#[from] ParseError),
    /// It does not fit the schema of its endpoint, and the operator wants such bodies refused.
    #[error("the body does not fit the endpoint's schema at {}", .0.first_location())]
    Schema(Findings),
}

impl NoLead {
    /// What kind of refusal follows from it.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Body(ParseError::NotUtf8) => Kind::NotUtf8,
            Self::Body(ParseError::NotJson { .. }) => Kind::NotJson,
            Self::Body(ParseError::NotAnObject) => Kind::NotAnObject,
            Self::Body(ParseError::TooDeep) => Kind::TooDeep,
            Self::Schema(_) => Kind::SchemaViolation,
        }
    }

    /// The reason under which the body is kept.
    pub(crate) fn code(&self) -> Code {
        Code::of(self.kind().name())
    }
}

/// Reads a body as its endpoint's bodies are read.
///
/// # Errors
/// [`NoLead`] when it is none.
pub fn lead(
    body: &[u8],
    origin: Origin<'_>,
    prepared: &PreparedEndpoint,
    hasher: &PersonHasher,
) -> Result<(AcceptedLead, Findings), NoLead> {
    let lead = match &prepared.mapping {
        None => parse::lead(body)?,
        Some(mapping) => parse::mapped_lead(body, mapping)?,
    };
    let findings = match &prepared.schema {
        None => Findings::default(),
        Some(schema) => check(schema, body)?,
    };
    // A body that parsed as an object has at least two characters.
    let raw = Personal::verbatim(parse::text(body)?).ok_or(ParseError::NotAnObject)?;
    let lead = AcceptedLead {
        lead_id: origin.lead_id,
        endpoint: origin.endpoint.clone(),
        offer_id: prepared.offer_id.clone(),
        received_at: origin.received_at,
        person: hasher.person(origin.endpoint, &lead),
        lead,
        raw,
    };
    Ok((lead, findings))
}

fn check(schema: &Schema, body: &[u8]) -> Result<Findings, NoLead> {
    let findings = schema.check(&parse::value(body)?);
    if schema.rejects() && !findings.violations.is_empty() {
        return Err(NoLead::Schema(findings));
    }
    Ok(findings)
}

/// The record of a lead on the topic `leads`.
pub fn record(topic: &str, lead: &AcceptedLead) -> Record {
    Record {
        topic: topic.to_owned(),
        partition: None,
        key: Some(lead.person.as_str().as_bytes().to_vec()),
        headers: lead.headers().into_iter().collect(),
        value: Some(lead.encode()),
    }
}

#[cfg(test)]
mod tests {
    use leadline_proto::config::SchemaMode;
    use serde_json::json;

    use super::*;

    fn read(body: &str, prepared: &PreparedEndpoint) -> Result<(AcceptedLead, Findings), NoLead> {
        let endpoint = "shop".parse().unwrap();
        let received_at = "2026-11-22T10:00:00Z".parse().unwrap();
        let origin = Origin { lead_id: Uuid::from_u128(7), endpoint: &endpoint, received_at };
        lead(body.as_bytes(), origin, prepared, &PersonHasher::new(b"a secret of the tests"))
    }

    fn with_schema(mode: SchemaMode) -> PreparedEndpoint {
        let schema = json!({"properties": {"LeadSource": {"type": "string"}}});
        PreparedEndpoint { schema: Some(Schema::compile(&schema, mode).unwrap()), ..PreparedEndpoint::default() }
    }

    #[test]
    fn a_body_becomes_a_lead_with_what_the_endpoint_adds() {
        let prepared = PreparedEndpoint { offer_id: Some("contoso.backup".to_owned()), ..PreparedEndpoint::default() };
        let body = r#" {"UserDetails":{"Email":"ann@contoso.example"}}"#;
        let (lead, findings) = read(body, &prepared).unwrap();
        assert_eq!((lead.lead_id, lead.offer_id.as_deref()), (Uuid::from_u128(7), Some("contoso.backup")));
        assert_eq!((lead.raw.expose(), findings), (body, Findings::default()));
        let record = record("leads", &lead);
        assert_eq!(record.key.as_deref(), Some(lead.person.as_str().as_bytes()));
        assert_eq!(AcceptedLead::decode(&record.headers.into_iter().collect(), &record.value.unwrap()), Ok(lead));
    }

    #[test]
    fn the_same_person_has_the_same_key_by_a_mapping() {
        let mapping = serde_json::from_value(json!({"email": "/contact/mail"})).unwrap();
        let mapped = PreparedEndpoint { mapping: Some(mapping), ..PreparedEndpoint::default() };
        let (one, _) = read(r#"{"contact":{"mail":"Ann@contoso.example"},"x":1}"#, &mapped).unwrap();
        let (other, _) = read(r#"{"UserDetails":{"Email":"ann@contoso.example"}}"#, &PreparedEndpoint::default()).unwrap();
        assert_eq!(one.person, other.person);
        assert_eq!(one.lead.other.keys().collect::<Vec<_>>(), ["x"]);
        assert!(one.raw.expose().contains("\"mail\""), "the body is kept");
    }

    #[test]
    fn a_schema_warns_or_rejects() {
        let (_, findings) = read(r#"{"LeadSource":1,"New":2}"#, &with_schema(SchemaMode::Warn)).unwrap();
        assert_eq!((findings.violations[0].keyword, findings.unknown.as_slice()), ("type", &["New".to_owned()][..]));
        let refused = read(r#"{"LeadSource":1}"#, &with_schema(SchemaMode::Reject)).unwrap_err();
        assert_eq!(refused.kind(), Kind::SchemaViolation);
        assert_eq!(refused.to_string(), "the body does not fit the endpoint's schema at /properties/LeadSource/type");
        let (_, findings) = read(r#"{"LeadSource":"x","New":2}"#, &with_schema(SchemaMode::Reject)).unwrap();
        assert_eq!(findings.unknown, ["New"], "a member that is merely unknown is no violation");
        assert_eq!(read("[]", &with_schema(SchemaMode::Reject)).unwrap_err(), NoLead::Body(ParseError::NotAnObject));
    }
}
