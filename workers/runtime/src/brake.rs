//! The brake: when too many leads are given up, the sink is stopped before the next dead letter is written. A wrong template or a
//! wrong mapping must not move a whole topic into the dead letters.
//!
//! Counts; pure but for its lock. That it is engaged, and that an operator has released it, stands on `leads.control`
//! ([`crate::controls`]), so every worker of the sink stops, and none goes on by a restart.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use leadline_proto::Code;
use leadline_proto::control::{BrakeRule, Braked};

use crate::config::Brake as Config;

/// The latest leads of a worker, by how they ended.
#[derive(Debug)]
pub(crate) struct Brake {
    config: Config,
    latest: Mutex<Latest>,
}

#[derive(Debug, Default)]
struct Latest {
    given_up: VecDeque<bool>,
    run: u32,
}

impl Brake {
    /// A brake that has seen nothing.
    pub(crate) fn new(config: Config) -> Self {
        Self { config, latest: Mutex::default() }
    }

    fn latest(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A lead was delivered. Skipped ones say nothing about the sink.
    pub(crate) fn delivered(&self) {
        self.latest().note(false, self.config.window);
    }

    /// A lead is to be given up. It counts, and may be; or it does not count, and the sink is to be stopped instead.
    pub(crate) fn may_give_up(&self, code: &Code, at: Timestamp) -> Result<(), Braked> {
        let mut latest = self.latest();
        let (seen, given_up, run) = latest.with_one_more(self.config.window);
        let braked = |rule, seen, given_up| Braked { rule, seen, given_up, code: code.clone(), at };
        if run > self.config.run {
            return Err(braked(BrakeRule::Run, run, run));
        }
        if seen > self.config.least && f64::from(given_up) > f64::from(seen) * self.config.ratio {
            return Err(braked(BrakeRule::Ratio, seen, given_up));
        }
        latest.note(true, self.config.window);
        Ok(())
    }

    /// An operator has released it: what was counted counts no longer.
    pub(crate) fn release(&self) {
        *self.latest() = Latest::default();
    }
}

impl Latest {
    fn note(&mut self, given_up: bool, window: usize) {
        self.given_up.push_back(given_up);
        if self.given_up.len() > window {
            self.given_up.pop_front();
        }
        self.run = if given_up { self.run + 1 } else { 0 };
    }

    /// Leads seen, given up, and given up in a row, if one more is.
    fn with_one_more(&self, window: usize) -> (u32, u32, u32) {
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let kept = self.given_up.iter().skip((self.given_up.len() + 1).saturating_sub(window));
        let given_up = kept.clone().filter(|given_up| **given_up).count();
        (count(kept.count() + 1), count(given_up + 1), self.run + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brake() -> Brake {
        Brake::new(Config { least: 20, ratio: 0.5, run: 20, window: 100 })
    }

    fn give_up(brake: &Brake) -> Result<(), Braked> {
        brake.may_give_up(&Code::of("x"), Timestamp::UNIX_EPOCH)
    }

    /// How many leads may be given up in a row.
    fn given_up(brake: &Brake) -> usize {
        (0..1000).take_while(|_| give_up(brake).is_ok()).count()
    }

    #[test]
    fn a_bad_deploy_is_stopped_after_twenty_leads() {
        let brake = brake();
        assert_eq!(given_up(&brake), 20);
        let braked = give_up(&brake).unwrap_err();
        assert_eq!((braked.rule, braked.seen, braked.given_up, braked.code.as_str()), (BrakeRule::Run, 21, 21, "x"));
        assert!(give_up(&brake).is_err(), "it stays engaged");
        brake.release();
        assert_eq!(given_up(&brake), 20, "and counts anew");
    }

    #[test]
    fn a_run_counts_also_after_many_good_ones() {
        let brake = brake();
        (0..1000).for_each(|_| brake.delivered());
        assert_eq!(given_up(&brake), 20);
    }

    #[test]
    fn half_of_the_latest_is_too_much_and_few_are_not_judged() {
        let brake = brake();
        let mut seen = 0;
        let braked = loop {
            seen += 1;
            match give_up(&brake) {
                Err(braked) => break braked,
                Ok(()) if seen % 3 == 0 => brake.delivered(),
                Ok(()) => {}
            }
        };
        assert_eq!((braked.rule, braked.seen), (BrakeRule::Ratio, 21));
    }

    #[test]
    fn one_in_three_is_let_through_for_ever() {
        let brake = brake();
        for _ in 0..1000 {
            assert_eq!(give_up(&brake), Ok(()));
            brake.delivered();
            brake.delivered();
        }
    }
}
