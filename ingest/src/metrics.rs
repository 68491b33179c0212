//! The metrics of ingest.

use jiff::Timestamp;
use leadline_platform::metrics::NO_LABELS;
use leadline_proto::EndpointName;
use leadline_proto::config::{Endpoints, Token};

use crate::durable::Durability;
use crate::problem::Kind;
use crate::schema::KEYWORDS;
use crate::tls::Identity;

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
        /// When a token was last used, by endpoint and token (its name, or the first 8 digits of its hash); 0 when it was not
        /// since the start. A token that nobody uses can be revoked.
        pub token_last_used: Gauge("leadline_ingest_token_last_used_timestamp_seconds", ["endpoint", "token"]),
        /// When a token stops being good, by endpoint and token; only for those that expire.
        pub token_expires: Gauge("leadline_ingest_token_expires_timestamp_seconds", ["endpoint", "token"]),
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
        /// Connections that are open on the public port.
        pub connections: Gauge("leadline_ingest_connections", []),
        /// Connections that may be open at the most.
        pub connections_limit: Gauge("leadline_ingest_connections_limit", []),
        /// Memory lent to leads in flight, in bytes.
        pub memory: Gauge("leadline_ingest_in_flight_bytes", []),
        /// Memory that may be lent to leads in flight at the most, in bytes.
        pub memory_limit: Gauge("leadline_ingest_in_flight_limit_bytes", []),
        /// When the certificate of the public port stops being good, in seconds since 1970; 0 without TLS.
        pub certificate_expires: Gauge("leadline_ingest_certificate_expires_timestamp_seconds", []),
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
    pub(crate) fn start_at_zero<'a>(
        &self,
        endpoints: impl Iterator<Item = &'a EndpointName>,
        topic: &str,
        durable: &[Durability],
    ) {
        self.start_endpoints(endpoints, durable);
        for kind in Kind::ALL {
            self.refused.with_label_values(&[kind.name()]);
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

    /// The same for endpoints that may have come later.
    pub(crate) fn start_endpoints<'a>(&self, endpoints: impl Iterator<Item = &'a EndpointName>, durable: &[Durability]) {
        for endpoint in endpoints {
            for kind in ["customer", "test", "do_not_contact", "blank"] {
                for durable in durable {
                    self.accepted.with_label_values(&[endpoint.as_str(), kind, durable.as_str()]);
                }
            }
        }
    }

    /// Shows the tokens there are now, and no longer those that are gone.
    pub(crate) fn show_tokens(&self, before: &Endpoints, now: &Endpoints) {
        for (endpoint, token) in each_token(before) {
            let labels = [endpoint.as_str(), token.id()];
            if now.get(endpoint).is_none_or(|now| now.tokens.iter().all(|kept| kept.id() != token.id())) {
                // An error says that there is no such series.
                let _ = self.token_last_used.remove_label_values(&labels);
            }
            let _ = self.token_expires.remove_label_values(&labels);
        }
        for (endpoint, token) in each_token(now) {
            let labels = [endpoint.as_str(), token.id()];
            self.token_last_used.with_label_values(&labels);
            if let Some(expires) = token.expires() {
                self.token_expires.with_label_values(&labels).set(seconds(expires));
            }
        }
    }

    /// Shows until when the certificate of the public port is good.
    pub(crate) fn show_certificate(&self, identity: Option<&Identity>) {
        #[allow(clippy::cast_precision_loss, reason = "exact for millions of years")]
        let expires = identity.map_or(0.0, |identity| identity.expires as f64);
        self.certificate_expires.with_label_values(NO_LABELS).set(expires);
    }

    /// Notes that a token was used.
    pub(crate) fn token_used(&self, endpoint: &EndpointName, token: &Token, now: Timestamp) {
        self.token_last_used.with_label_values(&[endpoint.as_str(), token.id()]).set(seconds(now));
    }
}

fn each_token(endpoints: &Endpoints) -> impl Iterator<Item = (&EndpointName, &Token)> {
    endpoints.iter().flat_map(|(name, endpoint)| endpoint.tokens.iter().map(move |token| (name, token)))
}

fn seconds(time: Timestamp) -> f64 {
    time.as_duration().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use leadline_platform::metrics::prometheus::{Registry, TextEncoder};
    use leadline_proto::config::{Endpoint, TokenHash};

    use super::*;

    fn endpoints(tokens: &[(&str, Option<&str>)]) -> Endpoints {
        let token = |(name, expires): &(&str, Option<&str>)| {
            Token::new(TokenHash::of(name), expires.map(|time| time.parse().unwrap()), Some(name.parse().unwrap()))
        };
        let tokens = tokens.iter().map(token).collect::<Vec<_>>().try_into().unwrap();
        Endpoints::from([("shop".parse().unwrap(), Endpoint { tokens, ..Endpoint::default() })])
    }

    /// Name without its prefix, token and value of each series of a token.
    fn shown(registry: &Registry) -> Vec<String> {
        let text = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        let lines =
            text.lines().filter_map(|line| line.strip_prefix("leadline_ingest_token_")?.split_once("_timestamp_seconds"));
        lines.map(|(what, rest)| format!("{what}{rest}")).collect()
    }

    #[test]
    fn tokens_are_shown_as_long_as_they_are_there() {
        let registry = Registry::new();
        let metrics = IngestMetrics::new(&registry, &[]).unwrap();
        let first = endpoints(&[("a", None), ("b", Some("1970-01-01T00:01:40Z"))]);
        metrics.show_tokens(&Endpoints::new(), &first);
        let used = first.values().next().unwrap().tokens.iter().next().unwrap();
        metrics.token_used(first.keys().next().unwrap(), used, "1970-01-01T00:00:07.5Z".parse().unwrap());
        let labels = |token| format!(r#"{{endpoint="shop",token="{token}"}}"#);
        let [a, b, c] = ["a", "b", "c"].map(labels);
        let expected = [format!("expires{b} 100"), format!("last_used{a} 7.5"), format!("last_used{b} 0")];
        assert_eq!(shown(&registry), expected);
        metrics.show_tokens(&first, &endpoints(&[("a", Some("1970-01-01T00:02:00Z")), ("c", None)]));
        let expected = [format!("expires{a} 120"), format!("last_used{a} 7.5"), format!("last_used{c} 0")];
        assert_eq!(shown(&registry), expected);
    }

    #[test]
    fn every_reason_is_known_before_it_happens() {
        let registry = Registry::new();
        let metrics = IngestMetrics::new(&registry, &[]).unwrap();
        metrics.start_at_zero([].into_iter(), "leads", &[Durability::Kafka]);
        let text = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        assert!(text.contains(r#"leadline_ingest_refused_total{reason="idempotency-key"} 0"#), "{text}");
    }
}
