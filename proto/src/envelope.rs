//! The message on the topic `leads`, version 1: an accepted lead with its receipt.
//!
//! A version only grows by optional members; whoever reads ignores members it does not know. A change that breaks this gets
//! a new `ce_type`. `proto/golden/` holds version 1 as it was first written; it must decode for ever.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::encode::json;
use crate::headers::{self, Headers};
use crate::idempotency;
use crate::keys::{PersonKey, crm_key};
use crate::lead::{Lead, LeadKind};
use crate::names::EndpointName;
use crate::personal::Personal;

/// `ce_type` of the message.
pub const TYPE: &str = "leadline.lead.accepted.v1";
/// `ce_dataschema` of the message; the schema itself is `docs/reference/lead.accepted.v1.schema.json`.
pub const SCHEMA: &str = "urn:leadline:schema:lead.accepted.v1";
/// What `ce_source` begins with; the endpoint follows.
const SOURCE: &str = "/endpoints/";

/// About what a record takes beside the body, which it holds twice: as it was understood, and as it was sent.
const FRAME: usize = 768;

/// A lead that was accepted: whoever sent it was told so, and it will be delivered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AcceptedLead {
    /// Id of the lead, also `ce_id`: a UUIDv7, or a UUIDv5 when the request carried an `Idempotency-Key`.
    pub lead_id: Uuid,
    /// The endpoint it was posted to.
    pub endpoint: EndpointName,
    /// The offer that the endpoint stands for, when the configuration says so. The payload itself has no offer id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer_id: Option<String>,
    /// When ingest had read the whole request.
    pub received_at: Timestamp,
    /// Whose lead it is; also the Kafka key.
    pub person: PersonKey,
    /// The lead as it was understood.
    pub lead: Lead,
    /// The body as it was sent, without a byte order mark.
    pub raw: Personal,
}

/// Why a record on the topic is not an accepted lead. Repeats nothing of the record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The record has no `ce_type`, or one this version does not know.
    #[error("the record is no {TYPE}: its ce_type is missing or another")]
    UnknownType,
    /// The value is no JSON of this shape.
    #[error("the value is no {TYPE}: {class} at line {line}, column {column}")]
    Malformed {
        /// `syntax`, `data` or `eof`.
        class: &'static str,
        /// Line of the first wrong byte, from 1.
        line: usize,
        /// Column of the first wrong byte, from 1.
        column: usize,
    },
}

impl AcceptedLead {
    /// The value of the record.
    pub fn encode(&self) -> Vec<u8> {
        #[allow(clippy::expect_used)]
        // invariant: strings, a UUID, a timestamp and JSON values with string keys always serialise.
        json(self, 2 * self.raw.expose().len() + FRAME).expect("an accepted lead always serialises")
    }

    /// The headers of the record: CloudEvents 1.0, Kafka binding, binary mode; and that it may stand there twice, when its sender
    /// may post it again.
    pub fn headers(&self) -> Headers {
        let id = self.lead_id.to_string();
        let mut headers = headers::cloud_event(&id, TYPE, &source(&self.endpoint), self.received_at, SCHEMA);
        if idempotency::is_named(self.lead_id) {
            headers.set(headers::REDELIVERY, "1");
        }
        headers
    }

    /// Reads a record back.
    ///
    /// # Errors
    /// [`DecodeError`] when it is no such message.
    pub fn decode(headers: &Headers, value: &[u8]) -> Result<Self, DecodeError> {
        if headers.text(headers::CE_TYPE) != Some(TYPE) {
            return Err(DecodeError::UnknownType);
        }
        serde_json::from_slice(value).map_err(|error| malformed(&error))
    }

    /// The lead id a record claims, even when its value cannot be read.
    pub fn claimed_id(headers: &Headers) -> Option<Uuid> {
        headers.parse(headers::CE_ID)
    }

    /// The endpoint a record claims, even when its value cannot be read.
    pub fn claimed_endpoint(headers: &Headers) -> Option<EndpointName> {
        headers.text(headers::CE_SOURCE)?.strip_prefix(SOURCE)?.parse().ok()
    }

    /// The time of receipt a record claims, even when its value cannot be read.
    pub fn claimed_receipt(headers: &Headers) -> Option<Timestamp> {
        headers.parse(headers::CE_TIME)
    }

    /// What kind of lead it is.
    pub fn kind(&self) -> LeadKind {
        self.lead.kind
    }

    /// What tells one offer from another: the endpoint's offer id, else the title in the lead.
    pub fn offer(&self) -> Option<&str> {
        self.offer_id.as_deref().or_else(|| self.lead.offer.as_ref().map(Personal::expose))
    }

    /// The default key of its CRM record: one per person and offer.
    pub fn crm_key(&self) -> String {
        crm_key(&[self.person.as_str(), self.offer().unwrap_or_default()])
    }
}

/// `ce_source` of what came in at an endpoint.
pub(crate) fn source(endpoint: &EndpointName) -> String {
    format!("{SOURCE}{endpoint}")
}

fn malformed(error: &serde_json::Error) -> DecodeError {
    let class = match error.classify() {
        serde_json::error::Category::Eof => "eof",
        serde_json::error::Category::Syntax => "syntax",
        serde_json::error::Category::Data | serde_json::error::Category::Io => "data",
    };
    DecodeError::Malformed { class, line: error.line(), column: error.column() }
}
