//! One lead from start to record: decode, route, try in place, and write down how it ended.
//!
//! Every path returns [`Ended::Done`] only after Kafka has acknowledged what stands for the lead. When it may start, and what
//! happens to the offset, is the scheduler's; whether it was seen before is `seen`'s.
//!
//! What few leads need is boxed: a future is as large as the largest that it awaits, and is moved whole. Copying them was a sixth
//! of the time of a lead that a sink takes at once (measured).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use leadline_platform::lifecycle::Lifecycle;
use leadline_platform::trace::Span;
use leadline_proto::config::Endpoints;
use leadline_proto::control::Braked;
use leadline_proto::dead_letter::ErrorKind;
use leadline_proto::envelope::DecodeError;
use leadline_proto::retry::{Class, History, Wait};
use leadline_proto::{AcceptedLead, Code, SinkName, Status};

use crate::brake::Brake;
use crate::call::{Called, Caller};
use crate::config::Retry;
use crate::controls::Controls;
use crate::gate::Gate;
use crate::memory::Known;
use crate::recent::Standing;
use crate::record::Received;
use crate::recorder::{Recorder, Subject};
use crate::schedule::{self, InPlace};
use crate::seen::{Judge, Judged};
use crate::sink::{Claim, Failure, Sink, SinkDown, Task, Transient, Verdict};
use crate::trace::{self, Traces};

/// Skipped: its endpoint's routes do not lead to this sink.
const NOT_ROUTED: Code = Code::of("not_routed");
/// Skipped: the same was said by the same person shortly before.
const REPEAT: Code = Code::of("repeat");
/// Why a lead is held back.
const HELD: Code = Code::of("held");
/// Why a lead waits whose dead letter the brake did not let through.
const BRAKE: Code = Code::of("brake");
/// A lead that is held back is written anew after this time, long before the topic's retention deletes it.
const HELD_FOR: SignedDuration = SignedDuration::from_hours(24);
/// Pause before Kafka is asked again what stands for a lead.
const UNKNOWN: Duration = Duration::from_secs(1);
/// Longest pause before a sink that wanted fewer calls is called for the same lead again.
const TOO_FAST: Duration = Duration::from_millis(500);

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
    /// The brake did not let it be given up.
    Braked {
        /// Why.
        braked: Braked,
        /// The lead was partly served, so a retry record stands for it.
        recorded: bool,
    },
    /// The sink is down, the process stops or the partition goes, and nothing of the lead is done: it is as if it had not been
    /// started.
    NotStarted,
}

/// What every attempt of a worker shares.
pub(crate) struct Attempts<S> {
    pub(crate) caller: Caller<S>,
    pub(crate) gate: Gate,
    pub(crate) brake: Brake,
    pub(crate) controls: Controls,
    pub(crate) judge: Judge,
    pub(crate) recorder: Recorder,
    pub(crate) endpoints: Arc<Endpoints>,
    pub(crate) retry: Retry,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) traces: Arc<Traces>,
    /// Leads that wait for their next try in place: they hold no place among those in flight.
    pub(crate) resting: AtomicUsize,
}

impl<S: Sink> Attempts<S> {
    /// Handles one record.
    pub(crate) async fn run(&self, record: &Received) -> Ended {
        let span = self.traces.handling(record);
        let ended = self.handle(record, &span).await;
        trace::stopped(&span, &ended);
        ended
    }

    async fn handle(&self, record: &Received, span: &Span) -> Ended {
        let lead = match AcceptedLead::decode(&record.headers, record.value.as_deref().unwrap_or_default()) {
            Ok(lead) => Arc::new(lead),
            Err(error) => return Box::pin(self.poison(record, poison_code(&error), span)).await,
        };
        let history = History::read(&record.headers);
        let sighting = self.judge.sighting(&lead);
        let subject = Subject { record, lead: &lead, content: sighting.content, span };
        match self.judge.judge(record, &sighting, &history).await {
            Judged::Open if !self.routed(&lead) => self.end(subject, &history, Status::Skipped { rule: NOT_ROUTED }).await,
            Judged::Open if self.controls.holds(&lead.endpoint) => Box::pin(self.hold(subject, &history)).await,
            Judged::Open => {
                let claim = Claim::of(record.tenure.clone());
                self.try_in_place(subject, Task { lead: lead.clone(), history, claim }).await
            }
            Judged::Settled => {
                trace::settled(span);
                Ended::Done
            }
            Judged::GivenUp(code) => self.end(subject, &history, Status::DeadLettered { code }).await,
            // It is not noted as one that can be repeated: that would lengthen the window for ever.
            Judged::Repeat => self.end(Subject { content: None, ..subject }, &history, Status::Skipped { rule: REPEAT }).await,
            Judged::Unknown => {
                self.rest(UNKNOWN).await;
                Ended::NotStarted
            }
        }
    }

