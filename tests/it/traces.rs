//! The trace of a lead, from the post to both sinks: what is exported to a collector, what travels in the records without one, and
//! collectors that are away. That no span tells anything personal belongs in `hygiene`.

mod away;
mod passing_on;
mod whole;

use std::process::Command;

use leadline_tests::binaries::Binaries;
use leadline_tests::collector::{Collector, Span};
use leadline_tests::{Stack, Suite, Tool, eventually};
use serde_json::json;

use crate::support::{PATIENCE, Posted, Product, post};

/// The trace in the example of the specification, and the span there that posts a lead here.
pub(crate) const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
pub(crate) const SENDER: &str = "00f067aa0ba902b7";

pub(crate) fn tests(suite: &mut Suite) {
    let (kafka, smtp) = (Tool::Kafka, Tool::Smtp);
    suite.test("traces::a_lead_is_one_trace_from_the_post_to_both_sinks", [kafka], whole::from_the_post_to_both_sinks);
    suite.test("traces::a_lead_that_is_tried_again_stays_in_its_trace", [kafka, smtp], whole::tried_again);
    suite.test("traces::a_lead_from_the_spool_stays_in_its_trace", [kafka], whole::from_the_spool);
    suite.test("traces::what_the_sender_does_not_sample_is_passed_on_only", [kafka], passing_on::not_sampled);
    suite.test("traces::without_variables_a_trace_is_passed_on_and_nothing_exported", [kafka], passing_on::off_by_default);
    suite.test("traces::only_who_may_post_names_a_trace", [kafka], passing_on::only_who_may_post);
    suite.test("traces::a_collector_that_is_away_delays_nothing_and_loses_nothing", [kafka], away::delays_nothing);
    suite.test("traces::what_cannot_be_followed_stops_the_start", [], what_cannot_be_followed_stops_the_start);
}

/// Exports to this collector, without much waiting for a batch.
pub(crate) fn exporting(collector: &Collector) -> [(&'static str, String); 2] {
    [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint()), ("OTEL_BSP_SCHEDULE_DELAY", "100".to_owned())]
}

/// Posts a lead that carries this `traceparent`.
fn post_traced(product: &Product, traceparent: &str) -> Posted {
    let lead = json!({"UserDetails": {"FirstName": "Ann", "Email": "ann@contoso.example"}}).to_string();
    post(&product.url(), lead.into(), &[("content-type", "application/json"), ("traceparent", traceparent)])
}

/// Waits until there are so many spans of that name.
#[track_caller]
fn spans(collector: &Collector, name: &str, count: usize) -> Vec<Span> {
    let found = || collector.spans().into_iter().filter(|span| span.name == name).collect::<Vec<_>>();
    eventually(&format!("{count} of the spans `{name}`"), PATIENCE, || Some(found()).filter(|spans| spans.len() >= count))
}

/// The context that a record of a topic carries, by the lead's id.
#[track_caller]
fn context_in(stack: &Stack, product: &Product, topic: &str, lead: &str) -> Vec<String> {
    let records = stack.kafka().records(&product.topic(topic));
    let of_lead = records.iter().filter(|record| record.header("ce_id").is_some_and(|id| id.starts_with(lead)));
    of_lead.map(|record| record.header("traceparent").expect("the record carries a context")).collect()
}

/// Each ends with 64 and one sentence that names the variable.
fn what_cannot_be_followed_stops_the_start(stack: &Stack) {
    let product = Product::on_embedded(stack, "traces", "");
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_TRACES_EXPORTER", "console"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "ftp://user:secret@127.0.0.1"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/such/file"),
    ] {
        let mut up = product.command(&Binaries::built().leadline(), &["up", "--data", "data"]);
        let mut ingest = product.command(&Binaries::built().ingest(), &[]);
        for command in [&mut up, &mut ingest] {
            let (code, sentence) = refusal(command.envs([endpoint, (name, value)]));
            assert_eq!(code, Some(64), "{name}: {sentence}");
            assert!(sentence.starts_with(&format!("error: `{name}`: ")) && sentence.lines().count() == 1, "{sentence}");
            assert!(!sentence.contains("secret"), "{sentence}");
        }
    }
}

fn refusal(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}
