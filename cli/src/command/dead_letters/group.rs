//! Dead letters by sink and cause, for the list and for what a replay would do. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use leadline_proto::{EndpointName, SinkName};
use serde::Serialize;
use uuid::Uuid;

use super::book::Entry;
use super::words::moment;

/// The dead letters of one sink and cause.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Group {
    pub(super) sink: SinkName,
    pub(super) kind: &'static str,
    pub(super) code: String,
    pub(super) count: usize,
    /// Those that were neither replayed nor dropped.
    pub(super) open: usize,
    /// When the first and the last were given up.
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    pub(super) endpoints: BTreeSet<EndpointName>,
    /// A lead of the group: that of the last.
    pub(super) sample: Uuid,
}

/// Groups entries; by sink, the largest group first.
pub(super) fn group<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Vec<Group> {
    let mut groups: BTreeMap<_, Group> = BTreeMap::new();
    for entry in entries {
        let letter = &entry.letter;
        let (kind, code, at) = (letter.facts.kind.as_str(), letter.facts.code.to_string(), letter.facts.last_failed_at);
        let group = groups.entry((letter.sink.clone(), kind, code.clone())).or_insert_with(|| Group {
            sink: letter.sink.clone(),
            kind,
            code,
            count: 0,
            open: 0,
            first: at,
            last: at,
            endpoints: BTreeSet::new(),
            sample: letter.lead_id,
        });
        group.count += 1;
        group.open += usize::from(entry.is_open());
        group.first = group.first.min(at);
        if at >= group.last {
            (group.last, group.sample) = (at, letter.lead_id);
        }
        group.endpoints.extend(letter.endpoint.clone());
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by(|a, b| (&a.sink, b.count).cmp(&(&b.sink, a.count)));
    groups
}

impl Group {
    /// One line for people.
    pub(super) fn words(&self) -> String {
        let Self { kind, code, count, open, first, last, endpoints, sample, .. } = self;
        let open = if open == count { String::new() } else { format!(" ({open} open)") };
        let endpoints: Vec<&str> = endpoints.iter().map(EndpointName::as_str).collect();
        let (first, last, endpoints) = (moment(*first), moment(*last), endpoints.join(", "));
        format!("{count:>6}{open}  {kind:9}  {code:20}  {first} to {last}  of {endpoints}  such as {sample}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::book::tests::{book, dead, id, sink};
    use super::*;

    #[test]
    fn letters_of_one_cause_are_one_line() {
        let book = book(&[dead(1, 0, "rare"), dead(2, 0, "common"), dead(3, 0, "common")]);
        let groups = group(book.entries());
        assert_eq!(groups.len(), 2);
        let expected = Group {
            sink: sink(),
            kind: "permanent",
            code: "common".to_owned(),
            count: 2,
            open: 2,
            first: Timestamp::from_second(2).unwrap(),
            last: Timestamp::from_second(3).unwrap(),
            endpoints: BTreeSet::from(["backup".parse().unwrap()]),
            sample: id(3),
        };
        assert_eq!(groups[0], expected);
        assert!(groups[0].words().contains("1970-01-01T00:00:02Z to 1970-01-01T00:00:03Z  of backup"), "{}", groups[0].words());
    }
}
