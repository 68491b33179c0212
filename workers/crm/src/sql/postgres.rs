//! PostgreSQL: the connections, their settings and the statements.
//!
//! When they are opened, and what an error means, is not decided here.

use std::str::FromStr;
use std::time::Duration;

use leadline_platform::config::ConfigError;
use leadline_runtime::sink::{Failure, SinkDown};
use secrecy::ExposeSecret;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool, Row};

use super::{MIGRATIONS_TABLE, bind_history, bind_lead};
use crate::classify;
use crate::config::{self, OnExisting};
use crate::record::Record;

/// How long a new connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a lead waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// Parameters the URL may have. Any other is refused here, because sqlx would log it with its value.
const PARAMETERS: &[&str] = &[
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "options",
    "application_name",
];

const HISTORY: &str = "
INSERT INTO lead_history (lead_id, crm_key, endpoint, kind, source, action, offer, description, raw, received_at, recorded_at)
VALUES ($1::uuid, $2, $3, $4, $5, $6, $7, $8, $9, $10::timestamptz, now())
ON CONFLICT (lead_id) DO NOTHING";

/// Returns whether the row is new (`xmax` is 0 in a row that nobody has updated or locked), and no row when it was left as it
/// is.
const UPSERT: &str = upsert!(
    values: "$1, $2::uuid, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
        $19, $20, $21::timestamptz, now(), now()",
    is_new: "xmax = 0"
);

/// Needs every right that a write needs, and touches no row. A replica refuses it.
const PROBES: [&str; 2] = [
    "INSERT INTO lead SELECT * FROM lead WHERE FALSE ON CONFLICT (crm_key) DO UPDATE SET updated_at = excluded.updated_at",
    "INSERT INTO lead_history SELECT * FROM lead_history WHERE FALSE ON CONFLICT (lead_id) DO NOTHING",
];

/// How to connect.
pub(super) struct Place {
    options: PgConnectOptions,
    max_connections: u32,
}

impl Place {
    /// From the section `section`.
    pub(super) fn new(config: &config::Sql, section: &str) -> Result<Self, ConfigError> {
        if config.max_connections == 0 {
            return Err(ConfigError::invalid(&format!("{section}.max_connections"), "must be at least 1"));
        }
        if config.statement_timeout < Duration::from_millis(1) {
            return Err(ConfigError::invalid(&format!("{section}.statement_timeout"), "must be at least 1 ms"));
        }
        let options = parse(config.url.expose_secret()).map_err(|why| ConfigError::invalid(&format!("{section}.url"), why))?;
        let options = match config.password.expose_secret() {
            "" => options,
            password => options.password(password),
        };
        Ok(Self { options: session(options, config.statement_timeout), max_connections: config.max_connections })
    }

    /// Connections, at the most.
    pub(super) fn max_connections(&self) -> u32 {
        self.max_connections
    }

    /// Connects and brings the tables up to date.
    pub(super) async fn open(&self) -> Result<Store, SinkDown> {
        migrate(&self.options).await.map_err(classify::down)?;
        let pool = PgPoolOptions::new().max_connections(self.max_connections).acquire_timeout(ACQUIRE_TIMEOUT);
        Ok(Store { pool: pool.connect_lazy_with(self.options.clone()) })
    }
}

/// The server's certificate is verified unless the URL says otherwise; sqlx's own default would do without encryption. The reasons
/// are fixed texts: sqlx's own quote the URL.
fn parse(url: &str) -> Result<PgConnectOptions, &'static str> {
    let parameters = url.split_once('?').map(|(_, parameters)| parameters.split('#').next().unwrap_or_default());
    let names =
        || parameters.into_iter().flat_map(|text| text.split('&')).map(|part| part.split('=').next().unwrap_or_default());
    if names().any(|name| !name.is_empty() && !PARAMETERS.contains(&name)) {
        return Err("has an unknown parameter after the `?`; there are those of libpq, such as `sslmode`");
    }
    let options = PgConnectOptions::from_str(url)
        .map_err(|_| "is no URL of the form `postgres://user@host:5432/database?sslmode=verify-full`")?;
    // There is no TLS on a socket of this machine.
    let is_told =
        names().any(|name| name == "sslmode") || options.get_socket().is_some() || options.get_host().starts_with('/');
    Ok(if is_told { options } else { options.ssl_mode(PgSslMode::VerifyFull) })
}

/// Settings of every session.
fn session(options: PgConnectOptions, statement_timeout: Duration) -> PgConnectOptions {
    let milliseconds = statement_timeout.as_millis().to_string();
    options
        .application_name("leadline-crm")
        .options([
            ("statement_timeout", milliseconds.as_str()),
            // A worker that hangs must not hold the lock of a record.
            ("idle_in_transaction_session_timeout", milliseconds.as_str()),
            // Notices of a trigger could quote the row, and sqlx logs them.
            ("client_min_messages", "error"),
        ])
        .disable_statement_logging()
}

/// Open connections.
pub(super) struct Store {
    pool: PgPool,
}

impl Store {
    /// Whether the record is new; `None` when it was left as it is.
    pub(super) async fn write(&self, record: &Record<'_>, on_existing: OnExisting) -> Result<Option<bool>, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        bind_history(sqlx::query(HISTORY), record).execute(&mut *transaction).await?;
        let upsert = bind_lead(sqlx::query(UPSERT), record).bind(on_existing.as_str());
        let row = upsert.fetch_optional(&mut *transaction).await?;
        let inserted = row.map(|row| row.try_get::<bool, _>(0)).transpose()?;
        transaction.commit().await?;
        Ok(inserted)
    }

    pub(super) async fn probe(&self) -> Result<(), sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        for probe in PROBES {
            sqlx::query(probe).execute(&mut *transaction).await?;
        }
        transaction.rollback().await
    }
}

/// On a connection of its own, which is closed whatever happens: sqlx does not release its lock when a migration fails.
async fn migrate(options: &PgConnectOptions) -> Result<(), Failure> {
    let connecting = tokio::time::timeout(CONNECT_TIMEOUT, PgConnection::connect_with(options)).await;
    let connected = connecting.unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()));
    let mut connection = connected.map_err(|error| classify::failure(&error))?;
    let mut migrator = sqlx::migrate!("migrations/postgres");
    migrator.set_ignore_missing(true).dangerous_set_table_name(MIGRATIONS_TABLE);
    // `run` makes a future that is not `Send`; sqlx has this door for the purpose.
    migrator.run_direct(None, &mut connection, false).await.map_err(|error| classify::migration(&error))?;
    connection.close().await.map_err(|error| classify::failure(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> PgSslMode {
        parse(url).unwrap().get_ssl_mode()
    }

    #[test]
    fn the_servers_certificate_is_verified_unless_the_url_says_otherwise() {
        assert!(matches!(mode("postgres://crm@db/crm"), PgSslMode::VerifyFull));
        assert!(matches!(mode("postgres://crm@db/crm?application_name=x"), PgSslMode::VerifyFull));
        assert!(matches!(mode("postgres://crm@db/crm?sslmode=disable"), PgSslMode::Disable));
        assert!(!matches!(mode("postgres://crm@%2Fvar%2Frun%2Fpostgresql/crm"), PgSslMode::VerifyFull));
        assert!(!matches!(mode("postgres:///crm?host=/var/run/postgresql"), PgSslMode::VerifyFull));
    }
}
