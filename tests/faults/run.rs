//! A run from its first process to its report.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use leadline_tests::binaries::Binaries;
use leadline_tests::eventually::within;
use leadline_tests::kafka::Cluster;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::arguments::Arguments;
use crate::checker::{CRM, MAIL, SINKS, judge};
use crate::chronicle::Chronicle;
use crate::fleet::{Fleet, Member};
use crate::generator::Generator;
use crate::journal::{PostCounts, Posts};
use crate::product::{LEADS, OUTCOMES, PARTITIONS, Product, retry_topic};
use crate::report::Report;
use crate::sink::Sink;
use crate::tracks::{self, Stage, WORKERS};
use crate::{evidence, logs, topics};

const BROKERS: usize = 3;
/// Nothing begins so shortly before the end.
const LAST_FAULT: Duration = Duration::from_secs(8);
const PROGRESS: Duration = Duration::from_secs(10);
/// What is asked of every run, and of kills.
const RATE: f64 = 200.0;
const IN_FLIGHT_PERCENT: usize = 90;
/// What is asked of a run of half an hour: the least number of each fault, and of leads.
const HALF_HOUR: (Duration, usize, usize) = (Duration::from_secs(30 * 60), 20, 300_000);

/// What a run consists of, beside its workers.
struct Rig {
    cluster: Cluster,
    product: Product,
    sink: Arc<Sink>,
    chronicle: Chronicle,
    runtime: Runtime,
}

/// Where journals and logs go.
enum Folder {
    Given(PathBuf),
    Temporary(TempDir),
}

impl Folder {
    fn path(&self) -> &std::path::Path {
        match self {
            Self::Given(path) => path,
            Self::Temporary(folder) => folder.path(),
        }
    }
}

/// What is known once the load has ended.
struct Done {
    seconds: f64,
    recovery: Option<Duration>,
}

/// Carries out a run.
pub(crate) fn run(arguments: &Arguments) -> Result<Report, String> {
    let binaries = Binaries::built();
    let text = |error: std::io::Error| error.to_string();
    let folder = match &arguments.folder {
        Some(folder) => Folder::Given(folder.clone()),
        None => Folder::Temporary(tempfile::Builder::new().prefix("leadline-faults-").tempdir().map_err(text)?),
    };
    std::fs::create_dir_all(folder.path()).map_err(text)?;
    let folder_path = std::path::absolute(folder.path()).map_err(text)?;
    let cluster = Cluster::start(BROKERS)?;
    let product = Product::new(&folder_path, cluster.bootstrap()).map_err(text)?;
    let sink = Arc::new(Sink::new(&product.arrivals_file(), arguments.seed).map_err(text)?);
    let chronicle = Chronicle::create(&folder_path.join("chronicle.log")).map_err(text)?;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().map_err(text)?;
    let rig = Rig { cluster, product, sink, chronicle, runtime };
    let mut report = rig.run(arguments, binaries)?;
    report.folder = match folder {
        Folder::Temporary(folder) if !report.passed => Some(folder.keep()),
        Folder::Temporary(_) => None,
        Folder::Given(_) => Some(folder_path),
    };
    Ok(report)
}

impl Rig {
    fn run(&self, arguments: &Arguments, binaries: &Binaries) -> Result<Report, String> {
        self.create_topics(binaries)?;
        self.runtime.spawn(Arc::clone(&self.sink).serve(self.product.smtp_port));
        let mut ingest = Member::start(&self.product, "ingest", &binaries.ingest(), &[]);
        let mut mail = Fleet::new(&self.product, &self.chronicle, binaries.email(), MAIL);
        let mut crm = Fleet::new(&self.product, &self.chronicle, binaries.crm(), CRM);
        (0..WORKERS).for_each(|_| mail.start());
        crm.start();
        if !ingest.wait_until_ready() {
            return Err(format!("ingest is not ready; its log is in {}", self.product.logs().display()));
        }
        mail.wait_until_ready();
        crm.wait_until_ready();
        let done = self.load(arguments, &mut mail, &mut crm)?;
        if !ingest.is_running() {
            self.chronicle.problem("ingest has ended");
        }
        self.report(arguments, binaries, &done)
    }

