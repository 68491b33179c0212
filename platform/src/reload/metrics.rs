//! The metrics of a process that follows its configuration.

crate::metrics! {
    /// Whether the configuration in use is the one in the files.
    pub struct ReloadMetrics {
        /// Whether the files have changed and what they say now cannot be used (0 or 1). The process goes on with what it had.
        pub failed: Gauge("leadline_config_reload_failed", []),
        /// When the configuration in use was read.
        pub loaded: Gauge("leadline_config_loaded_timestamp_seconds", []),
    }
}
