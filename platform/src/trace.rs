//! Tracing: spans that are exported by OTLP when the usual `OTEL_*` variables ask for it, and the trace context that travels with
//! what a process takes and hands on.
//!
//! Every span has an identity ([`TraceContext`]), exported or not, so that a trace goes on behind a process that exports nothing.
//! With export off a span is only that: three numbers. With export on it is put into a queue of the OpenTelemetry SDK when it
//! ends. A thread of the SDK takes batches from there; when the queue is full, a span is dropped. So a collector that is slow or
//! away costs spans, and delays nobody.
//!
//! There is no tracer for the whole program: it comes with [`crate::process::Process`]. What spans are called and what they tell is
//! the callers'; it is the same that may be logged: ids, codes, names from the configuration.
//!
//! | to change | open |
//! |---|---|
//! | how `traceparent` is read and written | [`context`] |
//! | which variables are followed | `variables` |
//! | queue, sampler, resource, what is told about a collector that is away | `export` |
//! | how a batch is sent | `client` |

mod client;
pub mod context;
mod export;
pub mod metrics;
mod variables;

use std::num::{NonZeroU64, NonZeroU128};
use std::sync::{Mutex, MutexGuard, PoisonError};

use opentelemetry::trace::{SpanContext, SpanId, Status, TraceContextExt as _, TraceFlags, TraceId, TraceState, Tracer as _};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_sdk::trace::Span as SdkSpan;
use prometheus::Registry;

pub use self::context::TraceContext;
use self::export::Exporting;
use crate::process::Fatal;
pub use opentelemetry::trace::SpanKind;

/// Makes spans. Cheap to clone. The default exports none.
#[derive(Clone, Default)]
pub struct Tracer(Option<Exporting>);

impl Tracer {
    /// A tracer that exports spans when the environment asks for it. To be called inside the runtime that will send them.
    ///
    /// # Errors
    /// [`Fatal`] when the environment asks for what cannot be done.
    pub fn from_environment(registry: &Registry) -> Result<Self, Fatal> {
        let export = variables::read()?;
        Ok(Self(export.map(|export| Exporting::start(export, registry)).transpose()?))
    }

    /// Begins a span, below `parent` or as the first of its trace. It ends when it is dropped.
    pub fn start(&self, name: &'static str, kind: SpanKind, parent: Option<TraceContext>) -> Span {
        let recorded = self.0.as_ref().map(|exporting| {
            let outer = parent.map(|parent| Context::new().with_remote_span_context(remote(parent))).unwrap_or_default();
            exporting.tracer.span_builder(name).with_kind(kind).start_with_context(&exporting.tracer, &outer)
        });
        // After its stop the SDK gives spans without an identity.
        match recorded.and_then(|span| Some((identity(&span)?, span))) {
            Some((context, span)) => Span { context, recorded: context.sampled.then(|| Box::new(Mutex::new(span))) },
            None => Span { context: parent.map_or_else(TraceContext::random, TraceContext::child), recorded: None },
        }
    }

    /// Exports what has ended so far, for a few seconds at the most. Spans that end later are not exported.
    pub async fn stop(&self) {
        if let Some(exporting) = &self.0 {
            exporting.stop().await;
        }
    }
}

/// One step of a trace. It ends when it is dropped.
pub struct Span {
    context: TraceContext,
    /// Set when the span is exported. Behind a lock, as who handles something and who records it tell about the same span.
    recorded: Option<Box<Mutex<SdkSpan>>>,
}

impl Span {
    /// Its identity, for what comes below it.
    pub fn context(&self) -> TraceContext {
        self.context
    }

    /// Tells something about it. The value is made only when the span is exported. Each name is to be set once.
    pub fn set<V: Into<Value>>(&self, name: &'static str, value: impl FnOnce() -> V) {
        if let Some(mut span) = self.recorded() {
            opentelemetry::trace::Span::set_attribute(&mut *span, KeyValue::new(name, value()));
        }
    }

    /// Says that it failed, with a code.
    pub fn fail(&self, code: &str) {
        if let Some(mut span) = self.recorded() {
            opentelemetry::trace::Span::set_attribute(&mut *span, KeyValue::new("error.type", code.to_owned()));
            opentelemetry::trace::Span::set_status(&mut *span, Status::error(""));
        }
    }

    /// Gives it another name, when only its end tells what it was.
    pub fn rename(&self, name: &'static str) {
        if let Some(mut span) = self.recorded() {
            opentelemetry::trace::Span::update_name(&mut *span, name);
        }
    }

    fn recorded(&self) -> Option<MutexGuard<'_, SdkSpan>> {
        self.recorded.as_ref().map(|span| span.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn remote(parent: TraceContext) -> SpanContext {
    let (trace_id, span_id) = (TraceId::from(parent.trace_id.get()), SpanId::from(parent.span_id.get()));
    let flags = TraceFlags::default().with_sampled(parent.sampled);
    SpanContext::new(trace_id, span_id, flags, true, TraceState::NONE)
}

fn identity(span: &SdkSpan) -> Option<TraceContext> {
    let context = opentelemetry::trace::Span::span_context(span);
    Some(TraceContext {
        trace_id: NonZeroU128::new(u128::from_be_bytes(context.trace_id().to_bytes()))?,
        span_id: NonZeroU64::new(u64::from_be_bytes(context.span_id().to_bytes()))?,
        sampled: context.is_sampled(),
    })
}

#[cfg(test)]
mod tests;
