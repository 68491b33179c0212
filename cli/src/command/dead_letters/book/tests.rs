//! Which dead letters are open, and what is known about the others. The records are made here for the tests of the neighbours, too.

use leadline_proto::Code;
use leadline_proto::dead_letter::{ErrorKind, Origin};
use leadline_proto::headers::{CE_ID, CE_SOURCE};
use leadline_proto::retry::Class;

use super::*;

pub(in crate::command::dead_letters) fn sink() -> SinkName {
    "email".parse().unwrap()
}

pub(in crate::command::dead_letters) fn id(lead: u128) -> Uuid {
    Uuid::from_u128(lead)
}

/// The headers of a dead letter of this lead.
pub(in crate::command::dead_letters) fn dead(lead: u128, replay: u32, code: &'static str) -> Headers {
    let mut headers = Headers::new().with(CE_ID, id(lead).to_string()).with(CE_SOURCE, "/endpoints/backup");
    let seconds = i64::try_from(lead).unwrap();
    let facts = DeadLetter {
        origin: Origin { topic: "leads".to_owned(), partition: 0, offset: 7 },
        group: "leadline-email".to_owned(),
        worker: "email".to_owned(),
        kind: ErrorKind::Permanent,
        code: Code::of(code),
        attempts: 1,
        replay,
        first_failed_at: Timestamp::UNIX_EPOCH,
        last_failed_at: Timestamp::from_second(seconds).unwrap(),
    };
    facts.write(&mut headers);
    headers
}

/// A book of these letters, in their order.
pub(in crate::command::dead_letters) fn book(letters: &[Headers]) -> Book {
    let mut book = Book::default();
    for (offset, headers) in (0..).zip(letters) {
        book.record(&sink(), (0, offset), Some(b"key"), headers);
    }
    book
}

fn waits(lead: u128, replay: u32) -> Headers {
    let mut headers = Headers::new().with(CE_ID, id(lead).to_string());
    let wait = Wait { not_before: Timestamp::UNIX_EPOCH, class: Class::Later, reason: Code::of("replay") };
    History { replay, ..History::default() }.write(&wait, &mut headers);
    headers
}

fn ended(book: &mut Book, lead: u128, at: &str, replay: u32) {
    let outcome = Outcome {
        lead_id: id(lead),
        sink: at.parse().unwrap(),
        replay,
        status: Status::DeadLettered { code: Code::of("x") },
        attempts: 1,
        endpoint: None,
        received_at: None,
        at: Timestamp::UNIX_EPOCH,
        reordered: false,
        reason: None,
    };
    book.outcome(&outcome.headers(), &outcome.encode());
}

fn open(book: &Book) -> Vec<u128> {
    book.entries().filter(|entry| entry.is_open()).map(|entry| entry.letter.lead_id.as_u128()).collect()
}

#[test]
fn a_letter_is_open_until_something_stands_for_a_higher_replay() {
    let mut book = book(&[dead(1, 0, "x"), dead(2, 0, "x"), dead(3, 0, "x"), dead(4, 0, "x")]);
    (1..=4).for_each(|lead| ended(&mut book, lead, "email", 0));
    // An earlier round of the same run, and another sink's.
    book.retry(&sink(), &waits(1, 0));
    ended(&mut book, 1, "crm", 5);
    assert_eq!(open(&book), [1, 2, 3, 4]);
    book.retry(&sink(), &waits(2, 1));
    ended(&mut book, 3, "email", 1);
    book.record(&sink(), (0, 9), None, &Settled { lead_id: id(4), replay: 1 }.headers(&sink(), Timestamp::UNIX_EPOCH));
    assert_eq!(open(&book), [1]);
    let since = |lead| book.of_lead(id(lead))[0].since().map(|(replay, since)| (replay, since.clone()));
    assert_eq!(since(2), Some((1, Since::Waits { until: Some(Timestamp::UNIX_EPOCH) })));
    assert!(matches!(since(3), Some((1, Since::Ended { .. }))));
    assert_eq!(since(4), Some((1, Since::Settled)));
}

#[test]
fn a_later_letter_of_a_lead_takes_the_place_of_the_earlier() {
    let mut book = book(&[dead(1, 0, "first"), dead(1, 1, "second"), dead(1, 0, "late")]);
    book.retry(&sink(), &waits(1, 1));
    ended(&mut book, 1, "email", 1);
    assert_eq!(open(&book), [1], "its replay failed as well");
    let entry = book.of_lead(id(1))[0];
    assert_eq!((entry.letters, entry.letter.facts.code.as_str(), entry.letter.next_replay()), (3, "second", 2));
    assert_eq!((entry.letter.offset, entry.letter.endpoint.as_ref().unwrap().as_str()), (1, "backup"));
}

#[test]
fn of_one_replay_the_outcome_says_most() {
    let mut book = book(&[dead(1, 0, "x")]);
    ended(&mut book, 1, "email", 1);
    book.retry(&sink(), &waits(1, 1));
    assert!(matches!(book.of_lead(id(1))[0].since(), Some((1, Since::Ended { .. }))));
    book.retry(&sink(), &waits(1, 2));
    assert!(matches!(book.of_lead(id(1))[0].since(), Some((2, Since::Waits { .. }))));
}

#[test]
fn what_names_no_lead_is_counted_only() {
    let mut nameless = dead(1, 0, "x");
    nameless.remove(CE_ID);
    let book = book(&[nameless, Headers::new(), dead(2, 0, "x")]);
    assert_eq!((book.without_id(&sink()), open(&book)), (2, vec![2]));
}
