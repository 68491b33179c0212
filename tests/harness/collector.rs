//! A collector of spans, as a test sees it: takes OTLP over HTTP and keeps it, or fails as collectors do.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;

use actix_web::dev::ServerHandle;
use actix_web::web::{Bytes, Data, to};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::{Span as WireSpan, status::StatusCode};
use prost::Message as _;

/// How a collector behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// It takes what comes.
    Takes,
    /// It never answers.
    Hangs,
    /// It answers 503.
    Refuses,
}

/// A span as it was exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// What the process calls itself.
    pub service: String,
    /// Its name.
    pub name: String,
    /// Server, client, producer, consumer or internal.
    pub kind: SpanKind,
    /// Hexadecimal.
    pub trace_id: String,
    /// Hexadecimal.
    pub span_id: String,
    /// Hexadecimal; empty when it is the first of its trace.
    pub parent: String,
    /// What it tells, by name.
    pub attributes: BTreeMap<String, String>,
    /// Whether it failed.
    pub failed: bool,
}

/// A running collector.
pub struct Collector {
    address: SocketAddr,
    taken: Arc<Mutex<Taken>>,
    server: ServerHandle,
}

/// What came so far.
struct Taken {
    manner: Manner,
    /// Path and headers of each request, one in a line.
    heads: Vec<String>,
    exports: Vec<ExportTraceServiceRequest>,
}

impl Collector {
    /// Starts a collector.
    ///
    /// # Panics
    /// When it cannot listen.
    pub fn start(manner: Manner) -> Self {
        let taken = Arc::new(Mutex::new(Taken { manner, heads: Vec::new(), exports: Vec::new() }));
        let (started, handle) = mpsc::channel();
        let data = Data::from(taken.clone());
        thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let app = move || App::new().app_data(data.clone()).default_service(to(take));
                let server = HttpServer::new(app).workers(1).disable_signals().bind("127.0.0.1:0").expect("a port is free");
                let address = server.addrs()[0];
                let server = server.run();
                started.send((address, server.handle())).expect("the test waits for it");
                server.await.expect("the collector serves to its end");
            });
        });
        let (address, server) = handle.recv().expect("the collector starts");
        Self { address, taken, server }
    }

    /// Where it is, as `OTEL_EXPORTER_OTLP_ENDPOINT` names it.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All spans that came so far.
    pub fn spans(&self) -> Vec<Span> {
        let taken = locked(&self.taken);
        let resources = taken.exports.iter().flat_map(|export| &export.resource_spans);
        let spans = resources.flat_map(|resource| {
            let attributes = resource.resource.as_ref().map(|resource| texts(&resource.attributes)).unwrap_or_default();
            let service = attributes.get("service.name").cloned().unwrap_or_default();
            resource.scope_spans.iter().flat_map(|scope| &scope.spans).map(move |wire| Span::of(wire, service.clone()))
        });
        spans.collect()
    }

    /// Path and headers of each request that came, one in a line.
    pub fn heads(&self) -> Vec<String> {
        locked(&self.taken).heads.clone()
    }

    /// Everything that came, as one text to search in: a line for each request, process and span.
    pub fn text(&self) -> String {
        let taken = locked(&self.taken);
        let mut lines = taken.heads.clone();
        for resource in taken.exports.iter().flat_map(|export| &export.resource_spans) {
            lines.push(format!("{:?} {}", resource.resource, resource.schema_url));
            for scope in &resource.scope_spans {
                lines.push(format!("{:?} {}", scope.scope, scope.schema_url));
                lines.extend(scope.spans.iter().map(|span| format!("{span:?}")));
            }
        }
        lines.join("\n")
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // The handle's message is sent by the call itself; nobody waits for the end.
        drop(self.server.stop(false));
    }
}

impl Span {
    fn of(wire: &WireSpan, service: String) -> Self {
        Self {
            service,
            name: wire.name.clone(),
            kind: wire.kind(),
            trace_id: hex(&wire.trace_id),
            span_id: hex(&wire.span_id),
            parent: hex(&wire.parent_span_id),
            attributes: texts(&wire.attributes),
            failed: wire.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error),
        }
    }

    /// Something it tells; empty when it does not.
    pub fn get(&self, name: &str) -> &str {
        self.attributes.get(name).map(String::as_str).unwrap_or_default()
    }
}

async fn take(request: HttpRequest, body: Bytes, taken: Data<Mutex<Taken>>) -> HttpResponse {
    let manner = {
        let mut taken = locked(&taken);
        let headers: Vec<String> = request
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
            .collect();
        taken.heads.push(format!("{} {} {}", request.method(), request.uri(), headers.join(", ")));
        if taken.manner == Manner::Takes {
            taken.exports.push(ExportTraceServiceRequest::decode(body).expect("what comes is an export of spans"));
        }
        taken.manner
    };
    match manner {
        Manner::Takes => HttpResponse::Ok().content_type("application/x-protobuf").finish(),
        Manner::Refuses => HttpResponse::ServiceUnavailable().finish(),
        Manner::Hangs => std::future::pending().await,
    }
}

fn locked(taken: &Mutex<Taken>) -> std::sync::MutexGuard<'_, Taken> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Attributes as texts, each of which must be set once.
fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for attribute in attributes {
        let before = all.insert(attribute.key.clone(), text(attribute.value.as_ref()));
        assert_eq!(before, None, "{} is told twice", attribute.key);
    }
    all
}

fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
