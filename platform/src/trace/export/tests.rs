//! What the SDK is told, and what is told about the collector.

use std::io::Write;
use std::sync::{Arc, Mutex};

use opentelemetry::trace::TraceId;
use opentelemetry::{Key, Value};
use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::trace::SamplingDecision;

use super::*;

impl Exporting {
    /// An export of every trace whose parent does not say otherwise.
    pub(in crate::trace) fn of(exporter: impl SpanExporter + 'static) -> Self {
        let export = Export {
            endpoint: "http://nowhere".parse().unwrap(),
            timeout: Duration::from_secs(1),
            authorities: None,
            sampler: Sampler { by_parent: true, share: 1.0 },
            service: None,
        };
        Self::with(exporter, export)
    }
}

#[test]
fn the_service_is_what_the_environment_calls_it_or_the_program() {
    let name = |resource: Resource| resource.get(&Key::new("service.name"));
    assert_eq!(name(resource(Some("x".to_owned()))), Some(Value::from("x")));
    let own = name(resource(None)).unwrap().to_string();
    assert!(own.starts_with("leadline_platform"), "{own}");
    assert_eq!(program(Some("/usr/bin/leadline-ingest".into())), "leadline-ingest");
    assert_eq!(program(None), "leadline");
}

#[test]
fn a_share_of_the_traces_is_sampled() {
    let sampled = |share: f64| {
        let sampler = sampler(Sampler { by_parent: false, share });
        let decide = |number: u128| {
            let trace_id = TraceId::from(number << 64 | number.wrapping_mul(0x9e37_79b9_7f4a_7c15) & u128::from(u64::MAX));
            sampler.should_sample(None, trace_id, "step", &opentelemetry::trace::SpanKind::Internal, &[], &[]).decision
        };
        (1..=1000).filter(|number| decide(*number) == SamplingDecision::RecordAndSample).count()
    };
    assert_eq!((sampled(0.0), sampled(1.0)), (0, 1000));
    assert!((150..350).contains(&sampled(0.25)), "{}", sampled(0.25));
}

/// Lines of a log.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_collector_that_is_away_is_told_once_and_counted() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
    let metrics = TraceMetrics::new(&Registry::new(), &[]).unwrap();
    let watched = Watched::new((), metrics.clone());
    let away = || Err(OTelSdkError::InternalFailure("away".to_owned()));
    tracing::subscriber::with_default(subscriber, || {
        for result in [Ok(()), away(), away(), away(), Ok(()), Ok(()), away()] {
            watched.note(10, &result);
        }
    });
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let told: Vec<bool> = text.lines().map(|line| line.contains("cannot be exported")).collect();
    assert_eq!(told, [true, false, true], "{text}");
    assert_eq!(["ok", "error"].map(|result| metrics.spans.with_label_values(&[result]).get()), [30, 40]);
}
