//! The metrics of ingest.

use leadline_proto::EndpointName;

leadline_platform::metrics! {
    /// Metrics of ingest.
    pub struct IngestMetrics {
        /// Time from the head of a request to its answer, by method, route and status. Named as OpenTelemetry names it.
        pub requests: Histogram(
            "http_server_request_duration_seconds",
            ["http_request_method", "http_route", "http_response_status_code"],
            leadline_platform::metrics::CALL_SECONDS
        ),
        /// Leads accepted, by endpoint, kind (customer, test, do_not_contact, blank) and where they are durable (kafka, memory).
        pub accepted: Counter("leadline_ingest_accepted_total", ["endpoint", "kind", "durable"]),
        /// Requests refused, by reason: the last part of the problem's type.
        pub refused: Counter("leadline_ingest_refused_total", ["reason"]),
        /// Records handed to Kafka, by topic and result (ok, error).
        pub produced: Counter("leadline_produce_records_total", ["topic", "result"]),
        /// Records that wait for Kafka's acknowledgement.
        pub queue: Gauge("leadline_producer_queue_records", []),
        /// Records that may wait at the most.
        pub queue_limit: Gauge("leadline_producer_queue_limit_records", []),
        /// Copies Kafka keeps of each record, by topic; fewer than 3 is a risk.
        pub replication: Gauge("leadline_topic_replication_factor", ["topic"]),
        /// Copies that must exist before a record is acknowledged, by topic; fewer than 2 is a risk.
        pub min_insync_replicas: Gauge("leadline_topic_min_insync_replicas", ["topic"]),
    }
}

/// Every reason of a refusal, as label values.
pub const REASONS: [&str; 12] = [
    "not-utf8",
    "not-json",
    "not-an-object",
    "too-deep",
    "unauthorized",
    "not-found",
    "method-not-allowed",
    "timeout",
    "incomplete",
    "too-large",
    "unsupported-media-type",
    "unavailable",
];

impl IngestMetrics {
    /// Creates every series at 0, so that a first refusal is seen as an increase.
    pub(crate) fn start_at_zero<'a>(&self, endpoints: impl Iterator<Item = &'a EndpointName>, topic: &str, durable: &str) {
        for endpoint in endpoints {
            for kind in ["customer", "test", "do_not_contact", "blank"] {
                self.accepted.with_label_values(&[endpoint.as_str(), kind, durable]);
            }
        }
        for reason in REASONS {
            self.refused.with_label_values(&[reason]);
        }
        for result in ["ok", "error"] {
            self.produced.with_label_values(&[topic, result]);
        }
    }
}
