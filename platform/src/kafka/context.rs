//! What librdkafka says by itself, as log lines of ours. It names brokers, topics and groups, never a record's content.
//!
//! A client without brokers repeats itself many times a second; each kind of line is written once in a while, with how many
//! were left out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// A line of one kind is not repeated before this time.
const QUIET: Duration = Duration::from_secs(30);

/// The log of one client. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct ClientLog(Arc<Mutex<HashMap<String, Said>>>);

/// When a kind of line was written last, and how many have been left out since.
#[derive(Debug)]
struct Said {
    at: Instant,
    left_out: u64,
}

impl ClientLog {
    /// Writes a log line of librdkafka at the level that fits.
    pub fn line(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        let Some(left_out) = self.may_say(facility, Instant::now()) else { return };
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
                tracing::error!(facility, message, left_out, "librdkafka");
            }
            RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice => {
                tracing::warn!(facility, message, left_out, "librdkafka");
            }
            RDKafkaLogLevel::Info => tracing::info!(facility, message, left_out, "librdkafka"),
            RDKafkaLogLevel::Debug => tracing::debug!(facility, message, left_out, "librdkafka"),
        }
    }

    /// Writes an error of the client as a whole. Most pass by themselves.
    pub fn error(&self, error: &KafkaError, reason: &str) {
        if let Some(left_out) = self.may_say(&error.to_string(), Instant::now()) {
            tracing::warn!(%error, reason, left_out, "kafka client");
        }
    }

    /// Whether a line of this kind may be written now; then, how many were left out since the last.
    fn may_say(&self, kind: &str, now: Instant) -> Option<u64> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match said.get_mut(kind) {
            Some(last) if now.duration_since(last.at) < QUIET => {
                last.left_out += 1;
                None
            }
            Some(last) => Some(std::mem::replace(last, Said { at: now, left_out: 0 }).left_out),
            None => {
                said.insert(kind.to_owned(), Said { at: now, left_out: 0 });
                Some(0)
            }
        }
    }
}

/// The context of clients that only need their log.
#[derive(Clone, Debug, Default)]
pub struct KafkaContext(ClientLog);

impl ClientContext for KafkaContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.0.line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // Readers ask to be told where a partition ends, which is no error.
        let is_end = error.rdkafka_error_code() == Some(RDKafkaErrorCode::PartitionEOF);
        if !is_end {
            self.0.error(&error, reason);
        }
    }
}

impl ConsumerContext for KafkaContext {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_repeated_once_in_a_while_with_a_count() {
        let (log, start) = (ClientLog::default(), Instant::now());
        assert_eq!(log.may_say("FAIL", start), Some(0));
        assert_eq!(log.may_say("FAIL", start + QUIET / 2), None);
        assert_eq!(log.may_say("SESSTMOUT", start + QUIET / 2), Some(0), "another kind");
        assert_eq!(log.may_say("FAIL", start + QUIET), Some(1));
        assert_eq!(log.may_say("FAIL", start + QUIET), None);
    }
}
