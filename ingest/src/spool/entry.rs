//! One record in the spool, as bytes that can be found and checked without the store around them.
//!
//! The frame is `LEADSPL1`, the length and the CRC-32 of what follows (both 32 bits, little endian), and a JSON text. With it an
//! entry can be told from rubbish even in a file that the store no longer opens.

use std::borrow::Cow;

use jiff::Timestamp;
use leadline_platform::kafka::Record;
use leadline_proto::headers::REDELIVERY;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// How every entry begins.
pub(super) const MAGIC: &[u8; 8] = b"LEADSPL1";
/// Magic, length, checksum.
const HEAD: usize = 16;

/// A record of the topic `leads` that Kafka has not acknowledged yet.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// When it came into the spool.
    pub(crate) spooled_at: Timestamp,
    /// The record's key: the person.
    pub(crate) key: String,
    headers: Vec<(String, String)>,
    value: Box<RawValue>,
}

/// Why bytes are no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Damaged {
    /// They do not begin with the frame, or end within it.
    #[error("the frame is broken")]
    Frame,
    /// The checksum is that of other bytes.
    #[error("the checksum does not match")]
    Checksum,
    /// They are whole, but written by something else.
    #[error("it is no entry of this version")]
    Content,
}

impl Entry {
    /// The entry of a record. `None` for one that no lead makes: without a key, or with a value that is no JSON text.
    pub(crate) fn of(record: &Record, spooled_at: Timestamp) -> Option<Self> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
        let headers = record.headers.iter().map(|(name, value)| Some((name.clone().into_owned(), text(value)?)));
        Some(Self {
            spooled_at,
            key: text(record.key.as_deref()?)?,
            headers: headers.collect::<Option<_>>()?,
            value: RawValue::from_string(text(record.value.as_deref()?)?).ok()?,
        })
    }

    /// The record, marked as one that may stand in the topic already.
    pub(crate) fn record(self, topic: &str) -> Record {
        let mut headers: Vec<(Cow<str>, _)> =
            self.headers.into_iter().map(|(name, value)| (name.into(), value.into_bytes())).collect();
        headers.retain(|(name, _)| name != REDELIVERY);
        headers.push((REDELIVERY.into(), b"1".to_vec()));
        Record {
            topic: topic.to_owned(),
            partition: None,
            key: Some(self.key.into_bytes()),
            headers,
            value: Some(String::from(Box::<str>::from(self.value)).into_bytes()),
        }
    }

    /// The entry as bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.resize(HEAD, 0);
        #[allow(clippy::expect_used)]
        // invariant: texts, a time and a JSON value that was parsed always serialise, and a vector takes every byte.
        serde_json::to_writer(&mut bytes, self).expect("an entry always serialises");
        let length = u32::try_from(bytes.len() - HEAD).unwrap_or(u32::MAX);
        let checksum = crc32fast::hash(&bytes[HEAD..]);
        bytes[8..12].copy_from_slice(&length.to_le_bytes());
        bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads an entry at the start of `bytes`; what comes after it is not looked at.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        serde_json::from_slice(content(bytes)?).map_err(|_| Damaged::Content)
    }
}

/// What the frame at the start of `bytes` holds.
fn content(bytes: &[u8]) -> Result<&[u8], Damaged> {
    let number = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    if !bytes.starts_with(MAGIC) {
        return Err(Damaged::Frame);
    }
    let length = number(8).and_then(|length| usize::try_from(length).ok()).ok_or(Damaged::Frame)?;
    let checksum = number(12).ok_or(Damaged::Frame)?;
    let content = length.checked_add(HEAD).and_then(|end| bytes.get(HEAD..end)).ok_or(Damaged::Frame)?;
    if crc32fast::hash(content) == checksum { Ok(content) } else { Err(Damaged::Checksum) }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn record(key: &str, text: &str) -> Record {
        Record {
            topic: "leads".to_owned(),
            partition: None,
            key: Some(key.into()),
            headers: vec![("ce_id".into(), text.as_bytes().to_vec())],
            value: Some(serde_json::to_vec(&serde_json::json!({ "text": text })).unwrap()),
        }
    }

    pub(crate) fn entry(key: &str, text: &str) -> Entry {
        Entry::of(&record(key, text), Timestamp::UNIX_EPOCH).unwrap()
    }

    #[test]
    fn a_record_comes_back_byte_for_byte_and_marked() {
        let before = record("ada", "a \"quoted\" text\u{1f600}");
        let after = Entry::decode(&Entry::of(&before, Timestamp::UNIX_EPOCH).unwrap().encode()).unwrap().record("leads");
        assert_eq!((&after.key, &after.value), (&before.key, &before.value));
        let marked = ("leadline-redelivery".into(), b"1".to_vec());
        assert_eq!(after.headers, [before.headers.clone(), vec![marked]].concat());
    }

    #[test]
    fn what_no_lead_makes_is_no_entry() {
        let no_json = Record { value: Some(b"{".to_vec()), ..record("ada", "x") };
        let no_key = Record { key: None, ..record("ada", "x") };
        assert!(Entry::of(&no_json, Timestamp::UNIX_EPOCH).is_none() && Entry::of(&no_key, Timestamp::UNIX_EPOCH).is_none());
    }

    proptest! {
        #[test]
        fn a_changed_or_cut_entry_is_never_read(at in 0usize..2000, flip in 1u8.., cut in 0usize..2000) {
            let whole = entry("ada", "the text").encode();
            let mut changed = whole.clone();
            let at = at % changed.len();
            changed[at] ^= flip;
            prop_assert!(Entry::decode(&changed).is_err());
            prop_assert!(Entry::decode(&whole[..cut % whole.len()]).is_err());
        }

        #[test]
        fn rubbish_is_no_entry_and_no_panic(rubbish: Vec<u8>) {
            prop_assert!(Entry::decode(&rubbish).is_err());
            prop_assert!(Entry::decode(&[MAGIC.as_slice(), &rubbish].concat()).is_err());
        }
    }
}
