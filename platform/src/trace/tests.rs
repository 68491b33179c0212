//! Spans with export off and on: their identity, their parents, what is exported, and an exporter that does not come back.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

use super::*;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn parent() -> TraceContext {
    PARENT.parse().unwrap()
}

fn unsampled() -> TraceContext {
    TraceContext { sampled: false, ..parent() }
}

/// Keeps what is exported.
#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Kept {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}

impl Kept {
    fn names(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|span| span.name.to_string()).collect()
    }

    fn one(&self, name: &str) -> SpanData {
        let spans = self.0.lock().unwrap();
        let found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
        assert_eq!(found.len(), 1, "{name}");
        found[0].clone()
    }
}

fn exporting() -> (Tracer, Kept) {
    let kept = Kept::default();
    (Tracer(Some(Exporting::of(kept.clone()))), kept)
}

fn start(tracer: &Tracer, parent: Option<TraceContext>) -> Span {
    tracer.start("step", SpanKind::Internal, parent)
}

#[test]
fn with_export_off_a_trace_goes_on_and_nothing_is_told() {
    let tracer = Tracer::default();
    let span = start(&tracer, Some(parent()));
    span.set("name", || -> String { panic!("the value is not needed") });
    span.fail("code");
    let own = span.context();
    assert_eq!((own.trace_id, own.sampled), (parent().trace_id, true), "the sender's wish is passed on");
    assert_ne!(own.span_id, parent().span_id);
    assert!(!start(&tracer, Some(unsampled())).context().sampled);
    assert!(!start(&tracer, None).context().sampled);
    assert_ne!(start(&tracer, None).context().trace_id, start(&tracer, None).context().trace_id);
}

#[tokio::test]
async fn what_is_told_is_exported_below_its_parent() {
    let (tracer, kept) = exporting();
    let outer = tracer.start("outer", SpanKind::Server, Some(parent()));
    let inner = tracer.start("inner", SpanKind::Client, Some(outer.context()));
    inner.set("number", || 7_i64);
    inner.fail("code");
    let root = tracer.start("first", SpanKind::Internal, None);
    root.rename("root");
    let contexts = [outer.context(), inner.context(), root.context()];
    drop((inner, outer, root));
    tracer.stop().await;
    let spans = ["outer", "inner", "root"].map(|name| kept.one(name));
    for (span, context) in spans.iter().zip(contexts) {
        assert_eq!(span.span_context.trace_id(), TraceId::from(context.trace_id.get()));
        assert_eq!(span.span_context.span_id(), SpanId::from(context.span_id.get()));
        assert!(context.sampled);
    }
    let [outer, inner, root] = spans;
    assert_eq!((outer.parent_span_id, outer.span_kind), (SpanId::from(parent().span_id.get()), SpanKind::Server));
    assert_eq!((inner.parent_span_id, inner.span_kind), (outer.span_context.span_id(), SpanKind::Client));
    assert_eq!(inner.attributes, [KeyValue::new("number", 7_i64), KeyValue::new("error.type", "code")]);
    assert_eq!((inner.status, root.parent_span_id), (Status::error(""), SpanId::INVALID));
}

#[tokio::test]
async fn what_the_sender_does_not_want_exported_is_not() {
    let (tracer, kept) = exporting();
    let outer = start(&tracer, Some(unsampled()));
    let inner = start(&tracer, Some(outer.context()));
    inner.set("name", || -> String { panic!("the value is not needed") });
    let context = inner.context();
    assert_eq!((context.trace_id, context.sampled), (parent().trace_id, false));
    assert_ne!(context.span_id, outer.context().span_id);
    drop((inner, outer));
    tracer.stop().await;
    assert_eq!(kept.names(), Vec::<String>::new());
}

#[tokio::test]
async fn after_the_stop_a_trace_goes_on_and_nothing_is_exported() {
    let (tracer, kept) = exporting();
    tracer.stop().await;
    let span = start(&tracer, Some(parent()));
    assert_eq!(span.context().trace_id, parent().trace_id);
    drop(span);
    tracer.stop().await;
    assert_eq!(kept.names(), Vec::<String>::new());
}

/// Does not come back before it is let go.
#[derive(Debug)]
struct Hanging(Mutex<mpsc::Receiver<()>>, Kept);

impl SpanExporter for Hanging {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let _ = self.0.lock().unwrap().recv();
        self.1.export(batch).await
    }
}

#[tokio::test]
async fn an_exporter_that_hangs_delays_nobody_and_fills_no_memory() {
    const MANY: usize = 20_000;
    let (let_go, wait) = mpsc::channel();
    let kept = Kept::default();
    let tracer = Tracer(Some(Exporting::of(Hanging(Mutex::new(wait), kept.clone()))));
    for _ in 0..MANY {
        drop(start(&tracer, None));
    }
    assert_eq!(kept.names().len(), 0, "all of them ended while the exporter did not come back");
    drop(let_go);
    tracer.stop().await;
    // The queue, and the batch that hung.
    let exported = kept.names().len();
    assert!((1..=2048 + 512).contains(&exported), "{exported}");
}

#[tokio::test]
async fn a_stop_has_a_deadline() {
    let (let_go, wait) = mpsc::channel();
    let tracer = Tracer(Some(Exporting::of(Hanging(Mutex::new(wait), Kept::default()))));
    drop(start(&tracer, None));
    tokio::time::timeout(Duration::from_secs(30), tracer.stop()).await.expect("it does not wait for the exporter");
    drop(let_go);
}
