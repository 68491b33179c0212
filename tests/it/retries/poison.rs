//! Records on the topic of leads that no ingest of this version wrote.

use leadline_proto::dead_letter::{DeadLetter, ErrorKind};
use leadline_proto::{Code, Status};
use leadline_tests::kafka::{Record, produce_at};
use leadline_tests::{Stack, eventually};
use uuid::Uuid;

use super::{Mailing, PATIENT, assert_kept, delivered, headers, own};
use crate::support::PATIENCE;

/// What is wrong with a record, how it is told, and the lead id it claims.
struct Poison {
    record: Record,
    code: &'static str,
    claims: Option<Uuid>,
}

/// The ways in which a good record can be spoilt.
fn spoilt(good: &Record) -> Vec<Poison> {
    let with_id = |id: Uuid| {
        let mut record = good.clone();
        record.headers.iter_mut().filter(|(name, _)| name == "ce_id").for_each(|(_, value)| *value = id.to_string().into());
        record
    };
    let of_type = |id: Uuid, name: &str| {
        let mut record = with_id(id);
        record.headers.iter_mut().filter(|(key, _)| key == "ce_type").for_each(|(_, value)| *value = name.into());
        record
    };
    let ids: [Uuid; 4] = std::array::from_fn(|_| Uuid::now_v7());
    let poison = |record, code, claims| Poison { record, code, claims };
    vec![
        poison(Record { value: Some(b"\xff{garbage".to_vec()), ..with_id(ids[0]) }, "malformed", Some(ids[0])),
        poison(Record { value: Some(b"{\"lead_id\":7}".to_vec()), ..with_id(ids[1]) }, "malformed", Some(ids[1])),
        poison(of_type(ids[2], "leadline.lead.accepted.v9"), "unknown-type", Some(ids[2])),
        poison(Record { headers: vec![], ..good.clone() }, "unknown-type", None),
        poison(Record { key: None, value: Some(vec![0; 100]), ..with_id(ids[3]) }, "malformed", Some(ids[3])),
        poison(Record { key: None, value: Some(vec![]), headers: vec![], ..good.clone() }, "unknown-type", None),
    ]
}

pub(crate) fn stops_nobody(stack: &Stack) {
    let contact = own(stack, "poison");
    let mailing = Mailing::start(stack, stack.smtp(), PATIENT, &[("good", &[&contact])]);
    assert!(delivered(&mailing.outcome_at("good"), false));
    let poisons = spoilt(&mailing.records("leads")[0]);
    let topic = mailing.product.topic("leads");
    poisons.iter().for_each(|poison| produce_at(stack.kafka().bootstrap(), &topic, &poison.record));
    // The same person, so the same partition: behind all of them.
    assert!(delivered(&mailing.outcome_at("good"), false), "the next lead must be delivered");
    assert_eq!(stack.smtp().received_for(&contact).len(), 2);

    let letters = eventually("a dead letter of each", PATIENCE, || {
        let letters = mailing.records("dlq");
        (letters.len() >= poisons.len()).then_some(letters)
    });
    assert_eq!((letters.len(), mailing.records("retry").len()), (poisons.len(), 0));
    let leads = mailing.records("leads");
    for (poison, original) in poisons.iter().zip(&leads[1..]) {
        let of_it = |letter: &&Record| DeadLetter::read(&headers(letter)).unwrap().origin.offset == original.offset;
        let copy = letters.iter().find(of_it).unwrap();
        assert_kept(original, copy);
        let letter = DeadLetter::read(&headers(copy)).unwrap();
        assert_eq!((letter.kind, letter.code.as_str(), letter.attempts), (ErrorKind::Poison, poison.code, 0));
        assert_eq!(copy.header("__connect.errors.stage").as_deref(), Some("VALUE_CONVERTER"));
        if let Some(id) = poison.claims {
            let outcome = mailing.product.outcome(stack.kafka(), &mailing.product.email_sink, id);
            assert_eq!(outcome.status, Status::DeadLettered { code: Code::of(poison.code) });
        }
    }
}
