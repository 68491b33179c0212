//! Metrics of the e-mail sink, beyond those the runtime keeps for every sink: outcomes, latency, duration of calls.

use leadline_platform::metrics;
use leadline_platform::metrics::prometheus::{Error, Registry};

metrics! {
    /// Metrics of the e-mail sink.
    pub struct Metrics {
        /// Messages offered to the mail server or the outbox, one for each recipient, by result: accepted, refused (for good),
        /// deferred (worth another try), ambiguous (no answer after the end of the message), down (the server as a whole).
        pub transactions: Counter("leadline_email_transactions_total", ["result"]),
        /// Connections to the mail server: opened, reused for another message, dropped. Opened minus dropped are open now.
        pub connections: Counter("leadline_email_connections_total", ["event"]),
    }
}

/// Values of the label `result`.
const RESULTS: [&str; 5] = ["accepted", "refused", "deferred", "ambiguous", "down"];
/// Values of the label `event`.
const EVENTS: [&str; 3] = ["opened", "reused", "dropped"];

impl Metrics {
    /// Creates and registers the metrics of one sink, each series at 0: a rate needs a first value.
    ///
    /// # Errors
    /// When the sink has registered its metrics already.
    pub fn of_sink(registry: &Registry, sink: &str) -> Result<Self, Error> {
        let metrics = Self::new(registry, &[("sink", sink)])?;
        for result in RESULTS {
            metrics.transactions.with_label_values(&[result]);
        }
        for event in EVENTS {
            metrics.connections.with_label_values(&[event]);
        }
        Ok(metrics)
    }

    /// Counts a message.
    pub(crate) fn transaction(&self, result: &str) {
        self.transactions.with_label_values(&[result]).inc();
    }

    /// Counts what happened to a connection.
    pub(crate) fn connection(&self, event: &str) {
        self.connections.with_label_values(&[event]).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_exists_from_the_start() {
        let registry = Registry::new();
        Metrics::of_sink(&registry, "email").unwrap();
        let series: usize = registry.gather().iter().map(|family| family.get_metric().len()).sum();
        assert_eq!(series, RESULTS.len() + EVENTS.len());
    }
}
