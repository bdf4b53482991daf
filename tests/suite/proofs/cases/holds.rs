//! What is meant to compile: the other cases fail because of what they are about.

use mod_python::proofs::*;

fn nothing_of_python_can_be_used_detached(attached: Attached<'_>) -> usize {
    let text = String::from("text");
    attached.detach(|| text.len())
}

fn it_is_attached_again(attached: Attached<'_>) -> bool {
    attached.detach(|| ());
    attached.has_error()
}

unsafe fn guards_nest(detached: &mut Detached<'_>, interpreter: *mut PyInterpreterState) -> Option<bool> {
    let outer = unsafe { attach(detached, interpreter) }?;
    let attached = outer.attached();
    let inner = attached.detach_to_attach(|detached| {
        let guard = unsafe { attach(detached, std::ptr::null_mut()) }?;
        Some(guard.attached().has_error())
    });
    Some(inner? || attached.has_error())
}

unsafe fn guards_follow(detached: &mut Detached<'_>, interpreter: *mut PyInterpreterState) {
    drop(unsafe { attach(detached, interpreter) });
    drop(unsafe { attach(detached, interpreter) });
}

unsafe fn a_request_gives_what_is_copied(request: *mut std::ffi::c_void) -> usize {
    let mut found = 0;
    unsafe {
        request_callback(request.cast(), 0, |request, _| {
            found = request.headers_in().value(c"Host").map_or(0, <[u8]>::len);
            found
        })
    };
    found
}

fn is_send<T: Send>() {}
fn is_sync<T: Sync>() {}

fn what_threads_share() {
    is_send::<Turn>();
    is_sync::<Turn>();
    is_send::<Interpreter>();
    is_sync::<Interpreter>();
    is_send::<Runtime>();
    is_sync::<Runtime>();
    is_send::<RequestRecord>();
    is_sync::<RequestRecord>();
    is_send::<Handle<u8>>();
    is_sync::<Handle<u8>>();
    is_send::<Kept>();
    is_sync::<Kept>();
    is_send::<ExitWork>();
    is_send::<Server<'_>>();
}
