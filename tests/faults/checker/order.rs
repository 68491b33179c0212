//! The first mails about one person come in the order in which the leads were posted; in the CRM the newer lead wins, however
//! they came.
//!
//! Left out of the first: leads that were in the retry topic, which have left the order; and posts that got no answer, which may have been
//! stored at any later time.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use super::{Evidence, ORDER, OUTDATED, Verdict};
use crate::journal::{Answer, Arrival};

pub(super) fn check(evidence: &Evidence, verdict: &mut Verdict) {
    for lead in &evidence.outdated {
        verdict.fault(OUTDATED, format!("{lead} stands in the CRM, and a newer lead of that record was written, too"));
    }
    let mut first: HashMap<(Uuid, &str), &Arrival> = HashMap::new();
    for mail in &evidence.arrivals {
        first.entry((mail.lead, &mail.to)).or_insert(mail);
    }
    for ((person, endpoint), mut leads) in persons(evidence) {
        leads.sort_unstable();
        for to in evidence.contacts.get(endpoint).into_iter().flatten() {
            let mails = leads.iter().filter_map(|(_, lead)| first.get(&(*lead, to.as_str())).copied());
            check_person(person, mails, verdict);
        }
    }
}

/// The leads of each person with their place in the person's order.
fn persons(evidence: &Evidence) -> BTreeMap<(u32, &str), Vec<(u32, Uuid)>> {
    let mut persons: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for post in &evidence.posts {
        if let Answer::Accepted { lead } = post.answer
            && !evidence.retried.contains_key(&lead)
        {
            persons.entry((post.person, post.endpoint.as_str())).or_default().push((post.seq, lead));
        }
    }
    persons
}

/// `mails` are in the order of the leads.
fn check_person<'a>(person: u32, mails: impl Iterator<Item = &'a Arrival>, verdict: &mut Verdict) {
    let mut latest: Option<&Arrival> = None;
    for mail in mails {
        if let Some(before) = latest {
            verdict.ordered_pairs += 1;
            if mail.n < before.n {
                let (earlier, later) = (describe(before), describe(mail));
                verdict.fault(ORDER, format!("person {person}: {later} was posted after {earlier}, and came before it"));
                continue;
            }
        }
        latest = Some(mail);
    }
}

fn describe(mail: &Arrival) -> String {
    format!("{} (mail {} at {} by {})", mail.lead, mail.n, mail.at, mail.worker)
}
