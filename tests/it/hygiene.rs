//! No personal data and no secret leaves by a side door: logs, metrics, spans, Kafka keys and headers, outcomes, and answers are
//! searched for everything that the sample leads, the configuration and the requests hold.
//!
//! What is searched for and how: `search`.

mod search;

use std::fs;

use leadline_tests::certificate;
use leadline_tests::collector::{Collector, Manner};
use leadline_tests::fixtures::lead_names;
use leadline_tests::kafka::{Record, produce_at, records_at};
use leadline_tests::smtp::{Options, Security, SmtpServer, address};
use leadline_tests::{Stack, Suite, Tool, eventually};
use search::{Trace, Values};
use uuid::Uuid;

use crate::support::{PATIENCE, Posted, Product, Running, Sinks, outcomes_at, post};
use crate::traces::exporting;

const PASSWORD: &str = "the-mail-servers-password";
const GUESS: &str = "a-guessed-token";
const JSON: (&str, &str) = ("content-type", "application/json");
/// Free text of the sender that comes with a trace.
const STATE: (&str, &str) = ("tracestate", "vendor=a-guessed-token");

pub(crate) fn tests(suite: &mut Suite) {
    suite.test("hygiene::the_search_finds_a_value_in_each_form", [], |_| search::finds_each_form());
    suite.test("hygiene::nothing_personal_leaves_the_embedded_product", [], embedded);
    suite.test("hygiene::nothing_personal_leaves_the_separate_processes", [Tool::Kafka, Tool::Smtp], separate_processes);
}

/// One run: where it happens, what must not be found, and what was answered.
struct Run<'a> {
    product: &'a Product,
    kafka: String,
    collector: &'a Collector,
    values: Values,
    answers: Vec<Posted>,
}

impl<'a> Run<'a> {
    fn new(product: &'a Product, kafka: &str, collector: &'a Collector) -> Self {
        let prefix = &product.prefix;
        let contacts = ["sales", "partner"].map(|name| format!("{name}@{prefix}.example"));
        let secrets = [product.token.clone(), "a secret of the tests".to_owned(), PASSWORD.to_owned(), GUESS.to_owned()];
        let values = Values::of(secrets.into_iter().chain(contacts));
        Self { product, kafka: kafka.to_owned(), collector, values, answers: Vec::new() }
    }

    fn post_all_samples(&mut self, url: &str) {
        for name in lead_names() {
            self.post_sample(&name, url);
        }
    }

    fn post_sample(&mut self, name: &str, url: &str) {
        let body = self.values.sample(name);
        let answer = post(url, body, &[JSON, STATE]);
        assert_eq!(answer.status, 202, "{name}: {}", answer.body);
        self.answers.push(answer);
    }

    /// Requests that are refused, each with a whole lead in it.
    fn post_refused(&mut self) {
        let url = self.product.url();
        let lead = self.values.sample("camel-case");
        let large = lead.repeat(64 * 1024 / lead.len() + 1);
        let guessed = url.replace(&self.product.token, GUESS);
        let elsewhere = self.product.url_of("nowhere");
        self.answers.extend([
            post(&url, lead[..lead.len() - 1].to_vec(), &[JSON]),
            post(&url, [b"[", &lead[..], b"]"].concat(), &[JSON]),
            post(&url, lead.clone(), &[("content-type", "text/plain")]),
            post(&url, large, &[JSON]),
            post(&guessed, lead.clone(), &[JSON]),
            post(&elsewhere, lead.clone(), &[JSON]),
            post(&url, lead, &[JSON, ("authorization", &format!("Bearer {GUESS}"))]),
        ]);
        let refused: Vec<u16> = self.answers.iter().map(|answer| answer.status).filter(|status| *status != 202).collect();
        assert_eq!(refused, [400, 400, 415, 413, 401, 404, 401]);
    }

