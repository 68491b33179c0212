//! Every accepted lead is accounted for, and nothing else is anywhere.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::{CRM, EndStatus, Evidence, Index, LOST, MAIL, NOT_IN_SINK, NOT_IN_TOPIC, SINKS, UNKNOWN, Verdict};
use crate::journal::{Answer, Post};

pub(super) fn check(evidence: &Evidence, index: &Index<'_>, verdict: &mut Verdict) {
    count(evidence, verdict);
    let arrived: HashSet<(Uuid, &str)> = evidence.arrivals.iter().map(|mail| (mail.lead, mail.to.as_str())).collect();
    for post in &evidence.posts {
        let Answer::Accepted { lead } = post.answer else { continue };
        if evidence.leads.get(&lead) != Some(&post.number) {
            verdict.fault(NOT_IN_TOPIC, format!("{lead}, accepted at {}, is not in the topic `leads`", post.at));
        }
        for sink in SINKS {
            check_lead(evidence, index, &arrived, (sink, lead, post), verdict);
        }
    }
    no_strangers(evidence, verdict);
}

fn count(evidence: &Evidence, verdict: &mut Verdict) {
    let stored: HashSet<u64> = evidence.leads.values().copied().collect();
    for post in &evidence.posts {
        match post.answer {
            Answer::Accepted { .. } => verdict.accepted += 1,
            Answer::Unknown { .. } => {
                verdict.unknown += 1;
                verdict.unknown_but_stored += usize::from(stored.contains(&post.number));
            }
            Answer::Refused { .. } => verdict.refused += 1,
        }
    }
    verdict.arrivals = evidence.arrivals.len();
    verdict.retried = evidence.retried.len();
    for ending in &evidence.outcomes {
        let status = match ending.status {
            EndStatus::Delivered { maybe_duplicate: false } => "delivered",
            EndStatus::Delivered { maybe_duplicate: true } => "delivered, maybe twice",
            EndStatus::Skipped => "skipped",
            EndStatus::DeadLettered => "dead-lettered",
        };
        *verdict.outcomes.entry(format!("{}: {status}", ending.sink)).or_default() += 1;
    }
}

/// The latest outcome by replay says how a lead ended; what it says must be true.
fn check_lead(
    evidence: &Evidence,
    index: &Index<'_>,
    arrived: &HashSet<(Uuid, &str)>,
    (sink, lead, post): (&str, Uuid, &Post),
    verdict: &mut Verdict,
) {
    let Some(last) = index.of(sink, lead).iter().max_by_key(|ending| ending.replay) else {
        let seen = arrived.iter().filter(|(id, _)| *id == lead).count();
        return verdict.fault(LOST, format!("{lead} has no outcome at {sink}; accepted at {}, mails: {seen}", post.at));
    };
    match last.status {
        EndStatus::Delivered { .. } if sink == MAIL => {
            let contacts = evidence.contacts.get(&post.endpoint).map_or(&[][..], Vec::as_slice);
            for to in contacts.iter().filter(|to| !arrived.contains(&(lead, to.as_str()))) {
                verdict.fault(NOT_IN_SINK, format!("{lead} was delivered at {}, but {to} got no mail", last.at));
            }
        }
        EndStatus::Delivered { .. } if sink == CRM && !evidence.crm.contains(&lead) => {
            verdict.fault(NOT_IN_SINK, format!("{lead} was delivered at {}, but is not in the CRM", last.at));
        }
        EndStatus::DeadLettered if !evidence.dead.contains(&(sink.to_owned(), lead)) => {
            verdict.fault(LOST, format!("{lead} is said to be in the dead letters of {sink}, and is not"));
        }
        EndStatus::Delivered { .. } | EndStatus::Skipped | EndStatus::DeadLettered => {}
    }
}

/// Every id anywhere is of an accepted lead, or of one whose sender got no answer.
fn no_strangers(evidence: &Evidence, verdict: &mut Verdict) {
    let posts: HashMap<u64, &Answer> = evidence.posts.iter().map(|post| (post.number, &post.answer)).collect();
    let ours = |id: &Uuid| match evidence.leads.get(id).and_then(|number| posts.get(number)) {
        Some(Answer::Accepted { lead }) => lead == id,
        Some(Answer::Unknown { .. }) => true,
        Some(Answer::Refused { .. }) | None => false,
    };
    let places: [(&str, HashSet<Uuid>); 4] = [
        ("the topic `leads`", evidence.leads.keys().copied().collect()),
        ("the mail sink's journal", evidence.arrivals.iter().map(|mail| mail.lead).collect()),
        ("the outcomes", evidence.outcomes.iter().map(|ending| ending.lead).collect()),
        ("the CRM", evidence.crm.clone()),
    ];
    for (place, ids) in places {
        for id in ids.iter().filter(|id| !ours(id)) {
            verdict.fault(UNKNOWN, format!("{id} is in {place}, and nobody has posted it"));
        }
    }
}
