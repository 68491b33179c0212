//! Names the operator chooses in the configuration: endpoints, their tokens, and sinks.
//!
//! They appear in URLs, topic names, consumer groups and metric labels, so one narrow alphabet serves all of them.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The name is not usable. The message says the rule; the bad name is the caller's to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name is 1 to 40 characters of a-z, 0-9 and -, and starts with a letter or digit")]
pub struct BadName;

fn check(name: &str) -> Result<(), BadName> {
    let allowed = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-';
    let ok = (1..=40).contains(&name.len()) && !name.starts_with('-') && name.as_bytes().iter().all(allowed);
    if ok { Ok(()) } else { Err(BadName) }
}

macro_rules! name {
    ($(#[$doc:meta])+ $type:ident) => {
        $(#[$doc])+
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(extend("pattern" = r"^[a-z0-9][a-z0-9-]{0,39}$"))]
        pub struct $type(String);

        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl FromStr for $type {
            type Err = BadName;
            fn from_str(name: &str) -> Result<Self, BadName> {
                check(name).map(|()| Self(name.to_owned()))
            }
        }
        impl TryFrom<String> for $type {
            type Error = BadName;
            fn try_from(name: String) -> Result<Self, BadName> {
                name.parse()
            }
        }
        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// An endpoint: the last part of the URL that is entered in Partner Center, usually one per offer.
    EndpointName
);
name!(
    /// A sink: one destination of leads with its own worker, consumer group, retry topic and dead letters.
    SinkName
);
name!(
    /// A token of an endpoint, as its metrics and commands call it: no secret.
    TokenName
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_narrow() {
        assert!("contoso-backup".parse::<EndpointName>().is_ok());
        for bad in ["", "-a", "A", "a.b", "a/b", "a b", &"x".repeat(41)] {
            assert_eq!(bad.parse::<SinkName>(), Err(BadName), "{bad:?}");
        }
    }
}
