//! The request body, read through the input filters.

use crate::ffi::httpd as raw;

use super::{Brigade, Request};

/// How much is asked of the input filters at once, in bytes.
const CHUNK: usize = 64 * 1024;

/// Why the body cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BodyError {
    /// The HTTP status that fits.
    pub status: i32,
    /// The connection is gone, rather than the body bad.
    pub gone: bool,
    /// A filter of httpd's has sent the whole response already.
    pub answered: bool,
    /// What is wrong with it, in a sentence.
    pub text: &'static str,
}

/// Where the reading of a request's body stands.
#[derive(Default)]
pub struct Body {
    started: bool,
    finished: bool,
    failed: Option<BodyError>,
    brigade: Option<Brigade>,
}

impl Body {
    /// Whether reading has begun.
    pub fn is_started(&self) -> bool {
        self.started
    }

    /// Reads the rest of the body and drops it; the status that fits. May block.
    pub fn discard(&mut self, request: Request<'_>) -> i32 {
        if let Some(failure) = self.failed {
            return failure.status;
        }
        if self.finished {
            return raw::OK as i32;
        }
        (self.started, self.finished) = (true, true);
        // SAFETY: the request is live.
        unsafe { raw::ap_discard_request_body(request.as_ptr()) }
    }

    /// Appends some bytes of the body to `out`, at most `most`; nothing at its end. May block.
    ///
    /// Chunked bodies are read like any other, and a client that waits for `100 Continue` gets it (httpd's HTTP_IN does both).
    ///
    /// # Errors
    /// A body cut short, badly chunked or over the limit, a time-out, a client gone. The same again at each further call.
    pub fn read(&mut self, request: Request<'_>, most: usize, out: &mut Vec<u8>) -> Result<(), BodyError> {
        if let Some(failure) = self.failed {
            return Err(failure);
        }
        let read = self.start(request).and_then(|()| self.read_on(request, most, out));
        if let Err(failure) = read {
            self.failed = Some(failure);
            // What follows on the connection cannot be told from the rest of this body.
            request.connection().set_keepalive(raw::ap_conn_keepalive_e_AP_CONN_CLOSE);
        }
        read
    }

    fn start(&mut self, request: Request<'_>) -> Result<(), BodyError> {
        if self.started {
            return Ok(());
        }
        self.started = true;
        // SAFETY: the request is live.
        let status = unsafe { raw::ap_setup_client_block(request.as_ptr(), raw::REQUEST_CHUNKED_DECHUNK as i32) };
        if status != raw::OK as i32 {
            let otherwise = "the request's headers do not say how its body is to be read";
            return Err(BodyError { status, gone: false, answered: false, text: text(status, otherwise) });
        }
        // SAFETY: the request is live.
        self.finished = unsafe { raw::ap_should_client_block(request.as_ptr()) } == 0;
        Ok(())
    }

    fn read_on(&mut self, request: Request<'_>, most: usize, out: &mut Vec<u8>) -> Result<(), BodyError> {
        let before = out.len();
        while !self.finished && out.len() == before && most > 0 {
            let brigade = *self.brigade.get_or_insert_with(|| Brigade::new(request));
            let taken = take(request, brigade, most.min(CHUNK), out);
            brigade.clear();
            self.finished = taken.map_err(|status| failure(request, status))?;
        }
        let count = (out.len() - before) as i64;
        // SAFETY: the request is live and this thread's.
        unsafe {
            let fields = &mut *request.as_ptr();
            fields.read_length += count;
            fields.remaining = (fields.remaining - count).max(0);
        }
        Ok(())
    }
}

/// Asks the input filters once; whether that was the end, or APR's status.
fn take(request: Request<'_>, brigade: Brigade, most: usize, out: &mut Vec<u8>) -> Result<bool, i32> {
    // SAFETY: filters and brigade are live; the mode and size are what the HTTP input filter takes.
    let status = unsafe {
        raw::ap_get_brigade(
            request.fields().input_filters,
            brigade.as_ptr(),
            raw::ap_input_mode_t_AP_MODE_READBYTES,
            raw::apr_read_type_e_APR_BLOCK_READ,
            most as raw::apr_off_t,
        )
    };
    match status {
        0 if brigade.is_empty() => Err(raw::APR_EOF as i32),
        0 => brigade.take_data(out),
        status => Err(status),
    }
}

fn failure(request: Request<'_>, error: i32) -> BodyError {
    let answered = error == raw::AP_FILTER_ERROR;
    let status = match answered && request.fields().status >= raw::HTTP_BAD_REQUEST as i32 {
        true => request.fields().status,
        // SAFETY: only maps numbers (http_protocol.h).
        false => unsafe { raw::ap_map_http_request_error(error, raw::HTTP_BAD_REQUEST as i32) },
    };
    let gone = request.connection().is_gone(error);
    let otherwise = match request.fields().read_chunked != 0 {
        _ if gone => "Client has closed the connection.",
        _ if [raw::APR_EOF as i32, raw::APR_INCOMPLETE as i32].contains(&error) => "the request's body was cut short",
        true => "the request's body is badly chunked",
        false => "the request's body was refused by an input filter",
    };
    BodyError { status, gone, answered, text: text(status, otherwise) }
}

/// What a status says of a body, if it says it clearly.
fn text(status: i32, otherwise: &'static str) -> &'static str {
    match status as u32 {
        raw::HTTP_REQUEST_TIME_OUT => "Client read error (Timeout?)",
        raw::HTTP_REQUEST_ENTITY_TOO_LARGE => "the request's body is larger than LimitRequestBody allows",
        _ => otherwise,
    }
}
