//! A trace as a collector sees it: which spans there are, how they hang together, and what they tell.

use leadline_tests::collector::{Collector, Manner, Span};
use leadline_tests::guarded::Signal;
use leadline_tests::kafka::Cluster;
use leadline_tests::smtp::address;
use leadline_tests::{Stack, eventually};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use super::{SENDER, TRACE, context_in, exporting, post_traced, spans};
use crate::support::{PATIENCE, Product, Sinks};

/// What `span` tells of these.
fn told<'a, const N: usize>(span: &'a Span, names: [&str; N]) -> [&'a str; N] {
    names.map(|name| span.get(name))
}

fn traceparent(span: &Span) -> String {
    format!("00-{}-{}-01", span.trace_id, span.span_id)
}

pub(super) fn from_the_post_to_both_sinks(stack: &Stack) {
    let collector = Collector::start(Manner::Takes);
    let key = ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=the-collectors-key".to_owned());
    let product =
        Product::new(stack, "trace", stack.kafka().bootstrap(), &Sinks::files(), "").with_environment(exporting(&collector));
    let product = product.with_environment([key]);
    product.create_topics();
    let _processes = [product.start_ingest(), product.start_email(), product.start_crm()];
    let lead = post_traced(&product, &format!("00-{TRACE}-{SENDER}-01")).lead_id().to_string();

    let server = spans(&collector, "POST /v1/leads/{endpoint}", 1).swap_remove(0);
    let producer = spans(&collector, "publish leads", 1).swap_remove(0);
    let handlings = spans(&collector, "handle leads", 2);
    let calls = spans(&collector, "call sink", 2);
    assert_eq!(collector.spans().len(), 6, "{:#?}", collector.spans());
    assert!(collector.spans().iter().all(|span| span.trace_id == TRACE && !span.failed), "{:#?}", collector.spans());

    assert_eq!((server.kind, server.parent.as_str(), server.service.as_str()), (SpanKind::Server, SENDER, "leadline-ingest"));
    let names = ["http.request.method", "http.route", "http.response.status_code", "leadline.endpoint", "leadline.lead_id"];
    assert_eq!(told(&server, names), ["POST", "/v1/leads/{endpoint}", "202", &product.endpoint, &lead]);
    assert_eq!((producer.kind, &producer.parent), (SpanKind::Producer, &server.span_id));
    let names = ["messaging.system", "messaging.destination.name", "leadline.durable", "leadline.lead_id"];
    assert_eq!(told(&producer, names), ["kafka", &product.topic("leads"), "kafka", &lead]);
    for (sink, service) in [(&product.email_sink, "leadline-email"), (&product.crm_sink, "leadline-crm")] {
        let of_sink = |spans: &[Span]| spans.iter().find(|span| span.get("leadline.sink") == sink).unwrap().clone();
        let (handling, call) = (of_sink(&handlings), of_sink(&calls));
        check_handling(stack, &product, &handling, &lead);
        assert_eq!((handling.service.as_str(), &handling.parent), (service, &producer.span_id));
        assert_eq!((call.kind, &call.parent, call.get("leadline.verdict")), (SpanKind::Client, &handling.span_id, "delivered"));
        let outcome = product.outcome(stack.kafka(), sink, lead.parse().unwrap());
        assert_eq!(outcome.status.as_str(), handling.get("leadline.outcome"));
        let contexts = context_in(stack, &product, "outcomes", &format!("{lead}.{sink}."));
        assert_eq!(contexts, [traceparent(&handling)], "an outcome names its handling");
    }
    assert_eq!(context_in(stack, &product, "leads", &lead), [traceparent(&producer)]);
    let heads = collector.heads();
    let good = |head: &String| head.starts_with("POST /v1/traces ") && head.contains("x-key: the-collectors-key");
    assert!(heads.iter().all(good), "{heads:?}");
}

