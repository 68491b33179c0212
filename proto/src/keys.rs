//! Keys derived from a lead: who it is about, which record it belongs to, whether it was seen before.
//!
//! All are hashes, so that a Kafka key, a file name or a log line names a person without telling who it is.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::encode::json;
use crate::lead::Lead;
use crate::names::EndpointName;

/// Hex digits of a key: 128 bits, as many as a UUID has.
const DIGITS: usize = 32;

/// About what a lead takes as JSON.
const LENGTH: usize = 1024;

/// Namespace of ids made from an idempotency key.
const LEAD_ID_NAMESPACE: Uuid = Uuid::from_u128(0x6f1d_2a55_8c1b_4f0e_9d0c_51a7_3be0_44d1);

/// Namespace of ids of leads that are made from a rejected body.
const RESUBMITTED_NAMESPACE: Uuid = Uuid::from_u128(0x0b2e_91c4_67d3_4a58_b1f6_2c9e_d507_8a13);

/// The Kafka key of a lead: one person, one key, one lane. 32 hex digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = r"^[0-9a-f]{32}$"))]
pub struct PersonKey(String);

impl PersonKey {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text is not a [`PersonKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a person key: it has {DIGITS} lower-case hex digits")]
pub struct BadPersonKey;

impl TryFrom<String> for PersonKey {
    type Error = BadPersonKey;
    fn try_from(text: String) -> Result<Self, BadPersonKey> {
        let hex = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if hex && text.len() == DIGITS { Ok(Self(text)) } else { Err(BadPersonKey) }
    }
}

impl From<PersonKey> for String {
    fn from(key: PersonKey) -> String {
        key.0
    }
}

impl fmt::Display for PersonKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Makes person keys. Its secret must never change: with another one the same person gets another key, and with it another
/// place in the order and another CRM record.
#[derive(Clone)]
pub struct PersonHasher(Hmac<Sha256>);

impl PersonHasher {
    /// From the secret of the configuration, of any length.
    pub fn new(secret: &[u8]) -> Self {
        #[allow(clippy::expect_used)]
        // invariant: HMAC takes a key of any length (RFC 2104 section 2), so this cannot fail.
        Self(Hmac::new_from_slice(secret).expect("HMAC takes any key length"))
    }

    /// HMAC-SHA-256 of the lower-cased address; without a valid address of the endpoint and the canonical lead, so that
    /// two leads without an address are two persons unless they are equal.
    pub fn person(&self, endpoint: &EndpointName, lead: &Lead) -> PersonKey {
        let mut mac = self.0.clone();
        match lead.contact.address() {
            Some(address) => mac.update(address.to_lowercase().as_bytes()),
            None => {
                mac.update(endpoint.as_str().as_bytes());
                mac.update(&[0]);
                mac.update(&canonical(lead));
            }
        }
        PersonKey(short_hex(&mac.finalize().into_bytes()))
    }
}

impl fmt::Debug for PersonHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonHasher(<secret>)")
    }
}

/// The lead as bytes that do not depend on white space, member order or casing of names.
fn canonical(lead: &Lead) -> Vec<u8> {
    #[allow(clippy::expect_used)]
    // invariant: a lead holds strings, booleans and JSON values with string keys only, which always serialise.
    json(lead, LENGTH).expect("a lead always serialises")
}

/// Tells equal leads of one person: a hash of the person and of all fields, known and unknown. Prints as 32 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContentHash(u128);

impl ContentHash {
    /// The hash of a lead.
    pub fn of(person: &PersonKey, lead: &Lead) -> Self {
        let hash = Sha256::new().chain_update(person.as_str()).chain_update(canonical(lead)).finalize();
        let mut first = [0; 16];
        first.copy_from_slice(&hash[..16]);
        Self(u128::from_be_bytes(first))
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl std::str::FromStr for ContentHash {
    type Err = std::num::ParseIntError;
    fn from_str(digits: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(digits, 16).map(Self)
    }
}

/// The key of a CRM record: a hash of the parts that the mapping names. 32 hex digits, which every vendor accepts in a URL
/// (an address would not be: Dataverse refuses `+`, Salesforce a file ending).
pub fn crm_key(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    short_hex(&hash.finalize())
}

/// Names a recipient without telling the address: 8 hex digits of the lower-cased address.
pub fn recipient_hash(address: &str) -> String {
    let mut digits = short_hex(&Sha256::digest(address.to_lowercase().as_bytes()));
    digits.truncate(8);
    digits
}

/// The lead id of a request that carries an `Idempotency-Key`: the same for the same endpoint and key (UUIDv5).
pub fn idempotent_lead_id(endpoint: &EndpointName, key: &str) -> Uuid {
    Uuid::new_v5(&LEAD_ID_NAMESPACE, format!("{endpoint}\0{key}").as_bytes())
}

/// The lead id of a rejected body once it is resubmitted: the same each time (UUIDv5).
pub fn resubmitted_lead_id(rejected: Uuid) -> Uuid {
    Uuid::new_v5(&RESUBMITTED_NAMESPACE, rejected.as_bytes())
}

fn short_hex(hash: &[u8]) -> String {
    let mut digits = hex::encode(hash);
    digits.truncate(DIGITS);
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    fn person(endpoint: &str, body: &str) -> PersonKey {
        let lead = parse::lead(body.as_bytes()).unwrap();
        PersonHasher::new(b"secret").person(&endpoint.parse().unwrap(), &lead)
    }

    #[test]
    fn one_address_is_one_person_on_every_endpoint() {
        let key = person("a", r#"{"UserDetails":{"Email":"Ann@Contoso.com"}}"#);
        assert_eq!(key, person("b", r#"{"userDetails":{"email":" ann@contoso.com "},"ActionCode":"PLT"}"#));
        assert_eq!(key.as_str(), "42bf6ba1d07f7fc0e0738ea011172790");
    }

    #[test]
    fn without_an_address_only_equal_leads_are_one_person() {
        let key = person("a", r#"{"UserDetails":{"Email":"n/a","Phone":"1"}}"#);
        assert_eq!(key, person("a", r#"{ "userdetails" : {"phone":1, "EMAIL":"n/a"}}"#));
        assert_ne!(key, person("b", r#"{"UserDetails":{"Email":"n/a","Phone":"1"}}"#));
        assert_ne!(key, person("a", r#"{"UserDetails":{"Email":"n/a","Phone":"2"}}"#));
    }

    #[test]
    fn a_crm_key_keeps_its_parts_apart() {
        assert_ne!(crm_key(&["ab", "c"]), crm_key(&["a", "bc"]));
        assert_eq!(crm_key(&["abc"]).len(), DIGITS);
    }

    #[test]
    fn ids_from_idempotency_keys_are_stable() {
        let id = idempotent_lead_id(&"a".parse().unwrap(), "k1");
        assert_eq!(id, idempotent_lead_id(&"a".parse().unwrap(), "k1"));
        assert_ne!(id, idempotent_lead_id(&"b".parse().unwrap(), "k1"));
    }
}
