//! Calling asynchronous code from a test that is not.

use std::future::Future;
use std::thread;

/// Runs the future to its end.
///
/// On a thread of its own, so that it may also be called from inside a runtime, where blocking is otherwise refused.
///
/// # Panics
/// When the future does.
pub fn block_on<F>(future: F) -> F::Output
where
    F: Future + Send,
    F::Output: Send,
{
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime must start");
        runtime.block_on(future)
    };
    thread::scope(|scope| scope.spawn(run).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
