//! Writes down how a lead ended, or that it waits: outcome, retry record, dead letter. Returns only when Kafka has
//! acknowledged the record, so that an offset moves past a lead only when something stands for it.

use std::sync::Arc;

use jiff::Timestamp;
use leadline_platform::kafka::{Producer, PublishError, Record};
use leadline_platform::trace::Span;
use leadline_proto::config::Topics;
use leadline_proto::control::Change;
use leadline_proto::dead_letter::{DeadLetter, ErrorKind, Origin};
use leadline_proto::headers::{CE_ID, CONTENT, TRACEPARENT};
use leadline_proto::keys::ContentHash;
use leadline_proto::retry::{History, Wait};
use leadline_proto::topics::Topic;
use leadline_proto::{AcceptedLead, Code, Headers, Outcome, SinkName, Status};

use crate::floor::{Floors, Trail};
use crate::memory::Known;
use crate::metrics::RuntimeMetrics;
use crate::record::{Received, Source};
use crate::trace;
use crate::unacked::Unacked;

/// The consumer group of a sink.
pub(crate) fn group(sink: &SinkName) -> String {
    format!("leadline-{sink}")
}

/// A lead that can be read, and the record that holds it.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) record: &'a Received,
    pub(crate) lead: &'a AcceptedLead,
    /// Set when it can have repeats.
    pub(crate) content: Option<ContentHash>,
    /// Its handling.
    pub(crate) span: &'a Span,
}

/// Writes the records of one sink.
pub(crate) struct Recorder {
    pub(crate) producer: Producer,
    pub(crate) topics: Topics,
    pub(crate) sink: SinkName,
    pub(crate) metrics: Arc<RuntimeMetrics>,
    /// Raised with every acknowledged record.
    pub(crate) floors: Arc<Floors>,
    /// Records that Kafka has not acknowledged yet.
    pub(crate) unacked: Arc<Unacked>,
}

impl Recorder {
    /// Records how a lead ended.
    pub(crate) async fn outcome(&self, subject: Subject<'_>, history: &History, status: Status) {
        let Subject { record, lead, content, span } = subject;
        let at = Timestamp::now();
        let outcome = Outcome {
            lead_id: lead.lead_id,
            sink: self.sink.clone(),
            replay: history.replay,
            attempts: history.attempts,
            endpoint: Some(lead.endpoint.clone()),
            received_at: Some(lead.received_at),
            at,
            reordered: record.slot.source == Source::Retry,
            reason: None,
            status,
        };
        self.write_outcome(record, &outcome, content, span).await;
        let seconds = at.duration_since(lead.received_at).as_secs_f64().max(0.0);
        self.metrics.latency.with_label_values(&[outcome.status.as_str()]).observe(seconds);
    }

    async fn write_outcome(&self, record: &Received, outcome: &Outcome, content: Option<ContentHash>, span: &Span) {
        let mut headers = outcome.headers();
        set_content(&mut headers, content);
        // An outcome names the handling it comes from. What stands for the lead itself keeps the context it came with.
        headers.set(TRACEPARENT, span.context().to_string());
        trace::ended(span, &outcome.status);
        self.publish(record, Trail::Outcomes, headers, Some(outcome.encode())).await;
        self.metrics.outcomes.with_label_values(&[outcome.status.as_str()]).inc();
        tracing::debug!(lead_id = %outcome.lead_id, sink = %self.sink, status = outcome.status.as_str(), "recorded");
    }

    /// Puts a lead into the retry topic.
    pub(crate) async fn retry(&self, subject: Subject<'_>, history: &History, wait: &Wait) {
        let record = subject.record;
        let history = History { round: history.round + 1, ..history.clone() };
        let mut headers = record.headers.clone();
        history.write(wait, &mut headers);
        set_content(&mut headers, subject.content);
        self.publish(record, Trail::Retry, headers, record.value.clone()).await;
        trace::waits(subject.span, wait);
        self.metrics.retries.with_label_values(&[wait.class.as_str()]).inc();
        tracing::info!(
            lead_id = record.headers.text(CE_ID),
            sink = %self.sink, reason = %wait.reason, attempts = history.attempts, not_before = %wait.not_before,
            "waits in the retry topic"
        );
    }

