//! Tests of the checker: a good run passes, and each thing that must not be is found.

use super::*;
use crate::journal::Answer;

const TO: &str = "sales@rig.example";
const FROM: i64 = 1000;
const TO_TIME: i64 = 1010;

fn id(number: u64) -> Uuid {
    Uuid::from_u128(u128::from(number) + 1)
}

fn post(number: u64, answer: Answer) -> Post {
    let seq = u32::try_from(number).unwrap();
    Post { number, person: 1, seq, endpoint: "one".to_owned(), at: 10, answer }
}

/// Leads of one person, accepted, delivered and recorded, one every ten milliseconds by `w1`.
fn good(leads: u64) -> Evidence {
    let mut evidence = Evidence { contacts: [("one".to_owned(), vec![TO.to_owned()])].into(), ..Evidence::default() };
    for number in 0..leads {
        let at = i64::try_from(number).unwrap() * 10;
        let lead = id(number);
        evidence.posts.push(post(number, Answer::Accepted { lead }));
        evidence.leads.insert(lead, number);
        arrive(&mut evidence, number, at, "w1", true);
        evidence.crm.insert(lead);
        for sink in SINKS {
            end(&mut evidence, number, sink, EndStatus::Delivered { maybe_duplicate: false }, at + 5);
        }
    }
    evidence
}

fn arrive(evidence: &mut Evidence, number: u64, at: i64, worker: &str, answered: bool) {
    let n = evidence.arrivals.len() as u64;
    let (lead, to, worker) = (id(number), TO.to_owned(), worker.to_owned());
    evidence.arrivals.push(Arrival { n, at, lead, to, replay: 0, worker, answered });
}

fn end(evidence: &mut Evidence, number: u64, sink: &str, status: EndStatus, at: i64) {
    evidence.outcomes.push(Ending { lead: id(number), sink: sink.to_owned(), replay: 0, status, at });
}

fn blow(evidence: &mut Evidence, worker: &str, kind: BlowKind) {
    evidence.blows.push(Blow { worker: worker.to_owned(), kind, from: FROM, to: TO_TIME });
}

/// The kinds of faults that were found, with their numbers.
fn found(evidence: &Evidence) -> Vec<(&'static str, usize)> {
    let verdict = judge(evidence);
    let found: Vec<_> =
        verdict.faults.iter().filter(|(_, all)| !all.is_empty()).map(|(kind, all)| (*kind, all.len())).collect();
    assert_eq!(verdict.is_good(), found.is_empty());
    found
}

fn explained(evidence: &Evidence) -> usize {
    assert_eq!(found(evidence), []);
    judge(evidence).explained.values().sum()
}

#[test]
fn a_good_run_passes() {
    let verdict = judge(&good(5));
    assert!(verdict.is_good(), "{verdict:?}");
    assert_eq!((verdict.accepted, verdict.arrivals, verdict.ordered_pairs), (5, 5, 4));
    assert!(verdict.explained.is_empty());
}

#[test]
fn a_lead_without_an_outcome_is_lost_though_it_arrived() {
    let mut evidence = good(2);
    evidence.outcomes.retain(|ending| ending.lead != id(1) || ending.sink != MAIL);
    assert_eq!(found(&evidence), [(LOST, 1)]);
}

#[test]
fn a_lead_that_is_not_in_the_topic_is_found() {
    let mut evidence = good(2);
    evidence.leads.remove(&id(0));
    let kinds: Vec<_> = found(&evidence).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [NOT_IN_TOPIC, UNKNOWN]);
}

#[test]
fn delivered_means_that_the_sink_has_it() {
    let mut evidence = good(2);
    evidence.arrivals.remove(1);
    evidence.crm.remove(&id(0));
    assert_eq!(found(&evidence), [(NOT_IN_SINK, 2)]);
    let mut evidence = good(1);
    evidence.contacts.get_mut("one").unwrap().push("partner@rig.example".to_owned());
    assert_eq!(found(&evidence), [(NOT_IN_SINK, 1)]);
}