    /// The broker's own time in the outcomes says what was in Kafka before a kill; the product's command leaves a topic that
    /// exists as it is.
    fn create_topics(&self, binaries: &Binaries) -> Result<(), String> {
        let settings = [("message.timestamp.type", "LogAppendTime"), ("min.insync.replicas", "2")];
        self.cluster.create_topics(&[OUTCOMES], PARTITIONS, &settings);
        let output = self.product.command(&binaries.leadline(), &["topics", "create"]).output();
        let output = output.map_err(|error| error.to_string())?;
        let failed = || format!("`leadline topics create` failed: {}", String::from_utf8_lossy(&output.stderr));
        output.status.success().then_some(()).ok_or_else(failed)
    }

    /// Load and faults, and what comes after them until everything is done.
    fn load(&self, arguments: &Arguments, mail: &mut Fleet<'_>, crm: &mut Fleet<'_>) -> Result<Done, String> {
        let plan = arguments.plan();
        plan.lines().iter().for_each(|line| self.chronicle.note(&format!("planned at {line}")));
        let posts = Posts::create(&self.product.posts_file()).map_err(|error| error.to_string())?;
        let stop = Arc::new(AtomicBool::new(false));
        let generator = Generator {
            rate: arguments.rate,
            persons: arguments.persons,
            base: format!("http://127.0.0.1:{}", self.product.ingest_port),
            journal: posts.sender(),
            stop: Arc::clone(&stop),
        };
        let start = Instant::now();
        let load = self.runtime.spawn(generator.run());
        let end = arguments.length();
        let stage = Stage { start, end: end.saturating_sub(LAST_FAULT), sink: &self.sink, chronicle: &self.chronicle };
        thread::scope(|scope| {
            let tracks = vec![
                scope.spawn(|| tracks::workers(stage, &plan.workers, mail)),
                scope.spawn(|| tracks::crm(stage, &plan.crm, crm)),
                scope.spawn(|| tracks::brokers(stage, &plan.brokers, &self.cluster)),
                scope.spawn(|| tracks::sink(stage, &plan.sink)),
            ];
            self.watch(stage, end, &posts.counts, tracks);
        });
        let seconds = start.elapsed().as_secs_f64();
        stop.store(true, Ordering::Relaxed);
        self.runtime.block_on(load).map_err(|error| format!("the generator failed: {error}"))?;
        posts.close();
        let recovery = self.recover(arguments.recovery(), mail, crm);
        Ok(Done { seconds, recovery })
    }

    /// Tells how it goes until the time is over and every track has ended.
    fn watch(&self, stage: Stage<'_>, end: Duration, counts: &PostCounts, tracks: Vec<ScopedJoinHandle<'_, ()>>) {
        let mut next = PROGRESS;
        while stage.start.elapsed() < end || tracks.iter().any(|track| !track.is_finished()) {
            thread::sleep(Duration::from_millis(200));
            let now = stage.start.elapsed();
            if now >= next {
                let accepted = counts.accepted.load(Ordering::Relaxed);
                let (rate, mails) = (accepted as f64 / now.as_secs_f64(), self.sink.arrivals.count());
                let unknown = counts.unknown.load(Ordering::Relaxed);
                let (ailment, faults) = (self.sink.ailment(), self.chronicle.counted().done.values().sum::<usize>());
                self.chronicle.note(&format!(
                    "{accepted} accepted ({rate:.0}/s), {unknown} without an answer, {mails} mails, {faults} faults done, \
                     mail server: {ailment:?}"
                ));
                next += PROGRESS;
            }
        }
        for track in tracks {
            if track.join().is_err() {
                self.chronicle.problem("a track of faults ended early; its panic is told above");
            }
        }
    }

