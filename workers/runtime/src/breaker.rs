//! The breaker: while the sink as a whole is down no lead is started, and the sink is probed until it answers.
//!
//! A lead's own failure never opens it; a verdict `SinkDown` does, or silence: several different leads on end that got no answer at
//! all. One lead that always hangs is one lead.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::sink::{DownReason, Sink, SinkDown};

/// First pause between probes; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause: a sink that is back is found within it and the time of one probe.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Pause while the configuration is refused: a login that fails every few seconds locks accounts.
const MISCONFIGURED_PAUSE: Duration = Duration::from_secs(60);
/// Different leads without an answer, and no answer between, that make the sink count as down.
const SILENT_LEADS: usize = 5;

/// Leads that got no answer since the last one that did.
#[derive(Debug, Default)]
pub(crate) struct Silence(Mutex<HashSet<Uuid>>);

impl Silence {
    fn leads(&self) -> MutexGuard<'_, HashSet<Uuid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sink has answered, whatever it said.
    pub(crate) fn broken(&self) {
        self.leads().clear();
    }

    /// A lead got no answer. Returns whether the sink must be taken to be down.
    pub(crate) fn goes_on(&self, lead: Uuid) -> bool {
        let mut leads = self.leads();
        leads.insert(lead);
        leads.len() >= SILENT_LEADS
    }
}

/// Probes until the sink answers; `down` is what opened the breaker, and `now` asks for a probe at once.
pub(crate) async fn until_up<S: Sink>(sink: Arc<S>, mut down: SinkDown, deadline: Duration, now: Arc<Notify>) {
    let mut pause = FIRST_PAUSE;
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait(&down, pause, Timestamp::now(), rand::random())) => {}
            () = now.notified() => {}
        }
        match tokio::time::timeout(deadline, sink.probe()).await {
            Ok(Ok(())) => return,
            Ok(Err(still)) => {
                tracing::warn!(code = %still.code, reason = ?still.why, "the sink is still down");
                down = still;
            }
            Err(_elapsed) => tracing::warn!("the sink is still down: the probe got no answer in time"),
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// The pause before the next probe: jittered by up to a fifth, and not before the time the sink has named.
fn wait(down: &SinkDown, pause: Duration, now: Timestamp, chance: f64) -> Duration {
    let pause = match down.why {
        DownReason::Unreachable | DownReason::Throttled => pause,
        DownReason::Misconfigured => MISCONFIGURED_PAUSE,
    };
    let named = down.until.and_then(|until| Duration::try_from(until.duration_since(now)).ok());
    pause.mul_f64(1.0 - chance / 5.0).max(named.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use leadline_proto::Code;

    use super::*;

    #[test]
    fn the_pause_is_jittered_and_waits_for_a_named_time() {
        let now: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
        let mut down = SinkDown::of(DownReason::Unreachable, Code::of("refused"));
        assert_eq!(wait(&down, LONGEST_PAUSE, now, 0.0), LONGEST_PAUSE);
        assert_eq!(wait(&down, LONGEST_PAUSE, now, 1.0), Duration::from_secs(8));
        down.until = Some("2026-11-22T00:01:00Z".parse().unwrap());
        assert_eq!(wait(&down, LONGEST_PAUSE, now, 0.0), Duration::from_secs(60));
    }

    #[test]
    fn silence_is_several_different_leads_with_no_answer_between() {
        let (silence, lead) = (Silence::default(), Uuid::from_u128);
        assert!((0..100).all(|_| !silence.goes_on(lead(1))), "one lead that always hangs");
        assert!((2..5).all(|id| !silence.goes_on(lead(id))));
        assert!(silence.goes_on(lead(5)));
        silence.broken();
        assert!((2..6).all(|id| !silence.goes_on(lead(id))));
        silence.broken();
        assert!(!silence.goes_on(lead(6)));
    }
}
