//! What may come twice and what may not: a mail whose answer is late, a lead that is posted again, a record that stands twice.

use std::collections::BTreeSet;

use jiff::{Timestamp, ToSpan};
use leadline_proto::headers::{ATTEMPT, MAYBE_DUPLICATE, REDELIVERY};
use leadline_proto::idempotency::IdempotencyKey;
use leadline_proto::retry::{Class, History, Wait};
use leadline_proto::{AcceptedLead, Code, Status};
use leadline_tests::kafka::{Record, produce_as_of};
use leadline_tests::smtp::address;
use leadline_tests::{Stack, eventually};
use mail_parser::MessageParser;

use super::line::{Line, copies, is_delivered, lead, lead_of, once, own, record, skipped, the_outcome};
use crate::support::{Database, PATIENCE};

/// Two tries in place, and then a wait that outlasts the test.
const TWICE: &str = "[worker.retry]\nin_place = \"60s\"\nin_place_tries = 2\nschedule = [\"1h\"]\ngive_up_after = \"1d\"\n";

pub(super) fn a_late_answer_makes_no_second_mail(stack: &Stack) {
    let (late, never) = (address::waiting(1, &own(stack, "late")), address::waiting(60, &own(stack, "never")));
    let line = Line::new(stack, stack.smtp(), "smtp.data_timeout = \"4s\"", TWICE, &[("late", &late), ("never", &never)]);
    let _worker = line.email();
    let in_time = line.put_one(&lead("late", "a", ""), 0);
    let in_doubt = line.put_one(&lead("never", "b", ""), 1);
    let outcomes = line.ended(&[in_time], PATIENCE);
    assert!(is_delivered(the_outcome(&outcomes, in_time)), "{outcomes:?}");
    assert_eq!(copies(stack.smtp(), &late), once(&[in_time]));

    let waits = line.wait_for_records("retry", 1);
    let tries: usize = waits[0].header(ATTEMPT).unwrap().parse().unwrap();
    assert_eq!((waits.len(), tries, waits[0].header(MAYBE_DUPLICATE).as_deref()), (1, 2, Some("1")));
    let mails = stack.smtp().received_for(&never);
    assert_eq!(mails.len(), tries, "one copy for each try");
    let id = |data: &[u8]| MessageParser::new().parse(data).unwrap().message_id().unwrap().to_owned();
    let ids: BTreeSet<String> = mails.iter().map(|mail| id(&mail.data)).collect();
    assert!(ids.len() == 1 && ids.iter().all(|id| id.starts_with(&in_doubt.to_string())), "{ids:?}");
}

pub(super) fn a_repeat_is_told_and_not_sent(stack: &Stack) {
    let (good, bad) = (own(stack, "good"), address::refused(550, &own(stack, "bad")));
    let line = Line::new(stack, stack.smtp(), "", "", &[("good", &good), ("bad", &bad)]);
    let mut workers = [line.email_with_repeats(), line.crm_with_repeats()];
    let said = |endpoint: &str, text: &str| lead(endpoint, "ann", text);
    let [first, repeat, other, dead, dead_too] =
        [said("good", "one"), said("good", "one"), said("good", "two"), said("bad", "three"), said("bad", "three")]
            .map(|lead| line.put_one(&lead, 0));
    let blank = || lead_of("good", "{\"OfferTitle\": \"x\"}");
    let blanks = [blank(), blank()].map(|lead| line.put_one(&lead, 1));
    let all = [first, repeat, other, dead, dead_too, blanks[0], blanks[1]];
    let sinks = [line.product.email_sink.clone(), line.product.crm_sink.clone()];
    for sink in &sinks {
        let outcomes = line.ended_at(sink, &all, PATIENCE);
        assert_eq!(skipped(the_outcome(&outcomes, repeat)), Some("repeat"), "at {sink}");
        for lead in [first, other, blanks[0], blanks[1]] {
            assert!(is_delivered(the_outcome(&outcomes, lead)), "at {sink}: {:?}", the_outcome(&outcomes, lead));
        }
    }
    // Who was given up is no reason to skip another; in the CRM the first is delivered.
    let outcomes = line.outcomes();
    for lead in [dead, dead_too] {
        assert_eq!(the_outcome(&outcomes, lead).status, Status::DeadLettered { code: Code::of("smtp-rcpt-550") });
    }
    assert_eq!(skipped(the_outcome(&line.outcomes_of(&sinks[1]), dead_too)), Some("repeat"));

    workers.iter_mut().for_each(|worker| assert_eq!(worker.stop(), 0));
    let _workers = [line.email_with_repeats(), line.crm_with_repeats()];
    let again = line.put_one(&said("good", "one"), 0);
    for sink in &sinks {
        let outcomes = line.ended_at(sink, &[again], PATIENCE);
        assert_eq!(skipped(the_outcome(&outcomes, again)), Some("repeat"), "at {sink}, after a restart");
    }
    assert_eq!(copies(stack.smtp(), &good), once(&[first, other, blanks[0], blanks[1]]));
    let records = Database::Sqlite(line.product.crm_file()).records();
    assert_eq!(records.iter().filter(|record| record["email"] == "ann@contoso.example").count(), 1);
}

