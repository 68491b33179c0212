//! The runtime of every worker.
pub mod sink;
