//! The request body, read through the input filters.

use std::collections::TryReserveError;

use crate::ffi::httpd as raw;
use crate::httpd::{AprStatus, Brigade, HttpStatus, Request, Status, field, set_field};

use super::caught_error::ErrorCatcher;

/// How much is asked of the input filters at once, in bytes.
const CHUNK: usize = 64 * 1024;

/// Why the body cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum BodyError {
    /// The client has closed the connection.
    #[error("Client has closed the connection.")]
    Gone,
    /// What is wrong with the body, in a sentence, and the status that fits.
    #[error("{text}")]
    Bad { status: HttpStatus, text: &'static str },
    /// A filter of httpd's has sent the whole response already.
    #[error("the request's body was refused by an input filter, which has answered")]
    Answered,
    /// There is no memory for it. What has been read can still be taken.
    #[error("there is no memory for the request's body")]
    NoMemory,
}

impl From<TryReserveError> for BodyError {
    fn from(_: TryReserveError) -> Self {
        Self::NoMemory
    }
}

impl BodyError {
    /// The status of the response if the program does not handle the error.
    pub fn status(self) -> Status {
        match self {
            Self::Gone | Self::Answered => Status::ANSWERED,
            Self::Bad { status, .. } => Status::http(status),
            Self::NoMemory => Status::SERVER_ERROR,
        }
    }
}

/// The state of reading a request's body.
#[derive(Default)]
pub struct Body {
    is_started: bool,
    is_finished: bool,
    failed: Option<BodyError>,
    brigade: Option<Brigade>,
    catcher: Option<ErrorCatcher>,
}

impl Body {
    /// Whether reading has begun.
    pub fn is_started(&self) -> bool {
        self.is_started
    }

    /// Reads the rest of the body and drops it; returns a status. May block.
    pub fn discard(&mut self, request: Request<'_>) -> Status {
        if let Some(failure) = self.failed {
            return failure.status();
        }
        if self.is_finished {
            return Status::OK;
        }
        (self.is_started, self.is_finished) = (true, true);
        let catching = self.catcher(request).begin(request);
        // SAFETY: the request is live.
        let status = Status(unsafe { raw::ap_discard_request_body(request.as_ptr()) });
        catching.end().map_or(status, Status::http)
    }

    /// Appends some bytes of the body to `out`, at most `most`; nothing at its end. May block.
    ///
    /// Chunked bodies are read like any other, and a client that waits for `100 Continue` gets it (httpd's HTTP_IN does both).
    ///
    /// # Errors
    /// The body is cut short, badly chunked or too large, there was a time-out, or the client has closed the connection: the same error at each
    /// further call. Or there is no memory.
    pub fn read(&mut self, request: Request<'_>, most: usize, out: &mut Vec<u8>) -> Result<(), BodyError> {
        if let Some(failure) = self.failed {
            return Err(failure);
        }
        let read = self.start(request).and_then(|()| self.read_on(request, most, out));
        if let Some(failure) = read.err().filter(|failure| *failure != BodyError::NoMemory) {
            self.failed = Some(failure);
            // The rest of this body would be taken for the next request.
            request.connection().set_keepalive(raw::ap_conn_keepalive_e_AP_CONN_CLOSE);
        }
        read
    }

    fn catcher(&mut self, request: Request<'_>) -> ErrorCatcher {
        *self.catcher.get_or_insert_with(|| ErrorCatcher::new(request))
    }

    fn start(&mut self, request: Request<'_>) -> Result<(), BodyError> {
        if self.is_started {
            return Ok(());
        }
        self.is_started = true;
        // SAFETY: the request is live.
        let status =
            Status(unsafe { raw::ap_setup_client_block(request.as_ptr(), raw::REQUEST_CHUNKED_DECHUNK as i32) });
        if status != Status::OK {
            let status = HttpStatus(status.0);
            let otherwise = "the request's headers do not say how its body is to be read";
            return Err(BodyError::Bad { status, text: text(status, otherwise) });
        }
        // SAFETY: the request is live.
        self.is_finished = unsafe { raw::ap_should_client_block(request.as_ptr()) } == 0;
        Ok(())
    }

    fn read_on(&mut self, request: Request<'_>, most: usize, out: &mut Vec<u8>) -> Result<(), BodyError> {
        let before = out.len();
        while !self.is_finished && out.len() == before && most > 0 {
            let brigade = *self.brigade.get_or_insert_with(|| Brigade::new(request));
            // Before reading: data that was taken from the filters must not be lost.
            out.try_reserve(most.min(CHUNK))?;
            let catching = self.catcher(request).begin(request);
            let taken = take(request, brigade, most.min(CHUNK), out);
            let caught = catching.end();
            brigade.clear();
            self.is_finished = taken.map_err(|status| failure(request, status, caught))?;
        }
        let count = (out.len() - before) as raw::apr_off_t;
        set_field!(request, read_length, field!(request, read_length) + count);
        set_field!(request, remaining, (field!(request, remaining) - count).max(0));
        Ok(())
    }
}

/// Asks the input filters once; returns whether that was the end.
fn take(request: Request<'_>, brigade: Brigade, most: usize, out: &mut Vec<u8>) -> Result<bool, AprStatus> {
    let filters = field!(request, input_filters);
    let (mode, block) = (raw::ap_input_mode_t_AP_MODE_READBYTES, raw::apr_read_type_e_APR_BLOCK_READ);
    // SAFETY: filters and brigade are live; the mode and size are what the HTTP input filter takes.
    let status = unsafe { raw::ap_get_brigade(filters, brigade.as_ptr(), mode, block, most as raw::apr_off_t) };
    AprStatus(status).checked()?;
    match brigade.is_empty() {
        true => Err(AprStatus::EOF),
        false => brigade.take_data(out),
    }
}

fn failure(request: Request<'_>, error: AprStatus, caught: Option<HttpStatus>) -> BodyError {
    if error == AprStatus::NO_MEMORY {
        return BodyError::NoMemory;
    }
    if request.connection().is_gone(error) {
        return BodyError::Gone;
    }
    let status = match (caught, error) {
        (Some(status), _) => status,
        (None, AprStatus::ANSWERED) => return BodyError::Answered,
        // SAFETY: only maps numbers (http_protocol.h).
        (None, _) => HttpStatus(unsafe { raw::ap_map_http_request_error(error.0, HttpStatus::BAD_REQUEST.0) }),
    };
    let otherwise = match field!(request, read_chunked) != 0 {
        _ if [AprStatus::EOF, AprStatus::INCOMPLETE].contains(&error) => "the request's body was cut short",
        true => "the request's body is badly chunked",
        false => "the request's body was refused by an input filter",
    };
    BodyError::Bad { status, text: text(status, otherwise) }
}

/// The description of a status that has a clear meaning, else `otherwise`.
fn text(status: HttpStatus, otherwise: &'static str) -> &'static str {
    match status {
        HttpStatus::REQUEST_TIME_OUT => "Client read error (Timeout?)",
        HttpStatus::ENTITY_TOO_LARGE => "the request's body is larger than LimitRequestBody allows",
        _ => otherwise,
    }
}
