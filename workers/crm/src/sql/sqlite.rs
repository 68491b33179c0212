//! SQLite: the file, its settings and the statements.
//!
//! When the file is opened, and what an error means, is not decided here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use leadline_runtime::sink::{Failure, SinkDown};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Row, SqlitePool};
use tokio::time::Instant;

use super::{MIGRATIONS_TABLE, bind_history, bind_lead};
use crate::classify;
use crate::config::OnExisting;
use crate::record::{Record, time};

/// Connections: SQLite has one writer, and waiting for it here is cheaper than being refused there.
pub(super) const WRITERS: u32 = 1;
/// How long a write waits for one of another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Time between two attempts where SQLite itself does not wait.
const BUSY_PAUSE: Duration = Duration::from_millis(20);
/// How long a lead waits for the one connection. Many wait in a line while the disk is slow, so it is only a little shorter
/// than the deadline of a call.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(25);

/// Takes the write lock at once: a transaction that takes it later can be refused without waiting.
const BEGIN: &str = "BEGIN IMMEDIATE";

const HISTORY: &str = "
INSERT INTO lead_history (lead_id, crm_key, endpoint, kind, source, action, offer, description, raw, received_at, recorded_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (lead_id) DO NOTHING";

/// Returns whether the row is new, and no row when it was left as it is. Nothing else can have been created at the very time
/// of this transaction: there is one writer, and it waits for the disk in between.
const UPSERT: &str = upsert!(
    values: "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
        $19, $20, $21, $23, $23",
    is_new: "created_at = $23"
);

/// Needs every right that a write needs, and touches no row.
const PROBES: [&str; 2] = [
    "INSERT INTO lead SELECT * FROM lead WHERE FALSE ON CONFLICT (crm_key) DO UPDATE SET updated_at = excluded.updated_at",
    "INSERT INTO lead_history SELECT * FROM lead_history WHERE FALSE ON CONFLICT (lead_id) DO NOTHING",
];

/// Where the file is.
pub(super) struct Place {
    file: PathBuf,
}

impl Place {
    /// From `sqlite:PATH` or `sqlite://PATH`.
    pub(super) fn new(url: &str) -> Result<Self, &'static str> {
        let rest = url.strip_prefix("sqlite:").unwrap_or_default();
        let path = rest.strip_prefix("//").unwrap_or(rest);
        match path {
            "" => Err("`sqlite:` is followed by the path of a file"),
            ":memory:" => Err("a database in memory would lose every lead; name a file"),
            _ if path.contains('?') => Err("`sqlite:` takes a path and no parameters"),
            _ => Ok(Self { file: PathBuf::from(path) }),
        }
    }

    /// Creates the file if it is not there, and brings the tables up to date.
    pub(super) async fn open(&self) -> Result<Store, SinkDown> {
        create(&self.file).await.map_err(|error| classify::file(&error))?;
        // It stays open: SQLite cleans up when the last connection closes, and refuses others meanwhile.
        let pool = SqlitePoolOptions::new().max_connections(WRITERS).acquire_timeout(ACQUIRE_TIMEOUT);
        let pool = pool.idle_timeout(None).max_lifetime(None).connect_lazy_with(self.options());
        let deadline = Instant::now() + BUSY_TIMEOUT;
        loop {
            match migrate(&pool).await {
                Ok(()) => return Ok(Store { pool }),
                // The change to WAL mode is refused at once while another process opens the same new file.
                Err(Failure::Transient(_)) if Instant::now() < deadline => tokio::time::sleep(BUSY_PAUSE).await,
                Err(failure) => return Err(classify::down(failure)),
            }
        }
    }

    fn options(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(&self.file)
            .busy_timeout(BUSY_TIMEOUT)
            .journal_mode(SqliteJournalMode::Wal)
            // In WAL mode anything less could lose the last delivered leads when the power fails.
            .synchronous(SqliteSynchronous::Full)
            .disable_statement_logging()
    }
}

/// An open file.
pub(super) struct Store {
    pool: SqlitePool,
}

impl Store {
    /// Whether the record is new; `None` when it was left as it is.
    pub(super) async fn write(&self, record: &Record<'_>, on_existing: OnExisting) -> Result<Option<bool>, sqlx::Error> {
        let mut transaction = self.pool.begin_with(BEGIN).await?;
        let now = time(Timestamp::now());
        bind_history(sqlx::query(HISTORY), record).bind(&now).execute(&mut *transaction).await?;
        let upsert = bind_lead(sqlx::query(UPSERT), record).bind(on_existing.as_str()).bind(&now);
        let row = upsert.fetch_optional(&mut *transaction).await?;
        let inserted = row.map(|row| row.try_get::<bool, _>(0)).transpose()?;
        transaction.commit().await?;
        Ok(inserted)
    }

    pub(super) async fn probe(&self) -> Result<(), sqlx::Error> {
        let mut transaction = self.pool.begin_with(BEGIN).await?;
        for probe in PROBES {
            sqlx::query(probe).execute(&mut *transaction).await?;
        }
        transaction.rollback().await
    }
}

/// SQLite would create the file readable by everyone. Its companions (`-wal`, `-shm`) get the rights of the file.
async fn create(file: &Path) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        let mut builder = tokio::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        builder.mode(0o700);
        builder.create(folder).await?;
    }
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    options.mode(0o600);
    options.open(file).await.map(drop)
}

/// In one transaction with the write lock: sqlx itself keeps two processes apart in PostgreSQL only.
async fn migrate(pool: &SqlitePool) -> Result<(), Failure> {
    let mut transaction = pool.begin_with(BEGIN).await.map_err(|error| classify::failure(&error))?;
    let mut migrator = sqlx::migrate!("migrations/sqlite");
    migrator.set_ignore_missing(true).dangerous_set_table_name(MIGRATIONS_TABLE);
    // `run` makes a future that is not `Send`; sqlx has this door for the purpose.
    migrator.run_direct(None, &mut *transaction, false).await.map_err(|error| classify::migration(&error))?;
    transaction.commit().await.map_err(|error| classify::failure(&error))
}
