//! A JSON object as the list of its members, in order and with duplicates, each value still as its text.
//!
//! A map type would silently keep only the last of two members with one name. Which of them counts is decided in `fields`.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::ParseError;

/// The members of one object.
#[derive(Debug, Default)]
pub(super) struct Members<'t>(pub(super) Vec<(String, &'t RawValue)>);

impl<'t> Members<'t> {
    /// Parses a text that must be one JSON object.
    pub(super) fn parse(text: &'t str) -> Result<Self, ParseError> {
        // The position is that of the second error: the first may only say that the text does not start as an object.
        serde_json::from_str(text).map_err(|_| match serde_json::from_str::<&RawValue>(text) {
            Ok(_) => ParseError::NotAnObject,
            Err(error) => ParseError::NotJson { line: error.line(), column: error.column() },
        })
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(List)
    }
}
