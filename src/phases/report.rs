//! Errors of handlers: one clear entry with the traceback behind it, and the page that `PythonDebug On` shows.

use std::borrow::Cow;

use crate::config::HandlerEntry;
use crate::cpython::{Attached, Exception};
use crate::ffi::httpd as raw;
use crate::httpd::{Level, LogScope, Output, Request, write_entry};
use crate::interpreter::Interpreter;
use crate::objects::Callback;

use super::enter::SERVER_ERROR;

/// How much of a line of an exception's text is logged, in bytes: it may hold all that a client has sent.
const LONGEST: usize = 4000;

/// A handler that has failed.
pub struct Failure<'a> {
    pub request: Request<'a>,
    pub callback: &'a Callback<'a>,
    pub entry: &'a HandlerEntry<'a>,
    pub interpreter: &'static Interpreter,
}

impl Failure<'_> {
    fn described(&self) -> String {
        format!("{} in interpreter '{}'", self.entry.describe(), self.interpreter.display_name())
    }

    /// The client went away while it was written to: its right, and no fault of the handler's.
    pub fn client_gone(&self, exception: &Exception<'_>) -> i32 {
        tracing::info!("MP0405: {}: {}", self.described(), summary(exception));
        raw::DONE
    }

    /// A filter has failed, said so, and answered: the handler could not go on writing.
    pub fn answered(&self, exception: &Exception<'_>) -> i32 {
        tracing::info!("MP0414: {}: {}", self.described(), summary(exception));
        raw::DONE
    }

    /// The request's body was cut short, badly chunked or too long, and the handler left it at that.
    pub fn broken_body(&self, attached: Attached<'_>, exception: &Exception<'_>) -> i32 {
        let status = exception.value().attribute(c"status").and_then(|status| status.to_i64());
        let status = status.map_err(|raised| raised.clear(attached)).unwrap_or_default();
        // A handler can change the number, to one that httpd would not take for an error.
        let status = match status as i32 {
            raw::AP_FILTER_ERROR => raw::AP_FILTER_ERROR,
            status @ 400..600 => status,
            _ => raw::HTTP_BAD_REQUEST as i32,
        };
        tracing::info!("MP0406: {}: {}; answered with {status}", self.described(), summary(exception));
        self.finish(attached, status)
    }

    /// Logs the error and decides what the client gets.
    pub fn report(&self, attached: Attached<'_>, exception: &Exception<'_>, debug: bool) -> i32 {
        let traceback = log_failure(attached, self.entry, self.interpreter, exception);
        if debug { self.debug_page(attached, &traceback) } else { self.finish(attached, SERVER_ERROR) }
    }

    /// An error status; or, when part of a response has gone out, an end that the client can tell from a complete one.
    fn finish(&self, attached: Attached<'_>, status: i32) -> i32 {
        self.callback.take_back();
        if self.request.is_response_complete() {
            return raw::DONE;
        }
        if !self.request.is_response_started() {
            self.request.discard_unsent();
            // httpd would take a status that the handler has set for an error before this one, and not answer with its ErrorDocument.
            self.request.set_status(self.callback.status_before());
            return status;
        }
        tracing::info!(
            "MP0407: {}: the response had begun; the connection is closed so that the client notices",
            self.described()
        );
        let request = self.request;
        attached.detach(|| request.abort_response());
        raw::DONE
    }

    fn debug_page(&self, attached: Attached<'_>, traceback: &[String]) -> i32 {
        self.callback.take_back();
        if self.request.is_response_complete() {
            return raw::DONE;
        }
        if self.request.is_response_started() {
            // What follows a response of a given length would be taken for the next response.
            if self.request.has_length() {
                return self.finish(attached, SERVER_ERROR);
            }
        } else {
            self.request.forget_body_headers();
        }
        self.request.set_status(SERVER_ERROR);
        self.request.set_content_type(c"text/html");
        let page = page(self.entry, traceback);
        let request = self.request;
        if attached.detach(|| Output::default().write(request, page.as_bytes(), false)).is_err() {
            tracing::info!("MP0405: {}: the client went away before the error page was sent", self.described());
        }
        raw::DONE
    }
}

/// Logs what a handler has raised; the traceback.
pub fn log_failure(
    attached: Attached<'_>,
    entry: &HandlerEntry<'_>,
    interpreter: &Interpreter,
    exception: &Exception<'_>,
) -> Vec<String> {
    let (summary, traceback) = (summary(exception), exception.traceback());
    // The log can be a pipe that somebody reads slowly.
    attached.detach(|| {
        tracing::error!(
            "MP0401: {} in interpreter '{}' raised {summary}",
            entry.describe(),
            interpreter.display_name()
        );
        log_traceback(&format!("{} {}", entry.directive, entry.text), &traceback);
    });
    traceback
}

/// What `PythonDebug On` shows the client.
pub fn page(entry: &HandlerEntry<'_>, traceback: &[String]) -> String {
    let mut page = format!("\n<pre>\nMod_python error: \"{} {}\"\n\n", entry.directive, escape(entry.text));
    for line in traceback.iter().flat_map(|entry| entry.lines()) {
        page += &escape(line);
        page.push('\n');
    }
    page + "</pre>\n"
}

/// What an exception says, in one line that is not too long.
pub fn summary(exception: &Exception<'_>) -> String {
    shortened(&exception.summary()).into_owned()
}

/// Logs the lines of a traceback.
pub fn log_traceback(prefix: &str, traceback: &[String]) {
    for line in traceback.iter().flat_map(|entry| entry.lines()) {
        write_entry(LogScope::current(), Level::ERR, &format!("{prefix}: {}", shortened(line)));
    }
}

fn shortened(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST {
        return Cow::Borrowed(text);
    }
    let end = (0..=LONGEST).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    Cow::Owned(format!("{}… ({} bytes)", &text[..end], text.len()))
}

/// As Python's `html.escape`.
fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#x27;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_too_long_says_so() {
        assert_eq!(shortened("short"), "short");
        assert_eq!(shortened(&"x".repeat(LONGEST)).len(), LONGEST);
        let text = "x".to_owned() + &"€".repeat(LONGEST);
        let short = shortened(&text);
        assert!(short.len() < LONGEST + 20 && short.ends_with(&format!("€… ({} bytes)", text.len())), "{short}");
    }
}
