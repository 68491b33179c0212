//! Every class of error once: by its code, and the common ones as the databases really report them.

use super::*;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use DownReason::{Misconfigured, Throttled, Unreachable};

/// A failure without its code.
#[derive(Debug, PartialEq)]
enum Class {
    Again,
    Never,
    Down(DownReason),
}

fn class(failure: &Failure) -> Class {
    match failure {
        Failure::Transient(_) => Class::Again,
        Failure::Permanent(_) => Class::Never,
        Failure::SinkDown(down) => Class::Down(down.why),
        Failure::Forfeited => panic!("no database can say that"),
    }
}

#[test]
fn every_sqlstate_has_its_class() {
    let table: &[(Class, &[&str])] = &[
        (Class::Again, &["40001", "40P01", "40003", "57014", "55P03", "25P02", "25P03", "XX000", "99999", ""]),
        (Class::Never, &["22001", "22021", "22P02", "23502", "23503", "23514", "23505", "P0001", "54000", "40002", "44000"]),
        (Class::Down(Unreachable), &["08000", "08003", "08006", "08P01", "57P01", "57P02", "57P03", "57P04", "57P05"]),
        (Class::Down(Unreachable), &["25006", "53000", "53100", "53200", "58030", "58P01", "XX001", "XX002"]),
        (Class::Down(Throttled), &["53300"]),
        (
            Class::Down(Misconfigured),
            &["28000", "28P01", "3D000", "3F000", "42501", "42P01", "42703", "42601", "42P10", "0A000"],
        ),
    ];
    for (expected, states) in table {
        for state in *states {
            assert_eq!(class(&sqlstate(state, None)), *expected, "{state}");
        }
    }
}

#[test]
fn a_race_for_our_own_keys_is_tried_again() {
    assert_eq!(class(&sqlstate("23505", Some("lead_pkey"))), Class::Again);
    assert_eq!(class(&sqlstate("23505", Some("lead_history_pkey"))), Class::Again);
    assert_eq!(class(&sqlstate("23505", Some("one_lead_per_phone"))), Class::Never);
}

#[test]
fn the_code_names_the_sqlstate_and_nothing_else() {
    let code = |state| match sqlstate(state, None) {
        Failure::Permanent(failure) => failure.code,
        Failure::Transient(transient) => transient.code,
        Failure::SinkDown(down) => down.code,
        Failure::Forfeited => panic!("no database can say that"),
    };
    assert_eq!(code("23514").as_str(), "sqlstate-23514");
    assert_eq!(code("57P01").as_str(), "sqlstate-57p01");
    for strange in ["", "ann@contoso.example", "é1234", "123456"] {
        assert_eq!(code(strange).as_str(), "sqlstate-unknown");
    }
}

#[test]
fn every_sqlite_code_has_its_class() {
    let table: &[(Class, &[i32])] = &[
        (Class::Again, &[2, 4, 5, 6, 9, 15, 17, 21, 0, 99, 261, 517, 262]),
        (Class::Never, &[18, 19, 20, 1555, 2067, 1299, 275]),
        (Class::Down(Unreachable), &[7, 10, 13, 266, 1034]),
        (Class::Down(Misconfigured), &[1, 3, 8, 11, 14, 22, 23, 25, 26, 264, 526, 1032]),
    ];
    for (expected, codes) in table {
        for code in *codes {
            assert_eq!(class(&sqlite(*code)), *expected, "{code}");
        }
    }
}

