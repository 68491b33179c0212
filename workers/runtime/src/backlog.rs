//! What a worker has not done yet, divided by why: the figures that say whether more workers would help.
//!
//! Pure sums over the state.

use jiff::Timestamp;

use crate::ledger::Ledger;

/// Leads that are not done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Backlog {
    /// To be handled now, those included that were not read yet.
    pub(crate) due: usize,
    /// Waiting for their time.
    pub(crate) delayed: usize,
    /// Held back by an operator.
    pub(crate) held: usize,
    /// When the oldest of them was received, as far as it was read.
    pub(crate) oldest: Option<Timestamp>,
}

impl Backlog {
    /// Adds a partition that ends at `end`.
    pub(crate) fn with(self, ledger: &Ledger, end: i64) -> Self {
        let unread = ledger.next().map_or(0, |next| usize::try_from(end - next).unwrap_or_default());
        let oldest = [self.oldest, ledger.oldest()].into_iter().flatten().min();
        Self { due: self.due + unread + ledger.open(), oldest, ..self }
    }

    /// Counts what waits not as due.
    pub(crate) fn put_aside(&mut self, delayed: usize, held: usize) {
        self.due = self.due.saturating_sub(delayed + held);
        self.delayed += delayed;
        self.held += held;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::floor::Floor;

    #[test]
    fn what_waits_is_not_due_and_what_is_unread_is() {
        let mut ledger = Ledger::new(None, Floor::default(), 0);
        let second = "2026-11-23T10:00:01Z".parse().unwrap();
        ledger.take(10, Floor::default(), Some(Timestamp::UNIX_EPOCH));
        ledger.take(11, Floor::default(), Some(second));
        ledger.take(12, Floor::default(), None);
        ledger.finish(10);
        let mut backlog = Backlog::default().with(&ledger, 20);
        assert_eq!(backlog, Backlog { due: 7 + 2, delayed: 0, held: 0, oldest: Some(second) });
        backlog.put_aside(1, 1);
        assert_eq!((backlog.due, backlog.delayed, backlog.held), (7, 1, 1));
    }
}
