//! Workers that are stopped, killed and frozen with leads on their way.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use leadline_proto::headers::REDELIVERY;
use leadline_tests::guarded::Signal;
use leadline_tests::smtp::address;
use leadline_tests::{Stack, eventually};
use uuid::Uuid;

use super::follower::Follower;
use super::line::{
    AFTER_KILL, Line, PARTITIONS, copies, figure, id_of, is_delivered, lead, once, own, record, skipped, the_outcome,
};
use super::mailbox::Mailbox;
use crate::support::{PATIENCE, Running};

const RETRY: &str = "[worker.retry]\nin_place_tries = 1\nschedule = [\"5s\"]\ngive_up_after = \"1h\"\n";
const ASSIGNED: &str = "leadline_consumer_assigned_partitions";
const LEADS: &str = "source=\"leads\"";

pub(super) fn stops_and_revokes(stack: &Stack) {
    let quick = own(stack, "quick");
    let (slow, late) =
        (address::waiting(1, &own(stack, "slow")), address::at_first(6, &address::refused(451, &own(stack, "late"))));
    let endpoints: [(&str, &str); 3] = [("quick", &quick), ("slow", &slow), ("late", &late)];
    let line = Line::new(stack, stack.smtp(), "smtp.connections = 20", RETRY, &endpoints);
    let put = |persons: &str| -> Vec<(Uuid, &str)> {
        let of = |(endpoint, contact): (&'static str, _)| {
            line.put_many(endpoint, &format!("{endpoint}{persons}"), 12).into_iter().map(move |lead| (lead, contact))
        };
        [("quick", "quick"), ("slow", "slow"), ("late", "late")].into_iter().flat_map(of).collect()
    };
    let over = AtomicBool::new(false);
    let (leads, looks) = thread::scope(|scope| {
        let watch = scope.spawn(|| watch(&line, &over));
        let told = Told(&over);
        let leads = hand_over(&line, put);
        drop(told);
        (leads, watch.join().unwrap())
    });
    println!("{} leads, {looks} looks at the positions", leads.len());
    assert!(looks > 20, "too few to show anything");
    for (contact, name) in [(&quick, "quick"), (&slow, "slow"), (&late, "late")] {
        let expected: Vec<Uuid> = leads.iter().filter(|(_, to)| *to == name).map(|(lead, _)| *lead).collect();
        assert_eq!(copies(stack.smtp(), contact), once(&expected), "{name}");
    }
    let outcomes = line.outcomes();
    assert!(leads.iter().all(|(lead, _)| is_delivered(the_outcome(&outcomes, *lead))));
}

/// Says at its end that all is over, also when that is a panic: nobody shall watch on.
struct Told<'a>(&'a AtomicBool);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Gives partitions from worker to worker while leads are before, in and after the call of the sink.
fn hand_over<'n>(line: &Line<'_>, put: impl Fn(&str) -> Vec<(Uuid, &'n str)>) -> Vec<(Uuid, &'n str)> {
    let mut first = line.email();
    let mut leads = put("a");
    eventually("some are delivered", PATIENCE, || (line.outcomes().len() > 3).then_some(()));
    // Revoked with leads in flight, in lanes and in the retry topic.
    let mut second = line.spawn_email();
    leads.extend(put("b"));
    eventually("the second has partitions", PATIENCE, || (figure(&second, ASSIGNED, LEADS) > 0.0).then_some(()));
    leads.extend(put("c"));
    eventually("the first is busy", PATIENCE, || (figure(&first, "leadline_in_flight_leads", "") > 0.0).then_some(()));
    first.process.signal_term();
    leads.extend(put("d"));
    assert_eq!(first.process.wait_exit(AFTER_KILL), 0);
    let _third = line.spawn_email();
    leads.extend(put("e"));
    assert_eq!(second.stop(), 0);
    let ids: Vec<Uuid> = leads.iter().map(|(lead, _)| *lead).collect();
    line.ended(&ids, AFTER_KILL);
    eventually("every position is at its end", PATIENCE, || {
        let ends = line.records("leads").into_iter().fold(BTreeMap::new(), |mut ends, record| {
            ends.insert(record.partition, record.offset + 1);
            ends
        });
        (line.committed() == ends).then_some(())
    });
    leads
}

/// Looks again and again whether a position has passed a lead for which no record stands.
fn watch(line: &Line<'_>, over: &AtomicBool) -> usize {
    let (mut follower, mut looks) = (Follower::new(line.stack.kafka(), line), 0);
    eventually("the leads have gone from worker to worker", 3 * AFTER_KILL, || {
        looks += usize::from(follower.look());
        over.load(Ordering::Relaxed).then_some(looks)
    })
}

