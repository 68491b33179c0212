//! The CRM's tables, read from SQLite or PostgreSQL alike.

use std::collections::BTreeMap;
use std::path::PathBuf;

use leadline_tests::blocking::block_on;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};

/// Divides the columns of a row that is read as one text; no lead holds it.
const DIVIDER: char = '\u{1f}';

const TEXTS: [&str; 17] = [
    "crm_key",
    "lead_id",
    "person_key",
    "endpoint",
    "offer",
    "kind",
    "first_name",
    "last_name",
    "email",
    "phone",
    "country",
    "company",
    "job_title",
    "source",
    "action",
    "description",
    "offer_id",
];
const FLAGS: [&str; 3] = ["email_valid", "do_not_contact", "test"];

/// Where the records are.
pub(crate) enum Database {
    Sqlite(PathBuf),
    Postgres(String),
}

/// A row: text by column; absent is empty, flags are `yes` and `no`.
pub(crate) type Row = BTreeMap<&'static str, String>;

impl Database {
    /// All rows of `lead`.
    pub(crate) fn records(&self) -> Vec<Row> {
        let texts = TEXTS.map(|column| format!("COALESCE(CAST({column} AS TEXT), '')"));
        let flags = FLAGS.map(|column| format!("CASE WHEN {column} THEN 'yes' ELSE 'no' END"));
        let columns = texts.into_iter().chain(flags).collect::<Vec<_>>().join(&format!(" || '{DIVIDER}' || "));
        let rows = self.texts(format!("SELECT {columns} FROM lead ORDER BY received_at, lead_id"));
        let names = || TEXTS.into_iter().chain(FLAGS);
        rows.iter().map(|row| names().zip(row.split(DIVIDER).map(str::to_owned)).collect()).collect()
    }

    /// The body of each lead that was written, by its id.
    pub(crate) fn history(&self) -> BTreeMap<String, String> {
        let rows = self.texts(format!("SELECT CAST(lead_id AS TEXT) || '{DIVIDER}' || raw FROM lead_history"));
        let pair = |row: &String| row.split_once(DIVIDER).map(|(id, raw)| (id.to_owned(), raw.to_owned()));
        rows.iter().filter_map(pair).collect()
    }

    fn texts(&self, sql: String) -> Vec<String> {
        block_on(async {
            match self {
                Self::Sqlite(file) => {
                    let mut connection = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
                    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap()
                }
                Self::Postgres(url) => {
                    let mut connection = PgConnection::connect(url).await.unwrap();
                    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap()
                }
            }
        })
    }
}
