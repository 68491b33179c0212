//! A worker put together: two consumer threads, the scheduler, the attempts, and one sink.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use leadline_platform::config::{ConfigError, Settings};
use leadline_platform::kafka::{ClientLog, DeliveryObserver, Producer, settings};
use leadline_platform::process::{Fatal, Process};
use leadline_proto::SinkName;
use leadline_proto::config::{Endpoints, Topics, check_routes};
use leadline_proto::topics::Topic;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::attempt::Attempts;
use crate::call::Caller;
use crate::config::Worker as Config;
use crate::consumer;
use crate::floor::Floors;
use crate::gate::Gate;
use crate::metrics::RuntimeMetrics;
use crate::recall::Recall;
use crate::record::Source;
use crate::recorder::{Recorder, group};
use crate::scheduler::{Commit, Event, Scheduler};
use crate::sink::{Kind, Setup, Sink};
use crate::state::{State, Windows};
use crate::topic_check;
use crate::window::Window;

/// A consumer thread that does not turn for this long is not live. Handing partitions over may take `lifecycle.drain`.
const HEARTBEAT_LIMIT: Duration = Duration::from_secs(300);
/// Longest wait for the last acknowledgements at a stop.
const FLUSH_LIMIT: Duration = Duration::from_secs(10);
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
        let client = settings::recorder(&process.sections.kafka, &format!("leadline-{name}"));
        let producer = Producer::new(client, observer).map_err(Fatal::usage)?;
        let (events, received) = unbounded_channel();
        let window = || Arc::new(Window::new(config.window_leads, config.window_bytes));
        let parts = Parts {
            process,
            name: name.clone(),
            topics: process.settings.section("topics")?,
            metrics: Arc::new(metrics),
            windows: Windows { leads: window(), retry: window() },
            floors: Arc::default(),
            config,
            events,
        };
        parts.check_topics(producer.clone());
        let (leads, retry) = (mpsc::channel(), mpsc::channel());
        let consumers = vec![parts.consume(Source::Leads, leads.1)?, parts.consume(Source::Retry, retry.1)?];
        let scheduler = Scheduler {
            state: parts.state(),
            attempts: Arc::new(parts.attempts(sink, Arc::new(endpoints), producer.clone())),
            recall: Arc::new(parts.recall()),
            metrics: parts.metrics.clone(),
            events: parts.events.clone(),
            commits: [(Source::Leads, leads.0), (Source::Retry, retry.0)],
            probe_deadline: parts.config.call,
            releases: Vec::new(),
            sink_down: false,
        };
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

    fn consume(&self, source: Source, commits: mpsc::Receiver<Commit>) -> Result<oneshot::Receiver<()>, Fatal> {
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
            commits,
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

    fn state(&self) -> State {
        State::new(self.windows.clone(), self.floors.clone(), self.config.concurrency)
    }

    fn recall(&self) -> Recall {
        let client_id = format!("leadline-{}-recall", self.name);
        Recall {
            config: settings::reader(&self.process.sections.kafka, &client_id, &group(&self.name)),
            sink: self.name.clone(),
            leads: self.topics.name(&Topic::Leads),
            retry: self.topics.name(&Topic::Retry(self.name.clone())),
            outcomes: self.topics.name(&Topic::Outcomes),
            dead_letters: self.topics.name(&Topic::DeadLetters(self.name.clone())),
        }
    }

    fn attempts<S: Sink>(&self, sink: Arc<S>, endpoints: Arc<Endpoints>, producer: Producer) -> Attempts<S> {
        let deadline = self.config.call + self.config.confirm + CALL_GRACE;
        Attempts {
            gate: Gate::new(sink.capacity(), self.process.lifecycle.clone()),
            caller: Caller { sink, deadline, metrics: self.metrics.clone() },
            recorder: Recorder {
                producer,
                topics: self.topics.clone(),
                sink: self.name.clone(),
                metrics: self.metrics.clone(),
                floors: self.floors.clone(),
            },
            endpoints,
            retry: self.config.retry.clone(),
            lifecycle: self.process.lifecycle.clone(),
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
