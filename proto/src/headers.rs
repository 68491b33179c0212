//! Names of record headers, and the small ordered list that carries them.
//!
//! Every header name of the product stands here and nowhere else. CloudEvents attributes follow the Kafka protocol binding,
//! binary mode: `ce_` and the attribute's name, values in UTF-8.

use std::borrow::Cow;

/// CloudEvents: version of the specification, always `1.0`.
pub const CE_SPECVERSION: &str = "ce_specversion";
/// CloudEvents: id of the event; of a lead its lead id.
pub const CE_ID: &str = "ce_id";
/// CloudEvents: type of the event, with its major version.
pub const CE_TYPE: &str = "ce_type";
/// CloudEvents: where the event comes from.
pub const CE_SOURCE: &str = "ce_source";
/// CloudEvents: when it happened, RFC 3339.
pub const CE_TIME: &str = "ce_time";
/// CloudEvents: the schema of the value.
pub const CE_DATASCHEMA: &str = "ce_dataschema";
/// Media type of the value.
pub const CONTENT_TYPE: &str = "content-type";
/// W3C trace context: of a lead that of the span that published it, of an outcome that of the handling it comes from. Also a header
/// of the request.
pub const TRACEPARENT: &str = "traceparent";

/// Tries made so far, decimal.
pub const ATTEMPT: &str = "leadline-attempt";
/// How often the lead was put into the retry topic, decimal.
pub const ROUND: &str = "leadline-round";
/// How often an operator has replayed the lead to this sink, decimal; absent means 0.
pub const REPLAY: &str = "leadline-replay";
/// Not to be tried again before this time, RFC 3339.
pub const NOT_BEFORE: &str = "leadline-not-before";
/// Time of the first failure, RFC 3339.
pub const FIRST_FAILED_AT: &str = "leadline-first-failed-at";
/// Why the lead waits, or why a body was rejected: a code.
pub const REASON: &str = "leadline-reason";
/// Whether the wait counts as a failed try: `failed`, `later`, `held`.
pub const CLASS: &str = "leadline-class";
/// Tells equal leads of one person: the hash of what the lead says.
pub const CONTENT: &str = "leadline-content";
/// Steps already done for this lead, comma-separated codes.
pub const PROGRESS: &str = "leadline-progress";
/// Whether an earlier try may have delivered although it was not confirmed: `1`.
pub const MAYBE_DUPLICATE: &str = "leadline-maybe-duplicate";
/// The record may stand twice in the topic: `1`. It was published from the spool, or by hand from the rejected bodies, or its sender
/// named it by an [`IDEMPOTENCY_KEY`] and may have posted it before.
pub const REDELIVERY: &str = "leadline-redelivery";

/// Not of a record but of the request: what the sender calls its lead, so that it may post it again.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Prefix of the headers Kafka Connect puts on dead letters; see [`crate::dead_letter`].
pub const CONNECT_ERRORS: &str = "__connect.errors.";
/// Prefix of Leadline's own headers on dead letters.
pub const DLQ: &str = "dlq.";

/// What nearly every record carries, in its order. Such a name takes no memory when it is read.
const USUAL: [&str; 12] = [
    CE_SPECVERSION,
    CE_ID,
    CE_TYPE,
    CE_SOURCE,
    CE_TIME,
    CE_DATASCHEMA,
    CONTENT_TYPE,
    TRACEPARENT,
    CONTENT,
    REPLAY,
    ATTEMPT,
    REDELIVERY,
];

/// The name of a header.
pub type Name = Cow<'static, str>;

/// Headers of one record, in order, names unique.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Name, Vec<u8>)>);

impl Headers {
    /// No headers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a header, replacing one of the same name.
    pub fn set(&mut self, name: impl Into<Name>, value: impl Into<Vec<u8>>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// Sets a header and returns the list, for building one.
    #[must_use]
    pub fn with(mut self, name: impl Into<Name>, value: impl Into<Vec<u8>>) -> Self {
        self.set(name, value);
        self
    }

    /// Removes a header, if it is there.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| known != name);
    }