    /// Waits until both groups have done everything.
    fn recover(&self, limit: Duration, mail: &mut Fleet<'_>, crm: &mut Fleet<'_>) -> Option<Duration> {
        self.chronicle.note("faults and load have ended");
        let start = Instant::now();
        let mut lags = [i64::MAX; 2];
        let done = within("everything is done", limit, || {
            mail.replace_dead();
            crm.replace_dead();
            for (lag, sink) in lags.iter_mut().zip(SINKS) {
                *lag =
                    topics::lag(self.cluster.bootstrap(), &format!("leadline-{sink}"), &[LEADS.to_owned(), retry_topic(sink)])
                        .unwrap_or(i64::MAX);
            }
            lags.iter().all(|lag| *lag == 0).then_some(())
        });
        if done.is_err() {
            self.chronicle.problem(&format!("after {} s these records are not done: {SINKS:?} {lags:?}", limit.as_secs()));
        }
        done.ok().map(|()| start.elapsed())
    }

    fn report(&self, arguments: &Arguments, binaries: &Binaries, done: &Done) -> Result<Report, String> {
        let audit = self.audit(binaries);
        self.chronicle.note("checking");
        let counted = self.chronicle.counted();
        let said = logs::read(&self.product.logs(), &counted.blows).map_err(|error| error.to_string())?;
        let evidence = evidence::gather(&self.product, self.cluster.bootstrap(), &counted, &said)?;
        let verdict = judge(&evidence);
        let panics = said.remarkable.get("panic").map(|count| format!("{count} panics in the logs"));
        let mut report = Report {
            passed: false,
            seed: arguments.seed,
            seconds: done.seconds,
            accepted_per_second: verdict.accepted as f64 / done.seconds,
            faults: counted.done,
            kills: counted.kills,
            kills_in_flight: counted.kills_in_flight,
            recovery_seconds: done.recovery.map(|time| time.as_secs_f64()),
            audit,
            lost_assignments: said.lost.len(),
            logs: said.remarkable,
            verdict,
            problems: counted.problems.into_iter().chain(panics).collect(),
            missed: Vec::new(),
            folder: None,
        };
        report.missed = missed(&report, arguments);
        let good = report.verdict.is_good() && report.problems.is_empty() && audit == Some((0, 0));
        let reached = report.missed.is_empty() || !arguments.strict;
        report.passed = good && reached && report.recovery_seconds.is_some();
        Ok(report)
    }

    /// The exit code of `leadline audit`, and how many leads it found open.
    fn audit(&self, binaries: &Binaries) -> Option<(i32, u64)> {
        let output = self.product.command(&binaries.leadline(), &["audit", "--json"]).output().ok()?;
        let _ = std::fs::write(self.product.folder().join("audit.json"), &output.stdout);
        let printed: Value = serde_json::from_slice(&output.stdout).ok()?;
        Some((output.status.code()?, printed["open"].as_u64()?))
    }
}

/// What should have been reached.
fn missed(report: &Report, arguments: &Arguments) -> Vec<String> {
    let mut missed = Vec::new();
    if report.accepted_per_second < RATE {
        missed.push(format!("{:.0} leads were accepted in a second, not {RATE}", report.accepted_per_second));
    }
    if report.kills_in_flight * 100 < report.kills * IN_FLIGHT_PERCENT {
        missed.push(format!("work was in flight at fewer than {IN_FLIGHT_PERCENT} % of the kills"));
    }
    let (length, faults, leads) = HALF_HOUR;
    if !arguments.is_whole() || arguments.length() < length {
        return missed;
    }
    if report.verdict.accepted < leads {
        missed.push(format!("fewer than {leads} leads were accepted"));
    }
    // The CRM worker is killed and restarted by turns.
    let kinds = arguments.plan().kinds().into_iter().filter(|kind| !kind.starts_with("CRM"));
    for kind in kinds.filter(|kind| report.faults.get(kind).copied().unwrap_or(0) < faults) {
        missed.push(format!("fewer than {faults} times: {kind}"));
    }
    missed
}
