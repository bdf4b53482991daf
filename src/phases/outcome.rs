//! The outcome of a request's program for httpd: a status, an error page, or a response that ends with the connection.

use crate::httpd::{HttpStatus, Output, Request, Status, set_field};

/// The outcome of a request's program, without Python objects.
pub enum Outcome {
    /// Its result. `is_last`: no other program adds to the response.
    Returned { status: Status, is_last: bool },
    /// It has failed: the status, if nothing was sent yet.
    Failed(Status),
    /// The page that `PythonDebug On` shows, with an error status.
    Page { status: HttpStatus, page: String },
    /// It has answered with an error, for which httpd is to send its own page.
    Overridden,
    /// The response is complete, or the client has closed the connection.
    Over,
}

/// The data to complete a response.
pub struct Answer<'r, 'a> {
    pub request: Request<'r>,
    /// The output that was not passed on.
    pub output: Output,
    /// The request's status before the program ran.
    pub status_before: HttpStatus,
    /// The program, for messages.
    pub described: &'a dyn Fn() -> String,
}

impl Answer<'_, '_> {
    /// Passes the output on, and returns the status for httpd. May block: this thread is not attached.
    pub fn finish(mut self, outcome: Outcome) -> Status {
        let status = match outcome {
            Outcome::Returned { status, is_last } => self.returned(status, is_last),
            Outcome::Failed(status) => self.failed(status),
            Outcome::Page { status, page } => self.page(status, &page),
            Outcome::Overridden => self.overridden(),
            Outcome::Over => Status::DONE,
        };
        if status.is_http() {
            self.request.name_status(HttpStatus(status.0));
        }
        self.warn_of_excess();
        status
    }

    /// Whether a part of the response was sent, or the program may rely on that.
    fn has_begun(&self) -> bool {
        self.output.is_committed() || self.request.is_response_started()
    }

    fn returned(&mut self, status: Status, is_last: bool) -> Status {
        // httpd would send another response, or a file, after what was written.
        let is_other_answer = status.is_http() || (is_last && status == Status::DECLINED);
        if is_other_answer && !self.request.is_response_complete() {
            if self.has_begun() {
                tracing::error!(
                    "MP0423: {} returned {status} after a part of the response was sent: the connection is closed so that the client notices. Return apache.OK, or set req.status, or return the status before anything is written",
                    (self.described)()
                );
                return self.break_off();
            }
            self.output.discard();
            return status;
        }
        if !is_last {
            // A failure is one of the client, or of a filter, which logs it.
            let _ = if self.output.is_due() { self.output.flush(self.request) } else { self.output.pass(self.request) };
            return status;
        }
        if self.request.has_response_body() {
            if let Some(short) = self.output.complete(self.request) {
                tracing::error!(
                    "MP0424: {} wrote {} bytes of a response with a Content-Length of {}: the connection is closed so that the client notices. Leave out req.set_content_length() and the header Content-Length, or set them to what is written",
                    (self.described)(),
                    short.sent,
                    short.announced
                );
                return self.break_off();
            }
        }
        let _ = self.output.finish(self.request);
        status
    }

    /// The status for httpd; if a part of the response was sent, closes the connection instead, so that the client notices.
    fn failed(&mut self, status: Status) -> Status {
        if self.request.is_response_complete() {
            return Status::DONE;
        }
        if !self.has_begun() {
            self.output.discard();
            self.request.discard_unsent();
            // httpd would take a status that the program has set for an earlier error, and not use the ErrorDocument.
            self.request.set_status(self.status_before);
            return status;
        }
        tracing::info!(
            "MP0407: {}: a part of the response was sent; the connection is closed so that the client notices",
            (self.described)()
        );
        self.break_off()
    }

    /// The status of the program's error page, which httpd's takes the place of.
    fn overridden(&mut self) -> Status {
        let status = Status::http(self.request.status());
        for name in [c"WWW-Authenticate", c"Retry-After"] {
            // httpd sends these headers with an error page.
            if let Some(value) = self.request.headers_out().value(name) {
                self.request.err_headers_out().set(name, self.request.pool().c_string(value));
            }
        }
        self.request.forget_body_headers();
        // httpd makes a status line of its own.
        set_field!(self.request, status_line, std::ptr::null());
        self.failed(status)
    }

    /// Sends what was written, and closes the connection without the end of the response.
    fn break_off(&mut self) -> Status {
        let _ = self.output.flush(self.request);
        self.request.abort_response();
        Status::DONE
    }

    fn page(&mut self, status: HttpStatus, page: &str) -> Status {
        if self.request.is_response_complete() {
            return Status::DONE;
        }
        if self.has_begun() {
            // Data after a response with a Content-Length would be taken for the next response.
            if self.request.has_length() {
                return self.failed(Status::http(status));
            }
        } else {
            self.request.forget_body_headers();
            self.request.set_status(status);
            self.request.set_content_type(c"text/html");
        }
        let sent = self.output.write(self.request, page.as_bytes(), false, false);
        if sent.and_then(|()| self.output.pass(self.request)).is_err() {
            tracing::info!("MP0405: {}: the client went away before the error page was sent", (self.described)());
        }
        Status::DONE
    }

    fn warn_of_excess(&mut self) {
        if let Some(announced) = self.output.take_excess() {
            tracing::warn!(
                "MP0421: {} wrote more than the Content-Length of {announced} bytes: the rest is dropped. Leave out req.set_content_length() and the header Content-Length, or set them to what is written",
                (self.described)()
            );
        }
    }
}
