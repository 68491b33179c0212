//! What becomes of a trace that is not exported: it is passed on under a span of ours.

use leadline_proto::headers::TRACEPARENT;
use leadline_tests::Stack;
use leadline_tests::collector::{Collector, Manner};
use serde_json::json;

use super::{SENDER, TRACE, context_in, exporting, post_traced, spans};
use crate::support::{Posted, Product, Sinks, post};

/// Trace, span and flags of the context that stands in `leads` for a lead.
#[track_caller]
fn passed_on(stack: &Stack, product: &Product, posted: &Posted) -> [String; 3] {
    let contexts = context_in(stack, product, "leads", &posted.lead_id().to_string());
    let [context] = &contexts[..] else { panic!("one context was expected: {contexts:?}") };
    let fields: Vec<&str> = context.split('-').collect();
    assert_eq!(fields.iter().map(|field| field.len()).collect::<Vec<_>>(), [2, 32, 16, 2], "{context}");
    [fields[1], fields[2], fields[3]].map(str::to_owned)
}

#[track_caller]
fn check_passed_on(stack: &Stack, product: &Product, flags: &str) {
    let posted = post_traced(product, &format!("00-{TRACE}-{SENDER}-{flags}"));
    let [trace, span, passed] = passed_on(stack, product, &posted);
    assert_eq!((trace.as_str(), passed.as_str()), (TRACE, flags));
    assert_ne!(span, SENDER, "the record comes from a span of ours");
}

/// The trace of a lead whose sender names none, or wrongly.
#[track_caller]
fn fresh(stack: &Stack, product: &Product, posted: &Posted) -> String {
    let [trace, _, flags] = passed_on(stack, product, posted);
    assert_eq!(flags, "00");
    assert_ne!(trace, TRACE);
    trace
}

pub(super) fn not_sampled(stack: &Stack) {
    let collector = Collector::start(Manner::Takes);
    let product = Product::new(stack, "unsampled", stack.kafka().bootstrap(), &Sinks::files(), "");
    let product = product.with_environment(exporting(&collector));
    product.create_topics();
    let mut processes = [product.start_ingest(), product.start_email()];
    check_passed_on(stack, &product, "00");
    let sampled = post_traced(&product, &format!("00-{}-{SENDER}-01", TRACE.replace('4', "5"))).lead_id();
    // Of the same person, so both are handled by then.
    product.outcome(stack.kafka(), &product.email_sink, sampled);
    processes.iter_mut().for_each(|process| assert_eq!(process.stop(), 0));
    assert_eq!(spans(&collector, "handle leads", 1).len(), 1);
    let exported = collector.spans();
    assert!(exported.iter().all(|span| span.trace_id == TRACE.replace('4', "5")), "{exported:#?}");
}

pub(super) fn off_by_default(stack: &Stack) {
    let collector = Collector::start(Manner::Takes);
    let product = Product::new(stack, "off", stack.kafka().bootstrap(), &Sinks::files(), "");
    product.create_topics();
    // Once nothing is asked for, and once it is taken back.
    let none = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint()), ("OTEL_TRACES_EXPORTER", "none".to_owned())];
    for environment in [&[][..], &none] {
        let variables: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut ingest = product.start_ingest_with(&variables);
        check_passed_on(stack, &product, "01");
        check_passed_on(stack, &product, "00");
        let lead = || json!({"UserDetails": {"FirstName": "Ann"}}).to_string();
        let traces = [product.post(lead()), product.post(lead()), post_traced(&product, "nonsense")];
        let [one, two, three] = traces.map(|posted| fresh(stack, &product, &posted));
        assert!(one != two && two != three);
        assert!(!ingest.metrics().contains("leadline_trace_"), "nothing is there that exports");
        assert_eq!(ingest.stop(), 0);
    }
    let mut email = product.start_email();
    let lead = post_none_left(stack, &product);
    let outcome = product.outcome(stack.kafka(), &product.email_sink, lead.parse().unwrap());
    let [handling] = &context_in(stack, &product, "outcomes", &outcome.lead_id.to_string())[..] else { panic!("one outcome") };
    let [published] = &context_in(stack, &product, "leads", &lead)[..] else { panic!("one record") };
    assert_eq!(handling[..36], published[..36], "the same trace");
    assert_ne!(handling[36..52], published[36..52], "another span");
    assert_eq!(email.stop(), 0);
    assert_eq!(collector.heads(), Vec::<String>::new());
}

/// The id of a lead that stands in the topic.
fn post_none_left(stack: &Stack, product: &Product) -> String {
    let records = stack.kafka().records(&product.topic("leads"));
    records[0].header("ce_id").unwrap()
}

/// Who has no token gets nothing into our traces; nor does who sends two.
pub(super) fn only_who_may_post(stack: &Stack) {
    let collector = Collector::start(Manner::Takes);
    let product = Product::new(stack, "stranger", stack.kafka().bootstrap(), &Sinks::files(), "");
    let product = product.with_environment(exporting(&collector));
    product.create_topics();
    let mut ingest = product.start_ingest();
    let (given, json) = (format!("00-{TRACE}-{SENDER}-01"), ("content-type", "application/json"));
    let stranger = product.url().replace(&product.token, "guessed");
    assert_eq!(post(&stranger, b"{}".to_vec(), &[json, (TRACEPARENT, &given)]).status, 401);
    let twice = post(&product.url(), b"{}".to_vec(), &[json, (TRACEPARENT, &given), (TRACEPARENT, &given)]);
    assert_eq!(twice.status, 202);
    // Who may post and posts nonsense is in the trace, and it is no error of ours.
    assert_eq!(post(&product.url(), b"[]".to_vec(), &[json, (TRACEPARENT, &given)]).status, 400);
    assert_eq!(ingest.stop(), 0);
    let (mut ours, others): (Vec<_>, Vec<_>) = collector.spans().into_iter().partition(|span| span.trace_id == TRACE);
    let refused = ours.pop().expect("the refusal has a span");
    assert_eq!((ours.len(), others.len()), (0, 2), "{others:#?}");
    let told = ["http.response.status_code", "leadline.refused"].map(|name| refused.get(name));
    assert_eq!((told, refused.failed, refused.parent.as_str()), (["400", "not-an-object"], false, SENDER));
    assert!(others.iter().any(|span| span.parent.is_empty()), "a trace of its own: {others:#?}");
}
