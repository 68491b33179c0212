//! The tokens of an endpoint: who may post there, and until when.
//!
//! Only hashes are known here. There is no clock: whoever asks whether a token is good brings the time. How hashes are compared
//! belongs in `ingest`.

use std::fmt;

use jiff::Timestamp;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::names::TokenName;

/// Hex digits of its hash that name a token which has no name. Enough to tell the few tokens of one endpoint apart.
const ID_DIGITS: usize = 8;
/// How the TOML library hands on a date that stands without quotes: as a map with this one key.
const BARE_DATE: &str = "$__toml_private_datetime";

/// The tokens of one endpoint, each with an id of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<Token>")]
pub struct Tokens(Vec<Token>);

impl Tokens {
    /// The tokens in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Token> {
        self.0.iter()
    }

    /// How many there are, expired ones too.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether anybody can post now.
    pub fn any_live(&self, now: Timestamp) -> bool {
        self.iter().any(|token| token.is_live(now))
    }
}

impl TryFrom<Vec<Token>> for Tokens {
    type Error = String;
    fn try_from(tokens: Vec<Token>) -> Result<Self, String> {
        for (at, token) in tokens.iter().enumerate() {
            if tokens[..at].iter().any(|other| other.id == token.id) {
                return Err(format!("two tokens have the id `{}`; give each a `name` of its own, or leave one out", token.id));
            }
        }
        Ok(Self(tokens))
    }
}

impl<'a> IntoIterator for &'a Tokens {
    type Item = &'a Token;
    type IntoIter = std::slice::Iter<'a, Token>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// A token, known by its hash. Written as the hash alone, or as `{ hash = "sha256:…", expires = "…", name = "…" }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    hash: TokenHash,
    expires: Option<Timestamp>,
    id: String,
}

impl Token {
    /// A token with this hash, perhaps with an end and a name.
    pub fn new(hash: TokenHash, expires: Option<Timestamp>, name: Option<TokenName>) -> Self {
        let id = name.map_or_else(|| hash.id(), String::from);
        Self { hash, expires, id }
    }

    /// Its hash.
    pub fn hash(&self) -> &TokenHash {
        &self.hash
    }

    /// When it stops being good.
    pub fn expires(&self) -> Option<Timestamp> {
        self.expires
    }

    /// What it is called in metrics and by commands: its name, or the first digits of its hash. No secret.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether it is good at this time.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

impl From<TokenHash> for Token {
    fn from(hash: TokenHash) -> Self {
        Self::new(hash, None, None)
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EitherForm)
    }
}

/// Reads both forms. serde's `untagged` would do, but its errors do not say what is wrong.
struct EitherForm;

/// The longer form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    hash: TokenHash,
    #[serde(default, deserialize_with = "moment")]
    expires: Option<Timestamp>,
    #[serde(default)]
    name: Option<TokenName>,
}

impl<'de> Visitor<'de> for EitherForm {
    type Value = Token;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a token hash, or a table with `hash`, `expires` and `name`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Token, E> {
        TokenHash::try_from(text.to_owned()).map(Token::from).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Token, A::Error> {
        let Written { hash, expires, name } = Written::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Token::new(hash, expires, name))
    }
}

fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    deserializer.deserialize_any(Moment).map(Some)
}

/// Reads a time, in quotes or as a date of TOML.
struct Moment;

