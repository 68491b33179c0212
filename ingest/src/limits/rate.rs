//! Leads a second: one token bucket, which holds a second's worth.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// A limit of leads a second, or none.
#[derive(Debug, Default)]
pub struct Rate(Option<DefaultDirectRateLimiter>);

impl Rate {
    /// So many a second; `None` is no limit.
    pub(crate) fn new(per_second: Option<NonZeroU32>) -> Self {
        Self(per_second.map(|most| RateLimiter::direct(Quota::per_second(most))))
    }

    /// Takes one.
    ///
    /// # Errors
    /// How long until there is one again.
    pub(crate) fn take(&self) -> Result<(), Duration> {
        let Some(limiter) = &self.0 else { return Ok(()) };
        limiter.check().map_err(|until| until.wait_time_from(DefaultClock::default().now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_no_more_than_the_limit() {
        let rate = Rate::new(NonZeroU32::new(1));
        assert_eq!(rate.take(), Ok(()));
        let wait = rate.take().unwrap_err();
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(1), "{wait:?}");
    }

    #[test]
    fn without_a_limit_all_are_taken() {
        let rate = Rate::new(None);
        assert!((0..100_000).all(|_| rate.take().is_ok()));
    }
}
