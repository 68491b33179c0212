//! The servers that all tests share, each started when the first test asks for it.
//!
//! Sharing makes a run short, and asks two things of a test: names of its own ([`Stack::unique`]), and no harm to a shared server.
//! A test that kills brokers takes [`Stack::kafka3`], which it has for itself.

use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::kafka::Cluster;
use crate::postgres::Postgres;
use crate::smtp::{Options, SmtpServer};

/// The shared servers.
#[derive(Default)]
pub struct Stack {
    kafka: OnceLock<Result<Cluster, String>>,
    kafka3: OnceLock<Result<Mutex<Cluster>, String>>,
    postgres: OnceLock<Result<Postgres, String>>,
    smtp: OnceLock<Result<SmtpServer, String>>,
    names: AtomicU32,
}

impl Stack {
    /// One Kafka broker, for tests that leave it alive.
    ///
    /// # Panics
    /// When it cannot be started.
    #[track_caller]
    pub fn kafka(&self) -> &Cluster {
        started(self.kafka.get_or_init(|| Cluster::start(1)))
    }

    /// Three Kafka brokers, all alive, for one test at a time: it may kill them.
    ///
    /// # Panics
    /// When they cannot be started.
    #[track_caller]
    pub fn kafka3(&self) -> MutexGuard<'_, Cluster> {
        let cluster = started(self.kafka3.get_or_init(|| Cluster::start(3).map(Mutex::new)));
        // The test before may have failed half-way; what it left behind is mended here.
        let cluster = cluster.lock().unwrap_or_else(PoisonError::into_inner);
        cluster.heal();
        cluster
    }

    /// A PostgreSQL server; each test creates its own database.
    ///
    /// # Panics
    /// When it cannot be started.
    #[track_caller]
    pub fn postgres(&self) -> &Postgres {
        started(self.postgres.get_or_init(Postgres::start))
    }

    /// A mail server without TLS or login, for tests that leave it in order; others start their own.
    ///
    /// # Panics
    /// When it cannot be started.
    #[track_caller]
    pub fn smtp(&self) -> &SmtpServer {
        started(self.smtp.get_or_init(|| SmtpServer::start(&Options::default())))
    }

    /// A name that no other test uses: `a-z`, `0-9` and `-`, as sinks, endpoints, topics and databases allow.
    ///
    /// # Panics
    /// When `name` has more than 20 characters: the result must fit a sink's name.
    #[track_caller]
    pub fn unique(&self, name: &str) -> String {
        assert!(name.len() <= 20, "`{name}` is too long for a unique name: at most 20 characters");
        format!("{name}-{:x}-{}", process::id(), self.names.fetch_add(1, Ordering::Relaxed))
    }
}

#[track_caller]
fn started<T>(server: &Result<T, String>) -> &T {
    server.as_ref().unwrap_or_else(|error| panic!("a server of the tests cannot be started: {error}"))
}