pub(super) fn a_record_that_stands_twice_is_handled_once(stack: &Stack) {
    let (good, bad) = (own(stack, "good"), address::refused(550, &own(stack, "bad")));
    let line = Line::new(stack, stack.smtp(), "", "", &[("good", &good), ("bad", &bad)]);
    let (sent, dead) = (record(&lead("good", "a", ""), 0), record(&lead("bad", "b", ""), 0));
    let next = || lead("good", "next", "");
    let mut worker = line.email();
    // Shortly after each other, as by a producer that tries again.
    line.put(&[sent.clone(), sent.clone(), dead.clone()]);
    let mut delivered = vec![super::line::id_of(&sent).unwrap(), line.put_one(&next(), 0)];
    let given_up = super::line::id_of(&dead).unwrap();
    line.ended(&[delivered[0], delivered[1], given_up], PATIENCE);
    assert_eq!(worker.stop(), 0);
    assert_eq!(line.committed(), [(0, 4)].into(), "all of that is behind the worker");
    // Long after, from a spool.
    let mut worker = line.email();
    line.put(&[drained(&sent), drained(&dead)]);
    delivered.push(line.put_one(&next(), 0));
    let outcomes = line.ended(&delivered, PATIENCE);
    assert_eq!(worker.stop(), 0);
    assert_eq!(line.committed(), [(0, 7)].into());
    assert_eq!((outcomes.len(), line.records("dlq").len()), (4, 1), "{outcomes:?}");
    assert_eq!(copies(stack.smtp(), &good), once(&delivered));
}

/// The first post was long before the receipt that the second record tells of.
pub(super) fn a_lead_posted_again_much_later_is_handled_once(stack: &Stack) {
    let good = own(stack, "good");
    let line = Line::new(stack, stack.smtp(), "", "", &[("good", &good)]);
    let key = IdempotencyKey::try_from(&b"order-1"[..]).unwrap();
    let named = |lead: AcceptedLead| AcceptedLead { lead_id: key.lead_id(&lead.endpoint), ..lead };
    let first = named(lead("good", "a", ""));
    let mut worker = line.email();
    line.put_one(&first, 0);
    line.ended(&[first.lead_id], PATIENCE);
    assert_eq!(worker.stop(), 0);
    assert_eq!(line.committed(), [(0, 1)].into(), "nothing is to be read back");
    let _worker = line.email();
    let again = AcceptedLead { received_at: first.received_at + 12.hours(), ..first.clone() };
    line.put_one(&again, 0);
    let next = line.put_one(&lead("good", "a", "next"), 0);
    let outcomes = line.ended(&[next], PATIENCE);
    assert_eq!(outcomes.len(), 2, "{outcomes:?}");
    assert_eq!(copies(stack.smtp(), &good), once(&[first.lead_id, next]));
}

/// The same record as it comes from a spool.
fn drained(record: &Record) -> Record {
    let mut record = record.clone();
    record.headers.push((REDELIVERY.to_owned(), b"1".to_vec()));
    record
}

/// As a worker does that was frozen with the record, while the next owner of the partition handled the lead.
pub(super) fn a_retry_record_that_surfaced_late(stack: &Stack) {
    let contact = own(stack, "late");
    let line = Line::new(stack, stack.smtp(), "", "", &[("late", &contact)]);
    let _worker = line.email();
    let (first, second) = (record(&lead("late", "a", ""), 0), record(&lead("late", "b", ""), 0));
    line.put(&[first.clone(), second.clone()]);
    let ids = [first.clone(), second.clone()].map(|record| super::line::id_of(&record).unwrap());
    line.ended(&ids, PATIENCE);
    let now = Timestamp::now();
    let retried = |record: &Record| {
        let mut headers = super::line::headers(record);
        let wait = Wait { not_before: now, class: Class::Failed, reason: Code::of("test") };
        History { round: 1, attempts: 1, ..History::default() }.write(&wait, &mut headers);
        Record { headers: super::line::list(&headers), ..record.clone() }
    };
    let minutes = 10 * 60 * 1000;
    let (minutes_ago, ahead) = (now.as_millisecond() - minutes, now.as_millisecond() + minutes);
    produce_as_of(line.bootstrap(), &line.topic("retry"), &retried(&first), Some(minutes_ago));
    // One that comes at once was written by a worker that holds the lead: it is meant to be sent. By a clock that is ahead, as a busy
    // machine would make it come late.
    produce_as_of(line.bootstrap(), &line.topic("retry"), &retried(&second), Some(ahead));
    eventually("the later record is handled", PATIENCE, || {
        let outcomes = line.outcomes().into_iter().filter(|outcome| outcome.lead_id == ids[1]);
        (outcomes.count() == 2).then_some(())
    });
    let copies = copies(stack.smtp(), &contact);
    assert_eq!((copies[&ids[0]], copies[&ids[1]]), (1, 2));
}
