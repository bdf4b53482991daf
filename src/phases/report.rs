//! Errors of handlers: one entry followed by the traceback, and the page of `PythonDebug On`.

use std::borrow::Cow;

use crate::config::Handler;
use crate::cpython::Exception;
use crate::httpd::{HttpStatus, Level, Status, write_here};
use crate::interpreter::Interpreter;

use crate::objects::request::RequestCallback;

use super::callback::Running;
use super::outcome::Outcome;

/// How much of a line of an exception's text is logged, in bytes: it may contain anything that a client has sent.
const LONGEST: usize = 4000;

/// A handler and its interpreter, for messages.
pub fn described(handler: &Handler<'_>, interpreter: &Interpreter) -> String {
    format!("{} in interpreter '{}'", handler.describe(), interpreter.display_name())
}

/// A handler that has failed.
pub struct Failure<'a> {
    pub handler: &'a Handler<'a>,
    pub running: &'a Running<'a>,
}

impl Failure<'_> {
    fn described(&self) -> String {
        described(self.handler, self.running.interpreter)
    }

    /// What the exception of a program that makes the response means for the request.
    pub fn outcome(&self, exception: &Exception<'_>, callback: &RequestCallback<'_>, is_shown: bool) -> Outcome {
        let exceptions = &self.running.module_state.exceptions;
        let attached = self.running.attached;
        // SAFETY: the classes are this interpreter's.
        let (gone, body) = unsafe { (exceptions.client_gone.get(attached), exceptions.body_error.get(attached)) };
        if exception.is(&gone) {
            return self.client_gone(exception);
        }
        if exception.is(&body) {
            return self.broken_body(exception, is_shown);
        }
        // SAFETY: a class of CPython's.
        let is_os_error = unsafe { exception.is_builtin(crate::ffi::python::PyExc_OSError) };
        if is_os_error && callback.is_answered() {
            return self.answered(exception);
        }
        self.report(exception, is_shown)
    }

    /// The client went away while it was written to: its right, and no fault of the handler's.
    fn client_gone(&self, exception: &Exception<'_>) -> Outcome {
        tracing::info!("MP0405: {}: {}", self.described(), summary(exception));
        Outcome::Over
    }

    /// A filter has failed, said so, and answered: the handler could not go on writing.
    fn answered(&self, exception: &Exception<'_>) -> Outcome {
        tracing::info!("MP0414: {}: {}", self.described(), summary(exception));
        Outcome::Over
    }

    /// The request's body was cut short, badly chunked, too slow or too long, and the handler left it at that.
    fn broken_body(&self, exception: &Exception<'_>, is_shown: bool) -> Outcome {
        let attached = self.running.attached;
        let status = exception.value().attribute(c"status").and_then(|status| status.to_i64());
        let number = status.map_err(|raised| raised.clear(attached)).unwrap_or_default();
        // A handler can set the attribute to a number that is not an error status.
        let status = match Status::from_number(number) {
            Some(Status::ANSWERED) => Status::ANSWERED,
            Some(status) if HttpStatus(status.0).is_error() => status,
            _ => Status::http(HttpStatus::BAD_REQUEST),
        };
        tracing::info!("MP0406: {}: {}; answered with {status}", self.described(), summary(exception));
        if !is_shown || !status.is_http() {
            return Outcome::Failed(status);
        }
        let mut traceback = traceback(exception);
        traceback.push("RequestBodyError is an OSError: the request's body could not be read to its end.".to_owned());
        Outcome::Page { status: HttpStatus(status.0), page: page(self.handler, &traceback) }
    }

    /// Logs the error and decides what the client gets.
    fn report(&self, exception: &Exception<'_>, is_shown: bool) -> Outcome {
        let traceback = self.log(exception);
        match is_shown {
            true => Outcome::Page { status: HttpStatus::SERVER_ERROR, page: page(self.handler, &traceback) },
            false => Outcome::Failed(Status::SERVER_ERROR),
        }
    }

    /// Logs an exception of a handler; returns the traceback.
    pub fn log(&self, exception: &Exception<'_>) -> Vec<String> {
        let (summary, traceback) = (summary(exception), traceback(exception));
        tracing::error!("MP0401: {} raised {summary}", self.described());
        log_traceback(&format!("{} {}", self.handler.directive, self.handler.text), &traceback);
        traceback
    }
}

