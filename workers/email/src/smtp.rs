//! The mail server: a fixed number of own connections, each used for one message at a time.
//!
//! A connection is taken out before it is used and parked again only after full success. Whatever else happens, a failure, a
//! timeout, a dropped future, drops it: a late answer must never be read as the answer to the next message. That is why
//! lettre's pool is not used. The dialogue itself is in `connection`.

mod connection;
mod starttls;
mod stream;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use leadline_platform::config::ConfigError;
use leadline_platform::tls;
use leadline_runtime::sink::Claim;
use secrecy::SecretString;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::classify::{Fault, SmtpError, Stage};
use crate::config::{SmtpSection, TlsMode};
use crate::message::Mail;
use crate::metrics::Metrics;
use connection::Connection;

/// Longest time a connection is parked. Servers close idle ones, some of them without a word.
const IDLE: Duration = Duration::from_secs(30);

/// Where the mail server is and how to talk to it.
pub(crate) struct Server {
    host: String,
    port: u16,
    tls: Tls,
    hello: String,
    credentials: Option<(String, SecretString)>,
}

enum Tls {
    None,
    Implicit(Handshake),
    Starttls(Handshake),
}

struct Handshake {
    connector: TlsConnector,
    name: ServerName<'static>,
}

/// The connections to the mail server.
pub(crate) struct Smtp {
    server: Server,
    slots: Semaphore,
    connections: usize,
    parked: Mutex<Vec<Connection>>,
    answer: Duration,
    metrics: Metrics,
}

impl Server {
    /// From the section, which stands at `path` and was checked. Does no network I/O.
    pub(crate) fn new(section: &SmtpSection, own_domain: &str, path: &str) -> Result<Self, ConfigError> {
        let credentials = section.authenticates().then(|| (section.username.clone(), section.password.clone()));
        let tls = match section.tls {
            TlsMode::None => Tls::None,
            TlsMode::Implicit => Tls::Implicit(Handshake::new(section, path)?),
            TlsMode::Starttls => Tls::Starttls(Handshake::new(section, path)?),
        };
        let hello = section.helo_name.clone().unwrap_or_else(|| own_domain.to_owned());
        Ok(Self { host: section.host.clone(), port: section.port(), tls, hello, credentials })
    }
}

impl Handshake {
    fn new(section: &SmtpSection, path: &str) -> Result<Self, ConfigError> {
        let wrong = |key: &str, why: &dyn std::fmt::Display| ConfigError::invalid(&format!("{path}.smtp.{key}"), why);
        let config = tls::client(section.ca.as_deref()).map_err(|error| wrong("ca", &error))?;
        let name =
            ServerName::try_from(section.host.clone()).map_err(|_| wrong("host", &"expected a host name or an address"))?;
        Ok(Self { connector: TlsConnector::from(config), name })
    }
}

impl Smtp {
    /// A server that nobody has connected to yet.
    pub(crate) fn new(server: Server, section: &SmtpSection, metrics: Metrics) -> Self {
        let slots = Semaphore::new(section.connections);
        Self {
            server,
            slots,
            connections: section.connections,
            parked: Mutex::default(),
            answer: section.data_timeout,
            metrics,
        }
    }

    /// How many messages can be sent at the same time.
    pub(crate) fn connections(&self) -> usize {
        self.connections
    }

    /// Sends one message to one recipient. `deadline` is for everything up to the final dot.
    pub(crate) async fn send(&self, mail: &Mail, claim: &Claim, deadline: Instant) -> Result<(), SmtpError> {
        let _slot = self.slot(deadline).await?;
        if let Some(mut used) = self.take() {
            self.metrics.connection("reused");
            match used.send(mail, claim, deadline, self.answer).await {
                // The server had closed it; as nothing was sent, nobody needs to know.
                Err(error) if error.is_stale() => drop(used),
                result => return result.map(|()| self.park(used)),
            }
        }
        let mut fresh = Connection::open(&self.server, &self.metrics, deadline).await?;
        fresh.send(mail, claim, deadline, self.answer).await.map(|()| self.park(fresh))
    }

    /// Connects and authenticates, and sends nothing. Always on a new connection: a parked one proves only the past.
    pub(crate) async fn probe(&self, deadline: Instant) -> Result<(), SmtpError> {
        let _slot = self.slot(deadline).await?;
        drop(self.take());
        Connection::open(&self.server, &self.metrics, deadline).await.map(|fresh| self.park(fresh))
    }

    /// The right to one connection. Who holds one opens a connection only when none is parked, so there are never more
    /// connections than slots.
    async fn slot(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, SmtpError> {
        let slot = timeout_at(deadline, self.slots.acquire()).await;
        // The semaphore is never closed, so only the time can run out.
        slot.ok().and_then(Result::ok).ok_or_else(|| SmtpError::new(Stage::Connect, Fault::Busy))
    }

    fn take(&self) -> Option<Connection> {
        let mut parked = self.parked();
        parked.retain(|connection| connection.used.elapsed() < IDLE);
        parked.pop()
    }

    fn park(&self, connection: Connection) {
        self.parked().push(connection);
    }

    fn parked(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
pub(crate) mod tests;
