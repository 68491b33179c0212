//! When to try again: a short jittered wait in place, a long one in the retry topic, and the end of both.
//!
//! Pure: time and chance are passed in. The schedule of the retry topic follows the age of the first failure, so it needs no
//! counter and goes on where it was after any restart.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::config::Retry;

/// First wait in place; it doubles with every try.
const FIRST_IN_PLACE: Duration = Duration::from_millis(200);
/// Longest wait in place.
const LONGEST_IN_PLACE: Duration = Duration::from_secs(4);

/// The tries made in place so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InPlace {
    /// Tries, the failed one included.
    pub(crate) tries: u32,
    /// Time since the first of them began.
    pub(crate) elapsed: Duration,
}

/// The wait before the next try in place; `None` when there is to be none. `asked` is the wait the destination asked for;
/// `chance` is a random number in [0, 1).
pub(crate) fn in_place(retry: &Retry, so_far: InPlace, asked: Option<Duration>, chance: f64) -> Option<Duration> {
    let wait = asked.unwrap_or_else(|| in_place_wait(so_far.tries, chance));
    let allowed = so_far.tries < retry.in_place_tries && so_far.elapsed.saturating_add(wait) <= retry.in_place;
    allowed.then_some(wait)
}

/// Exponential backoff with full jitter: anything from 0 to the doubled wait.
fn in_place_wait(tries: u32, chance: f64) -> Duration {
    let doubled = FIRST_IN_PLACE.saturating_mul(1 << tries.min(16));
    doubled.min(LONGEST_IN_PLACE).mul_f64(chance)
}

/// When a lead that goes to the retry topic is due; `None` when it is to be given up. Waits get up to a tenth more, so that leads that failed
/// together do not come back together.
pub(crate) fn retry_topic(
    retry: &Retry,
    first_failed_at: Timestamp,
    now: Timestamp,
    asked: Option<Duration>,
    chance: f64,
) -> Option<Timestamp> {
    let age = Duration::try_from(now.duration_since(first_failed_at)).unwrap_or_default();
    // A destination that asks for longer than the longest wait of the schedule is asked again then.
    let longest = retry.schedule.iter().map(|wait| wait.0).max().unwrap_or_default();
    let asked = asked.unwrap_or_default().min(longest);
    let wait = step(retry, age).mul_f64(1.0 + chance / 10.0).max(asked);
    if age + wait > retry.give_up_after {
        return None;
    }
    SignedDuration::try_from(wait).ok().and_then(|wait| now.checked_add(wait).ok())
}

/// The wait of the schedule that a lead of this age has not had yet; the last one repeats.
fn step(retry: &Retry, age: Duration) -> Duration {
    let mut passed = Duration::ZERO;
    let mut wait = Duration::ZERO;
    for step in &retry.schedule {
        wait = step.0;
        passed += wait;
        if passed > age {
            break;
        }
    }
    wait
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Wait;

    fn retry() -> Retry {
        let minutes = |minutes: u64| Wait(Duration::from_secs(minutes * 60));
        Retry {
            in_place_tries: 4,
            in_place: Duration::from_secs(10),
            schedule: [1, 5, 15, 60, 240].map(minutes).to_vec(),
            give_up_after: Duration::from_secs(3 * 24 * 60 * 60),
        }
    }

    fn so_far(tries: u32, seconds: u64) -> InPlace {
        InPlace { tries, elapsed: Duration::from_secs(seconds) }
    }

    #[test]
    fn tries_in_place_are_bounded_in_number_and_time() {
        let asked = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(in_place(&retry(), so_far(1, 0), asked(9), 0.5), asked(9));
        assert_eq!(in_place(&retry(), so_far(1, 2), asked(9), 0.5), None, "would take longer than 10 s");
        assert_eq!(in_place(&retry(), so_far(4, 0), asked(0), 0.5), None, "the fourth was the last");
        assert_eq!(in_place(&retry(), so_far(2, 0), None, 0.5), Some(Duration::from_millis(400)));
    }

    #[test]
    fn the_schedule_is_followed_to_its_end() {
        let first: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
        let (mut now, mut waits) = (first, Vec::new());
        while let Some(due) = retry_topic(&retry(), first, now, None, 0.0) {
            waits.push(due.duration_since(now).as_mins());
            now = due;
        }
        assert_eq!(waits[..6], [1, 5, 15, 60, 240, 240]);
        assert!(now.duration_since(first).as_hours() > 66, "gives up only within the last wait of the three days");
    }

    #[test]
    fn leads_that_failed_together_come_back_apart() {
        let now: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
        let due = |chance| retry_topic(&retry(), now, now, None, chance).unwrap();
        assert!(due(0.9) > due(0.1));
        let asked = Some(Duration::from_secs(600));
        assert_eq!(retry_topic(&retry(), now, now, asked, 0.0).unwrap().duration_since(now).as_mins(), 10);
        let too_long = Some(Duration::from_secs(u64::MAX));
        assert_eq!(retry_topic(&retry(), now, now, too_long, 0.0).unwrap().duration_since(now).as_hours(), 4);
        assert_eq!(in_place(&retry(), so_far(1, 1), too_long, 0.0), None);
    }
}