fn check_handling(stack: &Stack, product: &Product, handling: &Span, lead: &str) {
    assert_eq!((handling.kind, handling.get("leadline.lead_id")), (SpanKind::Consumer, lead));
    let record = stack.kafka().records(&product.topic("leads")).swap_remove(0);
    let names =
        ["messaging.system", "messaging.destination.name", "messaging.destination.partition.id", "messaging.kafka.offset"];
    let place = ["kafka", &product.topic("leads"), &record.partition.to_string(), &record.offset.to_string()];
    assert_eq!(told(handling, names), place);
    let group = format!("leadline-{}", handling.get("leadline.sink"));
    assert_eq!(handling.get("messaging.consumer.group.name"), group);
}

/// The recipient is refused for now, until the lead comes out of the retry topic.
pub(super) fn tried_again(stack: &Stack) {
    let collector = Collector::start(Manner::Takes);
    let retry = "[worker.retry]\nin_place = \"30s\"\nin_place_tries = 2\nschedule = [\"1s\"]\n";
    let product = Product::new(stack, "again", stack.kafka().bootstrap(), &Sinks::to(stack.smtp()), retry);
    let deferred = address::at_first(2, &address::refused(451, &format!("{}@contoso.example", stack.unique("deferred"))));
    let config = std::fs::read_to_string(product.config()).unwrap();
    let contacts = format!("sales@{0}.example; partner@{0}.example", product.prefix);
    std::fs::write(product.config(), config.replace(&contacts, &deferred)).unwrap();
    let product = product.with_environment(exporting(&collector));
    product.create_topics();
    let _processes = [product.start_ingest(), product.start_email()];
    let lead = post_traced(&product, &format!("00-{TRACE}-{SENDER}-01")).lead_id();
    product.outcome(stack.kafka(), &product.email_sink, lead);

    let producer = spans(&collector, "publish leads", 1).swap_remove(0);
    let handlings = spans(&collector, "handle leads", 2);
    let calls = spans(&collector, "call sink", 3);
    let topics =
        handlings.iter().map(|span| told(span, ["messaging.destination.name", "leadline.outcome"])).collect::<Vec<_>>();
    let retry = product.topic(&format!("{}.retry", product.email_sink));
    assert_eq!(topics, [[product.topic("leads").as_str(), "waiting"], [&retry, "delivered"]]);
    assert!(handlings.iter().all(|span| span.parent == producer.span_id && span.trace_id == TRACE), "{handlings:#?}");
    let verdicts: Vec<_> = calls.iter().map(|span| (span.get("leadline.verdict"), span.failed)).collect();
    assert_eq!(verdicts, [("transient", true), ("transient", true), ("delivered", false)]);
    assert!(calls.iter().take(2).all(|call| call.get("error.type").contains("451")), "{calls:#?}");
    let retried = context_in(stack, &product, &format!("{}.retry", product.email_sink), &lead.to_string());
    assert_eq!(retried, [traceparent(&producer)], "a retry record keeps the context of its lead");
}

/// Kafka is frozen when the lead comes.
pub(super) fn from_the_spool(stack: &Stack) {
    let collector = Collector::start(Manner::Takes);
    let kafka = Cluster::start(1).unwrap();
    let product =
        Product::new(stack, "spooled", kafka.bootstrap(), &Sinks::files(), "").with_environment(exporting(&collector));
    product.create_topics();
    let _ingest = product.start_ingest_with(&[("LEADLINE__INGEST__PUBLISH_DEADLINE", "1s")]);
    kafka.signal(1, Signal::Stop);
    let posted = post_traced(&product, &format!("00-{TRACE}-{SENDER}-01"));
    assert_eq!(posted.json()["durable"], "spool");
    let server = spans(&collector, "POST /v1/leads/{endpoint}", 1).swap_remove(0);
    let spooled = spans(&collector, "spool", 1).swap_remove(0);
    assert_eq!((&spooled.parent, spooled.get("leadline.durable")), (&server.span_id, "spool"));
    kafka.signal(1, Signal::Cont);
    let records = eventually("the lead is published", 2 * PATIENCE, || {
        Some(kafka.records(&product.topic("leads"))).filter(|records| !records.is_empty())
    });
    assert_eq!(records[0].header("traceparent"), Some(traceparent(&spooled)));
}