    /// Removes every header whose name starts with `prefix`.
    pub fn remove_prefix(&mut self, prefix: &str) {
        self.0.retain(|(name, _)| !name.starts_with(prefix));
    }

    /// The value of a header, if it is there and UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(known, _)| known == name)?;
        std::str::from_utf8(value).ok()
    }

    /// The value of a header read as `T`; `None` when absent or malformed.
    pub fn parse<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.text(name)?.parse().ok()
    }

    /// All headers in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.as_slice()))
    }
}

impl IntoIterator for Headers {
    type Item = (Name, Vec<u8>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<N: AsRef<str>, V: Into<Vec<u8>>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(headers: I) -> Self {
        let mut list = Self::new();
        for (name, value) in headers {
            list.set(named(name.as_ref()), value);
        }
        list
    }
}

fn named(name: &str) -> Name {
    let usual = USUAL.into_iter().find(|usual| *usual == name);
    usual.map_or_else(|| Cow::Owned(name.to_owned()), Cow::Borrowed)
}

/// The CloudEvents attributes that every message of Leadline carries.
pub(crate) fn cloud_event(id: &str, kind: &str, source: &str, time: jiff::Timestamp, schema: &str) -> Headers {
    Headers::new()
        .with(CE_SPECVERSION, "1.0")
        .with(CE_ID, id)
        .with(CE_TYPE, kind)
        .with(CE_SOURCE, source)
        .with(CE_TIME, time.to_string())
        .with(CE_DATASCHEMA, schema)
        .with(CONTENT_TYPE, "application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_replaced_in_its_place() {
        let mut headers = Headers::new().with("a", "1").with("b", "2");
        headers.set("a", "3");
        assert_eq!(headers.iter().collect::<Vec<_>>(), [("a", &b"3"[..]), ("b", &b"2"[..])]);
        let collected: Headers = [("a", "1"), ("b", "2"), ("a", "3")].into_iter().collect();
        assert_eq!(collected, headers);
    }

    #[test]
    fn usual_names_and_others_are_read_alike() {
        let written = Headers::new().with(CE_ID, "7").with("an-unusual-one", "8").with(String::from(CE_TYPE), "9");
        let read: Headers = written.clone().into_iter().collect();
        assert_eq!(read, written);
        let borrowed = |(name, _): (Name, Vec<u8>)| matches!(name, Cow::Borrowed(_));
        assert_eq!(read.into_iter().map(borrowed).collect::<Vec<_>>(), [true, false, true]);
    }

    #[test]
    fn names_count_with_their_case_and_values_as_they_are() {
        let headers = Headers::new().with("a", "1").with("A", " 2 ").with("n", "7").with("b", vec![0xff]);
        assert_eq!((headers.text("a"), headers.text("A"), headers.text("c")), (Some("1"), Some(" 2 "), None));
        assert_eq!(headers.text("b"), None, "no UTF-8");
        assert_eq!((headers.parse("n"), headers.parse::<u8>("A"), headers.parse::<u8>("c")), (Some(7), None, None));
    }

    #[test]
    fn a_prefix_is_removed_with_all_its_headers_only() {
        let mut headers = Headers::new().with("dlq.a", "1").with("my-dlq.b", "2").with("dlq.", "3").with("dlq", "4");
        headers.remove_prefix(DLQ);
        assert_eq!(headers, Headers::new().with("my-dlq.b", "2").with("dlq", "4"));
    }

    #[test]
    fn an_event_carries_what_was_given_and_nothing_else() {
        let time = "2026-11-22T10:00:00.000001Z".parse().unwrap();
        let headers = cloud_event("id", "type.v1", "/source", time, "urn:schema");
        let written: Vec<(&str, &str)> = headers.iter().map(|(name, _)| (name, headers.text(name).unwrap())).collect();
        let expected = [
            ("ce_specversion", "1.0"),
            ("ce_id", "id"),
            ("ce_type", "type.v1"),
            ("ce_source", "/source"),
            ("ce_time", "2026-11-22T10:00:00.000001Z"),
            ("ce_dataschema", "urn:schema"),
            ("content-type", "application/json"),
        ];
        assert_eq!(written, expected);
    }
}
