//! The receipt: what the sender of an accepted lead is told. Its members are part of the public interface.

use jiff::Timestamp;
use leadline_proto::EndpointName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::durable::Durability;

/// The body of the answer 202.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Receipt {
    /// The lead's id: a UUIDv7, or with an Idempotency-Key a UUIDv5 that is the same at each post.
    pub lead_id: Uuid,
    /// The endpoint that it was posted to.
    pub endpoint: EndpointName,
    /// When its body was there.
    pub received_at: Timestamp,
    /// Where it is safe.
    pub durable: Durability,
    /// Whether it is the marketplace's own test lead.
    pub test: bool,
}

impl Receipt {
    /// The media type of a receipt.
    pub const MEDIA_TYPE: &str = "application/json";
}
