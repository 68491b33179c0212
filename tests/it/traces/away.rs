//! Collectors that are away: leads do not wait for them, none is lost, the log does not fill, and a stop is not held up for long.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use leadline_tests::collector::{Collector, Manner};
use leadline_tests::{Stack, eventually};
use uuid::Uuid;

use super::post_traced;
use crate::support::{PATIENCE, Product, Running, Sinks};

const LOST: &str = "spans cannot be exported";
/// Several times what fits into the queue below.
const LEADS: usize = 30;
/// A lead is accepted far sooner than an export is given up.
const SOON: Duration = Duration::from_secs(8);
/// How long an export may hang. Longer than the whole test takes without one.
const EXPORT: &str = "60000";

pub(super) fn delays_nothing(stack: &Stack) {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (hangs, refuses) = (Collector::start(Manner::Hangs), Collector::start(Manner::Refuses));
    // Who hangs has not failed yet.
    for (endpoint, told) in [(hangs.endpoint(), 0), (refuses.endpoint(), 1), (format!("http://{gone}"), 1)] {
        check(stack, &endpoint, told);
    }
    assert!(!hangs.heads().is_empty() && !refuses.heads().is_empty(), "both were asked");
}

/// `told` is how often a process is to say that its spans are lost.
fn check(stack: &Stack, endpoint: &str, told: usize) {
    let queue = [("OTEL_BSP_MAX_QUEUE_SIZE", "8"), ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4"), ("OTEL_BSP_SCHEDULE_DELAY", "50")];
    let target = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint), ("OTEL_EXPORTER_OTLP_TIMEOUT", EXPORT)];
    let environment = queue.into_iter().chain(target).map(|(name, value)| (name, value.to_owned()));
    let product = Product::new(stack, "away", stack.kafka().bootstrap(), &Sinks::files(), "").with_environment(environment);
    product.create_topics();
    let mut processes = [product.start_ingest(), product.start_email()];
    let leads: Vec<Uuid> = (0..LEADS).map(|_| accepted_soon(&product)).collect();
    eventually("each lead is delivered", PATIENCE, || {
        let outcomes = product.outcomes(stack.kafka());
        let delivered = |lead: &Uuid| outcomes.iter().any(|end| end.lead_id == *lead && end.status.as_str() == "delivered");
        leads.iter().all(delivered).then_some(())
    });
    for process in &mut processes {
        if told > 0 {
            process.process.wait_for_line(LOST, PATIENCE);
        }
        stopped_soon(process);
        assert_eq!(process.process.output().matches(LOST).count(), told, "{}", process.process.output());
    }
}

fn accepted_soon(product: &Product) -> Uuid {
    let started = Instant::now();
    let lead = post_traced(product, "").lead_id();
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    lead
}

fn stopped_soon(process: &mut Running) {
    let started = Instant::now();
    assert_eq!(process.stop(), 0);
    // An export that hangs is left after 5 s.
    assert!(started.elapsed() < Duration::from_secs(40), "{:?}", started.elapsed());
}
