//! Keeping bodies that are not leads, for the operator: the sender may never come again, and what was meant can often be seen.
//!
//! Bounded, and never at the cost of leads: a body that cannot be kept in time is only counted, and the answer is the same.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use leadline_platform::kafka::{Producer, Record};
use leadline_proto::{Code, RejectedBody};
use uuid::Uuid;

use crate::metrics::IngestMetrics;
use crate::read::Origin;

/// How long an answer waits for Kafka. It is a refusal in any case, so there is little to wait for.
const PATIENCE: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// Keeps rejected bodies.
pub(crate) struct Rejects {
    producer: Producer,
    topic: String,
    budget: Mutex<Budget>,
    metrics: IngestMetrics,
}

impl Rejects {
    /// At most `per_minute` of them are kept in any minute.
    pub(crate) fn new(producer: Producer, topic: String, per_minute: usize, metrics: IngestMetrics) -> Self {
        Self { producer, topic, budget: Mutex::new(Budget::new(per_minute)), metrics }
    }

    /// Keeps a body if it may, and returns the id under which it is found.
    pub(crate) async fn keep(&self, origin: Origin<'_>, reason: Code, body: &[u8]) -> Option<Uuid> {
        let may =
            !body.trim_ascii().is_empty() && self.budget.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now());
        if !may {
            self.metrics.rejected.with_label_values(&[origin.endpoint.as_str(), "no"]).inc();
            return None;
        }
        let rejected = RejectedBody {
            id: Uuid::now_v7(),
            endpoint: origin.endpoint.clone(),
            reason,
            received_at: origin.received_at,
            body: body.to_vec(),
        };
        let (producer, record, metrics) = (self.producer.clone(), self.record(&rejected), self.metrics.clone());
        // On tasks of their own: the time-out does not take the record back, and a sender that hangs up does not stop the count.
        let acked = tokio::spawn(async move { producer.publish(&record).await });
        let kept = tokio::spawn(async move {
            let kept = matches!(tokio::time::timeout(PATIENCE, acked).await, Ok(Ok(Ok(_))));
            tell(&rejected, kept, &metrics);
            kept.then_some(rejected.id)
        });
        kept.await.ok().flatten()
    }

    /// Without a key: any partition will do.
    fn record(&self, rejected: &RejectedBody) -> Record {
        Record {
            topic: self.topic.clone(),
            partition: None,
            key: None,
            headers: rejected.headers().into_iter().collect(),
            value: Some(rejected.encode()),
        }
    }
}

fn tell(rejected: &RejectedBody, kept: bool, metrics: &IngestMetrics) {
    let RejectedBody { id, endpoint, reason, .. } = rejected;
    metrics.rejected.with_label_values(&[endpoint.as_str(), if kept { "yes" } else { "failed" }]).inc();
    if kept {
        tracing::info!(rejected_id = %id, %endpoint, %reason, "a body that is not a lead was kept");
    } else {
        tracing::warn!(%endpoint, %reason, "a body that is not a lead could not be kept in time");
    }
}

/// At most so many in any minute.
struct Budget {
    most: usize,
    taken: VecDeque<Instant>,
}

impl Budget {
    fn new(most: usize) -> Self {
        Self { most, taken: VecDeque::new() }
    }

    fn take(&mut self, now: Instant) -> bool {
        while self.taken.front().is_some_and(|first| now.duration_since(*first) >= MINUTE) {
            self.taken.pop_front();
        }
        let may = self.taken.len() < self.most;
        if may {
            self.taken.push_back(now);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_minute_has_more_than_the_limit() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut budget = Budget::new(3);
        let taken = [0, 30, 50, 51, 59, 60, 61, 90, 91].map(|second| budget.take(at(second)));
        assert_eq!(taken, [true, true, true, false, false, true, false, true, false]);
        assert!(!Budget::new(0).take(start));
    }
}