#[test]
fn dead_letters_and_skipped_leads_count_when_they_are_there() {
    let mut evidence = good(2);
    evidence.outcomes.retain(|ending| ending.sink != MAIL);
    evidence.arrivals.clear();
    end(&mut evidence, 0, MAIL, EndStatus::Skipped, 7);
    end(&mut evidence, 1, MAIL, EndStatus::DeadLettered, 7);
    assert_eq!(found(&evidence), [(LOST, 1)], "it is in no dead letters");
    evidence.dead.insert((MAIL.to_owned(), id(1)));
    assert_eq!(found(&evidence), []);
}

#[test]
fn an_id_that_nobody_has_posted_is_found_anywhere() {
    for place in 0..3 {
        let mut evidence = good(1);
        match place {
            0 => arrive(&mut evidence, 9, 50, "w1", true),
            1 => end(&mut evidence, 9, CRM, EndStatus::Skipped, 50),
            _ => drop(evidence.crm.insert(id(9))),
        }
        assert_eq!(found(&evidence), [(UNKNOWN, 1)]);
    }
}

#[test]
fn a_post_without_an_answer_may_be_stored_or_not() {
    let mut evidence = good(3);
    evidence.posts[1].answer = Answer::Unknown { why: "503".to_owned() };
    assert_eq!(found(&evidence), []);
    assert_eq!(judge(&evidence).unknown_but_stored, 1);
    evidence.posts[1].answer = Answer::Refused { status: 400 };
    assert!(found(&evidence).iter().all(|(kind, _)| *kind == UNKNOWN));
}

#[test]
fn a_second_record_of_one_post_is_a_stranger() {
    let mut evidence = good(2);
    evidence.leads.insert(id(7), 0);
    assert_eq!(found(&evidence), [(UNKNOWN, 1)]);
}

#[test]
fn first_mails_are_in_order_unless_a_lead_was_in_the_retry_topic() {
    let mut evidence = good(3);
    evidence.arrivals.swap(0, 1);
    (0..).zip(&mut evidence.arrivals).for_each(|(n, mail)| mail.n = n);
    assert_eq!(found(&evidence), [(ORDER, 1)]);
    evidence.retried.insert(id(0), vec![7]);
    assert_eq!(found(&evidence), []);
}

#[test]
fn an_older_lead_must_not_win_in_the_crm() {
    let mut evidence = good(2);
    evidence.outdated.push(id(0));
    assert_eq!(found(&evidence), [(OUTDATED, 1)]);
}

#[test]
fn only_the_first_copy_counts_for_the_order() {
    let mut evidence = good(2);
    evidence.outcomes.iter_mut().for_each(|ending| ending.at += 5000);
    blow(&mut evidence, "w1", BlowKind::Kill);
    arrive(&mut evidence, 0, 3000, "w2", true);
    assert_eq!(explained(&evidence), 1);
}

#[test]
fn a_copy_without_a_reason_fails() {
    let mut evidence = good(1);
    arrive(&mut evidence, 0, 3000, "w2", true);
    assert_eq!(found(&evidence), [(COPY, 1)]);
    let stories = judge(&evidence).faults.remove(COPY).unwrap();
    assert!(stories[0].contains("mail 1 by w2, answered") && stories[0].contains("outcome of replay 0"), "{stories:?}");
}

#[test]
fn a_kill_explains_what_it_left_without_an_outcome() {
    for kind in [BlowKind::Kill, BlowKind::Frozen] {
        let mut evidence = good(1);
        evidence.outcomes[0].at = 4000;
        arrive(&mut evidence, 0, 3000, "w2", true);
        blow(&mut evidence, "w2", kind);
        assert_eq!(found(&evidence), [(COPY, 1)], "the blow met another worker");
        blow(&mut evidence, "w1", kind);
        assert_eq!(explained(&evidence), 1);
        evidence.outcomes[0].at = FROM - 1;
        assert_eq!(found(&evidence), [(COPY, 1)], "the outcome was in Kafka before");
    }
}

