//! Logs, as text or JSON, to standard error.
//!
//! Only our own crates log at the level of the configuration. Other libraries are held at warnings, whatever the level: some
//! print statements, addresses or whole messages below that. What our crates may log: ids, codes, counts, names from the
//! configuration. Never: texts of a lead, tokens, URLs with a query.

use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::sections::{Log, LogFormat, LogLevel};

/// Prefix of the targets of our own crates.
const OWN: &str = "leadline";
/// Writes an error for each connection on which a stranger speaks no HTTP. That is no fault here, and anybody could fill the log.
const STRANGERS: &str = "actix_http::h1::dispatcher";

/// Starts logging for the whole process.
///
/// # Errors
/// When logging was started before.
pub fn start(config: &Log) -> Result<(), TryInitError> {
    let level = level(config.level);
    let others = Targets::new().with_default(level.min(LevelFilter::WARN)).with_target(STRANGERS, LevelFilter::OFF);
    let filter = others.with_target(OWN, level);
    let stderr = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match config.format {
        LogFormat::Text => stderr.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).boxed(),
        LogFormat::Json => stderr.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(filter)).try_init()?;
    // The usual hook prints the message, which may quote what the code was working on.
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(at, "panic");
    }));
    Ok(())
}

fn level(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}
