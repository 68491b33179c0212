//! The loop between the consumers and the attempts: takes what was received, starts what may run, hands out positions.
//!
//! All decisions are those of [`State`] and [`Stops`]; here are the clock, the tasks and the channels.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use jiff::Timestamp;
use leadline_platform::health::{Condition, Heartbeat};
use leadline_platform::kafka::rdkafka::error::KafkaError;
use leadline_platform::metrics::NO_LABELS;
use leadline_proto::control::{Braked, Change};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use crate::attempt::{Attempts, Ended};
use crate::breaker;
use crate::event::{Command, Event, Release};
use crate::metrics::RuntimeMetrics;
use crate::recall::{Recall, Recalled};
use crate::record::{Slot, Source};
use crate::refetch::Fetched;
use crate::sink::{Sink, SinkDown};
use crate::state::{Assigned, Start, State};
use crate::stops::Stops;

/// How often positions are handed out for a commit, and the figures renewed.
const COMMIT_INTERVAL: Duration = Duration::from_millis(500);
/// How often positions are handed out although they have not moved: of two commits on their way while the coordinator changes the
/// older one may arrive last.
const COMMIT_AGAIN: Duration = Duration::from_secs(30);
/// How often the loop looks for records of the retry topic that have become due.
const TICK: Duration = Duration::from_millis(100);
/// Pause before reading back is tried again.
const RECALL_PAUSE: Duration = Duration::from_secs(1);
/// Events taken from the channel at once.
const BATCH: usize = 1024;

/// The loop's own parts.
pub(crate) struct Scheduler<S> {
    pub(crate) state: State,
    pub(crate) stops: Stops,
    pub(crate) attempts: Arc<Attempts<S>>,
    pub(crate) recall: Arc<Recall>,
    pub(crate) metrics: Arc<RuntimeMetrics>,
    pub(crate) events: UnboundedSender<Event>,
    /// How each consumer is told something.
    pub(crate) consumers: [(Source, mpsc::Sender<Command>); 2],
    /// How records are read again.
    pub(crate) refetch: mpsc::Sender<Vec<Slot>>,
    /// Leads in flight at the most, beside those that rest.
    pub(crate) concurrency: usize,
    pub(crate) probe_deadline: Duration,
    pub(crate) releases: Vec<Release>,
    pub(crate) health: Health,
}

/// What the outside sees of the loop.
pub(crate) struct Health {
    /// What stood for the leads of all partitions was read back.
    pub(crate) recalled: Condition,
    /// No position has left its topic.
    pub(crate) in_range: Condition,
    pub(crate) heartbeat: Heartbeat,
}

