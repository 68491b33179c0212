//! Which dead letters are meant. Pure.

use jiff::Timestamp;
use leadline_proto::{Code, EndpointName, SinkName};

use super::book::Letter;
use crate::command::times::time;

#[derive(Debug, Default, clap::Args)]
#[group(skip)]
pub(super) struct Filter {
    /// Only this sink
    #[arg(long, value_name = "SINK")]
    pub(super) sink: Option<SinkName>,

    /// Only this cause, as the list shows it, such as smtp-rcpt-550
    #[arg(long, value_name = "CODE", value_parser = code)]
    pub(super) code: Option<Code>,

    /// Only leads of this endpoint
    #[arg(long, value_name = "ENDPOINT")]
    endpoint: Option<EndpointName>,

    /// Only what was given up at this time or later: 2026-11-22T10:00:00Z, 2026-11-22 (UTC), or how long ago: 2h
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,

    /// Only what was given up before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
}

impl Filter {
    /// Whether everything passes.
    pub(super) fn is_empty(&self) -> bool {
        let Self { sink, code, endpoint, since, until } = self;
        sink.is_none() && code.is_none() && endpoint.is_none() && since.is_none() && until.is_none()
    }

    /// Whether a letter is meant.
    pub(super) fn takes(&self, letter: &Letter) -> bool {
        let at = letter.facts.last_failed_at;
        self.sink.as_ref().is_none_or(|sink| *sink == letter.sink)
            && self.code.as_ref().is_none_or(|code| *code == letter.facts.code)
            && self.endpoint.as_ref().is_none_or(|endpoint| Some(endpoint) == letter.endpoint.as_ref())
            && self.since.is_none_or(|since| at >= since)
            && self.until.is_none_or(|until| at < until)
    }
}

/// A code, or what one looks like.
pub(super) fn code(text: &str) -> Result<Code, String> {
    let rule = "a code is 1 to 64 characters of a-z, 0-9, `.`, `_` and `-`, such as wrong-address; free text could hold \
                personal data";
    Code::new(text).map_err(|_| rule.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::book::tests::{book, dead, id, sink};
    use super::*;

    fn taken(filter: &Filter) -> Vec<u128> {
        let book = book(&[dead(1, 0, "x"), dead(2, 0, "y"), dead(3, 0, "x")]);
        book.entries().map(|entry| &entry.letter).filter(|letter| filter.takes(letter)).map(|l| l.lead_id.as_u128()).collect()
    }

    #[test]
    fn every_part_of_a_filter_must_fit() {
        let at = |second| Some(Timestamp::from_second(second).unwrap());
        assert_eq!(taken(&Filter::default()), [1, 2, 3]);
        assert_eq!(taken(&Filter { code: Some(Code::of("x")), ..Filter::default() }), [1, 3]);
        assert_eq!(taken(&Filter { since: at(2), until: at(3), ..Filter::default() }), [2], "from, and not up to");
        assert_eq!(taken(&Filter { sink: Some(sink()), code: Some(Code::of("x")), since: at(2), ..Filter::default() }), [3]);
        assert_eq!(taken(&Filter { sink: Some("crm".parse().unwrap()), ..Filter::default() }), []);
        assert_eq!(taken(&Filter { endpoint: Some("backup".parse().unwrap()), ..Filter::default() }), [1, 2, 3]);
        assert_eq!(taken(&Filter { endpoint: Some("other".parse().unwrap()), ..Filter::default() }), []);
        assert_eq!(book(&[]).of_lead(id(1)).len(), 0);
    }
}