#[test]
fn a_kill_does_not_explain_what_came_before_it_or_began_after_it() {
    let mut evidence = good(1);
    evidence.outcomes[0].at = 4000;
    blow(&mut evidence, "w1", BlowKind::Kill);
    arrive(&mut evidence, 0, FROM - 1, "w2", true);
    assert_eq!(found(&evidence), [(COPY, 1)], "the copy was there before the kill");
    let mut evidence = good(1);
    evidence.outcomes[0].at = 9000;
    evidence.arrivals[0].at = 5000;
    blow(&mut evidence, "w1", BlowKind::Frozen);
    arrive(&mut evidence, 0, 6000, "w2", true);
    assert_eq!(found(&evidence), [(COPY, 1)], "the first was sent by a worker that went on after its stop");
}

#[test]
fn a_lost_assignment_explains_what_had_no_outcome_yet() {
    let mut evidence = good(1);
    evidence.outcomes[0].at = 4000;
    blow(&mut evidence, "w1", BlowKind::Lost);
    arrive(&mut evidence, 0, 900, "w2", true);
    assert_eq!(explained(&evidence), 1);
    evidence.outcomes[0].at = 899;
    assert_eq!(found(&evidence), [(COPY, 1)]);
}

#[test]
fn an_answer_that_never_came_explains_a_copy_only_when_the_outcome_says_so() {
    let mut evidence = good(1);
    evidence.arrivals[0].answered = false;
    arrive(&mut evidence, 0, 3000, "w1", true);
    assert_eq!(found(&evidence), [(COPY, 1)]);
    evidence.outcomes[0].status = EndStatus::Delivered { maybe_duplicate: true };
    assert_eq!(explained(&evidence), 1);
    evidence.arrivals[0].answered = true;
    assert_eq!(found(&evidence), [(COPY, 1)], "it was answered");
}

#[test]
fn each_further_copy_needs_its_own_reason() {
    let mut evidence = good(1);
    evidence.outcomes[0] = Ending { at: 4000, ..evidence.outcomes[0].clone() };
    evidence.outcomes[0].status = EndStatus::Delivered { maybe_duplicate: true };
    blow(&mut evidence, "w1", BlowKind::Kill);
    arrive(&mut evidence, 0, 2000, "w2", false);
    arrive(&mut evidence, 0, 3000, "w2", true);
    assert_eq!(judge(&evidence).explained.len(), 2);
    arrive(&mut evidence, 0, 3500, "w2", true);
    assert_eq!(found(&evidence), [(COPY, 1)]);
}

#[test]
fn another_replay_or_recipient_is_no_copy() {
    let mut evidence = good(1);
    arrive(&mut evidence, 0, 3000, "w2", true);
    evidence.arrivals[1].replay = 1;
    arrive(&mut evidence, 0, 3000, "w2", true);
    evidence.arrivals[2].to = "partner@rig.example".to_owned();
    assert_eq!(found(&evidence), []);
}

#[test]
fn a_stopped_worker_that_records_late_hides_the_mark_of_the_next_one() {
    let mut evidence = good(1);
    blow(&mut evidence, "w1", BlowKind::Frozen);
    let to = evidence.blows[0].to;
    evidence.outcomes[0].at = to + 70;
    arrive(&mut evidence, 0, to + 400, "w2", false);
    arrive(&mut evidence, 0, to + 600, "w2", false);
    assert_eq!(judge(&evidence).explained.len(), 2);
    evidence.arrivals[1].answered = true;
    assert_eq!(found(&evidence), [(COPY, 1)], "the second copy was answered");
    evidence.arrivals[1].answered = false;
    evidence.outcomes[0].at = FROM - 1;
    assert_eq!(found(&evidence), [(COPY, 2)], "the outcome was in Kafka before the stop");
}