    fn routed(&self, lead: &AcceptedLead) -> bool {
        self.endpoints.get(&lead.endpoint).is_none_or(|endpoint| endpoint.routes_to(&self.sink()))
    }

    fn sink(&self) -> SinkName {
        self.recorder.sink.clone()
    }

    /// Records how a lead ended.
    async fn end(&self, subject: Subject<'_>, history: &History, status: Status) -> Ended {
        let standing = match &status {
            Status::Delivered { .. } | Status::Skipped { .. } => Standing::Ended,
            Status::DeadLettered { .. } => Standing::GivenUp,
        };
        self.recorder.outcome(subject, history, status).await;
        self.judge.note(subject, standing);
        Ended::Done
    }

    /// Puts a lead into the retry topic, unless it has another owner by now: who would find it there would handle it once more.
    async fn wait(&self, subject: Subject<'_>, history: &History, wait: &Wait) -> Ended {
        if !subject.record.tenure.holds().await {
            return Ended::NotStarted;
        }
        self.recorder.retry(subject, history, wait).await;
        self.judge.note(subject, Standing::Waiting);
        Ended::Done
    }

    /// An operator holds the lead back. It waits until it is released, and no try is burnt.
    async fn hold(&self, subject: Subject<'_>, history: &History) -> Ended {
        let now = Timestamp::now();
        let wait = Wait { not_before: now.checked_add(HELD_FOR).unwrap_or(now), class: Class::Held, reason: HELD };
        self.wait(subject, history, &wait).await
    }

    /// A record that cannot be read.
    async fn poison(&self, record: &Received, code: Code, span: &Span) -> Ended {
        if !record.tenure.holds().await {
            return Ended::NotStarted;
        }
        if record.known == Known::Open
            && let Err(braked) = self.brake.may_give_up(&code, Timestamp::now())
        {
            return Ended::Braked { braked, recorded: false };
        }
        self.recorder.poison(record, code, span).await;
        Ended::Done
    }

    async fn try_in_place(&self, subject: Subject<'_>, mut task: Task) -> Ended {
        let (mut tries, mut started, mut last) = (0, None, None);
        loop {
            let Some(place) = self.gate.enter().await.filter(|_| !subject.record.tenure.is_going()) else {
                return Box::pin(self.interrupted(subject, &task, last)).await;
            };
            if !task.claim.holds().await {
                return Ended::NotStarted;
            }
            let started = *started.get_or_insert_with(Instant::now);
            let failure = match self.caller.call(&task, place, subject.span).await {
                Called::TooFast => {
                    self.rest(TOO_FAST.mul_f64(rand::random())).await;
                    continue;
                }
                Called::Silent(failure, down) => {
                    note_failure(&mut task.history, &failure);
                    return Box::pin(self.sink_down(subject, &task, down)).await;
                }
                Called::Verdict(Verdict::Failed(Failure::Transient(failure))) => failure,
                Called::Verdict(verdict) => return self.conclude(subject, &mut task, verdict).await,
            };
            tries += 1;
            note_failure(&mut task.history, &failure);
            let so_far = InPlace { tries, elapsed: started.elapsed() };
            match schedule::in_place(&self.retry, so_far, failure.after, rand::random()) {
                Some(wait) => self.rest(wait).await,
                None => return Box::pin(self.put_off(subject, &task, &failure)).await,
            }
            last = Some(failure);
        }
    }

