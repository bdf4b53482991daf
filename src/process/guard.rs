//! The panic guard: no panic leaves a callback.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use super::stop;

thread_local! {
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `work`. A panic in it becomes the error: its message and its place in the source. A signal for a stop waits for its end where
/// httpd would end the process in the signal's handler.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let _held = stop::hold();
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        // The hook is this library's own: Rust's runtime is linked into it.
        panic::set_hook(Box::new(|info| {
            let text = panic_text(info.payload());
            let place =
                info.location().map(|place| format!(" at {}:{}", place.file(), place.line())).unwrap_or_default();
            let _ = PANIC.try_with(|panic| panic.borrow_mut().replace(format!("{text}{place}")));
        }));
    });
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let noted = PANIC.try_with(|panic| panic.borrow_mut().take()).ok().flatten();
        noted.unwrap_or_else(|| panic_text(&*payload))
    })
}

/// What a panic's payload says.
fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "a panic without a message".to_owned(),
    }
}
