//! The headers under which a dead letter goes back to the retry topic. Pure.

use jiff::Timestamp;
use leadline_proto::dead_letter::DeadLetter;
use leadline_proto::retry::{Class, History, Wait};
use leadline_proto::{Code, Headers};

/// Why it waits there, for the moment until its worker takes it.
const REASON: Code = Code::of("replay");

/// A new run begins: tries, rounds and the time of the first failure count anew. What was done already, or may have been, is
/// kept: nobody is served twice.
pub(super) fn headers(letter: &Headers, replay: u32, now: Timestamp) -> Headers {
    let mut headers = letter.clone();
    DeadLetter::strip(&mut headers);
    let History { progress, maybe_duplicate, .. } = History::read(&headers);
    let history = History { replay, progress, maybe_duplicate, ..History::default() };
    history.write(&Wait { not_before: now, class: Class::Later, reason: REASON }, &mut headers);
    headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::dead_letters::book::tests::{dead, id};

    #[test]
    fn a_new_run_begins_and_what_is_done_stays_done() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let earlier = History {
            attempts: 6,
            round: 3,
            replay: 1,
            first_failed_at: Some(now),
            progress: vec![Code::of("1a2b3c4d")],
            maybe_duplicate: true,
        };
        let mut letter = dead(1, 1, "smtp-550").with("custom", "kept");
        earlier.write(&Wait { not_before: now, class: Class::Failed, reason: Code::of("x") }, &mut letter);
        let headers = headers(&letter, 2, now);
        let expected = History { replay: 2, progress: earlier.progress, maybe_duplicate: true, ..History::default() };
        assert_eq!(History::read(&headers), expected);
        assert_eq!(Wait::read(&headers), Some(Wait { not_before: now, class: Class::Later, reason: REASON }));
        assert_eq!(DeadLetter::read(&headers), None);
        assert!(headers.iter().all(|(name, _)| !name.starts_with("dlq.") && !name.starts_with("__connect")));
        assert_eq!((headers.text("custom"), headers.text("ce_id")), (Some("kept"), Some(id(1).to_string().as_str())));
    }
}
