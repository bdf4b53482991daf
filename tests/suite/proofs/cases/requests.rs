//! A request, and what lies in its pool, cannot outlive the callback.

use mod_python::proofs::*;

unsafe fn a_request(raw: *mut std::ffi::c_void) {
    let mut kept = None;
    unsafe {
        request_callback(raw.cast(), 0, |request, _| {
            kept = Some(request); //~ E0521
            0
        })
    };
    drop(kept);
}

unsafe fn its_pool(raw: *mut std::ffi::c_void) {
    let mut kept = None;
    unsafe {
        request_callback(raw.cast(), 0, |request, _| {
            kept = Some(request.pool()); //~ E0521
            0
        })
    };
    drop(kept);
}

unsafe fn a_header(raw: *mut std::ffi::c_void) {
    let mut kept = None;
    unsafe {
        request_callback(raw.cast(), 0, |request, _| {
            kept = request.headers_in().value(c"Host"); //~ E0521
            0
        })
    };
    drop(kept);
}

unsafe fn being_detached(raw: *mut std::ffi::c_void) {
    let mut kept = None;
    unsafe {
        request_callback(raw.cast(), 0, |_, detached| {
            kept = Some(detached); //~ E0521
            0
        })
    };
    drop(kept);
}

fn for_good(request: Request<'_>) -> Request<'static> {
    request //~ lifetime
}

fn its_connection(request: Request<'_>) -> Connection<'static> {
    request.connection() //~ lifetime
}