    /// Waits until each accepted lead has come to an end at both sinks.
    fn wait_for_outcomes(&self) {
        let accepted = self.answers.iter().filter(|answer| answer.status == 202);
        let ids: Vec<Uuid> = accepted.map(Posted::lead_id).collect();
        eventually("each lead has an outcome at both sinks", PATIENCE, || {
            let outcomes = outcomes_at(&self.kafka, &self.product.topic("outcomes"));
            let ended = |id: &Uuid, sink: &str| outcomes.iter().any(|end| end.lead_id == *id && end.sink.as_str() == sink);
            let both = |id: &Uuid| ended(id, &self.product.email_sink) && ended(id, &self.product.crm_sink);
            ids.iter().all(both).then_some(())
        });
    }

    /// Waits until the collector has been told of each accepted lead by both sinks.
    fn wait_for_spans(&self) {
        let accepted = self.answers.iter().filter(|answer| answer.status == 202);
        let ids: Vec<String> = accepted.map(|answer| answer.lead_id().to_string()).collect();
        eventually("each handling is exported", PATIENCE, || {
            let spans = self.collector.spans();
            let told = |id: &String, sink: &str| {
                spans.iter().any(|span| span.get("leadline.lead_id") == id && span.get("leadline.sink") == sink)
            };
            let both = |id: &String| told(id, &self.product.email_sink) && told(id, &self.product.crm_sink);
            ids.iter().all(both).then_some(())
        });
    }

    /// Puts a record into `leads` that no worker can read, with a lead in its value, and waits for the dead letters.
    fn poison(&self) {
        let good = self.records("leads").swap_remove(0);
        let value = [good.value.as_deref().unwrap(), b"}"].concat();
        produce_at(&self.kafka, &self.product.topic("leads"), &Record { value: Some(value), ..good });
        for sink in [&self.product.email_sink, &self.product.crm_sink] {
            eventually("a dead letter", PATIENCE, || (!self.records(&format!("{sink}.dlq")).is_empty()).then_some(()));
        }
    }

    fn records(&self, topic: &str) -> Vec<Record> {
        records_at(&self.kafka, &self.product.topic(topic))
    }

    /// Fails when anything is found in what the run has left behind.
    fn assert_clean(&self, processes: &[&Running]) {
        self.wait_for_spans();
        let mut traces = self.topics();
        traces.push(trace("spans", self.collector.text()));
        traces.extend(processes.iter().map(|running| trace("metrics", running.metrics())));
        traces.extend(processes.iter().map(|running| trace("output", running.process.output())));
        traces.extend(self.log_files());
        traces.extend(self.answers.iter().map(|answer| trace("answer", format!("{:?}\n{}", answer.headers, answer.body))));
        let empty: Vec<&str> = traces.iter().filter(|trace| trace.text.is_empty()).map(|trace| trace.place.as_str()).collect();
        assert!(empty.is_empty(), "nothing to search in: {empty:?}");
        self.assert_right_place(&traces);
        let found = self.values.found_in(&traces);
        assert!(found.is_empty(), "\n{}", found.join("\n"));
        let bytes: usize = traces.iter().map(|trace| trace.text.len()).sum();
        println!("searched {} texts of {} KiB for {} values", traces.len(), bytes / 1024, self.values.len());
    }

    /// An id, which may stand anywhere, is found wherever it does: these are the traces of this run.
    fn assert_right_place(&self, traces: &[Trace]) {
        let found = Values::of([self.answers[0].lead_id().to_string()]).found_in(traces);
        for place in ["leads", "outcomes", "output", "answer", ".log", "spans"] {
            assert!(
                found.iter().any(|hit| hit.split(": ").any(|part| part.ends_with(place))),
                "no lead id in {place}: {found:?}"
            );
        }
    }