impl<'de> Visitor<'de> for Moment {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time with its zone, such as 2026-12-01T00:00:00Z")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Timestamp, E> {
        text.parse().map_err(|_| E::custom("`expires` is a time with its zone, such as 2026-12-01T00:00:00Z"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Timestamp, A::Error> {
        let date = map.next_entry::<String, String>()?.filter(|(key, _)| key == BARE_DATE);
        self.visit_str(&date.map(|(_, date)| date).unwrap_or_default())
    }
}

/// SHA-256 of a token, written `sha256:` and 64 hex digits. Tokens are 256 random bits, so a plain hash cannot be reversed
/// by guessing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash of a token.
    pub fn of(token: &str) -> Self {
        use sha2::Digest;
        Self(sha2::Sha256::digest(token.as_bytes()).into())
    }

    /// The hash itself, for a constant-time compare.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first digits: enough to name a token, far too few to help who guesses one.
    pub fn id(&self) -> String {
        let mut digits = hex::encode(self.0);
        digits.truncate(ID_DIGITS);
        digits
    }
}

impl TryFrom<String> for TokenHash {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut hash = [0; 32];
        let digits =
            text.strip_prefix("sha256:").ok_or("a token hash starts with `sha256:`; `leadline endpoint new` makes one")?;
        hex::decode_to_slice(digits, &mut hash).map_err(|_| "a token hash is `sha256:` and 64 hex digits")?;
        Ok(Self(hash))
    }
}

impl From<TokenHash> for String {
    fn from(hash: TokenHash) -> String {
        format!("sha256:{}", hex::encode(hash.0))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn hash(token: &str) -> String {
        TokenHash::of(token).into()
    }

    fn read(tokens: Value) -> Result<Tokens, String> {
        serde_json::from_value(tokens).map_err(|error| error.to_string())
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_token_hash_is_written_and_read() {
        let hash = TokenHash::of("token");
        let text = String::from(hash.clone());
        assert_eq!(TokenHash::try_from(text), Ok(hash));
        assert!(TokenHash::try_from("secret".to_owned()).is_err());
    }

    #[test]
    fn both_forms_are_read() {
        let end = "2026-12-01T00:00:00Z";
        let tokens = read(json!([
            hash("a"),
            {"hash": hash("b"), "expires": end, "name": "2026-11"},
            {"hash": hash("c"), "expires": {BARE_DATE: end}},
        ]));
        let tokens = tokens.unwrap();
        let told: Vec<_> = tokens.iter().map(|token| (token.id().to_owned(), token.expires())).collect();
        let digits = |token| hash(token)["sha256:".len()..][..ID_DIGITS].to_owned();
        let end = Some(time(end));
        assert_eq!(told, [(digits("a"), None), ("2026-11".to_owned(), end), (digits("c"), end)]);
        assert_eq!(tokens.iter().map(|token| token.hash().clone()).collect::<Vec<_>>(), ["a", "b", "c"].map(TokenHash::of));
    }

    #[test]
    fn what_is_wrong_is_told_and_not_repeated() {
        for (tokens, why) in [
            (json!(["secret"]), "a token hash starts with `sha256:`"),
            (json!([7]), "a token hash, or a table"),
            (json!([{"hash": hash("a"), "expires": "2026-12-01"}]), "a time with its zone"),
            (json!([{"hash": hash("a"), "expires": {"year": "secret"}}]), "a time with its zone"),
            (json!([{"hash": hash("a"), "expire": "secret"}]), "unknown field `expire`"),
            (json!([{"expires": "2026-12-01T00:00:00Z"}]), "missing field `hash`"),
            (json!([{"hash": hash("a"), "name": "the secret"}]), "a name is 1 to 40 characters"),
            (json!([hash("a"), {"hash": hash("a"), "expires": "2026-12-01T00:00:00Z"}]), "two tokens have the id"),
            (json!([{"hash": hash("a"), "name": "x"}, {"hash": hash("b"), "name": "x"}]), "two tokens have the id `x`"),
        ] {
            let error = read(tokens.clone()).unwrap_err();
            assert!(error.contains(why) && !error.contains("secret"), "{tokens}: {error}");
        }
    }

    #[test]
    fn a_token_is_good_until_its_end_and_not_at_it() {
        let end = time("2026-12-01T00:00:00Z");
        let token = Token::new(TokenHash::of("a"), Some(end), None);
        assert!(token.is_live(time("2026-11-30T23:59:59.999999999Z")));
        assert!(!token.is_live(end));
        assert!(Token::from(TokenHash::of("a")).is_live(Timestamp::MAX));
        assert!(!Tokens::default().any_live(Timestamp::MIN));
    }
}
