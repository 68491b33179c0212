//! One call to the sink: bounded in time, measured, and with a panic caught. Whatever goes wrong in a handler is a failure of
//! that one lead.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use leadline_proto::Code;

use crate::metrics::RuntimeMetrics;
use crate::sink::{Failure, Sink, Task, Transient, Verdict};

/// Calls a sink.
pub(crate) struct Caller<S> {
    pub(crate) sink: Arc<S>,
    /// A handler that takes longer is cut off; the sink's own deadlines come before it.
    pub(crate) deadline: Duration,
    pub(crate) metrics: Arc<RuntimeMetrics>,
}

impl<S: Sink> Caller<S> {
    /// Has the sink handle one lead.
    pub(crate) async fn call(&self, task: &Task) -> Verdict {
        let started = Instant::now();
        let call = AssertUnwindSafe(self.sink.handle(std::slice::from_ref(task))).catch_unwind();
        // Where nothing tells how far the handler was, the lead may have been delivered.
        let (verdict, result) = match tokio::time::timeout(self.deadline, call).await {
            Ok(Ok(mut verdicts)) => {
                let verdict = verdicts.pop().unwrap_or_else(|| ambiguous(Code::of("no-verdict"), task));
                let result = result(&verdict);
                (verdict, result)
            }
            Ok(Err(_panic)) => (ambiguous(Code::of("panic"), task), "panic"),
            Err(_elapsed) => (ambiguous(Code::of("timeout"), task), "timeout"),
        };
        self.metrics.calls.with_label_values(&[result]).observe(started.elapsed().as_secs_f64());
        verdict
    }
}

fn ambiguous(code: Code, task: &Task) -> Verdict {
    let progress = task.history.progress.clone();
    Verdict::Failed(Failure::Transient(Transient { progress, ambiguous: true, ..Transient::of(code) }))
}

fn result(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Delivered { .. } => "delivered",
        Verdict::Skipped(_) => "skipped",
        Verdict::Later { .. } => "later",
        Verdict::Failed(Failure::Permanent(_)) => "permanent",
        Verdict::Failed(Failure::Transient(_)) => "transient",
        Verdict::Failed(Failure::SinkDown(_)) => "down",
    }
}
