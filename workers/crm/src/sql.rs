//! The connector `sql`: opens the database when it is first needed, brings its tables up to date, writes records.
//!
//! The statements differ by database and stand in [`sqlite`] and [`postgres`], the tables in `migrations/`.

/// The statement that writes a record: which of two leads wins is said here, once for both databases. They differ in the values
/// ($1 to $21 are bound by [`bind_lead`], $22 says what to do with a record that exists) and in how a new row is told.
macro_rules! upsert {
    (values: $values:literal, is_new: $is_new:literal) => {
        concat!(
            "INSERT INTO lead (crm_key, lead_id, person_key, endpoint, offer_id, offer, kind, first_name, last_name, email,
                email_valid, phone, country, company, job_title, source, action, description, do_not_contact, test, received_at,
                created_at, updated_at)
            VALUES (",
            $values,
            ")
            ON CONFLICT (crm_key) DO UPDATE SET
                lead_id = excluded.lead_id, person_key = excluded.person_key, endpoint = excluded.endpoint,
                offer_id = excluded.offer_id, offer = excluded.offer, kind = excluded.kind, first_name = excluded.first_name,
                last_name = excluded.last_name, email = excluded.email, email_valid = excluded.email_valid,
                phone = excluded.phone, country = excluded.country, company = excluded.company,
                job_title = excluded.job_title, source = excluded.source, action = excluded.action,
                description = excluded.description, do_not_contact = excluded.do_not_contact, test = excluded.test,
                received_at = excluded.received_at, updated_at = excluded.updated_at
            WHERE $22 = 'update'
                OR ($22 = 'newer' AND (lead.received_at, lead.lead_id) <= (excluded.received_at, excluded.lead_id))
            RETURNING ",
            $is_new,
            " AS inserted"
        )
    };
}

pub mod postgres;
pub mod sqlite;

use std::sync::Arc;

use leadline_platform::config::ConfigError;
use leadline_runtime::sink::{Failure, SinkDown};
use secrecy::ExposeSecret;
use sqlx::database::Database;
use sqlx::query::Query;
use sqlx::{Encode, Type};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::classify;
use crate::config::{self, OnExisting};
use crate::record::{Record, Written};

/// Where the record of applied migrations is kept. Not sqlx's default name: the database may be shared with a program that
/// uses that one.
const MIGRATIONS_TABLE: &str = "leadline_crm_migrations";

/// Tables in SQLite or PostgreSQL.
pub struct Sql {
    place: Place,
    state: Mutex<State>,
}

/// Where the database is, checked but not connected to.
enum Place {
    Sqlite(sqlite::Place),
    Postgres(Box<postgres::Place>),
}

/// The open database, if any.
#[derive(Default)]
struct State {
    open: Option<Arc<Store>>,
    /// When opening it failed last, and why.
    failed: Option<(Instant, SinkDown)>,
}

enum Store {
    Sqlite(sqlite::Store),
    Postgres(postgres::Store),
}

impl Sql {
    /// From the section `section`, such as `sinks.crm.sql`. Connects to nothing.
    ///
    /// # Errors
    /// [`ConfigError`] naming the bad key. It never repeats the URL, which may hold a password.
    pub fn new(config: &config::Sql, section: &str) -> Result<Self, ConfigError> {
        let url = config.url.expose_secret();
        let url_key = format!("{section}.url");
        let place = match url.split(':').next().unwrap_or_default() {
            "sqlite" => Place::Sqlite(sqlite::Place::new(url).map_err(|why| ConfigError::invalid(&url_key, why))?),
            "postgres" | "postgresql" => Place::Postgres(Box::new(postgres::Place::new(config, section)?)),
            _ => {
                let why = "starts with neither `sqlite:` nor `postgres://`, and there are no other databases";
                return Err(ConfigError::invalid(&url_key, why));
            }
        };
        Ok(Self { place, state: Mutex::default() })
    }

    /// How many records can be written at the same time.
    pub fn capacity(&self) -> usize {
        match &self.place {
            Place::Sqlite(_) => sqlite::WRITERS as usize,
            Place::Postgres(place) => place.max_connections() as usize,
        }
    }

    /// Writes a record and its history in one transaction.
    ///
    /// # Errors
    /// What the error of the database means for the lead.
    pub async fn write(&self, record: &Record<'_>, on_existing: OnExisting) -> Result<Written, Failure> {
        let store = self.store().await.map_err(Failure::SinkDown)?;
        let result = match store.as_ref() {
            Store::Sqlite(store) => store.write(record, on_existing).await,
            Store::Postgres(store) => store.write(record, on_existing).await,
        };
        match result {
            Ok(inserted) => Ok(written(inserted, on_existing)),
            Err(error) => Err(self.failed(&store, classify::failure(&error)).await),
        }
    }

