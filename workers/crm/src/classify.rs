//! From an error of a database to what it means for the lead: again, never, or stop the sink.
//!
//! Only codes leave this file. The text of a database error can quote a row, and with it a person. How a failure is retried is
//! decided in `workers/runtime`.

use std::io::ErrorKind;

use leadline_proto::Code;
use leadline_runtime::sink::{DownReason, Failure, Permanent, SinkDown, Transient};
use sqlx::error::DatabaseError;
use sqlx::migrate::MigrateError;
use sqlx::sqlite::SqliteError;

/// Primary keys of our tables as PostgreSQL names them.
const OUR_KEYS: &[&str] = &["lead_pkey", "lead_history_pkey"];

/// What an error of a statement means.
pub fn failure(error: &sqlx::Error) -> Failure {
    use sqlx::Error as E;
    match error {
        E::Database(error) => database(error.as_ref()),
        E::Io(error) => connection(error.kind()),
        // A busy pool and a server that does not answer look the same, and the remedy is: no more leads for a moment.
        E::PoolTimedOut => unreachable("sql-pool-timed-out"),
        E::PoolClosed | E::WorkerCrashed | E::BeginFailed => unreachable("sql-connection-lost"),
        // Another protocol than the database's, or an answer cut short.
        E::Protocol(_) => unreachable("sql-protocol"),
        // Certificates and names only: an interrupted handshake is an `Io`.
        E::Tls(_) => misconfigured("sql-tls"),
        E::Configuration(_) | E::ConfigFile(_) | E::AnyDriverError(_) => misconfigured("sql-configuration"),
        E::Migrate(error) => migration(error),
        E::Encode(_) | E::InvalidArgument(_) => permanent(Code::of("sql-value")),
        // The tables do not look as the migrations leave them.
        E::RowNotFound | E::TypeNotFound { .. } | E::ColumnIndexOutOfBounds { .. } | E::ColumnNotFound(_) => {
            misconfigured("sql-schema")
        }
        E::ColumnDecode { .. } | E::Decode(_) => misconfigured("sql-schema"),
        E::InvalidSavePointStatement => transient(Code::of("sql-other")),
        // The enum is open: what a later sqlx adds is tried again, and nothing is lost meanwhile.
        _ => transient(Code::of("sql-other")),
    }
}

/// What an error of a migration means.
pub fn migration(error: &MigrateError) -> Failure {
    if let MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) = error {
        return failure(error);
    }
    // The tables are of another making than ours.
    misconfigured("sql-migration")
}

/// What a file that cannot be made means, before SQLite ever sees it.
pub fn file(error: &std::io::Error) -> SinkDown {
    if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) {
        SinkDown::of(DownReason::Unreachable, Code::of("file-disk-full"))
    } else {
        SinkDown::of(DownReason::Misconfigured, Code::of("file-cannot-create"))
    }
}

/// The same failure when no lead is at stake, because the database is only being opened or probed.
pub fn down(failure: Failure) -> SinkDown {
    match failure {
        Failure::SinkDown(down) => down,
        Failure::Transient(transient) => SinkDown::of(DownReason::Unreachable, transient.code),
        Failure::Permanent(failure) => SinkDown::of(DownReason::Misconfigured, failure.code),
        Failure::Forfeited => SinkDown::of(DownReason::Unreachable, Code::of("forfeited")),
    }
}

fn database(error: &dyn DatabaseError) -> Failure {
    let code = error.code().unwrap_or_default();
    match error.try_downcast_ref::<SqliteError>() {
        Some(_) => sqlite(code.parse().unwrap_or_default()),
        None => sqlstate(&code, error.constraint()),
    }
}

#[allow(clippy::wildcard_enum_match_arm)] // All others are one: the connection is gone.
fn connection(kind: ErrorKind) -> Failure {
    match kind {
        // So rustls reports a certificate that is refused.
        ErrorKind::InvalidData => misconfigured("sql-tls"),
        ErrorKind::ConnectionRefused => unreachable("sql-connection-refused"),
        ErrorKind::TimedOut => unreachable("sql-connect-timed-out"),
        _ => unreachable("sql-connection-lost"),
    }
}

