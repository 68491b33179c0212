//! Panics that a test wants: caught without the noise of the others, which would look like a failure.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static WANTED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`, which must panic on this thread, and gives the text of the panic.
///
/// # Panics
/// When it does not.
#[track_caller]
pub fn panic_text<T>(work: impl FnOnce() -> T) -> String {
    quiet_when_wanted();
    WANTED.set(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    WANTED.set(false);
    let Err(panic) = result else { panic!("this should have panicked") };
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
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