impl<S: Sink> Scheduler<S> {
    /// Runs until the process drops it; the consumers have closed by then.
    pub(crate) async fn run(mut self, mut events: UnboundedReceiver<Event>) {
        let mut tick = tokio::time::interval(TICK);
        let (mut committed, mut all_committed) = (Instant::now(), Instant::now());
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                count = events.recv_many(&mut batch, BATCH) => {
                    if count == 0 {
                        return;
                    }
                    batch.drain(..).for_each(|event| self.on(event));
                }
                _ = tick.tick() => self.on_tick(),
            }
            self.start_what_may_run();
            self.answer_releases();
            if committed.elapsed() >= COMMIT_INTERVAL {
                if all_committed.elapsed() >= COMMIT_AGAIN {
                    Source::ALL.into_iter().for_each(|source| self.state.hand_out_again(source));
                    all_committed = Instant::now();
                }
                self.hand_out_positions();
                self.show();
                committed = Instant::now();
            }
        }
    }

    fn on_tick(&mut self) {
        self.health.heartbeat.beat();
        self.stops.kafka_away(self.attempts.recorder.unacked.is_away(Instant::now()));
        let wanted = self.state.due(Timestamp::now());
        if !wanted.is_empty() {
            // Its thread ends only with this loop.
            let _ = self.refetch.send(wanted);
        }
    }

    fn on(&mut self, event: Event) {
        match event {
            Event::Assigned(partitions) => self.assigned(partitions),
            Event::Recalled(partitions) => partitions.into_iter().for_each(|recalled| self.recalled(recalled)),
            Event::Received(records) => records.into_iter().for_each(|record| self.state.received(record)),
            Event::Fetched(fetched) => self.fetched(fetched),
            Event::Release(release) => {
                self.state.stop_partitions(&release.partitions);
                if release.lost {
                    self.state.lost(&release.partitions);
                }
                self.releases.push(release);
            }
            Event::Ends(source, ends) => self.state.ends(source, &ends),
            Event::OutOfRange(source) => self.look_for_gaps(source),
            Event::CommitFailed(source) => self.state.hand_out_again(source),
            Event::Ended(start, ended) => self.ended(start, ended),
            Event::SinkUp => self.stops.sink_up(&self.attempts.gate),
            Event::Control(change) => self.control(change),
            Event::ControlsKnown => {
                self.stops.controls_known(self.attempts.controls.brake().as_ref(), &self.attempts.gate);
                self.state.released();
            }
        }
    }

    /// Reads back beside the loop, again and again until it works: without it nothing of the partitions may start.
    fn assigned(&mut self, partitions: Vec<Assigned>) {
        let mut partitions: Vec<_> = partitions.into_iter().map(|one| (one.clone(), self.state.assigned(&one))).collect();
        let (recall, lifecycle) = (self.recall.clone(), self.attempts.lifecycle.clone());
        self.beside(move |events| {
            while !partitions.is_empty() && !lifecycle.is_stopping() {
                match recall.run(&partitions) {
                    Ok(recalled) => return drop(events.send(Event::Recalled(recalled))),
                    Err(error) => tracing::warn!(%error, "what was recorded before cannot be read back; trying again"),
                }
                std::thread::sleep(RECALL_PAUSE);
                partitions.retain(|(_, tenure)| !tenure.is_going());
            }
        });
    }

    fn beside(&self, work: impl FnOnce(&UnboundedSender<Event>) + Send + 'static) {
        let events = self.events.clone();
        tokio::task::spawn_blocking(move || work(&events));
    }

    fn recalled(&mut self, recalled: Recalled) {
        let is_news = self.state.is_in_range(recalled.id);
        if let Err(gap) = recalled.past.as_ref().map_err(|gap| *gap)
            && is_news
        {
            let ((source, partition), lost) = (recalled.id, gap.lost());
            self.metrics.gap.with_label_values(&[source.as_str()]).inc_by(lost);
            tracing::error!(
                source = source.as_str(),
                partition,
                position = gap.position,
                first = gap.first,
                end = gap.end,
                lost,
                "the position is no longer in the topic: nothing of this partition is handled. `leadline release` goes on with \
                 its oldest record"
            );
        }
        self.state.recalled(recalled);
    }

    /// Finds the partitions whose position has left the topic while they were read. The client reads them no longer; where no
    /// gap is found, it leaves the group and comes back, and goes on at what is committed.
    fn look_for_gaps(&mut self, source: Source) {
        if self.state.is_recalling() {
            // Which may tell by itself.
            let events = self.events.clone();
            tokio::spawn(async move {
                tokio::time::sleep(RECALL_PAUSE).await;
                let _ = events.send(Event::OutOfRange(source));
            });
            return;
        }
        let is_known = !self.state.stopped(source).is_empty();
        let (recall, reading) = (self.recall.clone(), self.state.reading(source));
        let consumers = self.consumers.iter().filter(|(of, _)| *of == source);
        let consumers: Vec<_> = consumers.map(|(_, consumer)| consumer.clone()).collect();
        self.beside(move |events| {
            let found = loop {
                match recall.gaps(&reading) {
                    Ok(gaps) => break gaps,
                    Err(error) => log_gaps(&error),
                }
                std::thread::sleep(RECALL_PAUSE);
            };
            if found.is_empty() && !is_known {
                consumers.iter().for_each(|consumer| drop(consumer.send(Command::GoOnAt(Vec::new()))));
            }
            let _ = events.send(Event::Recalled(found));
        });
    }

    fn fetched(&mut self, fetched: Fetched) {
        for slot in self.state.fetched(fetched) {
            self.metrics.abandoned.with_label_values(NO_LABELS).inc();
            tracing::error!(slot.partition, slot.offset, "a lead that waited in the retry topic was deleted there");
        }
    }

    fn ended(&mut self, start: Start, ended: Option<Ended>) {
        match ended {
            Some(Ended::Done) => self.state.done(start),
            Some(Ended::NotStarted) => self.state.given_back(start),
            Some(Ended::SinkDown { down, recorded }) => {
                self.unhandled(start, recorded);
                self.open_breaker(down);
            }
            Some(Ended::Braked { braked, recorded }) => {
                self.unhandled(start, recorded);
                self.engage_brake(braked);
            }
            None => {
                self.metrics.abandoned.with_label_values(NO_LABELS).inc();
                let slot = start.record.slot;
                tracing::error!(
                    source = slot.source.as_str(),
                    slot.partition,
                    slot.offset,
                    "a lead could not be handled and stays open"
                );
                self.state.left(start);
            }
        }
    }

    fn unhandled(&mut self, start: Start, recorded: bool) {
        if recorded {
            self.state.done(start);
        } else {
            self.state.given_back(start);
        }
    }

    fn open_breaker(&mut self, down: SinkDown) {
        if !self.stops.sink_down(&down, &self.attempts.gate) {
            return;
        }
        let (sink, events, deadline) = (self.attempts.caller.sink.clone(), self.events.clone(), self.probe_deadline);
        let (attempts, probe_now) = (self.attempts.clone(), self.stops.probe_now.clone());
        tokio::spawn(async move {
            breaker::until_up(sink, down, deadline, probe_now).await;
            attempts.caller.silence.broken();
            // The worker may have ended meanwhile.
            let _ = events.send(Event::SinkUp);
        });
    }

    /// Stops this worker at once, and the others of the sink by the topic of settings.
    fn engage_brake(&mut self, braked: Braked) {
        if self.attempts.controls.brake().is_some() {
            return;
        }
        let change = Change::Brake(self.recall.sink.clone(), braked.clone());
        self.attempts.controls.apply(change.clone());
        self.stops.brake(&braked, &self.attempts.gate);
        let attempts = self.attempts.clone();
        tokio::spawn(async move { attempts.recorder.control(&change).await });
    }

    fn control(&mut self, change: Change) {
        let controls = &self.attempts.controls;
        if !controls.concerns(&change) {
            return;
        }
        controls.apply(change.clone());
        if !self.stops.are_controls_known() {
            return;
        }
        match change {
            Change::Hold(held, _) => tracing::info!(%held, "leads are held back"),
            Change::Unhold(held) => {
                tracing::info!(%held, "leads are held back no longer");
                self.state.released();
            }
            Change::Brake(_, braked) => self.stops.brake(&braked, &self.attempts.gate),
            Change::Unbrake(_) => {
                self.attempts.brake.release();
                self.stops.unbrake(&self.attempts.gate);
            }
            Change::Release(..) => self.go_on(),
        }
    }

    /// An operator wants this worker to go on.
    fn go_on(&mut self) {
        tracing::info!("an operator asks to go on");
        self.stops.probe_now.notify_waiters();
        for (source, consumer) in &self.consumers {
            let (quiet, busy) = self.state.stopped(*source).into_iter().partition::<Vec<_>, _>(|stopped| stopped.open == 0);
            for stopped in busy {
                tracing::warn!(stopped.partition, stopped.open, "leads from before the gap are still open; release again then");
            }
            if !quiet.is_empty() {
                // A consumer that has closed is stopping anyway.
                let _ =
                    consumer.send(Command::GoOnAt(quiet.iter().map(|stopped| (stopped.partition, stopped.first)).collect()));
            }
        }
    }

    fn start_what_may_run(&mut self) {
        while self.stops.none() && !self.attempts.lifecycle.is_stopping() {
            let resting = self.attempts.resting.load(Ordering::Acquire);
            if self.state.in_flight() >= self.concurrency + resting {
                break;
            }
            let Some(start) = self.state.start_next() else { break };
            let (attempts, events) = (self.attempts.clone(), self.events.clone());
            // Boxed, as a task is moved several times before it runs.
            tokio::spawn(Box::pin(async move {
                let attempt = std::panic::AssertUnwindSafe(attempts.run(&start.record)).catch_unwind();
                let ended = attempt.await.ok();
                let _ = events.send(Event::Ended(start, ended));
            }));
        }
    }

    fn answer_releases(&mut self) {
        let now = Instant::now();
        let state = &mut self.state;
        self.releases.retain(|release| {
            let quiet = state.is_quiet(&release.partitions);
            if !quiet && now < release.deadline {
                return true;
            }
            if !quiet {
                tracing::warn!(release.lost, "partitions go with leads in flight: those may be delivered twice");
                state.lost(&release.partitions);
            }
            let positions = state.release(&release.partitions);
            // A consumer that no longer waits has closed already.
            let _ = release.reply.try_send(positions);
            false
        });
    }

    fn hand_out_positions(&mut self) {
        for (source, consumer) in &self.consumers {
            let moved = self.state.moved(*source);
            if !moved.is_empty() {
                // A consumer that has closed has committed its positions itself.
                let _ = consumer.send(Command::Commit(moved));
            }
        }
    }

    fn show(&mut self) {
        self.health.recalled.set(!self.state.is_recalling());
        let stopped = Source::ALL.map(|source| (source, self.state.stopped(source).len()));
        self.health.in_range.set(stopped.iter().all(|(_, stopped)| *stopped == 0));
        self.metrics.in_flight.with_label_values(NO_LABELS).set(count(self.state.in_flight()));
        self.metrics.limit.with_label_values(NO_LABELS).set(count(self.attempts.gate.places()));
        for (source, stopped) in stopped {
            self.metrics.stopped.with_label_values(&[source.as_str()]).set(count(stopped));
            self.metrics.backlog(source.as_str(), &self.state.backlog(source));
        }
    }
}

fn log_gaps(error: &KafkaError) {
    tracing::warn!(%error, "a position is no longer in its topic, and where cannot be found out; trying again");
}

/// A count as a gauge value. Exact up to 2^53.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn count(count: usize) -> f64 {
    count as f64
}
