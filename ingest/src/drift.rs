//! Tells when a sender's bodies are no longer what their schema says: figures for each, a log line that names the place.
//!
//! A name of a member is written once per process, and only when it looks like one: it is the sender's text.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use leadline_proto::EndpointName;
use uuid::Uuid;

use crate::metrics::IngestMetrics;
use crate::schema::Findings;

/// Names that are written in the life of a process.
const MOST_NAMES: usize = 100;
/// Longest name that is written, in characters.
const LONGEST_NAME: usize = 64;

/// What has been told so far.
pub(crate) struct Drift {
    metrics: IngestMetrics,
    named: Mutex<BTreeSet<String>>,
}

impl Drift {
    pub(crate) fn new(metrics: IngestMetrics) -> Self {
        Self { metrics, named: Mutex::default() }
    }

    /// Counts and tells the findings about one body; `id` is that of its lead, or that under which it was kept.
    pub(crate) fn note(&self, endpoint: &EndpointName, id: Option<Uuid>, findings: &Findings) {
        if findings.is_empty() {
            return;
        }
        let id = id.map(tracing::field::display);
        for violation in &findings.violations {
            self.metrics.schema_violations.with_label_values(&[endpoint.as_str(), violation.keyword]).inc();
        }
        if !findings.violations.is_empty() {
            let (location, violations) = (findings.first_location(), findings.violations.len());
            tracing::info!(%endpoint, id, location, violations, "a body does not fit the schema of its endpoint");
        }
        for name in &findings.unknown {
            self.metrics.unknown_fields.with_label_values(&[endpoint.as_str()]).inc();
            if let Some(field) = self.first_time(name) {
                tracing::info!(%endpoint, id, field, "a member is not in the schema of its endpoint");
            }
        }
    }

    /// The name as it may be written, unless it was written before, there were too many, or it is no plain identifier.
    fn first_time(&self, name: &str) -> Option<String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(plain) {
            return None;
        }
        let cut: String = name.chars().take(LONGEST_NAME).collect();
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        (named.len() < MOST_NAMES && named.insert(cut.clone())).then_some(cut)
    }
}

#[cfg(test)]
mod tests {
    use leadline_platform::metrics::prometheus::Registry;

    use super::*;
    use crate::schema::Violation;

    fn drift() -> Drift {
        Drift::new(IngestMetrics::new(&Registry::new(), &[]).unwrap())
    }

    #[test]
    fn a_name_is_written_once_and_only_if_it_is_plain() {
        let drift = drift();
        assert_eq!(drift.first_time("ProductId").as_deref(), Some("ProductId"));
        assert_eq!(drift.first_time("ProductId"), None);
        for odd in ["", "Ann Lee", "ann@contoso.example", "4681234", "a-b", "Åsa", "a\nb"] {
            assert_eq!(drift.first_time(odd), None, "{odd:?}");
        }
        assert_eq!(drift.first_time(&"x".repeat(500)), Some("x".repeat(64)));
        assert_eq!(drift.first_time(&"x".repeat(600)), None, "the same once it is cut");
    }

    #[test]
    fn names_are_bounded() {
        let drift = drift();
        let written = (0..1000).filter(|number| drift.first_time(&format!("n{number}")).is_some()).count();
        assert_eq!(written, MOST_NAMES);
    }

    #[test]
    fn every_finding_is_counted() {
        let drift = drift();
        let endpoint = "shop".parse().unwrap();
        let violation = |keyword| Violation { keyword, location: "/x".to_owned() };
        let violations = vec![violation("type"), violation("type"), violation("required")];
        let findings = Findings { violations, unknown: vec!["A".to_owned(), "not plain".to_owned()] };
        drift.note(&endpoint, None, &findings);
        drift.note(&endpoint, Some(Uuid::nil()), &findings);
        let count = |keyword| drift.metrics.schema_violations.with_label_values(&["shop", keyword]).get();
        assert_eq!((count("type"), count("required"), count("enum")), (4, 2, 0));
        assert_eq!(drift.metrics.unknown_fields.with_label_values(&["shop"]).get(), 4);
    }
}