    /// Connects, brings the tables up to date and makes sure that they can be written to. Writes nothing.
    ///
    /// # Errors
    /// Why the database is unusable.
    pub async fn probe(&self) -> Result<(), SinkDown> {
        let store = self.store().await?;
        let result = match store.as_ref() {
            Store::Sqlite(store) => store.probe().await,
            Store::Postgres(store) => store.probe().await,
        };
        match result {
            Ok(()) => Ok(()),
            Err(error) => {
                let down = classify::down(classify::failure(&error));
                self.failed(&store, Failure::SinkDown(down.clone())).await;
                Err(down)
            }
        }
    }

    /// The open database; opens it first if need be. Callers that waited for an attempt share its failure instead of
    /// repeating it one after the other.
    async fn store(&self) -> Result<Arc<Store>, SinkDown> {
        let asked_at = Instant::now();
        let mut state = self.state.lock().await;
        if let Some(open) = &state.open {
            return Ok(Arc::clone(open));
        }
        if let Some((failed_at, down)) = &state.failed
            && *failed_at >= asked_at
        {
            return Err(down.clone());
        }
        match self.open().await {
            Ok(store) => {
                tracing::info!("the CRM database is open and its tables are up to date");
                Ok(Arc::clone(state.open.insert(Arc::new(store))))
            }
            Err(down) => {
                state.failed = Some((Instant::now(), down.clone()));
                Err(down)
            }
        }
    }

    async fn open(&self) -> Result<Store, SinkDown> {
        match &self.place {
            Place::Sqlite(place) => Ok(Store::Sqlite(place.open().await?)),
            Place::Postgres(place) => Ok(Store::Postgres(place.open().await?)),
        }
    }

    /// After the database went down its connections are given up: those to a server that vanished would hang, and one that
    /// was restored may need its migrations again.
    async fn failed(&self, store: &Arc<Store>, failure: Failure) -> Failure {
        if matches!(failure, Failure::SinkDown(_)) {
            let mut state = self.state.lock().await;
            if state.open.as_ref().is_some_and(|open| Arc::ptr_eq(open, store)) {
                state.open = None;
            }
        }
        failure
    }
}

/// What the upsert returned: whether the row is new, or nothing when the row was left as it is.
fn written(inserted: Option<bool>, on_existing: OnExisting) -> Written {
    match (inserted, on_existing) {
        (Some(true), _) => Written::Inserted,
        (Some(false), _) => Written::Updated,
        (None, OnExisting::Keep) => Written::Kept,
        (None, OnExisting::Newer | OnExisting::Update) => Written::Superseded,
    }
}

/// Binds the columns of `lead`, $1 to $21 in the order of the table.
fn bind_lead<'q, DB>(query: Query<'q, DB, DB::Arguments>, record: &Record<'_>) -> Query<'q, DB, DB::Arguments>
where
    DB: Database,
    for<'t> &'t str: Encode<'t, DB> + Type<DB>,
    for<'t> Option<&'t str>: Encode<'t, DB> + Type<DB>,
    bool: for<'t> Encode<'t, DB> + Type<DB>,
{
    query
        .bind(record.crm_key.as_str())
        .bind(record.lead_id.as_str())
        .bind(record.person_key)
        .bind(record.endpoint)
        .bind(record.offer_id.as_deref())
        .bind(record.offer.as_deref())
        .bind(record.kind)
        .bind(record.first_name.as_deref())
        .bind(record.last_name.as_ref())
        .bind(record.email.as_deref())
        .bind(record.email_valid)
        .bind(record.phone.as_deref())
        .bind(record.country.as_deref())
        .bind(record.company.as_deref())
        .bind(record.job_title.as_deref())
        .bind(record.source.as_deref())
        .bind(record.action.as_deref())
        .bind(record.description.as_deref())
        .bind(record.do_not_contact)
        .bind(record.test)
        .bind(record.received_at.as_str())
}

/// Binds the columns of `lead_history`, $1 to $10 in the order of the table.
fn bind_history<'q, DB>(query: Query<'q, DB, DB::Arguments>, record: &Record<'_>) -> Query<'q, DB, DB::Arguments>
where
    DB: Database,
    for<'t> &'t str: Encode<'t, DB> + Type<DB>,
    for<'t> Option<&'t str>: Encode<'t, DB> + Type<DB>,
{
    query
        .bind(record.lead_id.as_str())
        .bind(record.crm_key.as_str())
        .bind(record.endpoint)
        .bind(record.kind)
        .bind(record.source.as_deref())
        .bind(record.action.as_deref())
        .bind(record.offer.as_deref())
        .bind(record.description.as_deref())
        .bind(record.raw.as_ref())
        .bind(record.received_at.as_str())
}
