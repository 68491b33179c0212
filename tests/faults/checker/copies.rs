//! Every mail that came more than once has an explanation, or the run has failed.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{Arrival, Blow, BlowKind, COPY, EndStatus, Evidence, Index, MAIL, Verdict};

/// What a killed worker had sent may be read by the sink a moment later.
const ON_THE_WIRE_MS: i64 = 1000;

pub(super) fn check(evidence: &Evidence, index: &Index<'_>, verdict: &mut Verdict) {
    let mut copies: BTreeMap<(Uuid, &str, u32), Vec<&Arrival>> = BTreeMap::new();
    for mail in &evidence.arrivals {
        copies.entry((mail.lead, &mail.to, mail.replay)).or_default().push(mail);
    }
    for mails in copies.into_values() {
        for number in 1..mails.len() {
            match explain(evidence, index, &mails[..number], mails[number]) {
                Some(why) => *verdict.explained.entry(why).or_default() += 1,
                None => verdict.fault(COPY, story(evidence, index, &mails)),
            }
        }
    }
}

/// Why `second` came after those before it.
fn explain(evidence: &Evidence, index: &Index<'_>, before: &[&Arrival], second: &Arrival) -> Option<&'static str> {
    let (first, earlier) = before.split_last()?;
    if !first.answered && tells_of_it(index, first) {
        return Some("the answer after the final dot never came, and the outcome says so");
    }
    if !first.answered && evidence.blows.iter().any(|blow| took_the_mark(blow, index, first, second)) {
        return Some("the answer after the final dot never came, and the worker that knew was gone before it was recorded");
    }
    if !first.answered && earlier.iter().any(|earlier| kept_the_outcome(evidence, index, earlier, second)) {
        return Some("the answer after the final dot never came, and the outcome is that of a worker that had been stopped");
    }
    let blow = evidence.blows.iter().find(|blow| explains(blow, index, first, second))?;
    Some(match blow.kind {
        BlowKind::Kill => "in flight when its worker was killed",
        BlowKind::Frozen => "in flight when its worker was stopped for longer than a session",
        BlowKind::Lost => "in flight when Kafka took the partitions away",
    })
}

/// Whether the lead's outcome says that the sink may have it twice. A dead letter has no such member.
fn tells_of_it(index: &Index<'_>, mail: &Arrival) -> bool {
    index.of(MAIL, mail.lead).iter().any(|ending| match ending.status {
        EndStatus::Delivered { maybe_duplicate } => maybe_duplicate,
        EndStatus::DeadLettered => true,
        EndStatus::Skipped => false,
    })
}

/// Both copies stood in the sink's journal when the worker that sent them was hit, and nothing was recorded: that the answer to
/// the first never came died with it.
fn took_the_mark(blow: &Blow, index: &Index<'_>, first: &Arrival, second: &Arrival) -> bool {
    let recorded = index.of(MAIL, first.lead).iter().any(|ending| ending.replay == first.replay && ending.at < blow.from);
    let ours = blow.worker == first.worker && blow.worker == second.worker;
    ours && !recorded && blow.kind != BlowKind::Lost && second.at <= blow.to + ON_THE_WIRE_MS
}

/// An earlier copy stood in the sink's journal when its worker was stopped; it recorded that one afterwards, and could not know of
/// what the next owner of the lead had begun.
fn kept_the_outcome(evidence: &Evidence, index: &Index<'_>, earlier: &Arrival, second: &Arrival) -> bool {
    let stops = evidence.blows.iter().filter(|blow| blow.kind == BlowKind::Frozen && explains(blow, index, earlier, second));
    let endings = index.of(MAIL, earlier.lead);
    stops.into_iter().any(|stop| endings.iter().any(|ending| ending.replay == earlier.replay && ending.at >= stop.to))
}

/// The first copy stood in the sink's journal before the blow, no outcome was in Kafka by then, and the second came after it.
fn explains(blow: &Blow, index: &Index<'_>, first: &Arrival, second: &Arrival) -> bool {
    let endings = index.of(MAIL, first.lead);
    let recorded_before = |time: i64| endings.iter().any(|ending| ending.replay == first.replay && ending.at < time);
    let unrecorded = match blow.kind {
        BlowKind::Kill | BlowKind::Frozen => !recorded_before(blow.from),
        // Kafka gave the partitions away some time before the worker noticed.
        BlowKind::Lost => !recorded_before(second.at),
    };
    let stood = match blow.kind {
        BlowKind::Kill => first.at <= blow.to + ON_THE_WIRE_MS,
        BlowKind::Frozen => first.at <= blow.from + ON_THE_WIRE_MS,
        BlowKind::Lost => first.at <= blow.to,
    };
    let after = blow.kind == BlowKind::Lost || second.at >= blow.from;
    blow.worker == first.worker && unrecorded && stood && after
}

/// Everything that is known about the copies of a mail.
fn story(evidence: &Evidence, index: &Index<'_>, mails: &[&Arrival]) -> String {
    let first = mails[0];
    let mut lines: Vec<(i64, String)> = Vec::new();
    for mail in mails {
        let answer = if mail.answered { "answered" } else { "not answered" };
        lines.push((mail.at, format!("mail {} by {}, {answer}", mail.n, mail.worker)));
        for blow in evidence.blows.iter().filter(|blow| blow.worker == mail.worker) {
            lines.push((blow.from, format!("{}: {:?}, until {}", blow.worker, blow.kind, blow.to)));
        }
    }
    for ending in index.of(MAIL, first.lead) {
        lines.push((ending.at, format!("outcome of replay {}: {:?}", ending.replay, ending.status)));
    }
    let retries = evidence.retried.get(&first.lead).into_iter().flatten();
    lines.extend(retries.map(|at| (*at, "put into the retry topic".to_owned())));
    lines.sort();
    lines.dedup();
    let lines: Vec<String> = lines.into_iter().map(|(at, what)| format!("\n    {at} {what}")).collect();
    format!("{} to {}:{}", first.lead, first.to, lines.concat())
}
