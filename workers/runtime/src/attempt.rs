//! One lead from start to record: decode, route, try in place, and write down how it ended.
//!
//! Every path returns [`Ended::Done`] only after Kafka has acknowledged what stands for the lead. When it may start, and what
//! happens to the offset, is the scheduler's.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use leadline_platform::lifecycle::Lifecycle;
use leadline_proto::config::Endpoints;
use leadline_proto::dead_letter::ErrorKind;
use leadline_proto::envelope::DecodeError;
use leadline_proto::retry::{Class, History, Wait};
use leadline_proto::{AcceptedLead, Code, SinkName, Status};

use crate::call::Caller;
use crate::config::Retry;
use crate::gate::Gate;
use crate::memory::Known;
use crate::record::Received;
use crate::recorder::Recorder;
use crate::schedule::{self, InPlace};
use crate::sink::{Failure, Sink, SinkDown, Task, Transient, Verdict};

/// How the handling of a record ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Something acknowledged stands for it; the offset is done.
    Done,
    /// The sink as a whole is down; no try was burnt.
    SinkDown {
        /// Why.
        down: SinkDown,
        /// The lead was partly served, so a retry record stands for it.
        recorded: bool,
    },
    /// The sink is down, the process stops or the partition goes, and nothing of the lead is done: it is as if it had not been started.
    NotStarted,
}

/// What every attempt of a worker shares.
pub(crate) struct Attempts<S> {
    pub(crate) caller: Caller<S>,
    pub(crate) gate: Gate,
    pub(crate) recorder: Recorder,
    pub(crate) endpoints: Arc<Endpoints>,
    pub(crate) retry: Retry,
    pub(crate) lifecycle: Lifecycle,
}

impl<S: Sink> Attempts<S> {
    /// Handles one record.
    pub(crate) async fn run(&self, record: &Received) -> Ended {
        match AcceptedLead::decode(&record.headers, record.value.as_deref().unwrap_or_default()) {
            Err(error) => {
                self.recorder.poison(record, poison_code(&error)).await;
                Ended::Done
            }
            Ok(lead) if let Known::DeadLettered(code) = &record.known => {
                let status = Status::DeadLettered { code: code.clone() };
                self.recorder.outcome(record, &lead, &History::read(&record.headers), status).await;
                Ended::Done
            }
            Ok(lead) if !self.routed(&lead) => {
                let skipped = Status::Skipped { rule: Code::of("not_routed") };
                self.recorder.outcome(record, &lead, &History::read(&record.headers), skipped).await;
                Ended::Done
            }
            Ok(lead) => self.try_in_place(record, Task { lead, history: History::read(&record.headers) }).await,
        }
    }

    fn routed(&self, lead: &AcceptedLead) -> bool {
        self.endpoints.get(&lead.endpoint).is_none_or(|endpoint| endpoint.routes_to(&self.sink()))
    }

    fn sink(&self) -> SinkName {
        self.recorder.sink.clone()
    }

    async fn try_in_place(&self, record: &Received, mut task: Task) -> Ended {
        let (mut tries, mut started, mut last) = (0, None, None);
        loop {
            let place = self.gate.enter().await.filter(|_| !record.is_going());
            let Some(place) = place else { return self.interrupted(record, &task, last).await };
            let started = *started.get_or_insert_with(Instant::now);
            tries += 1;
            let verdict = self.caller.call(&task).await;
            drop(place);
            let failure = match verdict {
                Verdict::Failed(Failure::Transient(failure)) => failure,
                verdict @ (Verdict::Delivered { .. } | Verdict::Skipped(_) | Verdict::Later { .. } | Verdict::Failed(_)) => {
                    return self.conclude(record, &mut task, verdict).await;
                }
            };
            note_failure(&mut task.history, &failure);
            let so_far = InPlace { tries, elapsed: started.elapsed() };
            match schedule::in_place(&self.retry, so_far, failure.after, rand::random()) {
                Some(wait) => self.wait_in_place(wait).await,
                None => return self.put_off(record, &task, &failure).await,
            }
            last = Some(failure);
        }
    }