    /// Keys and headers of all records, and the values of outcomes, which carry ids only.
    fn topics(&self) -> Vec<Trace> {
        let sinks = [&self.product.email_sink, &self.product.crm_sink].into_iter();
        let of_sinks = sinks.flat_map(|sink| [format!("{sink}.retry"), format!("{sink}.dlq")]);
        let names = ["leads".to_owned(), "outcomes".to_owned()].into_iter().chain(of_sinks);
        let record = |(name, record): (String, Record)| {
            let value = record.value.clone().filter(|_| name == "outcomes").unwrap_or_default();
            let headers = record.headers.iter().map(|(key, value)| format!("{key}: {}\n", String::from_utf8_lossy(value)));
            let key = record.key.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            trace(&name, format!("{key}\n{}{}", headers.collect::<String>(), String::from_utf8_lossy(&value)))
        };
        names.flat_map(|name| self.records(&name).into_iter().map(move |record| (name.clone(), record))).map(record).collect()
    }

    fn log_files(&self) -> Vec<Trace> {
        let files = fs::read_dir(self.product.folder()).unwrap().map(|entry| entry.unwrap().path());
        let logs = files.filter(|file| file.extension().is_some_and(|ending| ending == "log"));
        logs.map(|file| trace(&file.display().to_string(), fs::read_to_string(&file).unwrap())).collect()
    }
}

fn trace(place: &str, text: String) -> Trace {
    Trace { place: place.to_owned(), text }
}

fn embedded(stack: &Stack) {
    let collector = Collector::start(Manner::Takes);
    let product = Product::on_embedded(stack, "hygiene", "").with_environment(exporting(&collector));
    let (up, kafka) = product.up_with_broker(&[]);
    let mut run = Run::new(&product, &kafka, &collector);
    run.post_all_samples(&product.url());
    run.post_refused();
    run.wait_for_outcomes();
    run.poison();
    run.assert_clean(&[&up]);
}

fn separate_processes(stack: &Stack) {
    let keys = tempfile::tempdir().unwrap();
    let files = certificate::for_localhost(keys.path());
    let authority = files.authority.display().to_string();
    let login = Some(("ada".to_owned(), PASSWORD.to_owned()));
    let smtp = SmtpServer::start(&Options { security: Security::StartTls(files), login }).unwrap();
    let email = format!(
        "smtp = {{ host = \"127.0.0.1\", port = {}, ca_file = \"{authority}\", username = \"ada\", password = \"{PASSWORD}\" }}",
        smtp.port()
    );
    let retry = "[worker.retry]\nin_place = \"30s\"\nin_place_tries = 2\nschedule = [\"1s\"]\n";
    let collector = Collector::start(Manner::Takes);
    let product = Product::new(stack, "hygiene", stack.kafka().bootstrap(), &Sinks { email, crm_url: None }, retry);
    let product = product.with_environment(exporting(&collector));
    let deferred = address::at_first(2, &address::refused(451, "deferred@contoso.example"));
    let refused = address::refused(550, "refused@contoso.example");
    product.add_endpoint("deferred", &format!("contacts = \"{deferred}\""));
    product.add_endpoint("refused", &format!("contacts = \"{refused}\""));
    product.create_topics();
    let (ingest, mail, crm) = (product.start_ingest(), product.start_email(), product.start_crm());
    let mut run = Run::new(&product, stack.kafka().bootstrap(), &collector);
    run.values.add(&deferred);
    run.values.add(&refused);
    run.post_all_samples(&product.url());
    run.post_sample("contact-me", &product.url_of("deferred"));
    run.post_sample("contact-me", &product.url_of("refused"));
    run.post_refused();
    run.wait_for_outcomes();
    run.poison();
    let of_email = |topic: &str| run.records(&format!("{}.{topic}", product.email_sink)).len();
    assert_eq!((of_email("retry"), of_email("dlq")), (1, 2), "a retry; a dead letter that was refused and one that is no lead");
    assert!(!smtp.received().is_empty(), "mails were sent with the password");
    run.assert_clean(&[&ingest, &mail, &crm]);
}
