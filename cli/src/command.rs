//! The commands, one file each.

pub(crate) mod audit;
pub(crate) mod config;
mod control;
pub(crate) mod dead_letters;
pub(crate) mod endpoint;
pub(crate) mod health;
pub(crate) mod hold;
pub(crate) mod rejected;
pub(crate) mod release;
pub(crate) mod schema;
pub(crate) mod send;
mod site;
pub(crate) mod spool;
mod times;
pub(crate) mod topics;
pub(crate) mod up;

use std::time::Duration;

use leadline_platform::process::Fatal;

/// Exit code when what was asked for could not be done, or has not come out well, as things stand.
const BAD_RESULT: u8 = 1;

/// What an HTTP client failed of in the end. Not the URL, which may hold a token.
fn root_cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// A runtime for a command's asynchronous part.
fn block_on<T>(future: impl Future<Output = Result<T, Fatal>>) -> Result<T, Fatal> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Fatal::internal)?;
    let result = runtime.block_on(future);
    // Whatever still blocks a thread by now is not waited for.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}
