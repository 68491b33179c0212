//! The OpenTelemetry SDK put together: sampler, resource, queue, exporter. And what is told about a collector that is away: one line
//! when it begins and one when it ends, and a figure.
//!
//! The SDK and its exporter are built without their own logs: those would repeat themselves, and name the endpoint with its query.

use std::ffi::OsString;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter as Otlp, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::resource::{EnvResourceDetector, TelemetryResourceDetector};
use opentelemetry_sdk::trace::{
    BatchSpanProcessor, Sampler as SdkSampler, SdkTracer, SdkTracerProvider, ShouldSample, SpanData, SpanExporter,
};
use prometheus::Registry;

use super::client::Client;
use super::metrics::TraceMetrics;
use super::variables::{Export, Sampler};
use crate::process::Fatal;

/// Longest wait for the last export at a stop. Spans are not worth more.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// A running export. Cheap to clone.
#[derive(Clone)]
pub(super) struct Exporting {
    provider: SdkTracerProvider,
    pub(super) tracer: SdkTracer,
}

impl Exporting {
    /// Starts the thread that exports.
    pub(super) fn start(export: Export, registry: &Registry) -> Result<Self, Fatal> {
        let metrics = TraceMetrics::new(registry, &[]).map_err(Fatal::internal)?;
        let client = Client::new(&export)?;
        let exporter = Otlp::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(export.endpoint.as_str())
            .with_timeout(export.timeout)
            .with_http_client(client)
            .build()
            .map_err(Fatal::usage)?;
        tracing::info!("spans are exported");
        Ok(Self::with(Watched::new(exporter, metrics), export))
    }

    fn with(exporter: impl SpanExporter + 'static, export: Export) -> Self {
        let provider = SdkTracerProvider::builder()
            .with_sampler(sampler(export.sampler))
            .with_resource(resource(export.service))
            .with_span_processor(BatchSpanProcessor::builder(exporter).build())
            .build();
        Self { tracer: provider.tracer("leadline"), provider }
    }

    /// Exports what is left, on a thread that may block.
    pub(super) async fn stop(&self) {
        let provider = self.provider.clone();
        let stopped = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(STOP_LIMIT));
        if !matches!(stopped.await, Ok(Ok(()))) {
            tracing::warn!("the last spans were not exported in time");
        }
    }
}

fn sampler(sampler: Sampler) -> Box<dyn ShouldSample> {
    let root = SdkSampler::TraceIdRatioBased(sampler.share);
    Box::new(if sampler.by_parent { SdkSampler::ParentBased(Box::new(root)) } else { root })
}

/// Later entries win: what the process is called by itself, what the resource attributes of the environment say, and the name of the
/// service there.
fn resource(service: Option<String>) -> Resource {
    let own = program(std::env::args_os().next());
    let service = service.map(|name| KeyValue::new("service.name", name));
    Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_attributes([KeyValue::new("service.name", own), KeyValue::new("service.version", env!("CARGO_PKG_VERSION"))])
        .with_detector(Box::new(EnvResourceDetector::new()))
        .with_attributes(service)
        .build()
}

/// The name of the program, such as `leadline-ingest`.
fn program(called_as: Option<OsString>) -> String {
    let name = called_as.as_deref().map(Path::new).and_then(Path::file_name);
    name.map_or_else(|| "leadline".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// An exporter that tells how it goes.
#[derive(Debug)]
struct Watched<E> {
    exporter: E,
    metrics: TraceMetrics,
    failing: AtomicBool,
}

impl<E> Watched<E> {
    fn new(exporter: E, metrics: TraceMetrics) -> Self {
        for result in ["ok", "error"] {
            metrics.spans.with_label_values(&[result]).inc_by(0);
        }
        Self { exporter, metrics, failing: AtomicBool::new(false) }
    }

    fn note(&self, spans: usize, result: &OTelSdkResult) {
        let word = if result.is_ok() { "ok" } else { "error" };
        self.metrics.spans.with_label_values(&[word]).inc_by(spans as u64);
        match (self.failing.swap(result.is_err(), Ordering::AcqRel), result) {
            (false, Err(error)) => tracing::warn!(%error, "spans cannot be exported and are dropped; told once until it works"),
            (true, Ok(())) => tracing::info!("spans are exported again"),
            (false, Ok(())) | (true, Err(_)) => {}
        }
    }
}

impl<E: SpanExporter> SpanExporter for Watched<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let result = self.exporter.export(batch).await;
        self.note(spans, &result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests;