#[test]
fn every_other_error_has_its_class() {
    use sqlx::Error as E;
    let io = |kind| E::Io(std::io::Error::from(kind));
    let table = [
        (io(ErrorKind::ConnectionRefused), Class::Down(Unreachable), "sql-connection-refused"),
        (io(ErrorKind::ConnectionReset), Class::Down(Unreachable), "sql-connection-lost"),
        (io(ErrorKind::UnexpectedEof), Class::Down(Unreachable), "sql-connection-lost"),
        (io(ErrorKind::TimedOut), Class::Down(Unreachable), "sql-connect-timed-out"),
        (io(ErrorKind::InvalidData), Class::Down(Misconfigured), "sql-tls"),
        (E::Tls("x".into()), Class::Down(Misconfigured), "sql-tls"),
        (E::Protocol("x".into()), Class::Down(Unreachable), "sql-protocol"),
        (E::PoolTimedOut, Class::Down(Unreachable), "sql-pool-timed-out"),
        (E::PoolClosed, Class::Down(Unreachable), "sql-connection-lost"),
        (E::WorkerCrashed, Class::Down(Unreachable), "sql-connection-lost"),
        (E::BeginFailed, Class::Down(Unreachable), "sql-connection-lost"),
        (E::Configuration("x".into()), Class::Down(Misconfigured), "sql-configuration"),
        (E::Migrate(Box::new(MigrateError::VersionMismatch(1))), Class::Down(Misconfigured), "sql-migration"),
        (E::Migrate(Box::new(MigrateError::Execute(E::PoolClosed))), Class::Down(Unreachable), "sql-connection-lost"),
        (E::RowNotFound, Class::Down(Misconfigured), "sql-schema"),
        (E::ColumnNotFound("x".into()), Class::Down(Misconfigured), "sql-schema"),
        (E::Decode("x".into()), Class::Down(Misconfigured), "sql-schema"),
        (E::Encode("x".into()), Class::Never, "sql-value"),
        (E::InvalidSavePointStatement, Class::Again, "sql-other"),
    ];
    for (error, expected, code) in table {
        let failure = failure(&error);
        assert_eq!(class(&failure), expected, "{error:?}");
        assert!(format!("{failure:?}").contains(code), "{error:?} is {failure:?}");
    }
}

#[test]
fn a_probe_never_speaks_of_a_lead() {
    assert_eq!(down(sqlite(5)), SinkDown::of(Unreachable, Code::of("sqlite-busy")));
    assert_eq!(down(sqlite(19)), SinkDown::of(Misconfigured, Code::of("sqlite-constraint")));
    assert_eq!(down(sqlite(13)), SinkDown::of(Unreachable, Code::of("sqlite-full")));
}

async fn connect(options: &SqliteConnectOptions) -> SqliteConnection {
    options.connect().await.unwrap()
}

/// What SQLite really says to a statement.
async fn said(connection: &mut SqliteConnection, statement: &'static str) -> Failure {
    failure(&sqlx::raw_sql(statement).execute(connection).await.unwrap_err())
}

#[tokio::test]
async fn errors_of_a_real_sqlite_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteConnectOptions::new().filename(folder.path().join("a.db")).create_if_missing(true);
    let options = options.journal_mode(SqliteJournalMode::Wal).busy_timeout(std::time::Duration::ZERO);
    let mut first = connect(&options).await;
    sqlx::raw_sql("CREATE TABLE t (a TEXT PRIMARY KEY NOT NULL)").execute(&mut first).await.unwrap();

    assert_eq!(said(&mut first, "INSERT INTO t VALUES (NULL)").await, permanent(Code::of("sqlite-constraint")));
    assert_eq!(said(&mut first, "SELECT b FROM t").await, misconfigured("sqlite-error"));
    assert_eq!(said(&mut first, "SELECT * FROM u").await, misconfigured("sqlite-error"));
    let fill = "PRAGMA max_page_count = 3; INSERT INTO t VALUES (randomblob(100000))";
    assert_eq!(said(&mut first, fill).await, unreachable("sqlite-full"));

    let mut second = connect(&options).await;
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut first).await.unwrap();
    assert_eq!(said(&mut second, "BEGIN IMMEDIATE").await, transient(Code::of("sqlite-busy")));
    sqlx::raw_sql("ROLLBACK").execute(&mut first).await.unwrap();

    let mut reader = connect(&options.clone().read_only(true)).await;
    assert_eq!(said(&mut reader, "DELETE FROM t").await, misconfigured("sqlite-readonly"));
    for connection in [first, second, reader] {
        connection.close().await.unwrap();
    }
}
