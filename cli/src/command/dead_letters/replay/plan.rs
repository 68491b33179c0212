//! Which dead letters a replay takes, and which it leaves out. Pure.

use crate::command::dead_letters::book::{Book, Entry, Letter};

/// After so many replays a letter is left out: what failed each time will fail again, and goes round for ever.
pub(super) const MOST_REPLAYS: u32 = 3;

/// What a replay does.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// The oldest first.
    pub(super) chosen: Vec<&'a Entry>,
    /// Left out: replayed or dropped before.
    pub(super) settled: usize,
    /// Left out: replayed too often.
    pub(super) often: usize,
    /// Left out: beyond the limit.
    pub(super) beyond: usize,
}

impl<'a> Plan<'a> {
    /// Chooses among the letters that are wanted; `again` also takes those that were replayed often.
    pub(super) fn new(book: &'a Book, wanted: impl Fn(&Letter) -> bool, again: bool, limit: Option<usize>) -> Self {
        let (mut chosen, settled): (Vec<_>, Vec<_>) =
            book.entries().filter(|entry| wanted(&entry.letter)).partition(|entry| entry.is_open());
        let open = chosen.len();
        chosen.retain(|entry| again || entry.letter.facts.replay < MOST_REPLAYS);
        let (settled, often) = (settled.len(), open - chosen.len());
        chosen.sort_by_key(|entry| entry.letter.facts.last_failed_at);
        let beyond = chosen.len().saturating_sub(limit.unwrap_or(usize::MAX));
        chosen.truncate(chosen.len() - beyond);
        Self { chosen, settled, often, beyond }
    }

    /// The chosen letters.
    pub(super) fn letters(&self) -> impl Iterator<Item = &Letter> {
        self.chosen.iter().map(|entry| &entry.letter)
    }
}

#[cfg(test)]
mod tests {
    use leadline_proto::settled::Settled;

    use super::*;
    use crate::command::dead_letters::book::tests::{book, dead, id, sink};

    fn chosen(plan: &Plan<'_>) -> Vec<u128> {
        plan.letters().map(|letter| letter.lead_id.as_u128()).collect()
    }

    #[test]
    fn the_oldest_open_letters_are_chosen_up_to_the_limit() {
        let mut book = book(&[dead(3, 0, "x"), dead(1, 0, "x"), dead(2, 0, "y"), dead(4, 0, "x")]);
        let note = Settled { lead_id: id(4), replay: 1 };
        book.record(&sink(), (0, 9), None, &note.headers(&sink(), jiff::Timestamp::UNIX_EPOCH));
        let plan = Plan::new(&book, |_| true, false, Some(2));
        assert_eq!((chosen(&plan), plan.settled, plan.often, plan.beyond), (vec![1, 2], 1, 0, 1));
        let plan = Plan::new(&book, |letter| letter.facts.code.as_str() == "x", false, None);
        assert_eq!((chosen(&plan), plan.settled, plan.beyond), (vec![1, 3], 1, 0));
    }

    #[test]
    fn what_was_replayed_often_is_left_out_unless_asked_for() {
        let book = book(&[dead(1, 2, "x"), dead(2, 3, "x"), dead(3, 4, "x")]);
        let plan = Plan::new(&book, |_| true, false, None);
        assert_eq!((chosen(&plan), plan.often), (vec![1], 2));
        let plan = Plan::new(&book, |_| true, true, None);
        assert_eq!((chosen(&plan), plan.often), (vec![1, 2, 3], 0));
        assert_eq!(plan.letters().map(Letter::next_replay).collect::<Vec<_>>(), [3, 4, 5]);
    }
}
