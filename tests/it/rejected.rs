//! Bodies with a good token that are not leads: kept within limits, and made leads by an operator.

mod repair;

use leadline_tests::binaries::Binaries;
use leadline_tests::kafka::records_at;
use leadline_tests::{Stack, Suite, eventually};
use serde_json::json;
use uuid::Uuid;

use crate::support::{PATIENCE, Posted, Product, Running};

pub(crate) fn tests(suite: &mut Suite) {
    suite.test("rejected::only_so_many_a_minute_are_kept", [], only_so_many_a_minute_are_kept);
    suite.test("rejected::without_kafka_the_answer_is_the_same", [], without_kafka_the_answer_is_the_same);
    repair::tests(suite);
}

/// The id under which a refused body was kept.
#[track_caller]
pub(crate) fn rejected_id(answer: &Posted) -> Option<Uuid> {
    assert_eq!(answer.status, 400, "{}", answer.body);
    answer.json()["rejected_id"].as_str().map(|id| id.parse().unwrap())
}

/// The figure of a series, such as `name{label="x"}`.
#[track_caller]
pub(crate) fn figure(metrics: &str, series: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(series)).unwrap_or_else(|| panic!("no {series}:\n{metrics}"));
    line.trim().parse().unwrap()
}

fn kept(product: &Product, running: &Running, kept: &str) -> f64 {
    let series = format!("leadline_ingest_rejected_total{{endpoint=\"{}\",kept=\"{kept}\"}}", product.endpoint);
    figure(&running.metrics(), &series)
}

fn only_so_many_a_minute_are_kept(stack: &Stack) {
    let product = Product::on_embedded(stack, "rejected", "[ingest.rejected]\nper_minute = 2");
    let (up, kafka) = product.up_with_broker(&[]);
    assert_eq!(rejected_id(&product.post("")), None, "there is nothing to keep");
    assert_eq!(rejected_id(&product.post(" \n")), None);
    let ids: Vec<Option<Uuid>> = (0..4).map(|number| rejected_id(&product.post(format!("[{number}]")))).collect();
    assert_eq!(ids.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, false, false]);
    let records = records_at(&kafka, &product.topic("rejected"));
    let mut bodies: Vec<Vec<u8>> = records.iter().map(|record| record.value.clone().unwrap()).collect();
    bodies.sort();
    assert_eq!(bodies, [b"[0]", b"[1]"]);
    let counted = ["yes", "no", "failed"].map(|label| kept(&product, &up, label));
    assert_eq!(counted, [2.0, 4.0, 0.0]);
    let refused = figure(&up.metrics(), "leadline_ingest_refused_total{reason=\"not-an-object\"}");
    assert_eq!(refused, 4.0, "kept or not, it is refused");
}

fn without_kafka_the_answer_is_the_same(stack: &Stack) {
    let product = Product::on_embedded(stack, "rejected", "");
    let mut ingest = product.spawn("ingest", &Binaries::built().ingest(), &[]);
    ingest.process.wait_for_line("ingest open", PATIENCE);
    let answer = product.post("[]");
    assert_eq!(rejected_id(&answer), None);
    assert_eq!(answer.json()["type"], json!("urn:leadline:problem:not-an-object"));
    eventually("the failure is counted", PATIENCE, || (kept(&product, &ingest, "failed") == 1.0).then_some(()));
    assert_eq!(kept(&product, &ingest, "yes"), 0.0);
}
