//! The message on the topic `leads.outcomes`, version 1: how a lead ended at one sink.
//!
//! Every accepted lead gets one per sink and replay; the latest by replay counts. Outcomes carry ids and codes only, so
//! they can be kept, searched and shown without personal data.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::code::{Code, Reference};
use crate::encode::json;
use crate::headers::{self, Headers};
use crate::names::{EndpointName, SinkName};

/// `ce_type` of the message.
pub const TYPE: &str = "leadline.lead.outcome.v1";
/// `ce_dataschema` of the message.
pub const SCHEMA: &str = "urn:leadline:schema:lead.outcome.v1";

/// About what a record takes.
const LENGTH: usize = 512;

/// How a lead ended at a sink.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    /// The lead.
    pub lead_id: Uuid,
    /// The sink.
    pub sink: SinkName,
    /// How often an operator had replayed the lead to this sink; 0 for the first run.
    #[serde(default)]
    pub replay: u32,
    /// What happened.
    #[serde(flatten)]
    pub status: Status,
    /// Tries that were made, this one included; 0 when none was needed.
    pub attempts: u32,
    /// The endpoint the lead was posted to; absent when the lead could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<EndpointName>,
    /// When the lead was received; absent when the lead could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_at: Option<Timestamp>,
    /// When it ended here.
    pub at: Timestamp,
    /// The lead went through the retry topic and so left the order of its person's leads.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reordered: bool,
    /// Why an operator has ended it by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Code>,
}

/// What happened to a lead at a sink. All are terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Status {
    /// The sink has it.
    Delivered {
        /// Where it can be found there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<Reference>,
        /// The sink may have it twice: an earlier try got no answer.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        maybe_duplicate: bool,
    },
    /// It was not meant for the sink.
    Skipped {
        /// The rule that says so.
        rule: Code,
    },
    /// It is in the dead letters of the sink.
    DeadLettered {
        /// Why.
        code: Code,
    },
}

impl Status {
    /// The status as a word, for metric labels and people.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Delivered { .. } => "delivered",
            Self::Skipped { .. } => "skipped",
            Self::DeadLettered { .. } => "dead_lettered",
        }
    }
}

impl Outcome {
    /// The value of the record.
    pub fn encode(&self) -> Vec<u8> {
        #[allow(clippy::expect_used)]
        // invariant: strings, numbers, a UUID and timestamps always serialise.
        json(self, LENGTH).expect("an outcome always serialises")
    }

    /// The headers of the record.
    pub fn headers(&self) -> Headers {
        let id = format!("{}.{}.{}", self.lead_id, self.sink, self.replay);
        headers::cloud_event(&id, TYPE, &format!("/sinks/{}", self.sink), self.at, SCHEMA)
    }

    /// Reads a record back; `None` when it is no outcome of this version.
    pub fn decode(headers: &Headers, value: &[u8]) -> Option<Self> {
        (headers.text(headers::CE_TYPE) == Some(TYPE)).then(|| serde_json::from_slice(value).ok())?
    }
}
