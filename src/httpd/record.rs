//! Fields of httpd's records.
//!
//! httpd may write to its records in every call, so they are read through pointers: a Rust reference would promise that they do
//! not change.

/// `field!(request, uri)`: a copy of a field of one of httpd's records, `field!(request, parsed_uri.port)` of a field of that. The first
/// argument is a handle of this folder, which is alive.
macro_rules! field {
    ($handle:expr, $($field:ident).+) => {{
        let record = $handle.as_ptr();
        // Also used within unsafe code.
        #[allow(unused_unsafe)]
        // SAFETY: a handle's record is alive for as long as the handle.
        let value = unsafe { (*record).$($field).+ };
        value
    }};
}
pub(crate) use field;

/// `set_field!(request, status, 404)`: writes to a field of one of httpd's records.
macro_rules! set_field {
    ($handle:expr, $($field:ident).+, $value:expr) => {{
        let (record, value) = ($handle.as_ptr(), $value);
        #[allow(unused_unsafe)]
        // SAFETY: a handle's record is alive for as long as the handle, and only this thread uses it meanwhile.
        unsafe {
            (*record).$($field).+ = value
        }
    }};
}
pub(crate) use set_field;
