//! Panics that a test wants: caught without the noise of the others, which would look like a failure. And those that nobody wants:
//! noted, as a task's panic ends that task only.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::{Arc, Mutex, Once, PoisonError};

thread_local! {
    static WANTED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`, which must panic on this thread, and gives the text of the panic.
///
/// # Panics
/// When it does not.
#[track_caller]
pub fn panic_text<T>(work: impl FnOnce() -> T) -> String {
    let Err(text) = caught(work) else { panic!("this should have panicked") };
    text
}

/// Runs `work`.
///
/// # Errors
/// The text of its panic, when it panics on this thread.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    quiet_when_wanted();
    WANTED.set(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    WANTED.set(false);
    result.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    })
}

/// Panics of the whole process since it was watched.
pub struct Watched(Arc<Mutex<Vec<String>>>);

impl Watched {
    /// Their texts with their places.
    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Watches the process for panics of any thread, but those that are wanted.
pub fn watched() -> Watched {
    quiet_when_wanted();
    let watched = Watched(Arc::default());
    let (usual, noted) = (take_hook(), Arc::clone(&watched.0));
    set_hook(Box::new(move |panic| {
        if !WANTED.get() {
            noted.lock().unwrap_or_else(PoisonError::into_inner).push(panic.to_string());
        }
        usual(panic);
    }));
    watched
}

/// The hook is the process', so it is set once and asks whose panic it is.
fn quiet_when_wanted() {
    static SET: Once = Once::new();
    SET.call_once(|| {
        let usual = take_hook();
        set_hook(Box::new(move |panic| {
            if !WANTED.get() {
                usual(panic);
            }
        }));
    });
}
