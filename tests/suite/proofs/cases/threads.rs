//! What belongs to one thread stays on it.

use mod_python::proofs::*;

fn is_send<T: Send>() {}
fn is_sync<T: Sync>() {}

fn what_stays_on_its_thread() {
    is_send::<Attached<'_>>(); //~ E0277
    is_sync::<Attached<'_>>(); //~ E0277
    is_send::<Detached<'_>>(); //~ E0277
    is_sync::<Detached<'_>>(); //~ E0277
    is_send::<AttachGuard<'_>>(); //~ E0277
    is_sync::<AttachGuard<'_>>(); //~ E0277
    is_send::<Object<'_>>(); //~ E0277
    is_sync::<Object<'_>>(); //~ E0277
    is_send::<Raised>(); //~ E0277
    is_sync::<Raised>(); //~ E0277
    is_send::<Request<'_>>(); //~ E0277
    is_sync::<Request<'_>>(); //~ E0277
    is_send::<Connection<'_>>(); //~ E0277
    is_sync::<Connection<'_>>(); //~ E0277
    is_send::<Pool<'_>>(); //~ E0277
    is_sync::<Pool<'_>>(); //~ E0277
    is_send::<Table<'_>>(); //~ E0277
    is_sync::<Table<'_>>(); //~ E0277
    is_send::<Filter<'_>>(); //~ E0277
    is_send::<Brigade>(); //~ E0277
    is_send::<LogScope>(); //~ E0277
    is_send::<Taken<'_>>(); //~ E0277
    is_send::<TakenAttached<'_>>(); //~ E0277
    is_send::<GivenUp>(); //~ E0277
    is_send::<InUse<'_, u8>>(); //~ E0277
}

fn a_thread(attached: Attached<'_>, request: Request<'_>) {
    std::thread::scope(|scope| {
        scope.spawn(|| attached.has_error()); //~ E0277
        scope.spawn(move || request.status()); //~ E0277
    });
}
