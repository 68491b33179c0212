//! One call to the sink: bounded in time, measured, and with a panic caught. Whatever goes wrong in a handler is a failure of
//! that one lead.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use leadline_platform::trace::Span;
use leadline_proto::Code;

use crate::breaker::Silence;
use crate::gate::Place;
use crate::limit::Throttled;
use crate::metrics::RuntimeMetrics;
use crate::sink::{DownReason, Failure, Sink, SinkDown, Task, Transient, Verdict};
use crate::trace::{self, Traces};

/// Calls a sink.
pub(crate) struct Caller<S> {
    pub(crate) sink: Arc<S>,
    /// A handler that takes longer is cut off; the sink's own deadlines come before it.
    pub(crate) deadline: Duration,
    pub(crate) silence: Silence,
    pub(crate) metrics: Arc<RuntimeMetrics>,
    pub(crate) traces: Arc<Traces>,
}

/// What came of a call.
pub(crate) enum Called {
    /// The sink's verdict.
    Verdict(Verdict),
    /// The sink wants fewer calls, and gets fewer from now on; the lead is to be tried again in a moment.
    TooFast,
    /// This lead got no answer, like several others before it, so the sink is taken to be down.
    Silent(Transient, SinkDown),
}

impl<S: Sink> Caller<S> {
    /// Has the sink handle one lead, and says how the call went to those who watch.
    pub(crate) async fn call(&self, task: &Task, place: Place<'_>, handling: &Span) -> Called {
        let span = self.traces.call(handling);
        let started = Instant::now();
        // Boxed, so that the largest sink does not make every future around it as large.
        let call = AssertUnwindSafe(Box::pin(self.sink.handle(std::slice::from_ref(task)))).catch_unwind();
        // Where nothing tells how far the handler was, the lead may have been delivered.
        let (verdict, result) = match tokio::time::timeout(self.deadline, call).await {
            Ok(Ok(mut verdicts)) => {
                let verdict = verdicts.pop().unwrap_or_else(|| ambiguous(Code::of("no-verdict"), task, false));
                let result = result(&verdict);
                (verdict, result)
            }
            Ok(Err(_panic)) => (ambiguous(Code::of("panic"), task, false), "panic"),
            Err(_elapsed) => (ambiguous(Code::of("timeout"), task, true), "timeout"),
        };
        let took = started.elapsed();
        trace::called(&span, result, &verdict);
        drop(span);
        self.metrics.calls.with_label_values(&[result]).observe(took.as_secs_f64());
        self.judge(verdict, task, took, &place)
    }

    fn judge(&self, verdict: Verdict, task: &Task, took: Duration, place: &Place<'_>) -> Called {
        match verdict {
            Verdict::Failed(Failure::Transient(failure)) if failure.silent => {
                if self.silence.goes_on(task.lead.lead_id) {
                    let down = SinkDown::of(DownReason::Unreachable, Code::of("silent"));
                    return Called::Silent(failure, down);
                }
                Called::Verdict(Verdict::Failed(Failure::Transient(failure)))
            }
            Verdict::Failed(Failure::SinkDown(down)) if down.why == DownReason::Throttled => {
                self.silence.broken();
                match place.throttled() {
                    Throttled::Lowered if down.until.is_none() && down.progress == task.history.progress => Called::TooFast,
                    Throttled::Lowered | Throttled::AtLeast => Called::Verdict(Verdict::Failed(Failure::SinkDown(down))),
                }
            }
            verdict @ Verdict::Failed(Failure::SinkDown(_) | Failure::Forfeited) => Called::Verdict(verdict),
            verdict @ (Verdict::Delivered { .. } | Verdict::Skipped(_) | Verdict::Later { .. } | Verdict::Failed(_)) => {
                self.silence.broken();
                place.answered(took);
                Called::Verdict(verdict)
            }
        }
    }
}

fn ambiguous(code: Code, task: &Task, silent: bool) -> Verdict {
    let progress = task.history.progress.clone();
    Verdict::Failed(Failure::Transient(Transient { progress, ambiguous: true, silent, ..Transient::of(code) }))
}

fn result(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Delivered { .. } => "delivered",
        Verdict::Skipped(_) => "skipped",
        Verdict::Later { .. } => "later",
        Verdict::Failed(Failure::Forfeited) => "forfeited",
        Verdict::Failed(Failure::Permanent(_)) => "permanent",
        Verdict::Failed(Failure::Transient(_)) => "transient",
        Verdict::Failed(Failure::SinkDown(_)) => "down",
    }
}
