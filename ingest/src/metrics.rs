//! The metrics of ingest.

use leadline_proto::EndpointName;

use crate::schema::KEYWORDS;

leadline_platform::metrics! {
    /// Metrics of ingest.
    pub struct IngestMetrics {
        /// Time from the head of a request to its answer, by method, route and status. Named as OpenTelemetry names it.
        pub requests: Histogram(
            "http_server_request_duration_seconds",
            ["http_request_method", "http_route", "http_response_status_code"],
            leadline_platform::metrics::CALL_SECONDS
        ),
        /// Leads accepted, by endpoint, kind (customer, test, do_not_contact, blank) and where they are durable (kafka, spool, memory).
        pub accepted: Counter("leadline_ingest_accepted_total", ["endpoint", "kind", "durable"]),
        /// Requests refused, by reason: the last part of the problem's type.
        pub refused: Counter("leadline_ingest_refused_total", ["reason"]),
        /// Bodies with a good token that are not leads, by endpoint and whether they are kept: yes, no (over the limit, or
        /// empty), failed (not acknowledged in time).
        pub rejected: Counter("leadline_ingest_rejected_total", ["endpoint", "kept"]),
        /// Where bodies do not fit the schema of their endpoint, by endpoint and keyword of the schema; at most 20 a body.
        pub schema_violations: Counter("leadline_ingest_schema_violations_total", ["endpoint", "keyword"]),
        /// Members of bodies that the schema of their endpoint does not name.
        pub unknown_fields: Counter("leadline_ingest_unknown_fields_total", ["endpoint"]),
        /// When the marketplace's test lead last came, by endpoint; 0 before the first since the start.
        pub test_lead: Gauge("leadline_ingest_test_lead_timestamp_seconds", ["endpoint"]),
        /// Records handed to Kafka, by topic and result (ok, error).
        pub produced: Counter("leadline_produce_records_total", ["topic", "result"]),
        /// Leads that were to be written to the spool, by result (ok, full, error).
        pub spooled: Counter("leadline_spool_writes_total", ["result"]),
        /// Records of the spool handed to Kafka, by result (ok, refused, error).
        pub drained: Counter("leadline_spool_drained_total", ["result"]),
        /// Leads in the spool that wait for Kafka.
        pub spool_entries: Gauge("leadline_spool_entries", []),
        /// Bytes of all leads in the spool.
        pub spool_bytes: Gauge("leadline_spool_bytes", []),
        /// Bytes that the spool may hold; 0 means there is none.
        pub spool_limit: Gauge("leadline_spool_limit_bytes", []),
        /// When the oldest lead came that waits in the spool, in seconds since 1970; 0 without one.
        pub spool_oldest: Gauge("leadline_spool_oldest_timestamp_seconds", []),
        /// Leads in the spool that Kafka has refused for good: somebody has to look at them.
        pub spool_refused: Gauge("leadline_spool_refused_entries", []),
        /// Damaged files of the spool that were found since the start; they are kept beside the new one.
        pub spool_damaged: Gauge("leadline_spool_damaged_files", []),
        /// 1 when a lead can be written to the spool now.
        pub spool_usable: Gauge("leadline_spool_usable", []),
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
pub const REASONS: [&str; 13] = [
    "not-utf8",
    "not-json",
    "not-an-object",
    "too-deep",
    "schema-violation",
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
    /// Creates the series of one endpoint at 0.
    pub(crate) fn start_endpoint(&self, endpoint: &EndpointName, has_schema: bool) {
        let endpoint = endpoint.as_str();
        for kept in ["yes", "no", "failed"] {
            self.rejected.with_label_values(&[endpoint, kept]);
        }
        self.test_lead.with_label_values(&[endpoint]);
        if has_schema {
            self.unknown_fields.with_label_values(&[endpoint]);
            for keyword in KEYWORDS {
                self.schema_violations.with_label_values(&[endpoint, keyword]);
            }
        }
    }

    /// Creates every series at 0, so that a first refusal is seen as an increase.
    pub(crate) fn start_at_zero<'a>(&self, endpoints: impl Iterator<Item = &'a EndpointName>, topic: &str, durable: &[&str]) {
        for endpoint in endpoints {
            for kind in ["customer", "test", "do_not_contact", "blank"] {
                for durable in durable {
                    self.accepted.with_label_values(&[endpoint.as_str(), kind, durable]);
                }
            }
        }
        for reason in REASONS {
            self.refused.with_label_values(&[reason]);
        }
        for result in ["ok", "error"] {
            self.produced.with_label_values(&[topic, result]);
        }
        for result in ["ok", "full", "error"] {
            self.spooled.with_label_values(&[result]);
        }
        for result in ["ok", "refused", "error"] {
            self.drained.with_label_values(&[result]);
        }
    }
}