    /// Gives a lead up: a dead letter, and then the outcome that says so.
    pub(crate) async fn dead_letter(&self, subject: Subject<'_>, history: &History, kind: ErrorKind, code: Code) {
        self.write_dead_letter(subject.record, history, kind, &code, subject.content).await;
        self.outcome(subject, history, Status::DeadLettered { code }).await;
    }

    /// Puts a record that cannot be read into the dead letters. It gets an outcome when at least its id is known.
    pub(crate) async fn poison(&self, record: &Received, code: Code, span: &Span) {
        let history = History::read(&record.headers);
        if record.known == Known::Open {
            self.write_dead_letter(record, &history, ErrorKind::Poison, &code, None).await;
        }
        let Some(lead_id) = AcceptedLead::claimed_id(&record.headers) else {
            return trace::ended(span, &Status::DeadLettered { code });
        };
        let outcome = Outcome {
            lead_id,
            sink: self.sink.clone(),
            replay: history.replay,
            attempts: history.attempts,
            endpoint: None,
            received_at: None,
            at: Timestamp::now(),
            reordered: record.slot.source == Source::Retry,
            reason: None,
            status: Status::DeadLettered { code },
        };
        self.write_outcome(record, &outcome, None, span).await;
    }

    async fn write_dead_letter(
        &self,
        record: &Received,
        history: &History,
        kind: ErrorKind,
        code: &Code,
        content: Option<ContentHash>,
    ) {
        let now = Timestamp::now();
        let source = match record.slot.source {
            Source::Leads => Topic::Leads,
            Source::Retry => Topic::Retry(self.sink.clone()),
        };
        let letter = DeadLetter {
            origin: Origin { topic: self.topics.name(&source), partition: record.slot.partition, offset: record.slot.offset },
            group: group(&self.sink),
            worker: self.sink.to_string(),
            kind,
            code: code.clone(),
            attempts: history.attempts,
            replay: history.replay,
            first_failed_at: history.first_failed_at.unwrap_or(now),
            last_failed_at: now,
        };
        let mut headers = record.headers.clone();
        // Who replays it must not serve again who was served.
        history.write_progress(&mut headers);
        set_content(&mut headers, content);
        letter.write(&mut headers);
        self.publish(record, Trail::DeadLetters, headers, record.value.clone()).await;
        self.metrics.dead_letters.with_label_values(&[kind.as_str()]).inc();
        tracing::error!(
            lead_id = record.headers.text(CE_ID),
            sink = %self.sink, kind = kind.as_str(), %code, attempts = history.attempts,
            "given up: the lead is in the dead letters"
        );
    }

    /// Writes a setting to `leads.control`.
    pub(crate) async fn control(&self, change: &Change) {
        let record = Record {
            topic: self.topics.name(&Topic::Control),
            partition: Some(0),
            key: Some(change.key().into_bytes()),
            headers: change.headers(Timestamp::now()).into_iter().collect(),
            value: change.value(),
        };
        self.producer.publish_until_acked(&record, |_| {}).await;
    }

    /// Publishes to the same partition the record came from: all topics of a sink share key and partition count.
    async fn publish(&self, record: &Received, trail: Trail, headers: Headers, value: Option<Vec<u8>>) {
        let topic = match trail {
            Trail::Outcomes => Topic::Outcomes,
            Trail::Retry => Topic::Retry(self.sink.clone()),
            Trail::DeadLetters => Topic::DeadLetters(self.sink.clone()),
        };
        let record = Record {
            topic: self.topics.name(&topic),
            partition: Some(record.slot.partition),
            key: record.key.clone(),
            headers: headers.into_iter().collect(),
            value,
        };
        let mut waits = Some(self.unacked.begin());
        let refused = |error: &PublishError| {
            // This one record is at fault, and not Kafka: the other leads go on.
            if matches!(error, PublishError::Refused(_)) {
                waits = None;
            }
        };
        let acked = self.producer.publish_until_acked(&record, refused).await;
        drop(waits);
        self.floors.raise(acked.partition, trail, acked.offset + 1);
    }
}

fn set_content(headers: &mut Headers, content: Option<ContentHash>) {
    if let Some(content) = content {
        headers.set(CONTENT, content.to_string());
    }
}
