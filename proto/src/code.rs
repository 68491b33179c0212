//! Short machine-readable words that are safe to print everywhere: in logs, metrics, headers and outcomes.
//!
//! The character sets leave no room for an address, a name or a token, so a value of these types cannot leak one. Free text
//! from a server or a lead never becomes a [`Code`]; map it to one.

use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why something happened: the rule that skipped a lead, the class of a failure. `[a-z0-9._-]`, 1 to 64 characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = r"^[a-z0-9._-]{1,64}$"))]
pub struct Code(Cow<'static, str>);

impl Code {
    /// A code written in the source. Compilation fails when it is malformed and the call is in a `const`.
    pub const fn of(text: &'static str) -> Self {
        assert!(valid(text.as_bytes(), 64, false), "a code is 1 to 64 of a-z 0-9 . _ -");
        Self(Cow::Borrowed(text))
    }

    /// A code made at run time, for example from a reply code.
    ///
    /// # Errors
    /// [`BadCode`] when a character or the length is not allowed.
    pub fn new(text: impl Into<String>) -> Result<Self, BadCode> {
        let text = text.into();
        if valid(text.as_bytes(), 64, false) { Ok(Self(Cow::Owned(text))) } else { Err(BadCode) }
    }

    /// The code as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where the result of a delivery can be found: a record key, a file name, a message id without its domain.
/// `[A-Za-z0-9._:/-]`, 1 to 200 characters; there is no `@`, so it cannot hold an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = r"^[A-Za-z0-9._:/-]{1,200}$"))]
pub struct Reference(String);

impl Reference {
    /// Checks and wraps a reference.
    ///
    /// # Errors
    /// [`BadCode`] when a character or the length is not allowed.
    pub fn new(text: impl Into<String>) -> Result<Self, BadCode> {
        let text = text.into();
        if valid(text.as_bytes(), 200, true) { Ok(Self(text)) } else { Err(BadCode) }
    }

    /// The reference as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const fn valid(bytes: &[u8], max: usize, reference: bool) -> bool {
    let mut at = 0;
    while at < bytes.len() {
        let ok = match bytes[at] {
            b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' => true,
            b'A'..=b'Z' | b':' | b'/' => reference,
            _ => false,
        };
        if !ok {
            return false;
        }
        at += 1;
    }
    !bytes.is_empty() && bytes.len() <= max
}

/// The text is not a [`Code`] or [`Reference`]. It is not repeated here, as it may be anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a code: wrong characters or length")]
pub struct BadCode;

macro_rules! text_forms {
    ($($type:ty),+) => {$(
        impl TryFrom<String> for $type {
            type Error = BadCode;
            fn try_from(text: String) -> Result<Self, BadCode> {
                Self::new(text)
            }
        }
        impl From<$type> for String {
            fn from(value: $type) -> String {
                value.as_str().to_owned()
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )+};
}
text_forms!(Code, Reference);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_neither_code_nor_reference() {
        assert_eq!(Code::new("a@b.example"), Err(BadCode));
        assert_eq!(Reference::new("a@b.example"), Err(BadCode));
        assert_eq!(Code::new(""), Err(BadCode));
        assert_eq!(Code::new("smtp-550-5.1.1").unwrap().as_str(), "smtp-550-5.1.1");
    }
}
