//! The catalogue of the CRM sink's own metrics.
//!
//! Outcomes, latencies and the duration of calls are measured by `workers/runtime` for every sink.

leadline_platform::metrics! {
    /// Metrics of one CRM sink.
    pub struct Metrics {
        /// Leads written to the CRM, by what it meant for the record: inserted, updated, superseded (a newer lead stands
        /// there), kept (by configuration).
        pub upserts: Counter("leadline_crm_upserts_total", ["result"]),
    }
}