pub(super) fn killed_at_any_step(stack: &Stack) {
    let quick = own(stack, "quick");
    let late = address::at_first(4, &address::refused(451, &own(stack, "late")));
    let taken = address::at_first(4, &address::waiting(90, &own(stack, "taken")));
    let endpoints: [(&str, &str); 3] = [("quick", &quick), ("late", &late), ("taken", &taken)];
    let line = Line::new(stack, stack.smtp(), "smtp.connections = 20", RETRY, &endpoints);
    let mut worker = line.email();
    let done = line.put_many("quick", "done", PARTITIONS);
    let recorded = line.ended(&done, PATIENCE).len();
    // The server has taken these, and has not said so.
    let in_call = line.put_many("taken", "p", PARTITIONS);
    eventually("the server has them", PATIENCE, || (copies(stack.smtp(), &taken).len() == 4).then_some(()));
    // Of the same persons: not begun.
    let before_call = line.put_many("quick", "p", PARTITIONS);
    let waiting = line.put_many("late", "w", PARTITIONS);
    line.wait_for_records("retry", waiting.len());
    worker.process.kill();
    assert_eq!(line.outcomes().len(), recorded, "the others were on their way");

    let _next = line.spawn_email();
    let all: Vec<Uuid> = [&done, &in_call, &before_call, &waiting].into_iter().flatten().copied().collect();
    let outcomes = line.ended(&all, AFTER_KILL);
    all.iter().for_each(|lead| assert!(is_delivered(the_outcome(&outcomes, *lead))));
    let begun_once: Vec<Uuid> = [done, before_call].concat();
    assert_eq!(copies(stack.smtp(), &quick), once(&begun_once));
    assert_eq!(copies(stack.smtp(), &late), once(&waiting));
    assert_eq!(copies(stack.smtp(), &taken), in_call.iter().map(|lead| (*lead, 2)).collect(), "only these may come twice");
}

pub(super) fn begun_is_not_delivered(stack: &Stack) {
    // It has no answer to two recipients, so their leads are begun and nothing of them is sent.
    let mailbox = Mailbox::start(10, 2);
    let line = Line::at(stack, mailbox.port(), "", "", &[("any", &own(stack, "any"))]);
    let mut worker = line.email_with_repeats();
    let said = |person: &str, text: &str| lead("any", person, text);
    // A lead with its repeat behind it, and one that stands twice.
    let [first, repeat] = [said("ann", "one"), said("ann", "one")];
    let double = record(&said("bob", "two"), 1);
    let mut drained = double.clone();
    drained.headers.push((REDELIVERY.to_owned(), b"1".to_vec()));
    // Behind these, and not begun: one more with its repeat.
    let [queued, its_repeat] = [said("ann", "three"), said("ann", "three")];
    let of_ann = [&first, &repeat, &queued, &its_repeat].map(|lead| record(lead, 0));
    line.put(&[&of_ann[..], &[double.clone(), drained]].concat());
    eventually("two are begun", PATIENCE, || (mailbox.silent() == 2).then_some(()));
    worker.process.kill();
    assert!(mailbox.taken().is_empty() && line.outcomes().is_empty());

    let _next = line.email_with_repeats();
    let delivered = [first.lead_id, id_of(&double).unwrap(), queued.lead_id];
    let repeats = [repeat.lead_id, its_repeat.lead_id];
    let outcomes = line.ended(&[&delivered[..], &repeats].concat(), AFTER_KILL);
    assert!(delivered.iter().all(|lead| is_delivered(the_outcome(&outcomes, *lead))), "{outcomes:?}");
    assert!(repeats.iter().all(|lead| skipped(the_outcome(&outcomes, *lead)) == Some("repeat")), "{outcomes:?}");
    assert_eq!(mailbox.taken(), once(&delivered));
}

pub(super) fn frozen(stack: &Stack) {
    let slow = address::waiting(1, &own(stack, "slow"));
    let line = Line::new(stack, stack.smtp(), "smtp.connections = 2", "", &[("slow", &slow)]);
    let mut frozen = line.email();
    let leads = line.put_many("slow", "p", 20);
    eventually("some are sent", PATIENCE, || (copies(stack.smtp(), &slow).len() >= 4).then_some(()));
    frozen.process.signal(Signal::Stop);
    let other = line.spawn_email();
    eventually("the other one has all partitions", AFTER_KILL, || {
        (figure(&other, ASSIGNED, LEADS) == f64::from(PARTITIONS)).then_some(())
    });
    let outcomes = line.ended(&leads, AFTER_KILL);
    let sent = copies(stack.smtp(), &slow);
    frozen.process.signal(Signal::Cont);
    // It finds out what has happened, and takes its share of what comes then.
    wait_for_both(&frozen, &other);
    let after = line.put_many("slow", "q", 8);
    line.ended(&after, PATIENCE);

    let mut expected = sent.clone();
    expected.extend(once(&after));
    assert_eq!(copies(stack.smtp(), &slow), expected, "the frozen worker has sent what another had sent");
    let twice: Vec<_> = sent.iter().filter(|(_, copies)| **copies > 1).collect();
    println!("{} leads, {} sent twice, which were at the server when the worker froze", leads.len(), twice.len());
    assert!(twice.len() <= 2 && sent.values().all(|copies| *copies <= 2), "{sent:?}");
    assert_eq!(outcomes.len(), leads.len());
    let late: Vec<_> = line.outcomes().into_iter().filter(|outcome| leads.contains(&outcome.lead_id)).collect();
    assert!(late.len() <= leads.len() + 2, "only a lead that was at the server then may have a second outcome");
}

fn wait_for_both(frozen: &Running, other: &Running) {
    eventually("both have partitions", AFTER_KILL, || {
        let shares = [figure(frozen, ASSIGNED, LEADS), figure(other, ASSIGNED, LEADS)];
        (shares[0] > 0.0 && shares[0] + shares[1] == f64::from(PARTITIONS)).then_some(())
    });
}