/// What an error of PostgreSQL means, by its SQLSTATE and the constraint it names.
pub fn sqlstate(state: &str, constraint: Option<&str>) -> Failure {
    let code = sqlstate_code(state);
    match (state.get(..2).unwrap_or_default(), state) {
        // Two writers of one record: the second try finds the row of the first.
        (_, "23505") if constraint.is_some_and(|name| OUR_KEYS.contains(&name)) => transient(code),
        // The value, or a rule of the operator's own (a check, a trigger, a view), refuses this lead.
        ("21" | "22" | "23" | "27" | "44" | "54" | "P0", _) | (_, "40002") => permanent(code),
        // Another transaction was in the way, or the statement took too long.
        ("25", "25P01" | "25P02" | "25P03") | ("40" | "55", _) | (_, "57014" | "57000") => transient(code),
        // The server goes, comes, is a replica now, is out of disk or memory, or is damaged.
        ("08" | "25" | "53" | "57" | "58" | "F0", _) if state != "53300" => down_for(DownReason::Unreachable, code),
        (_, "XX001" | "XX002") => down_for(DownReason::Unreachable, code),
        (_, "53300") => down_for(DownReason::Throttled, code),
        // Credentials, database, schema, rights. Class 42 (a missing table, column or right, a syntax error) depends on the
        // tables and never on the lead, as the statements are fixed: it would fail every lead.
        ("0A" | "28" | "3D" | "3F" | "42", _) => down_for(DownReason::Misconfigured, code),
        _ => transient(code),
    }
}

/// What an error of SQLite means, by its (extended) result code: <https://www.sqlite.org/rescode.html>.
pub fn sqlite(extended: i32) -> Failure {
    match extended & 0xff {
        1 => misconfigured("sqlite-error"),
        2 => transient(Code::of("sqlite-internal")),
        3 => misconfigured("sqlite-perm"),
        4 => transient(Code::of("sqlite-abort")),
        5 => transient(Code::of("sqlite-busy")),
        6 => transient(Code::of("sqlite-locked")),
        7 => unreachable("sqlite-nomem"),
        8 => misconfigured("sqlite-readonly"),
        9 => transient(Code::of("sqlite-interrupt")),
        10 => unreachable("sqlite-ioerr"),
        11 => misconfigured("sqlite-corrupt"),
        13 => unreachable("sqlite-full"),
        14 => misconfigured("sqlite-cantopen"),
        15 => transient(Code::of("sqlite-protocol")),
        17 => transient(Code::of("sqlite-schema")),
        18 => permanent(Code::of("sqlite-toobig")),
        19 => permanent(Code::of("sqlite-constraint")),
        20 => permanent(Code::of("sqlite-mismatch")),
        22 => misconfigured("sqlite-nolfs"),
        23 => misconfigured("sqlite-auth"),
        25 => misconfigured("sqlite-range"),
        26 => misconfigured("sqlite-notadb"),
        _ => transient(Code::of("sqlite-other")),
    }
}

/// Servers that only speak PostgreSQL's protocol may send anything as a SQLSTATE.
fn sqlstate_code(state: &str) -> Code {
    let well_formed = state.len() == 5 && state.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let code = well_formed.then(|| Code::new(format!("sqlstate-{}", state.to_ascii_lowercase())).ok());
    code.flatten().unwrap_or(Code::of("sqlstate-unknown"))
}

fn permanent(code: Code) -> Failure {
    Failure::Permanent(Permanent::of(code))
}

fn transient(code: Code) -> Failure {
    Failure::Transient(Transient::of(code))
}

fn unreachable(code: &'static str) -> Failure {
    down_for(DownReason::Unreachable, Code::of(code))
}

fn misconfigured(code: &'static str) -> Failure {
    down_for(DownReason::Misconfigured, Code::of(code))
}

fn down_for(why: DownReason, code: Code) -> Failure {
    Failure::SinkDown(SinkDown::of(why, code))
}

#[cfg(test)]
mod tests;
