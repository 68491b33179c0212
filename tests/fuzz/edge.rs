//! The part with a network: an ingest in this process, a real Kafka behind it, and bytes on connections that no library would
//! send. At the end every lead that was answered 202 must be in the topic, and be what was sent.
//!
//! | to change | open |
//! |---|---|
//! | where it happens | `place` |
//! | what a request looks like, and what is wrong with it | `request`, `hostile` |
//! | what goes over one connection, and how | `talk` |
//! | whether bytes are an answer | `answer` |
//! | what must hold for an answer | `judge` |
//! | what must be in the topic | `account` |

mod account;
mod answer;
mod hostile;
mod judge;
mod place;
mod request;
mod talk;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinSet;

use crate::arguments::Arguments;
use crate::finding::{Finding, MOST};
use crate::input::Chance;
use crate::input::body::Bodies;
use crate::progress::Progress;
use crate::report::PartReport;
use account::Account;
use judge::Site;
use place::Place;
use request::Request;
use talk::Talk;

/// Talks at the same time.
const TALKS: usize = 64;
/// Requests of one talk.
pub(crate) const REQUESTS: u64 = 4;

/// What the talks share.
struct Run {
    seed: u64,
    numbers: std::ops::Range<u64>,
    folder: std::path::PathBuf,
    bodies: Bodies,
    site: Site,
    next: AtomicU64,
    progress: Progress,
    account: Mutex<Account>,
    counts: Mutex<BTreeMap<String, u64>>,
    findings: Mutex<Vec<Finding>>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<PartReport, String> {
    let panics = leadline_tests::panics::watched();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| error.to_string())?;
    let run = runtime.block_on(async {
        let place = Place::open(arguments.kafka.as_deref())?;
        let site = place.start().await?;
        let run = Arc::new(Run::new(arguments, site));
        run.talk_to_the_end().await;
        place.stop().await;
        run.settle(&place);
        Ok::<_, String>(run)
    })?;
    for panic in panics.all() {
        run.found(format!("something in the process panicked: {panic}"), run.numbers.start, &[]);
    }
    Ok(run.report())
}

fn locked<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Run {
    fn new(arguments: &Arguments, site: Site) -> Self {
        let numbers = arguments.numbers();
        Self {
            seed: arguments.seed,
            // A talk is made from the number of its first request.
            next: AtomicU64::new(numbers.start - numbers.start % REQUESTS),
            numbers,
            folder: arguments.folder(),
            bodies: Bodies::of_samples(),
            site,
            progress: Progress::new("edge", arguments.inputs),
            account: Mutex::default(),
            counts: Mutex::default(),
            findings: Mutex::default(),
        }
    }

    async fn talk_to_the_end(self: &Arc<Self>) {
        let mut talks = JoinSet::new();
        for _ in 0..TALKS {
            let run = Arc::clone(self);
            talks.spawn(async move { run.talk_again_and_again().await });
        }
        while talks.join_next().await.is_some() {}
    }

    async fn talk_again_and_again(&self) {
        while locked(&self.findings).len() < MOST {
            let number = self.next.fetch_add(REQUESTS, Ordering::Relaxed);
            if number >= self.numbers.end {
                return;
            }
            let mut chance = Chance::of(self.seed, number);
            let requests: Vec<Request> = (0..REQUESTS).map(|_| Request::any(&mut chance, &self.bodies)).collect();
            let mut talk = Talk::new(&self.site, chance);
            if let Err(what) = talk.hold(&requests).await {
                let bytes: Vec<u8> = requests.iter().flat_map(|request| request.bytes.iter().copied()).collect();
                self.found(what, number, &bytes);
            }
            let talk = talk.end();
            locked(&self.account).extend(talk.accepted);
            let mut counts = locked(&self.counts);
            talk.counts.into_iter().for_each(|(what, count)| *counts.entry(what).or_default() += count);
            self.progress.add(REQUESTS);
        }
    }

    /// Compares what was answered with what is in the topic.
    fn settle(&self, place: &Place) {
        let account = std::mem::take(&mut *locked(&self.account));
        let settled = account.settle(&place.bootstrap(), place.topic());
        locked(&self.counts).extend(settled.counts);
        settled.faults.into_iter().take(MOST).for_each(|what| self.found(what, self.numbers.start, &[]));
    }

    fn found(&self, what: String, number: u64, bytes: &[u8]) {
        let finding = Finding::keep(what, self.seed, number, bytes, &self.folder);
        eprintln!("{finding}");
        locked(&self.findings).push(finding);
    }

    fn report(&self) -> PartReport {
        PartReport {
            part: "edge",
            inputs: self.progress.done(),
            seconds: self.progress.seconds(),
            inputs_per_second: self.progress.rate(),
            counts: locked(&self.counts).clone(),
            findings: locked(&self.findings).clone(),
        }
    }
}
