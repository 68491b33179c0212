//! The contract of the figures: each process of a real run shows what the catalogue names, with its kind and its labels, and nothing
//! that it does not name; and Prometheus' own tool finds no fault with it. What a figure counts is tested where it is counted.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

use leadline_crm::metrics::Metrics as CrmMetrics;
use leadline_email::metrics::Metrics as EmailMetrics;
use leadline_ingest::metrics::IngestMetrics;
use leadline_platform::metrics::MetricInfo;
use leadline_platform::reload::metrics::ReloadMetrics;
use leadline_platform::trace::metrics::TraceMetrics;
use leadline_runtime::metrics::RuntimeMetrics;
use leadline_tests::collector::{Collector, Manner};
use leadline_tests::eventually::within;
use leadline_tests::{Stack, Suite, Tool, fixtures};

use crate::support::{PATIENCE, Product, Running, Sinks};
use crate::traces::exporting;

/// These have no series while there is nothing to tell.
const AT_TIMES: [&str; 2] = ["leadline_oldest_open_lead_timestamp_seconds", "leadline_ingest_token_expires_timestamp_seconds"];
/// How the figures of the library begin, which are in each process.
const OF_THE_LIBRARY: &str = "process_";
/// The catalogues of a process, each with the labels that all of its figures have.
type Catalogues<'a> = &'a [(&'a [MetricInfo], &'a [&'a str])];

pub(crate) fn tests(suite: &mut Suite) {
    suite.test("figures::each_is_in_the_catalogue_and_in_its_process", [Tool::Kafka], each_is_in_both);
    suite.test("figures::prometheus_finds_no_fault_with_them", [Tool::Kafka, Tool::Promtool], prometheus_finds_no_fault);
}

/// All processes, after a lead has gone through them.
struct Run {
    ingest: Running,
    email: Running,
    crm: Running,
    _product: Product,
    _collector: Collector,
}

impl Run {
    fn new(stack: &Stack) -> Self {
        let collector = Collector::start(Manner::Takes);
        let product = Product::new(stack, "figures", stack.kafka().bootstrap(), &Sinks::files(), "");
        let product = product.with_environment(exporting(&collector));
        std::fs::write(product.folder().join("any.schema.json"), "{}").unwrap();
        product.add_endpoint("checked", "schema = \"any.schema.json\"");
        product.create_topics();
        let (ingest, email, crm) = (product.start_ingest(), product.start_email(), product.start_crm());
        let lead = product.post(fixtures::lead("sample")).lead_id();
        for sink in [&product.email_sink, &product.crm_sink] {
            product.outcome(stack.kafka(), sink, lead);
        }
        Self { ingest, email, crm, _product: product, _collector: collector }
    }
}

fn each_is_in_both(stack: &Stack) {
    let run = Run::new(stack);
    let tracing = (TraceMetrics::CATALOGUE, &[][..]);
    let (runtime, sink) = (RuntimeMetrics::CATALOGUE, &["sink"][..]);
    agree(&run.ingest, &[(IngestMetrics::CATALOGUE, &[]), (ReloadMetrics::CATALOGUE, &[]), tracing]);
    agree(&run.email, &[(runtime, sink), (EmailMetrics::CATALOGUE, sink), tracing]);
    agree(&run.crm, &[(runtime, sink), (CrmMetrics::CATALOGUE, sink), tracing]);
}

/// Waits until a process shows what its catalogues say: some figures come with the first look at Kafka.
#[track_caller]
fn agree(process: &Running, catalogues: Catalogues<'_>) {
    let mut difference = Vec::new();
    let agreed = within("the figures are those of the catalogue", PATIENCE, || {
        difference = differences(&process.metrics(), catalogues);
        difference.is_empty().then_some(())
    });
    assert!(agreed.is_ok(), "\n{}", difference.join("\n"));
}

fn differences(text: &str, catalogues: Catalogues<'_>) -> Vec<String> {
    let (kinds, labels) = (kinds(text), labels(text));
    let known = || catalogues.iter().flat_map(|(catalogue, constant)| catalogue.iter().map(move |metric| (metric, constant)));
    let undocumented = kinds.keys().filter(|name| !name.starts_with(OF_THE_LIBRARY));
    let undocumented = undocumented.filter(|name| known().all(|(metric, _)| metric.name != **name));
    let undocumented = undocumented.map(|name| format!("{name} is shown and not in the catalogue"));
    let wrong = known().filter_map(|(metric, constant)| match kinds.get(metric.name) {
        None if AT_TIMES.contains(&metric.name) => None,
        None => Some(format!("{} is in the catalogue and not shown", metric.name)),
        Some(kind) if *kind != metric.kind => Some(format!("{} is a {kind}, not a {}", metric.name, metric.kind)),
        Some(_) => {
            let (shown, expected) = (&labels[metric.name], metric.labels.iter().chain(*constant).copied().collect());
            (*shown != expected).then(|| format!("{} has the labels {shown:?}, not {expected:?}", metric.name))
        }
    });
    undocumented.chain(wrong).collect()
}

/// Each figure and its kind, as `# TYPE` says.
fn kinds(text: &str) -> BTreeMap<&str, &str> {
    text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect()
}

/// The labels of each figure, without the one that tells the buckets of a histogram apart.
fn labels(text: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let kinds = kinds(text);
    let mut all: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        let of_histogram = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part));
        let name = of_histogram.filter(|base| kinds.contains_key(base)).unwrap_or(name);
        let pairs = line.split_once('{').and_then(|(_, rest)| rest.rsplit_once('}')).map_or("", |(pairs, _)| pairs);
        let names = pairs.split("\",").filter_map(|pair| Some(pair.split_once('=')?.0)).filter(|label| *label != "le");
        all.entry(name).or_default().extend(names);
    }
    all
}

fn prometheus_finds_no_fault(stack: &Stack) {
    let run = Run::new(stack);
    for process in [&run.ingest, &run.email, &run.crm] {
        let mut command = Command::new("promtool");
        command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut promtool = command.spawn().unwrap();
        promtool.stdin.take().unwrap().write_all(process.metrics().as_bytes()).unwrap();
        let told = promtool.wait_with_output().unwrap();
        let said = [told.stdout, told.stderr].concat();
        assert!(told.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
    }
}
