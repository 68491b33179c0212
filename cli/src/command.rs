//! The commands, one file each.

pub(crate) mod audit;
pub(crate) mod config;
pub(crate) mod endpoint;
pub(crate) mod send;
pub(crate) mod topics;
pub(crate) mod up;

use leadline_platform::process::Fatal;

/// A runtime for a command's asynchronous part.
fn block_on<T>(future: impl Future<Output = Result<T, Fatal>>) -> Result<T, Fatal> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Fatal::internal)?.block_on(future)
}
