//! How many calls to the sink may run at once: grows while the sink's latency holds, shrinks when the sink says "too fast".
//!
//! Pure. Additive increase, multiplicative decrease, after a slow start that doubles the limit with every round. A round is as
//! many answered calls as the limit allows at once. Who waits for a place is `gate`'s.

use std::time::Duration;

/// Calls at once to begin with, and again after the sink was down: what has just come back is not run over.
const START: f64 = 16.0;
/// A round's mean latency may be this many times the best one, and a bit more, before the limit stops growing.
const TOLERANCE: f64 = 3.0;
/// The bit more: below it, differences of latency are those of this machine.
const SLACK: f64 = 0.010;
/// What a latency that no longer holds takes from the limit.
const SLOWER: f64 = 0.9;
/// Latency alone never lowers the limit below this.
const LEAST_BY_LATENCY: f64 = 8.0;
/// The best latency ages by this factor with every round, so that a sink that became slower for good is accepted.
const AGEING: f64 = 1.02;

/// What became of the limit when the sink said "too fast".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Throttled {
    /// It is lower now, or has been lowered since the call began.
    Lowered,
    /// It was 1 already.
    AtLeast,
}

/// The limit of one sink.
#[derive(Debug)]
pub(crate) struct Limit {
    most: f64,
    now: f64,
    slow_start: bool,
    best: Option<f64>,
    round: Round,
    /// Counts the times the limit was lowered by the sink's word.
    cuts: u64,
}

/// Calls answered since the limit was last looked at.
#[derive(Debug, Default)]
struct Round {
    calls: f64,
    seconds: f64,
    busiest: f64,
}

impl Limit {
    /// A limit that never exceeds `most`.
    pub(crate) fn new(most: usize) -> Self {
        let most = clamp(most);
        Self { most, now: START.min(most), slow_start: true, best: None, round: Round::default(), cuts: 0 }
    }

    /// Calls that may run at once.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Between 1 and what was a `usize` before.
    pub(crate) fn now(&self) -> usize {
        self.now as usize
    }

    /// How often the sink's word has lowered it; a call remembers this from its beginning.
    pub(crate) fn cuts(&self) -> u64 {
        self.cuts
    }

    /// A call was answered after `took`, with `running` calls at the same time.
    pub(crate) fn answered(&mut self, took: Duration, running: usize) {
        self.round.calls += 1.0;
        self.round.seconds += took.as_secs_f64();
        self.round.busiest = self.round.busiest.max(clamp(running));
        if self.round.calls >= self.now.floor() {
            self.end_round();
        }
    }

    fn end_round(&mut self) {
        let round = std::mem::take(&mut self.round);
        let mean = round.seconds / round.calls;
        let best = self.best.map_or(mean, |best| mean.min(best * AGEING));
        self.best = Some(best);
        if mean > best * TOLERANCE + SLACK {
            self.slow_start = false;
            self.now = (self.now * SLOWER).max(LEAST_BY_LATENCY.min(self.now));
        } else if round.busiest >= self.now.floor() * SLOWER {
            let step = if self.slow_start { self.now } else { (self.now / 8.0).max(1.0) };
            self.now = (self.now + step).min(self.most);
        }
    }

    /// The sink said "too fast" to a call that began when the limit had been lowered `cuts` times; `running` calls ran then.
    pub(crate) fn throttled(&mut self, cuts: u64, running: usize) -> Throttled {
        if cuts != self.cuts {
            return Throttled::Lowered;
        }
        let from = self.now.min(clamp(running)).floor();
        self.cuts += 1;
        self.slow_start = false;
        self.round = Round::default();
        self.now = (from / 2.0).floor().max(1.0);
        if from <= 1.0 { Throttled::AtLeast } else { Throttled::Lowered }
    }

    /// The sink was down and is back.
    pub(crate) fn restart(&mut self) {
        *self = Self { cuts: self.cuts, best: self.best, ..Self::new(usize::MAX) }.within(self.most);
    }

    fn within(mut self, most: f64) -> Self {
        self.most = most;
        self.now = self.now.min(most);
        self
    }
}

/// A count as a limit: at least 1, and exact.
fn clamp(count: usize) -> f64 {
    f64::from(u32::try_from(count.max(1)).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: Duration = Duration::from_millis(20);

    /// Rounds of calls that all take this long and use the whole limit.
    fn rounds(limit: &mut Limit, count: usize, took: Duration) {
        for _ in 0..count {
            let now = limit.now();
            (0..now).for_each(|_| limit.answered(took, now));
        }
    }

    #[test]
    fn it_doubles_while_latency_holds_and_stays_within_the_most() {
        let mut limit = Limit::new(100);
        assert_eq!(limit.now(), 16);
        rounds(&mut limit, 1, FAST);
        assert_eq!(limit.now(), 32);
        rounds(&mut limit, 9, FAST);
        assert_eq!(limit.now(), 100);
        assert_eq!(Limit::new(3).now(), 3);
    }

    #[test]
    fn it_does_not_grow_while_it_is_not_used() {
        let mut limit = Limit::new(100);
        (0..1000).for_each(|_| limit.answered(FAST, 3));
        assert_eq!(limit.now(), 16);
    }

    #[test]
    fn it_shrinks_while_latency_does_not_hold_but_not_to_nothing() {
        let mut limit = Limit::new(100);
        rounds(&mut limit, 9, FAST);
        rounds(&mut limit, 1, FAST * 5);
        assert_eq!(limit.now(), 90);
        rounds(&mut limit, 40, FAST * 50);
        assert_eq!(limit.now(), 8);
    }

    #[test]
    fn a_sink_that_became_slower_for_good_is_accepted() {
        let mut limit = Limit::new(100);
        rounds(&mut limit, 9, FAST);
        rounds(&mut limit, 200, FAST * 5);
        assert_eq!(limit.now(), 100);
    }

    #[test]
    fn the_sinks_word_halves_it_once_for_all_calls_of_the_time_and_then_it_grows_slowly() {
        let mut limit = Limit::new(100);
        rounds(&mut limit, 9, FAST);
        let cuts = limit.cuts();
        for _ in 0..100 {
            assert_eq!(limit.throttled(cuts, 100), Throttled::Lowered);
        }
        assert_eq!(limit.now(), 50);
        rounds(&mut limit, 1, FAST);
        assert_eq!(limit.now(), 56);
    }

    #[test]
    fn what_really_ran_is_halved() {
        let mut limit = Limit::new(100);
        assert_eq!(limit.throttled(0, 4), Throttled::Lowered);
        assert_eq!(limit.now(), 2);
        assert_eq!(limit.throttled(1, 2), Throttled::Lowered);
        assert_eq!(limit.throttled(2, 1), Throttled::AtLeast);
        assert_eq!(limit.now(), 1);
    }

    #[test]
    fn after_the_sink_was_down_it_starts_anew_and_old_calls_do_not_count() {
        let mut limit = Limit::new(100);
        limit.throttled(0, 2);
        limit.restart();
        assert_eq!((limit.now(), limit.cuts()), (16, 1));
        assert_eq!(limit.throttled(0, 16), Throttled::Lowered);
        assert_eq!(limit.now(), 16);
    }
}
