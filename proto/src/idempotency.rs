//! Leads that their sender names: with the header `Idempotency-Key` a lead may be posted again, and is one lead.
//!
//! Its lead id is made of the key (UUIDv5), so both posts have the same. Nothing is remembered for it at the receipt: workers
//! know what was handled, and for such a lead they look further back than its receipt, which may be the second.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use uuid::Uuid;

use crate::keys::idempotent_lead_id;
use crate::names::EndpointName;

/// How long a key surely names one lead. A sender tries again within minutes, or an hour; a day leaves room for one that was
/// down. Each hour more is read by the worker for each such lead that it does not remember.
pub const WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// Longest key.
const LONGEST: usize = 255;
/// The version of the ids that are made of keys.
const VERSION: usize = 5;

/// The value of the header. Does not print: it is the sender's and may tell about a person.
#[derive(Clone, PartialEq, Eq, JsonSchema)]
#[schemars(description = "1 to 255 visible ASCII characters.", extend("pattern" = "^[!-~]*$", "minLength" = 1, "maxLength" = LONGEST))]
pub struct IdempotencyKey(String);

/// The value is no [`IdempotencyKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key is 1 to {LONGEST} visible ASCII characters")]
pub struct BadKey;

impl IdempotencyKey {
    /// The id of the lead that it names at an endpoint.
    pub fn lead_id(&self, endpoint: &EndpointName) -> Uuid {
        idempotent_lead_id(endpoint, &self.0)
    }
}

impl TryFrom<&[u8]> for IdempotencyKey {
    type Error = BadKey;
    fn try_from(value: &[u8]) -> Result<Self, BadKey> {
        let visible = (1..=LONGEST).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic);
        std::str::from_utf8(value).ok().filter(|_| visible).map(|key| Self(key.to_owned())).ok_or(BadKey)
    }
}

impl std::fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<idempotency key>")
    }
}

/// Whether a lead was named by its sender, so that its record may stand several times in the topic.
pub fn is_named(lead_id: Uuid) -> bool {
    lead_id.get_version_num() == VERSION
}

/// Since when something may stand for a lead: its receipt, or as long before as a key is good.
pub fn known_since(lead_id: Uuid, received_at: Timestamp) -> Timestamp {
    let earliest = is_named(lead_id).then(|| received_at.checked_sub(WINDOW).unwrap_or(Timestamp::MIN));
    earliest.unwrap_or(received_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_visible_ascii_of_some_length() {
        for good in ["a", "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"", "!~", &"x".repeat(255)] {
            assert!(IdempotencyKey::try_from(good.as_bytes()).is_ok(), "{good}");
        }
        for bad in ["", " ", "a b", "a\t", "a\u{7f}", "ä", &"x".repeat(256)] {
            assert_eq!(IdempotencyKey::try_from(bad.as_bytes()), Err(BadKey), "{bad:?}");
        }
        assert_eq!(IdempotencyKey::try_from(&b"\xff"[..]), Err(BadKey));
    }

    #[test]
    fn the_schema_allows_what_is_a_key() {
        let schema = jsonschema::validator_for(schemars::schema_for!(IdempotencyKey).as_value()).unwrap();
        for text in ["a", "!~", "", " ", "a b", "a\t", "a\u{7f}", "ä", &"x".repeat(255), &"x".repeat(256)] {
            let allowed = schema.is_valid(&serde_json::Value::from(text));
            assert_eq!(allowed, IdempotencyKey::try_from(text.as_bytes()).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn a_key_names_one_lead_of_one_endpoint() {
        let id =
            |endpoint: &str, key: &str| IdempotencyKey::try_from(key.as_bytes()).unwrap().lead_id(&endpoint.parse().unwrap());
        assert_eq!(id("a", "k"), id("a", "k"));
        assert_ne!(id("a", "k"), id("b", "k"));
        assert_ne!(id("a", "k"), id("a", "K"));
        assert!(is_named(id("a", "k")) && !is_named(Uuid::now_v7()));
    }

    #[test]
    fn a_named_lead_may_have_been_handled_a_day_before_its_receipt() {
        let receipt: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let named = idempotent_lead_id(&"a".parse().unwrap(), "k");
        assert_eq!(known_since(named, receipt).to_string(), "2026-11-21T10:00:00Z");
        assert_eq!(known_since(Uuid::now_v7(), receipt), receipt);
    }

    #[test]
    fn a_key_does_not_print() {
        let key = IdempotencyKey::try_from(&b"ann@contoso.example"[..]).unwrap();
        assert!(!format!("{key:?}").contains("ann"));
    }
}