    /// Waits, unless the process begins to stop.
    async fn wait_in_place(&self, wait: Duration) {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = self.lifecycle.stopping() => {}
        }
    }

    /// There is no next try now. A lead that is partly served, or may be, must not lose that, so it goes to the retry topic.
    async fn interrupted(&self, record: &Received, task: &Task, last: Option<Transient>) -> Ended {
        match last {
            Some(failure) if !untouched(&task.history) => self.put_off(record, task, &failure).await,
            Some(_) | None => Ended::NotStarted,
        }
    }

    /// Records every verdict but a transient failure.
    async fn conclude(&self, record: &Received, task: &mut Task, verdict: Verdict) -> Ended {
        let Task { lead, history } = task;
        match verdict {
            Verdict::Delivered { reference } => {
                history.attempts += 1;
                let status = Status::Delivered { reference, maybe_duplicate: history.maybe_duplicate };
                self.recorder.outcome(record, lead, history, status).await;
            }
            Verdict::Skipped(rule) => self.recorder.outcome(record, lead, history, Status::Skipped { rule }).await,
            Verdict::Later { until, rule } => {
                let wait = Wait { not_before: until, class: Class::Later, reason: rule };
                self.recorder.retry(record, history, &wait).await;
            }
            Verdict::Failed(Failure::Permanent(code)) => {
                history.attempts += 1;
                history.first_failed_at.get_or_insert_with(Timestamp::now);
                self.recorder.dead_letter(record, lead, history, ErrorKind::Permanent, code).await;
            }
            Verdict::Failed(Failure::SinkDown(down)) => return self.sink_down(record, task, down).await,
            Verdict::Failed(Failure::Transient(failure)) => return self.put_off(record, task, &failure).await,
        }
        Ended::Done
    }

    /// A lead that is partly served must not lose what is done, so it goes to the retry topic; any other waits in its lane.
    async fn sink_down(&self, record: &Received, task: &mut Task, down: SinkDown) -> Ended {
        task.history.progress.clone_from(&down.progress);
        let recorded = !untouched(&task.history) && task.history != History::read(&record.headers);
        if recorded {
            let wait = Wait { not_before: self.first_step(), class: Class::Later, reason: down.code.clone() };
            self.recorder.retry(record, &task.history, &wait).await;
        }
        Ended::SinkDown { down, recorded }
    }

    fn first_step(&self) -> Timestamp {
        let now = Timestamp::now();
        schedule::retry_topic(&self.retry, now, now, None, rand::random()).unwrap_or(now)
    }

    /// The tries in place are used up: the retry topic, or the dead letters when the schedule is used up too.
    async fn put_off(&self, record: &Received, task: &Task, failure: &Transient) -> Ended {
        let now = Timestamp::now();
        let first = task.history.first_failed_at.unwrap_or(now);
        match schedule::retry_topic(&self.retry, first, now, failure.after, rand::random()) {
            Some(not_before) => {
                let wait = Wait { not_before, class: Class::Failed, reason: failure.code.clone() };
                self.recorder.retry(record, &task.history, &wait).await;
            }
            None => {
                let code = failure.code.clone();
                self.recorder.dead_letter(record, &task.lead, &task.history, ErrorKind::Exhausted, code).await;
            }
        }
        Ended::Done
    }
}

fn note_failure(history: &mut History, failure: &Transient) {
    history.attempts += 1;
    history.first_failed_at.get_or_insert_with(Timestamp::now);
    history.progress.clone_from(&failure.progress);
    history.maybe_duplicate |= failure.ambiguous;
}

/// Whether the lead can be tried by another process as if nothing had happened.
fn untouched(history: &History) -> bool {
    history.progress.is_empty() && !history.maybe_duplicate
}

fn poison_code(error: &DecodeError) -> Code {
    match error {
        DecodeError::UnknownType => Code::of("unknown-type"),
        DecodeError::Malformed { .. } => Code::of("malformed"),
    }
}
