//! How metrics are declared: one macro, used by the `metrics.rs` of each crate.
//!
//! The doc comment of a field is the help text of the metric, so that the code, `/metrics` and the reference page say the same.
//! Names stand in those files and nowhere else.

pub use prometheus;

/// What a metric is called and what it means, for the reference page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricInfo {
    /// Full name.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Labels, without those that hold for a whole process.
    pub labels: &'static [&'static str],
    /// Help text.
    pub help: &'static str,
}

/// Buckets for what a person waits for: 5 ms to a day. Holds 60 s exactly, the objective of a delivery.
pub const LATENCY_SECONDS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0, 86400.0];
/// Buckets for one call to another system: 1 ms to 90 s, the longest deadline of a sink call.
pub const CALL_SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 90.0];

/// The label values of a metric without labels.
pub const NO_LABELS: &[&str] = &[];

/// Declares a struct of metrics. Each field is `name: Kind("metric_name", ["label", …] [, buckets])`; its doc comment becomes
/// the help text. The struct gets `new(registry, constant_labels)` and a `CATALOGUE`.
#[macro_export]
macro_rules! metrics {
    (
        $(#[$doc:meta])* pub struct $set:ident {
            $($(#[doc = $help:literal])+ pub $field:ident: $kind:ident($name:literal, [$($label:literal),*] $(, $buckets:expr)?),)+
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $set {
            $($(#[doc = $help])+ pub $field: $crate::metrics::kinds::$kind,)+
        }

        impl $set {
            /// Every metric of this set.
            pub const CATALOGUE: &'static [$crate::metrics::MetricInfo] = &[
                $($crate::metrics::MetricInfo {
                    name: $name,
                    kind: $crate::metrics::kinds::names::$kind,
                    labels: &[$($label),*],
                    help: concat!($($help),+).trim_ascii(),
                }),+
            ];

            /// Creates and registers the metrics.
            ///
            /// # Errors
            /// When a metric of the same name and constant labels is registered already.
            pub fn new(
                registry: &$crate::metrics::prometheus::Registry,
                constant: &[(&str, &str)],
            ) -> Result<Self, $crate::metrics::prometheus::Error> {
                Ok(Self {
                    $($field: {
                        let buckets: &[&[f64]] = &[$($buckets)?];
                        let help = concat!($($help),+).trim_ascii();
                        let metric = $crate::metrics::kinds::make::$kind($name, help, constant, &[$($label),*], &buckets.concat())?;
                        registry.register(Box::new(metric.clone()))?;
                        metric
                    }),+
                })
            }
        }
    };
}

/// The kinds of metrics the macro knows. Not for direct use.
#[doc(hidden)]
pub mod kinds {
    pub type Counter = prometheus::IntCounterVec;
    pub type Gauge = prometheus::GaugeVec;
    pub type Histogram = prometheus::HistogramVec;

    #[allow(non_upper_case_globals)]
    pub mod names {
        pub const Counter: &str = "counter";
        pub const Gauge: &str = "gauge";
        pub const Histogram: &str = "histogram";
    }

    #[allow(non_snake_case, missing_docs)]
    pub mod make {
        use prometheus::{Error, HistogramOpts, Opts};

        pub fn Counter(
            name: &str,
            help: &str,
            constant: &[(&str, &str)],
            labels: &[&str],
            _buckets: &[f64],
        ) -> Result<super::Counter, Error> {
            super::Counter::new(opts(name, help, constant), labels)
        }

        pub fn Gauge(
            name: &str,
            help: &str,
            constant: &[(&str, &str)],
            labels: &[&str],
            _buckets: &[f64],
        ) -> Result<super::Gauge, Error> {
            super::Gauge::new(opts(name, help, constant), labels)
        }

        pub fn Histogram(
            name: &str,
            help: &str,
            constant: &[(&str, &str)],
            labels: &[&str],
            buckets: &[f64],
        ) -> Result<super::Histogram, Error> {
            let opts = HistogramOpts { common_opts: opts(name, help, constant), buckets: buckets.to_vec() };
            super::Histogram::new(opts, labels)
        }

        fn opts(name: &str, help: &str, constant: &[(&str, &str)]) -> Opts {
            constant.iter().fold(Opts::new(name, help), |opts, (label, value)| opts.const_label(*label, *value))
        }
    }
}

#[cfg(test)]
#[allow(dead_code, unreachable_pub, reason = "the macro makes public items")]
mod tests {
    metrics! {
        /// A set.
        pub struct Sample {
            /// Things that
            /// happened.
            pub things: Counter("leadline_things_total", ["kind"]),
            /// Time taken.
            pub time: Histogram("leadline_time_seconds", [], super::CALL_SECONDS),
        }
    }

    #[test]
    fn the_doc_comment_is_the_help_text() {
        let registry = prometheus::Registry::new();
        let sample = Sample::new(&registry, &[("sink", "a")]).unwrap();
        // The same set again, for another sink of the same process.
        Sample::new(&registry, &[("sink", "b")]).unwrap();
        sample.things.with_label_values(&["x"]).inc();
        let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        assert!(text.contains("# HELP leadline_things_total Things that happened."), "{text}");
        assert!(text.contains(r#"leadline_things_total{kind="x",sink="a"} 1"#), "{text}");
        assert_eq!(Sample::CATALOGUE[0].labels, ["kind"]);
    }
}
