//! A worker put together: two consumer threads, the scheduler, the attempts, and one sink.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc;
use std::time::Duration;

use jiff::SignedDuration;
use leadline_platform::config::{ConfigError, Settings};
use leadline_platform::kafka::rdkafka::config::ClientConfig;
use leadline_platform::kafka::{ClientLog, DeliveryObserver, Producer, settings};
use leadline_platform::process::{Fatal, Process};
use leadline_proto::SinkName;
use leadline_proto::config::{Endpoints, Topics, check_routes};
use leadline_proto::topics::Topic;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::attempt::Attempts;
use crate::brake::Brake;
use crate::breaker::Silence;
use crate::call::Caller;
use crate::config::{StartAt, Worker as Config};
use crate::consumer;
use crate::controls::{Controls, Follow};
use crate::event::{Command, Event};
use crate::floor::Floors;
use crate::gate::Gate;
use crate::metrics::RuntimeMetrics;
use crate::recall::Recall;
use crate::record::Source;
use crate::recorder::{Recorder, group};
use crate::refetch::Refetch;
use crate::scheduler::{Health, Scheduler};
use crate::seen::Judge;
use crate::sink::{Kind, Setup, Sink};
use crate::state::{State, Windows};
use crate::stops::{Conditions, Stops};
use crate::topic_check;
use crate::trace::Traces;
use crate::window::Window;

/// A consumer thread that does not turn for this long is not live. Handing partitions over may take `lifecycle.drain`.
const HEARTBEAT_LIMIT: Duration = Duration::from_secs(300);
/// Longest wait for the last acknowledgements at a stop.
const FLUSH_LIMIT: Duration = Duration::from_secs(10);
/// A scheduler that does not turn for this long is not live.
const SCHEDULER_LIMIT: Duration = Duration::from_secs(60);
/// Leads in flight for each that may be at the sink: as many again may wait for the acknowledgement of their record. Without
/// them a sink of 20 ms was called at 73 % of what it allowed at 1,024 at once (measured).
const IN_FLIGHT: usize = 2;
/// What a call may take beyond the sink's own deadlines before it is cut off.
const CALL_GRACE: Duration = Duration::from_secs(2);

/// A running worker.
pub struct Worker {
    consumers: Vec<oneshot::Receiver<()>>,
    scheduler: JoinHandle<()>,
    producer: Producer,
}

/// What the worker's parts share while they are put together.
struct Parts<'a> {
    process: &'a Process,
    name: SinkName,
    config: Config,
    topics: Topics,
    metrics: Arc<RuntimeMetrics>,
    windows: Windows,
    floors: Arc<Floors>,
    controls: Controls,
    events: UnboundedSender<Event>,
}

impl Worker {
    /// Builds the sink `name` from the configuration and starts to consume. Neither Kafka nor the destination need be there yet.
    /// `observer` is told of every record the worker writes.
    ///
    /// # Errors
    /// [`Fatal`] when the configuration is bad or a client cannot be made.
    pub fn start<K: Kind>(
        process: &Process,
        name: &SinkName,
        observer: Option<Arc<dyn DeliveryObserver>>,
    ) -> Result<Self, Fatal> {
        let producer = Producer::new(Self::client(process, name), observer).map_err(Fatal::usage)?;
        Self::start_with::<K>(process, name, producer)
    }

    /// The settings of the producer that a worker writes with.
    pub fn client(process: &Process, name: &SinkName) -> ClientConfig {
        settings::recorder(&process.sections.kafka, &format!("leadline-{name}"))
    }

    /// The same with a producer of the caller's own, which has the settings of [`Worker::client`].
    ///
    /// # Errors
    /// As [`Worker::start`].
    pub fn start_with<K: Kind>(process: &Process, name: &SinkName, producer: Producer) -> Result<Self, Fatal> {
        let config = Config::read(&process.settings, &process.sections.lifecycle)?;
        let endpoints = read_endpoints(&process.settings)?;
        let setup = Setup {
            settings: &process.settings,
            name,
            endpoints: &endpoints,
            registry: &process.registry,
            deadlines: config.deadlines(),
        };
        let sink = Arc::new(K::build(&setup)?);
        let metrics = RuntimeMetrics::new(&process.registry, &[("sink", name.as_str())]).map_err(Fatal::internal)?;
        metrics.start_at_zero();
        let (events, received) = unbounded_channel();
        let window = || Arc::new(Window::new(config.window_leads, config.window_bytes));
        let parts = Parts {
            process,
            name: name.clone(),
            topics: process.settings.section("topics")?,
            metrics: Arc::new(metrics),
            windows: Windows { leads: window(), retry: window() },
            floors: Arc::default(),
            controls: Controls::new(name.clone()),
            config,
            events,
        };
        parts.check_topics(producer.clone());
        parts.follow_controls()?;
        let (leads, retry) = (mpsc::channel(), mpsc::channel());
        let consumers = vec![parts.consume(Source::Leads, leads.1)?, parts.consume(Source::Retry, retry.1)?];
        let senders = [(Source::Leads, leads.0), (Source::Retry, retry.0)];
        let scheduler = parts.scheduler(sink, endpoints, producer.clone(), senders)?;
        Ok(Self { consumers, scheduler: tokio::spawn(scheduler.run(received)), producer })
    }