    /// Waits, unless the process begins to stop.
    async fn rest(&self, wait: Duration) {
        self.resting.fetch_add(1, Ordering::AcqRel);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = self.lifecycle.stopping() => {}
        }
        self.resting.fetch_sub(1, Ordering::AcqRel);
    }

    /// There is no next try now. A lead that is partly served, or may be, must not lose that, so it goes to the retry topic.
    async fn interrupted(&self, subject: Subject<'_>, task: &Task, last: Option<Transient>) -> Ended {
        match last {
            Some(failure) if !untouched(&task.history) => self.put_off(subject, task, &failure).await,
            Some(_) | None => Ended::NotStarted,
        }
    }

    /// Records every verdict but a transient failure.
    async fn conclude(&self, subject: Subject<'_>, task: &mut Task, verdict: Verdict) -> Ended {
        let history = &mut task.history;
        match verdict {
            Verdict::Delivered { reference } => {
                history.attempts += 1;
                self.brake.delivered();
                let status = Status::Delivered { reference, maybe_duplicate: history.maybe_duplicate };
                self.end(subject, history, status).await
            }
            Verdict::Skipped(rule) => self.end(subject, history, Status::Skipped { rule }).await,
            Verdict::Later { until, rule } => {
                Box::pin(self.wait(subject, history, &Wait { not_before: until, class: Class::Later, reason: rule })).await
            }
            Verdict::Failed(Failure::Forfeited) => Ended::NotStarted,
            Verdict::Failed(Failure::Permanent(failure)) => {
                history.attempts += 1;
                history.first_failed_at.get_or_insert_with(Timestamp::now);
                history.progress = failure.progress;
                Box::pin(self.give_up(subject, history, ErrorKind::Permanent, failure.code)).await
            }
            Verdict::Failed(Failure::SinkDown(down)) => {
                history.progress.clone_from(&down.progress);
                Box::pin(self.sink_down(subject, task, down)).await
            }
            Verdict::Failed(Failure::Transient(failure)) => Box::pin(self.put_off(subject, task, &failure)).await,
        }
    }

    /// A lead that is partly served must not lose what is done, so it goes to the retry topic; any other waits in its lane.
    async fn sink_down(&self, subject: Subject<'_>, task: &Task, down: SinkDown) -> Ended {
        let recorded = self.save_progress(subject, &task.history, &down.code).await;
        Ended::SinkDown { down, recorded }
    }

    /// Puts a lead that is partly served into the retry topic, if it has come further than its record says. Says whether.
    async fn save_progress(&self, subject: Subject<'_>, history: &History, reason: &Code) -> bool {
        let further = !untouched(history) && *history != History::read(&subject.record.headers);
        if further {
            let now = Timestamp::now();
            let first_step = schedule::retry_topic(&self.retry, now, now, None, rand::random()).unwrap_or(now);
            let wait = Wait { not_before: first_step, class: Class::Later, reason: reason.clone() };
            return matches!(self.wait(subject, history, &wait).await, Ended::Done);
        }
        false
    }

    /// The tries in place are used up: the retry topic, or the dead letters when the schedule is used up too.
    async fn put_off(&self, subject: Subject<'_>, task: &Task, failure: &Transient) -> Ended {
        let now = Timestamp::now();
        let first = task.history.first_failed_at.unwrap_or(now);
        match schedule::retry_topic(&self.retry, first, now, failure.after, rand::random()) {
            Some(not_before) => {
                let wait = Wait { not_before, class: Class::Failed, reason: failure.code.clone() };
                self.wait(subject, &task.history, &wait).await
            }
            None => self.give_up(subject, &task.history, ErrorKind::Exhausted, failure.code.clone()).await,
        }
    }

    /// Moves a lead to the dead letters, if the brake lets it.
    async fn give_up(&self, subject: Subject<'_>, history: &History, kind: ErrorKind, code: Code) -> Ended {
        if !subject.record.tenure.holds().await {
            return Ended::NotStarted;
        }
        if let Err(braked) = self.brake.may_give_up(&code, Timestamp::now()) {
            let recorded = self.save_progress(subject, history, &BRAKE).await;
            return Ended::Braked { braked, recorded };
        }
        self.recorder.dead_letter(subject, history, kind, code).await;
        self.judge.note(subject, Standing::GivenUp);
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
