//! Ingest as a whole: what it is made of, start and stop, and what is looked at from the side. The public port is `listener`'s.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actix_web::web;
use leadline_platform::health::Condition;
use leadline_platform::kafka::{DeliveryObserver, Producer, settings};
use leadline_platform::lifecycle::Lifecycle;
use leadline_platform::metrics::NO_LABELS;
use leadline_platform::metrics::kinds::Gauge;
use leadline_platform::process::{Fatal, Process};
use leadline_proto::config::{Endpoints, Topics};
use leadline_proto::keys::PersonHasher;
use leadline_proto::topics::Topic;
use secrecy::ExposeSecret;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::accept::Intake;
use crate::config::Ingest as Config;
use crate::connections::Connections;
use crate::drift::Drift;
use crate::durable::Keeper;
use crate::endpoints::{self, Current, Known};
use crate::limits::places::Places;
use crate::limits::rate::Rate;
use crate::limits::strangers::Strangers;
use crate::metrics::IngestMetrics;
use crate::publish::{Capacity, Publisher};
use crate::rejected::Rejects;
use crate::spool::Spool;
use crate::spool::drain::Drainer;
use crate::tls::{Identity, Presented};
use crate::{listener, spool_watch, topic_check};

/// How often Kafka is asked whether it is there.
const KAFKA_CHECK: Duration = Duration::from_secs(2);
/// How often the figures of the load are shown.
const LOAD_CHECK: Duration = Duration::from_secs(1);
/// Longest wait for the last acknowledgements at a stop.
const FLUSH_LIMIT: Duration = Duration::from_secs(10);
/// How long the spool is tried at a stop while Kafka is away.
const AWAY_LIMIT: Duration = Duration::from_secs(5);

/// A running ingest.
pub struct Ingest {
    /// The public address.
    pub address: SocketAddr,
    producer: Producer,
    ended: JoinHandle<std::io::Result<()>>,
    drain: Option<Drain>,
}

/// The spool while it is drained.
struct Drain {
    spool: Spool,
    task: JoinHandle<()>,
    /// To be cancelled once nothing comes into the spool any more.
    last: CancellationToken,
    limit: Duration,
}

impl Ingest {
    /// Binds the public address and serves until the process stops. Kafka need not be there yet. With a `capacity` the broker is
    /// the embedded one.
    ///
    /// # Errors
    /// [`Fatal`] when the configuration is bad or the address cannot be bound.
    pub fn start(process: &Process, capacity: Option<Arc<dyn Capacity>>) -> Result<Self, Fatal> {
        let durable = process.health.condition("ingest: Kafka answers and has the topic of leads, or the spool can be used");
        let config = Arc::new(Config::read(&process.settings)?);
        let known = Known::read(&process.settings)?;
        let topics: Topics = process.settings.section("topics")?;
        let topic = topics.name(&Topic::Leads);
        let metrics = IngestMetrics::new(&process.registry, &[]).map_err(Fatal::internal)?;
        let client = settings::producer(&process.sections.kafka, "leadline-ingest");
        let observer = capacity.clone().map(|capacity| capacity as Arc<dyn DeliveryObserver>);
        let producer = Producer::new(client, observer).map_err(Fatal::usage)?;
        let hasher = PersonHasher::new(config.person_key.expose_secret().as_bytes());
        let spool = match config.spool.folder().filter(|_| capacity.is_none()) {
            Some(folder) => Some(Spool::open(folder, config.spool.limit).map_err(Fatal::internal)?),
            None => None,
        };
        let rejects =
            Rejects::new(producer.clone(), topics.name(&Topic::Rejected), config.rejected.per_minute, metrics.clone());
        let publisher = Publisher { producer, capacity, topic, metrics: metrics.clone() };
        let places = Places::new(config.limits.memory);
        let tracer = process.tracer.clone();
        let keeper = Keeper { publisher, spool, places, config: config.clone(), metrics: metrics.clone(), tracer };
        let identity = Identity::read(&config.tls)?;
        metrics.show_certificate(identity.as_ref());
        let intake = web::Data::new(Intake {
            endpoints: Current::new(known),
            drift: Drift::new(metrics.clone()),
            strangers: Strangers::new(config.limits.failures_per_minute),
            rate: Rate::new(config.limits.leads_per_second),
            certificate: identity.as_ref().map(Presented::new),
            config,
            rejects,
            hasher,
            keeper: Arc::new(keeper),
            metrics,
        });
        intake.watch(process);
        endpoints::follow(process, &intake)?;
        serve(process, intake, durable)
    }

    /// Completes when the process has begun to stop, open requests are answered, every record is acknowledged or failed, and the
    /// spool is empty or Kafka takes nothing of it.
    pub async fn stopped(self) {
        match self.ended.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the server ended with an error"),
            Err(error) => tracing::error!(%error, "the server ended early"),
        }
        if !self.producer.flush(FLUSH_LIMIT).await {
            tracing::error!("some records were not acknowledged; their senders were told so, or they are in the spool");
        }
        if let Some(drain) = self.drain {
            drain.finish().await;
        }
    }
}