    /// Completes when the process has begun to stop, what was in flight is done, and positions are committed.
    pub async fn stopped(self) {
        for consumer in self.consumers {
            // An error means that the thread has ended without closing, which is an end too.
            let _ = consumer.await;
        }
        self.scheduler.abort();
        if !self.producer.flush(FLUSH_LIMIT).await {
            tracing::warn!("some records were not acknowledged; what they stand for will be handled again");
        }
    }
}

impl Parts<'_> {
    fn check_topics(&self, producer: Producer) {
        let topics = [Topic::Leads, Topic::Outcomes, Topic::Retry(self.name.clone()), Topic::DeadLetters(self.name.clone())];
        let names = topics.iter().map(|topic| self.topics.name(topic)).collect();
        let fit = self.process.health.condition(format!("{}: topics fit", self.name));
        tokio::spawn(topic_check::run(producer, names, fit));
    }

    fn consume(&self, source: Source, commands: mpsc::Receiver<Command>) -> Result<oneshot::Receiver<()>, Fatal> {
        let (topic, window) = match source {
            Source::Leads => (Topic::Leads, &self.windows.leads),
            Source::Retry => (Topic::Retry(self.name.clone()), &self.windows.retry),
        };
        let client_id = format!("leadline-{}-{}", self.name, source.as_str());
        let setup = consumer::Setup {
            source,
            config: settings::consumer(&self.process.sections.kafka, &client_id, &group(&self.name)),
            topic: self.topics.name(&topic),
            window: window.clone(),
            events: self.events.clone(),
            commands,
            start_at: self.start_at(source),
            lifecycle: self.process.lifecycle.clone(),
            joined: self.process.health.condition(format!("{}: joined its group for {}", self.name, source.as_str())),
            heartbeat: self
                .process
                .health
                .heartbeat(format!("{}: consumer of {}", self.name, source.as_str()), HEARTBEAT_LIMIT),
            metrics: self.metrics.clone(),
            log: ClientLog::default(),
            next_epoch: Arc::default(),
        };
        consumer::spawn(setup).map_err(Fatal::internal)
    }

    /// Whatever waits in the retry topic is the sink's, however new the sink.
    fn start_at(&self, source: Source) -> StartAt {
        match source {
            Source::Leads => self.config.start_at.get(&self.name).copied().unwrap_or_default(),
            Source::Retry => StartAt::Earliest,
        }
    }

    /// A client that reads outside the group, or at what the group has committed.
    fn reader(&self, what: &str) -> ClientConfig {
        let client_id = format!("leadline-{}-{what}", self.name);
        settings::reader(&self.process.sections.kafka, &client_id, &group(&self.name))
    }

    fn follow_controls(&self) -> Result<(), Fatal> {
        let mut config = self.reader("controls");
        // It waits for ever, and nobody waits for it.
        config.set("fetch.wait.max.ms", "500");
        let follow = Follow {
            config,
            topic: self.topics.name(&Topic::Control),
            events: self.events.clone(),
            lifecycle: self.process.lifecycle.clone(),
        };
        follow.spawn().map_err(Fatal::internal)
    }

    fn scheduler<S: Sink>(
        &self,
        sink: Arc<S>,
        endpoints: Endpoints,
        producer: Producer,
        consumers: [(Source, mpsc::Sender<Command>); 2],
    ) -> Result<Scheduler<S>, Fatal> {
        let recall = Arc::new(self.recall());
        let refetch = Refetch {
            config: self.reader("refetch"),
            topic: self.topics.name(&Topic::Retry(self.name.clone())),
            events: self.events.clone(),
        };
        let health = &self.process.health;
        let condition = |what: &str| health.condition(format!("{}: {what}", self.name));
        let conditions = Conditions {
            known: condition("holds and brakes are read"),
            brake_released: condition("its brake is not engaged"),
            kafka_acknowledges: condition("Kafka acknowledges what it writes"),
        };
        Ok(Scheduler {
            state: State::new(self.windows.clone(), self.floors.clone(), self.controls.clone()),
            stops: Stops::new(self.windows.clone(), conditions, self.metrics.clone()),
            attempts: Arc::new(self.attempts(sink, Arc::new(endpoints), producer, recall.clone())),
            recall,
            metrics: self.metrics.clone(),
            events: self.events.clone(),
            consumers,
            refetch: refetch.spawn().map_err(Fatal::internal)?,
            concurrency: self.config.concurrency.saturating_mul(IN_FLIGHT),
            probe_deadline: self.config.call,
            releases: Vec::new(),
            health: Health {
                recalled: condition("what was recorded before is read back"),
                in_range: condition("every position is in its topic"),
                heartbeat: health.heartbeat(format!("{}: scheduler", self.name), SCHEDULER_LIMIT),
            },
        })
    }

    fn recall(&self) -> Recall {
        Recall {
            config: self.reader("recall"),
            sink: self.name.clone(),
            leads: self.topics.name(&Topic::Leads),
            retry: self.topics.name(&Topic::Retry(self.name.clone())),
            outcomes: self.topics.name(&Topic::Outcomes),
            dead_letters: self.topics.name(&Topic::DeadLetters(self.name.clone())),
            repeats: self.repeats(),
        }
    }

    /// The time within which a lead can be a repeat. One that is too long for a clock is as long as any.
    fn repeats(&self) -> SignedDuration {
        SignedDuration::try_from(self.config.repeats).unwrap_or(SignedDuration::MAX)
    }

    fn attempts<S: Sink>(
        &self,
        sink: Arc<S>,
        endpoints: Arc<Endpoints>,
        producer: Producer,
        recall: Arc<Recall>,
    ) -> Attempts<S> {
        let deadline = self.config.call + self.config.confirm + CALL_GRACE;
        let most = self.config.concurrency.min(sink.capacity());
        let traces = Arc::new(Traces::new(self.process.tracer.clone(), self.name.clone(), &self.topics));
        Attempts {
            gate: Gate::new(most, self.process.lifecycle.clone()),
            caller: Caller {
                sink,
                deadline,
                silence: Silence::default(),
                metrics: self.metrics.clone(),
                traces: traces.clone(),
            },
            brake: Brake::new(self.config.brake),
            controls: self.controls.clone(),
            judge: Judge::new(recall, self.repeats()),
            recorder: Recorder {
                producer,
                topics: self.topics.clone(),
                sink: self.name.clone(),
                metrics: self.metrics.clone(),
                floors: self.floors.clone(),
                unacked: Arc::default(),
            },
            endpoints,
            retry: self.config.retry.clone(),
            lifecycle: self.process.lifecycle.clone(),
            traces,
            resting: AtomicUsize::new(0),
        }
    }
}

/// The endpoints, whose routes must lead to sinks of the configuration.
///
/// # Errors
/// [`ConfigError`] naming the bad key.
pub fn read_endpoints(settings: &Settings) -> Result<Endpoints, ConfigError> {
    let endpoints: Endpoints = settings.section("endpoints")?;
    check_routes(&endpoints, &settings.names("sinks"))
        .map_err(|unknown| ConfigError::invalid(&format!("endpoints.{}.sinks", unknown.endpoint), unknown))?;
    Ok(endpoints)
}

/// The kind of a sink as its section says.
///
/// # Errors
/// [`ConfigError`] when there is no such sink or it has no kind.
pub fn kind_of(settings: &Settings, name: &SinkName) -> Result<String, ConfigError> {
    let known = settings.names("sinks");
    if known.is_empty() {
        return Err(ConfigError::invalid("sinks", "there is no sink; add a section `[sinks.NAME]` with a `kind`"));
    }
    if !known.iter().any(|known| known == name.as_str()) {
        let why = format!("there is no such sink; there are: {}", known.join(", "));
        return Err(ConfigError::invalid(&format!("sinks.{name}"), why));
    }
    settings.section(&format!("sinks.{name}.kind"))
}
