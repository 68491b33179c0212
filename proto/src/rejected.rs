//! The message on the topic of rejected bodies, version 1: what somebody with a valid token sent that is not a lead.
//!
//! The value is the body byte for byte, so there is no schema of it. Everything else is in the headers, and holds no personal
//! data: id, endpoint, time of receipt and a code.

use jiff::Timestamp;
use uuid::Uuid;

use crate::code::Code;
use crate::envelope::{AcceptedLead, source};
use crate::headers::{self, Headers};
use crate::keys;
use crate::names::EndpointName;

/// `ce_type` of the message.
pub const TYPE: &str = "leadline.lead.rejected.v1";
/// Media type of the value: it is whatever was sent.
const BYTES: &str = "application/octet-stream";

/// A body that was refused, and kept for the operator.
#[derive(Clone, PartialEq, Eq)]
pub struct RejectedBody {
    /// Its id, which the sender was told: a UUIDv7.
    pub id: Uuid,
    /// The endpoint it was posted to.
    pub endpoint: EndpointName,
    /// Why it is not a lead: the last part of the problem's type.
    pub reason: Code,
    /// When ingest had read the whole request.
    pub received_at: Timestamp,
    /// The body as it was sent.
    pub body: Vec<u8>,
}

impl RejectedBody {
    /// The headers of the record: CloudEvents 1.0, Kafka binding, binary mode, and the reason. Endpoint and time of receipt are
    /// `ce_source` and `ce_time`, as on accepted leads.
    pub fn headers(&self) -> Headers {
        let mut headers = headers::cloud_event(&self.id.to_string(), TYPE, &source(&self.endpoint), self.received_at, "");
        headers.remove(headers::CE_DATASCHEMA);
        headers.set(headers::CONTENT_TYPE, BYTES);
        headers.with(headers::REASON, self.reason.as_str())
    }

    /// The value of the record.
    pub fn encode(&self) -> Vec<u8> {
        self.body.clone()
    }

    /// Reads a record back; `None` when it is no such message.
    pub fn decode(headers: &Headers, value: &[u8]) -> Option<Self> {
        if headers.text(headers::CE_TYPE) != Some(TYPE) {
            return None;
        }
        Some(Self {
            id: headers.parse(headers::CE_ID)?,
            endpoint: AcceptedLead::claimed_endpoint(headers)?,
            reason: Code::new(headers.text(headers::REASON)?).ok()?,
            received_at: AcceptedLead::claimed_receipt(headers)?,
            body: value.to_vec(),
        })
    }

    /// The id of the lead that it becomes once somebody has repaired it.
    pub fn lead_id(&self) -> Uuid {
        keys::resubmitted_lead_id(self.id)
    }
}

// By hand: a derived `Debug` would print the body.
impl std::fmt::Debug for RejectedBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { id, endpoint, reason, .. } = self;
        f.debug_struct("RejectedBody")
            .field("id", id)
            .field("endpoint", endpoint)
            .field("reason", reason)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected() -> RejectedBody {
        RejectedBody {
            id: "019ab0d2-0000-7000-8000-000000000001".parse().unwrap(),
            endpoint: "contoso-backup".parse().unwrap(),
            reason: Code::of("not-json"),
            received_at: "2026-11-22T10:00:00.25Z".parse().unwrap(),
            body: b"{\"Email\":\"ann@contoso.example\",\xff".to_vec(),
        }
    }

    #[test]
    fn the_record_is_the_body_and_its_headers() {
        let headers = rejected().headers();
        let written: Vec<(&str, &str)> = headers.iter().map(|(name, _)| (name, headers.text(name).unwrap())).collect();
        let expected = [
            ("ce_specversion", "1.0"),
            ("ce_id", "019ab0d2-0000-7000-8000-000000000001"),
            ("ce_type", "leadline.lead.rejected.v1"),
            ("ce_source", "/endpoints/contoso-backup"),
            ("ce_time", "2026-11-22T10:00:00.25Z"),
            ("content-type", "application/octet-stream"),
            ("leadline-reason", "not-json"),
        ];
        assert_eq!(written, expected);
        assert_eq!(rejected().encode(), rejected().body);
        assert_eq!(RejectedBody::decode(&headers, &rejected().encode()), Some(rejected()));
    }

    #[test]
    fn another_record_is_none() {
        let whole = rejected().headers();
        for missing in ["ce_id", "ce_type", "ce_source", "ce_time", "leadline-reason"] {
            let mut rest = whole.clone();
            rest.remove(missing);
            assert_eq!(RejectedBody::decode(&rest, b"x"), None, "{missing}");
        }
        assert_eq!(RejectedBody::decode(&whole.with("ce_type", crate::envelope::TYPE), b"x"), None);
    }

    #[test]
    fn the_body_is_not_printed_and_its_lead_has_one_id() {
        assert!(!format!("{:?}", rejected()).contains("ann"));
        assert_eq!(rejected().lead_id(), rejected().lead_id());
        assert_ne!(rejected().lead_id(), RejectedBody { id: Uuid::nil(), ..rejected() }.lead_id());
    }
}
