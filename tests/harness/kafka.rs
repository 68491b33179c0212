//! A real Apache Kafka: one broker or three, each a process of its own that can be killed and started again.
//!
//! Kept apart: how the jars get here (`install`), one process (`broker`), its settings (`properties`), looking into topics
//! (`records`).

mod broker;
mod install;
mod properties;
mod records;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode;
use tempfile::TempDir;

use crate::blocking::block_on;
use crate::eventually::eventually;
use crate::free_port;
use crate::guarded::Signal;
use crate::progress::timed;
use broker::Broker;
pub(crate) use install::is_fetched;
pub use records::{Record, each_record_at, produce_as_of, produce_at, records_at};

const ADMIN_TIME: Duration = Duration::from_secs(30);

/// Running brokers, numbered from 1. Dropping them ends them; their data is thrown away.
pub struct Cluster {
    brokers: Vec<Mutex<Broker>>,
    bootstrap: String,
    _data: TempDir,
}

/// Where one broker listens.
#[derive(Clone, Copy)]
pub(crate) struct Ports {
    clients: u16,
    controller: u16,
}

impl Cluster {
    /// Fetches Kafka if need be, and starts that many brokers.
    ///
    /// # Errors
    /// A sentence with the last lines of a broker's log.
    pub fn start(brokers: usize) -> Result<Self, String> {
        Self::listening((0..brokers).map(|_| Ports { clients: free_port(), controller: free_port() }).collect())
    }

    /// The same with one broker whose port is given.
    ///
    /// # Errors
    /// As [`Cluster::start`], and when something listens there already.
    pub fn start_on(port: u16) -> Result<Self, String> {
        std::net::TcpListener::bind(("127.0.0.1", port)).map_err(|error| format!("port {port} cannot be used: {error}"))?;
        Self::listening(vec![Ports { clients: port, controller: free_port() }])
    }

    fn listening(ports: Vec<Ports>) -> Result<Self, String> {
        let brokers = ports.len();
        let install = install::fetched()?;
        let data = tempfile::Builder::new().prefix("leadline-kafka-").tempdir().map_err(|error| error.to_string())?;
        let id = BASE64_URL_SAFE_NO_PAD.encode(uuid::Uuid::now_v7().as_bytes());
        let mut all: Vec<Broker> = (1..=brokers).map(|number| Broker::new(&install, data.path(), &ports, number)).collect();
        timed(&format!("starting {brokers} Kafka broker(s)"), || {
            each(&mut all, |broker| broker.format(&id))?;
            each(&mut all, Broker::start)?;
            each(&mut all, |broker| broker.wait_ready(brokers))
        })?;
        let bootstrap = all.iter().map(Broker::address).collect::<Vec<_>>().join(",");
        Ok(Self { brokers: all.into_iter().map(Mutex::new).collect(), bootstrap, _data: data })
    }

    /// All brokers, as clients want to have them.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// How many brokers there are, dead ones too.
    pub fn size(&self) -> usize {
        self.brokers.len()
    }

    /// Client settings that point here, to be extended.
    pub fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap);
        config
    }

    /// Kills a broker as a power cut would.
    pub fn kill(&self, broker: usize) {
        self.broker(broker).kill();
    }

    /// Freezes a broker or lets it go on.
    pub fn signal(&self, broker: usize, signal: Signal) {
        self.broker(broker).signal(signal);
    }

    /// Starts a broker again on its old port and data, and waits until the others take it back. No effect on one that runs.
    ///
    /// # Panics
    /// With the last lines of its log when it does not come back.
    pub fn restart(&self, broker: usize) {
        let mut broker = self.broker(broker);
        if !broker.is_running() {
            let back = timed(&format!("restarting Kafka broker {}", broker.number()), || {
                broker.start()?;
                broker.wait_ready(1)
            });
            back.unwrap_or_else(|error| panic!("{error}"));
        }
    }

    /// Starts all brokers that are dead, so that the next test finds a whole cluster.
    ///
    /// # Panics
    /// When one does not come back.
    pub fn heal(&self) {
        (1..=self.size()).for_each(|broker| self.restart(broker));
    }

    /// Creates topics with a replica on each broker and waits until each partition has a leader. One that exists is left alone.
    ///
    /// # Panics
    /// When one cannot be created.
    #[track_caller]
    pub fn create_topics(&self, names: &[&str], partitions: i32, settings: &[(&str, &str)]) {
        let replicas = i32::try_from(self.size()).expect("few brokers");
        let new = |name| {
            let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(replicas));
            settings.iter().fold(topic, |topic, (key, value)| topic.set(key, value))
        };
        create(&self.client(), &names.iter().map(|name: &&str| new(name)).collect::<Vec<_>>());
    }

    fn broker(&self, number: usize) -> MutexGuard<'_, Broker> {
        let broker = self.brokers.get(number.wrapping_sub(1));
        let broker = broker.unwrap_or_else(|| panic!("no broker {number}: they are numbered from 1 to {}", self.size()));
        broker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Creates topics with one replica in any Kafka, and waits until each partition has a leader.
///
/// # Panics
/// When one cannot be created.
#[track_caller]
pub fn create_topics_at(bootstrap: &str, names: &[&str], partitions: i32) {
    let new = |name| NewTopic::new(name, partitions, TopicReplication::Fixed(1));
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", bootstrap);
    create(&client, &names.iter().map(|name: &&str| new(name)).collect::<Vec<_>>());
}

#[track_caller]
fn create(client: &ClientConfig, topics: &[NewTopic<'_>]) {
    let admin: AdminClient<DefaultClientContext> = client.create().expect("the settings are right");
    let options = AdminOptions::new().request_timeout(Some(ADMIN_TIME)).operation_timeout(Some(ADMIN_TIME));
    let results = block_on(admin.create_topics(topics, &options)).expect("the brokers must answer");
    for result in results {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((name, code)) => panic!("topic `{name}` cannot be created: {code}"),
        }
    }
    topics.iter().for_each(|topic| wait_for_leaders(&admin, topic.name));
}

/// Creation is acknowledged by the controller; the brokers hear of it a moment later.
fn wait_for_leaders(admin: &AdminClient<DefaultClientContext>, name: &str) {
    eventually(&format!("each partition of topic `{name}` has a leader"), ADMIN_TIME, || {
        let metadata = admin.inner().fetch_metadata(Some(name), ADMIN_TIME).ok()?;
        let partitions = metadata.topics().first()?.partitions();
        let led = !partitions.is_empty() && partitions.iter().all(|partition| partition.leader() >= 0);
        led.then_some(())
    });
}

/// Does a step on all brokers at the same time: a Java start is what takes the time.
fn each(brokers: &mut [Broker], step: impl Fn(&mut Broker) -> Result<(), String> + Sync) -> Result<(), String> {
    thread::scope(|scope| {
        let running: Vec<_> = brokers.iter_mut().map(|broker| scope.spawn(|| step(broker))).collect();
        running.into_iter().try_for_each(|step| step.join().expect("a step does not panic"))
    })
}
