//! The metrics of the runtime. Every set carries the constant label `sink`.

use leadline_platform::metrics::NO_LABELS;

use crate::backlog::Backlog;
use crate::scheduler::count;

leadline_platform::metrics! {
    /// Metrics of one worker.
    pub struct RuntimeMetrics {
        /// Records taken from a topic (leads, retry).
        pub records: Counter("leadline_consumer_records_total", ["source"]),
        /// Records taken and not done yet, by topic (leads, retry). Records that wait for their time in the retry topic count.
        pub window: Gauge("leadline_consumer_window_leads", ["source"]),
        /// Records behind the end of the partition, as the consumer saw it last.
        pub lag: Gauge("leadline_consumer_lag_records", ["source", "partition"]),
        /// Leads of this process' partitions that are not done, by topic and state: due (unread ones too: more workers would help),
        /// delayed (waiting for their time), held (by an operator).
        pub backlog: Gauge("leadline_backlog_leads", ["source", "state"]),
        /// When the oldest lead was received that was taken and is not done, in seconds since 1970; absent when there is none.
        pub oldest: Gauge("leadline_oldest_open_lead_timestamp_seconds", ["source"]),
        /// Partitions of which nothing is handled, as their position is no longer in the topic.
        pub stopped: Gauge("leadline_consumer_stopped_partitions", ["source"]),
        /// Records that were deleted before they were handled, as far as that can be told.
        pub gap: Counter("leadline_consumer_gap_records_total", ["source"]),
        /// Partitions assigned to this process, by topic (leads, retry).
        pub assigned: Gauge("leadline_consumer_assigned_partitions", ["source"]),
        /// Rebalances, by topic and event (assign, revoke, lost, error).
        pub rebalances: Counter("leadline_consumer_rebalances_total", ["source", "event"]),
        /// Leads being handled now.
        pub in_flight: Gauge("leadline_in_flight_leads", []),
        /// Calls to the sink that may run at once now.
        pub limit: Gauge("leadline_sink_concurrency_limit", []),
        /// Time of one call to the sink, by result (delivered, skipped, later, forfeited, permanent, transient, down, timeout, panic).
        pub calls: Histogram("leadline_sink_request_duration_seconds", ["outcome"], leadline_platform::metrics::CALL_SECONDS),
        /// Time from receipt to a recorded outcome, by status (delivered, skipped, dead_lettered).
        pub latency: Histogram("leadline_delivery_latency_seconds", ["outcome"], leadline_platform::metrics::LATENCY_SECONDS),
        /// Recorded outcomes, by status (delivered, skipped, dead_lettered).
        pub outcomes: Counter("leadline_outcomes_total", ["status"]),
        /// Leads put into the retry topic, by class (failed, later, held).
        pub retries: Counter("leadline_retries_total", ["class"]),
        /// Leads given up, by reason (permanent, exhausted, poison).
        pub dead_letters: Counter("leadline_dead_letters_total", ["reason"]),
        /// 1 for the present state of the breaker (closed, open), 0 for the other.
        pub circuit: Gauge("leadline_sink_circuit_state", ["state"]),
        /// 1 while the brake stops the sink, as too many leads were to be given up; else 0.
        pub brake: Gauge("leadline_brake_engaged", []),
        /// Leads whose handling failed inside Leadline; each is logged and stays open.
        pub abandoned: Counter("leadline_abandoned_total", []),
    }
}

/// Results of a call to a sink, as label values.
pub(crate) const CALL_RESULTS: [&str; 9] =
    ["delivered", "skipped", "later", "forfeited", "permanent", "transient", "down", "timeout", "panic"];

impl RuntimeMetrics {
    /// Creates every series at 0, so that a first failure is seen as an increase.
    pub(crate) fn start_at_zero(&self) {
        for source in ["leads", "retry"] {
            self.records.with_label_values(&[source]);
            self.window.with_label_values(&[source]);
            self.assigned.with_label_values(&[source]);
            self.stopped.with_label_values(&[source]);
            self.gap.with_label_values(&[source]);
            self.backlog(source, &Backlog::default());
            for event in ["assign", "revoke", "lost", "error"] {
                self.rebalances.with_label_values(&[source, event]);
            }
        }
        for result in CALL_RESULTS {
            self.calls.with_label_values(&[result]);
        }
        for status in ["delivered", "skipped", "dead_lettered"] {
            self.latency.with_label_values(&[status]);
            self.outcomes.with_label_values(&[status]);
        }
        for class in ["failed", "later", "held"] {
            self.retries.with_label_values(&[class]);
        }
        for reason in ["permanent", "exhausted", "poison"] {
            self.dead_letters.with_label_values(&[reason]);
        }
        self.in_flight.with_label_values(NO_LABELS).set(0.0);
        self.abandoned.with_label_values(NO_LABELS);
        self.brake.with_label_values(NO_LABELS);
        self.limit.with_label_values(NO_LABELS);
        self.circuit_open(false);
    }

    /// Shows what is not done.
    pub(crate) fn backlog(&self, source: &str, backlog: &Backlog) {
        for (state, leads) in [("due", backlog.due), ("delayed", backlog.delayed), ("held", backlog.held)] {
            self.backlog.with_label_values(&[source, state]).set(count(leads));
        }
        match backlog.oldest {
            Some(oldest) => self.oldest.with_label_values(&[source]).set(oldest.as_duration().as_secs_f64()),
            // It may not be there.
            None => drop(self.oldest.remove_label_values(&[source])),
        }
    }

    /// Shows the state of the breaker.
    pub(crate) fn circuit_open(&self, open: bool) {
        self.circuit.with_label_values(&["open"]).set(f64::from(u8::from(open)));
        self.circuit.with_label_values(&["closed"]).set(f64::from(u8::from(!open)));
    }
}
