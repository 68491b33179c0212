//! What `/readyz` and `/livez` answer: named conditions, and heartbeats with a limit.
//!
//! Ready means: can do its work now. Live means: its loops still turn; it never depends on another system.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// All conditions and heartbeats of a process. Cheap to clone.
#[derive(Clone)]
pub struct Health(Arc<Inner>);

struct Inner {
    started: Instant,
    conditions: Mutex<Vec<Condition>>,
    heartbeats: Mutex<Vec<Heartbeat>>,
}

/// Something that must hold for the process to be ready. Starts as false.
#[derive(Clone)]
pub struct Condition {
    name: Arc<str>,
    holds: Arc<AtomicBool>,
}

impl Condition {
    /// Says whether it holds now.
    pub fn set(&self, holds: bool) {
        self.holds.store(holds, Ordering::Release);
    }

    /// Whether it holds now.
    pub fn holds(&self) -> bool {
        self.holds.load(Ordering::Acquire)
    }
}

/// A loop that must turn for the process to be live.
#[derive(Clone)]
pub struct Heartbeat {
    name: Arc<str>,
    started: Instant,
    last_ms: Arc<AtomicU64>,
    limit: Duration,
}

impl Heartbeat {
    /// Says that the loop has turned.
    pub fn beat(&self) {
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(elapsed, Ordering::Release);
    }

    fn late(&self) -> bool {
        let last = Duration::from_millis(self.last_ms.load(Ordering::Acquire));
        self.started.elapsed().saturating_sub(last) > self.limit
    }
}

impl Default for Health {
    fn default() -> Self {
        let inner = Inner { started: Instant::now(), conditions: Mutex::default(), heartbeats: Mutex::default() };
        Self(Arc::new(inner))
    }
}

impl Health {
    /// Adds a condition; the process is not ready until it is set.
    pub fn condition(&self, name: impl Into<Arc<str>>) -> Condition {
        let condition = Condition { name: name.into(), holds: Arc::default() };
        self.0.conditions.lock().unwrap_or_else(PoisonError::into_inner).push(condition.clone());
        condition
    }

    /// Adds a heartbeat, counted from now; without a beat for `limit` the process is not live.
    pub fn heartbeat(&self, name: impl Into<Arc<str>>, limit: Duration) -> Heartbeat {
        let beat = Heartbeat { name: name.into(), started: self.0.started, last_ms: Arc::default(), limit };
        beat.beat();
        self.0.heartbeats.lock().unwrap_or_else(PoisonError::into_inner).push(beat.clone());
        beat
    }

    /// Names of the conditions that do not hold; empty means ready.
    pub fn missing(&self) -> Vec<Arc<str>> {
        let conditions = self.0.conditions.lock().unwrap_or_else(PoisonError::into_inner);
        conditions.iter().filter(|condition| !condition.holds()).map(|condition| condition.name.clone()).collect()
    }

    /// Names of the loops that have stopped turning; empty means live.
    pub fn stalled(&self) -> Vec<Arc<str>> {
        let heartbeats = self.0.heartbeats.lock().unwrap_or_else(PoisonError::into_inner);
        heartbeats.iter().filter(|beat| beat.late()).map(|beat| beat.name.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_when_every_condition_holds() {
        let health = Health::default();
        let (kafka, group) = (health.condition("kafka"), health.condition("group"));
        kafka.set(true);
        assert_eq!(health.missing(), ["group".into()]);
        group.set(true);
        assert!(health.missing().is_empty());
    }

    #[test]
    fn a_loop_that_stops_is_named() {
        let health = Health::default();
        let _turning = health.heartbeat("poll", Duration::from_secs(60));
        let _stopped = health.heartbeat("drain", Duration::ZERO);
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(health.stalled(), ["drain".into()]);
    }
}
