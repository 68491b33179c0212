//! The metrics of a process that exports spans.

crate::metrics! {
    /// What became of the spans that were taken from the queue.
    pub struct TraceMetrics {
        /// Spans that were sent to the collector, and whether it took them: `ok` or `error`. Spans that found the queue full are not
        /// in here.
        pub spans: Counter("leadline_trace_spans_total", ["result"]),
    }
}
