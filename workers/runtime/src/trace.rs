//! The spans of a worker: their names and what they tell. One for each handling of a lead, and below it one for each call to the
//! sink.
//!
//! A handling is a child of the span that its record names, also when the record comes out of the retry topic or is replayed days
//! later: such records keep the context that ingest gave them. So a lead is one trace, with all its handlings by all sinks side by
//! side, and there are no links to follow. What they tell are ids, names from the configuration and codes.

use leadline_platform::trace::{Span, SpanKind, Tracer};
use leadline_proto::config::Topics;
use leadline_proto::headers::TRACEPARENT;
use leadline_proto::retry::Wait;
use leadline_proto::topics::Topic;
use leadline_proto::{AcceptedLead, Code, SinkName, Status};

use crate::attempt::Ended;
use crate::record::{Received, Source};
use crate::recorder::group;
use crate::sink::{Failure, Verdict};

const SINK: &str = "leadline.sink";
const LEAD_ID: &str = "leadline.lead_id";
/// How a handling ended, or why it did not.
const OUTCOME: &str = "leadline.outcome";
/// The rule by which a lead was skipped, or why it waits.
const REASON: &str = "leadline.reason";
/// What the sink answered.
const VERDICT: &str = "leadline.verdict";

/// Begins the spans of one worker.
pub(crate) struct Traces {
    tracer: Tracer,
    sink: SinkName,
    leads: String,
    retry: String,
}

impl Traces {
    /// Spans of this sink's worker.
    pub(crate) fn new(tracer: Tracer, sink: SinkName, topics: &Topics) -> Self {
        let (leads, retry) = (topics.name(&Topic::Leads), topics.name(&Topic::Retry(sink.clone())));
        Self { tracer, sink, leads, retry }
    }

    /// Begins the span of one handling of a record.
    pub(crate) fn handling(&self, record: &Received) -> Span {
        let span = self.tracer.start("handle leads", SpanKind::Consumer, record.headers.parse(TRACEPARENT));
        let topic = match record.slot.source {
            Source::Leads => &self.leads,
            Source::Retry => &self.retry,
        };
        span.set("messaging.system", || "kafka");
        span.set("messaging.operation.type", || "process");
        span.set("messaging.operation.name", || "handle");
        span.set("messaging.destination.name", || topic.clone());
        span.set("messaging.destination.partition.id", || record.slot.partition.to_string());
        span.set("messaging.kafka.offset", || record.slot.offset);
        span.set("messaging.consumer.group.name", || group(&self.sink));
        span.set(SINK, || self.sink.to_string());
        if let Some(lead_id) = AcceptedLead::claimed_id(&record.headers) {
            span.set(LEAD_ID, || lead_id.to_string());
        }
        span
    }

    /// Begins the span of a call to the sink.
    pub(crate) fn call(&self, handling: &Span) -> Span {
        let span = self.tracer.start("call sink", SpanKind::Client, Some(handling.context()));
        span.set(SINK, || self.sink.to_string());
        span
    }
}

/// Says how a lead ended.
pub(crate) fn ended(span: &Span, status: &Status) {
    span.set(OUTCOME, || status.as_str());
    match status {
        Status::Delivered { .. } => {}
        Status::Skipped { rule } => span.set(REASON, || rule.to_string()),
        Status::DeadLettered { code } => span.fail(code.as_str()),
    }
}

/// Says that a lead waits in the retry topic.
pub(crate) fn waits(span: &Span, wait: &Wait) {
    span.set(OUTCOME, || "waiting");
    span.set(REASON, || wait.reason.to_string());
}

/// Says that something stands for the lead already.
pub(crate) fn settled(span: &Span) {
    span.set(OUTCOME, || "settled");
}

/// Says why a handling ended without a record.
pub(crate) fn stopped(span: &Span, ended: &Ended) {
    let (outcome, failure) = unfinished(ended);
    if let Some(outcome) = outcome {
        span.set(OUTCOME, || outcome);
    }
    if let Some(code) = failure {
        span.fail(code.as_str());
    }
}

/// How a handling ended, unless there is a record, with which that was told; and what failed.
fn unfinished(ended: &Ended) -> (Option<&'static str>, Option<&Code>) {
    let unless = |recorded: bool, outcome| (!recorded).then_some(outcome);
    match ended {
        Ended::Done => (None, None),
        Ended::NotStarted => (Some("not_started"), None),
        Ended::SinkDown { down, recorded } => (unless(*recorded, "sink_down"), Some(&down.code)),
        Ended::Braked { braked, recorded } => (unless(*recorded, "braked"), Some(&braked.code)),
    }
}

/// Says what the sink answered; `result` is the word for it.
pub(crate) fn called(span: &Span, result: &'static str, verdict: &Verdict) {
    span.set(VERDICT, || result);
    if let Some(code) = failure(verdict) {
        span.fail(code.as_str());
    }
}

fn failure(verdict: &Verdict) -> Option<&Code> {
    match verdict {
        Verdict::Failed(Failure::Permanent(failure)) => Some(&failure.code),
        Verdict::Failed(Failure::Transient(failure)) => Some(&failure.code),
        Verdict::Failed(Failure::SinkDown(down)) => Some(&down.code),
        Verdict::Failed(Failure::Forfeited) | Verdict::Delivered { .. } | Verdict::Skipped(_) | Verdict::Later { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::{DownReason, Permanent, SinkDown, Transient};

    const CODE: Code = Code::of("code");

    fn down() -> SinkDown {
        SinkDown::of(DownReason::Unreachable, CODE)
    }

    #[test]
    fn an_outcome_is_told_once_with_its_record_or_without_one() {
        let ended = |recorded| Ended::SinkDown { down: down(), recorded };
        assert_eq!(unfinished(&ended(false)), (Some("sink_down"), Some(&CODE)));
        assert_eq!(unfinished(&ended(true)), (None, Some(&CODE)), "the retry record has told that it waits");
        assert_eq!(unfinished(&Ended::NotStarted), (Some("not_started"), None));
        assert_eq!(unfinished(&Ended::Done), (None, None));
    }

    #[test]
    fn what_failed_is_told_by_its_code() {
        let failures =
            [Failure::Permanent(Permanent::of(CODE)), Failure::Transient(Transient::of(CODE)), Failure::SinkDown(down())];
        for verdict in failures.map(Verdict::Failed) {
            assert_eq!(failure(&verdict), Some(&CODE), "{verdict:?}");
        }
        for verdict in [Verdict::Delivered { reference: None }, Verdict::Skipped(CODE), Verdict::Failed(Failure::Forfeited)] {
            assert_eq!(failure(&verdict), None, "{verdict:?}");
        }
    }
}