impl Drain {
    fn start(intake: &Intake, process: &Process) -> Option<Self> {
        let Keeper { publisher, spool, metrics, .. } = &*intake.keeper;
        let spool = spool.clone()?;
        let drained = metrics.drained.clone();
        let drainer = Drainer {
            spool: spool.clone(),
            producer: publisher.producer.clone(),
            topic: publisher.topic.clone(),
            count: Box::new(move |result, count| drained.with_label_values(&[result]).inc_by(count as u64)),
        };
        let last = CancellationToken::new();
        let task = tokio::spawn(drainer.run(last.clone().cancelled_owned()));
        Some(Self { spool, task, last, limit: process.lifecycle.drain() })
    }

    async fn finish(self) {
        self.last.cancel();
        // What it does not publish now is published at the next start.
        tokio::select! {
            _ = tokio::time::timeout(self.limit, self.task) => {}
            () = stays_away(&self.spool) => {}
        }
        let entries = self.spool.figures().entries;
        if entries > 0 {
            tracing::warn!(entries, "leads stay in the spool until the next start, or `leadline spool drain`");
        }
    }
}

/// Completes when Kafka has been away for too long to be waited for.
async fn stays_away(spool: &Spool) {
    let mut since = Instant::now();
    while since.elapsed() < AWAY_LIMIT {
        tokio::time::sleep(AWAY_LIMIT / 50).await;
        if !spool.is_kafka_away() {
            since = Instant::now();
        }
    }
}

impl Intake {
    /// Creates every series, and looks at Kafka from the side from now on.
    fn watch(&self, process: &Process) {
        let Self { keeper, metrics, .. } = self;
        let (publisher, spool, known) = (&keeper.publisher, &keeper.spool, self.endpoints.now());
        if known.all().is_empty() {
            tracing::warn!("there is no endpoint: `leadline endpoint new NAME` makes one");
        }
        known.all().keys().for_each(|name| metrics.start_endpoint(name, known.prepared().has_schema(name)));
        metrics.start_at_zero(known.all().keys(), &publisher.topic, &keeper.durabilities());
        metrics.show_tokens(&Endpoints::new(), known.all());
        if publisher.capacity.is_none() {
            let (kafka, largest) = (process.sections.kafka.clone(), self.config.largest_message());
            tokio::spawn(topic_check::run(kafka, publisher.topic.clone(), largest, metrics.clone()));
        }
        spool_watch::start(spool.clone(), self.config.spool.limit, metrics.clone());
    }
}

fn serve(process: &Process, intake: web::Data<Intake>, durable: Condition) -> Result<Ingest, Fatal> {
    let producer = intake.keeper.publisher.producer.clone();
    let drain = Drain::start(&intake, process);
    let watched = intake.clone();
    let connections = Connections::new(intake.config.limits.connections);
    let (server, address) = listener::open(intake, &connections, process.lifecycle.drain())?;
    // Not ready before it can be reached.
    tokio::spawn(watch_kafka(watched.clone(), durable));
    tokio::spawn(watch_load(watched, connections.clone()));
    tokio::spawn(connections.clone().make_room());
    tokio::spawn(stop_with(process.lifecycle.clone(), server.handle(), connections));
    tracing::info!(%address, "ingest open");
    Ok(Ingest { address, producer, ended: tokio::spawn(server), drain })
}

async fn stop_with(lifecycle: Lifecycle, server: ServerHandle, connections: Connections) {
    lifecycle.stopping().await;
    tokio::join!(server.stop(true), connections.close_idle());
}

/// Keeps the readiness and the figures of the producer up to date.
async fn watch_kafka(intake: web::Data<Intake>, durable: Condition) {
    let Keeper { publisher: Publisher { producer, topic, metrics, .. }, spool, .. } = &*intake.keeper;
    metrics.queue_limit.with_label_values(NO_LABELS).set(settings::PRODUCER_QUEUE_RECORDS);
    let can_spool = || spool.as_ref().is_some_and(|spool| spool.figures().usable);
    durable.set(can_spool());
    loop {
        let (client, name) = (producer.clone(), topic.clone());
        let answered = tokio::task::spawn_blocking(move || client.partitions(&name, KAFKA_CHECK)).await;
        let answers = matches!(answered, Ok(Ok(_)));
        durable.set(answers || can_spool());
        let queued = u32::try_from(producer.in_flight()).unwrap_or(u32::MAX);
        metrics.queue.with_label_values(NO_LABELS).set(f64::from(queued));
        let pause = if answers { KAFKA_CHECK } else { KAFKA_CHECK / 20 };
        tokio::time::sleep(pause).await;
    }
}

/// Keeps the figures of connections and memory up to date.
async fn watch_load(intake: web::Data<Intake>, connections: Connections) {
    let (metrics, limits) = (&intake.metrics, &intake.config.limits);
    let set = |gauge: &Gauge, value: usize| {
        #[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
        gauge.with_label_values(NO_LABELS).set(value as f64);
    };
    set(&metrics.connections_limit, limits.connections);
    set(&metrics.memory_limit, limits.memory);
    loop {
        set(&metrics.connections, connections.count());
        set(&metrics.memory, intake.keeper.places.taken());
        tokio::time::sleep(LOAD_CHECK).await;
    }
}