/// The entries of an exception's traceback without what this module does before it calls the program's code: importing, above all.
pub fn traceback(exception: &Exception<'_>) -> Vec<String> {
    without_own_frames(exception.traceback())
}

/// Leaves out the first frames of each traceback as long as they are the library's own, which nobody has called, or of Python's import.
fn without_own_frames(entries: Vec<String>) -> Vec<String> {
    const OWN: [&str; 2] = [concat!("  File \"", env!("MOD_PYTHON_LIBRARY_PATH"), "_"), "  File \"<frozen importlib"];
    let is_own = |entry: &str| OWN.iter().any(|own| entry.starts_with(own));
    let mut kept = Vec::with_capacity(entries.len());
    let mut entries = entries.into_iter().peekable();
    while let Some(entry) = entries.next() {
        let is_first_line = entry.starts_with("Traceback (most recent call last):");
        kept.push(entry);
        if !is_first_line {
            continue;
        }
        let mut own = Vec::new();
        while let Some(frame) = entries.next_if(|entry| is_own(entry)) {
            own.push(frame);
        }
        // An error of the library's own is shown as it is.
        if !entries.peek().is_some_and(|entry| entry.starts_with("  File ")) {
            kept.append(&mut own);
        }
    }
    kept
}

/// The page of `PythonDebug On`.
pub fn page(handler: &Handler<'_>, traceback: &[String]) -> String {
    titled_page(&format!("{} {}", handler.directive, handler.text), traceback)
}

/// The same with any title.
pub fn titled_page(title: &str, traceback: &[String]) -> String {
    let mut page = format!("\n<pre>\nMod_python error: \"{}\"\n\n", escape(title));
    for line in traceback.iter().flat_map(|entry| entry.lines()) {
        page += &escape(line);
        page.push('\n');
    }
    page + "</pre>\n"
}

/// An exception in one line of limited length.
pub fn summary(exception: &Exception<'_>) -> String {
    shortened(&exception.summary()).into_owned()
}

/// Logs the lines of a traceback.
pub fn log_traceback(prefix: &str, traceback: &[String]) {
    for line in traceback.iter().flat_map(|entry| entry.lines()) {
        write_here(Level::ERR, &format!("{prefix}: {}", shortened(line)));
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
    fn a_traceback_begins_with_the_programs_own_code() {
        let own = concat!("  File \"", env!("MOD_PYTHON_LIBRARY_PATH"), "_importing.py\", line 1, in load\n    x");
        let public = concat!("  File \"", env!("MOD_PYTHON_LIBRARY_PATH"), "publisher.py\", line 1, in handler");
        let (first, import) =
            ("Traceback (most recent call last):", "  File \"<frozen importlib._bootstrap>\", line 1, in x");
        let (user, error) = ("  File \"/srv/site.py\", line 2, in <module>", "ZeroDivisionError: division by zero");
        for (given, expected) in [
            (&[first, own, import, user, own, error][..], &[first, user, own, error][..]),
            (&[first, own, error], &[first, own, error]),
            (&[first, public, user, error], &[first, public, user, error]),
            (
                &[first, own, user, error, "", first, own, own, user, error],
                &[first, user, error, "", first, user, error],
            ),
            (&["SyntaxError: x"], &["SyntaxError: x"]),
            (&[first, own, "    SyntaxError: x"], &[first, own, "    SyntaxError: x"]),
        ] {
            let given = given.iter().map(|entry| (*entry).to_owned()).collect();
            assert_eq!(without_own_frames(given), expected);
        }
    }

    #[test]
    fn a_text_that_is_too_long_says_so() {
        assert_eq!(shortened("short"), "short");
        assert_eq!(shortened(&"x".repeat(LONGEST)).len(), LONGEST);
        let text = "x".to_owned() + &"€".repeat(LONGEST);
        let short = shortened(&text);
        assert!(short.len() < LONGEST + 20 && short.ends_with(&format!("€… ({} bytes)", text.len())), "{short}");
    }
}
