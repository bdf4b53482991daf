//! The response: what an application has returned is sent as it comes, and `close()` of it is called.

use crate::cpython::{Exception, Instance, Object, Raised};
use crate::ffi::python as py;
use crate::objects::request::RequestObject;
use crate::objects::request::responding::{SentFile, flush, send, send_open_file};
use crate::objects::wsgi::StartResponseObject;

use super::names::Names;
use super::{About, Ending, Exchange, Manner};

/// Responses from this size on are told their length; httpd finds that of smaller ones, which it gets in one piece. In bytes.
const LARGE: usize = 8192;

/// What an application has returned.
pub struct Response<'a, 'i> {
    pub exchange: &'a Exchange<'a, 'i>,
    pub names: &'a Names,
    pub about: &'a About<'a>,
    pub start: &'a Object<'i>,
    pub result: Object<'i>,
}

impl<'i> Response<'_, 'i> {
    /// Sends it, and closes it.
    ///
    /// # Errors
    /// What it raises before it is sent.
    pub fn send(&self, close_failed: impl FnOnce(Exception<'i>)) -> Result<Ending, Raised> {
        let attached = self.exchange.attached;
        if self.result.is_exact_list() || self.result.is_exact_tuple() {
            return self.send_list(&self.result.items()?);
        }
        let outcome = self.send_iterable();
        // The exception of the response is the one that counts.
        let outcome = outcome.map_err(|raised| raised.fetch(attached));
        if let Err(raised) = self.close() {
            close_failed(raised.fetch(attached));
        }
        outcome.map_err(Exception::restore)
    }

    fn request(&self) -> Result<Instance<'_, RequestObject>, Raised> {
        let request = self.exchange.module_state.cast::<RequestObject>(self.exchange.request);
        request.ok_or_else(|| Raised::system_error(self.exchange.attached, "the request is no request"))
    }

    /// Refuses to go on where `start_response` was not called. Says whether the application's response is to be sent.
    fn begin(&self) -> Result<Ending, Raised> {
        let attached = self.exchange.attached;
        let start = self.exchange.module_state.cast::<StartResponseObject>(self.start);
        if !start.is_some_and(|start| start.is_called()) {
            return Err(Raised::assertion_error(
                attached,
                "the application did not call start_response(status, headers) before its response",
            ));
        }
        if self.about.overrides_errors {
            let request = self.request()?;
            let in_use = request.enter(attached)?;
            if in_use.request().status().is_error() && !in_use.state().output.is_committed() {
                return Ok(Ending::Overridden);
            }
        }
        Ok(Ending::Sent)
    }

    /// A list has its length, and nothing runs between its items.
    fn send_list(&self, chunks: &[Object<'i>]) -> Result<Ending, Raised> {
        if self.begin()? == Ending::Overridden {
            return Ok(Ending::Overridden);
        }
        let mut length = 0;
        for chunk in chunks {
            length += self.bytes(chunk)?.len();
        }
        let request = self.request()?;
        if length >= LARGE {
            self.tell_length(&request, length as u64)?;
        }
        for chunk in chunks {
            let bytes = self.bytes(chunk)?;
            if !bytes.is_empty() {
                send(&request, bytes, false)?;
            }
        }
        Ok(Ending::Sent)
    }

    fn send_iterable(&self) -> Result<Ending, Raised> {
        if self.result.is_instance(&self.names.file_wrapper(self.exchange.attached)) && !self.about.reads_files {
            if self.begin()? == Ending::Overridden {
                return Ok(Ending::Overridden);
            }
            if self.send_file()? {
                return Ok(Ending::Sent);
            }
        }
        let request = self.request()?;
        for chunk in self.iterate()? {
            let chunk = chunk?;
            let bytes = self.bytes(&chunk)?;
            if self.begin()? == Ending::Overridden {
                return Ok(Ending::Overridden);
            }
            if !bytes.is_empty() {
                send(&request, bytes, true)?;
                if self.is_full(&request)? {
                    // Nobody gets the rest, and there may be no end of it.
                    break;
                }
            }
        }
        self.begin()
    }

    /// Whether what follows would be dropped. The headers of a response without a body are sent then: httpd would take what was written
    /// so far for all of it, and tell the client that length.
    fn is_full(&self, request: &Instance<'i, RequestObject>) -> Result<bool, Raised> {
        let is_full = {
            let in_use = request.enter(self.exchange.attached)?;
            let mut state = in_use.state();
            !state.is_output_in_use && state.output.is_full(in_use.request())
        };
        if is_full {
            flush(request)?;
        }
        Ok(is_full)
    }

    fn iterate(&self) -> Result<crate::cpython::Items<'i>, Raised> {
        // SAFETY: attached; the slot of a live object's class.
        let is_iterable = unsafe {
            (*py::Py_TYPE(self.result.as_ptr())).tp_iter.is_some() || py::PySequence_Check(self.result.as_ptr()) != 0
        };
        if !is_iterable || self.result.is_bytes() || self.result.is_str() {
            let message = format!(
                "the application returned {}: return a list of bytes, or an iterable that yields bytes",
                self.result.type_name()
            );
            return Err(Raised::type_error(self.exchange.attached, message));
        }
        self.result.iterate()
    }

    /// The bytes of one piece of the response.
    fn bytes<'c>(&self, chunk: &'c Object<'i>) -> Result<&'c [u8], Raised> {
        if chunk.is_bytes() {
            return chunk.to_bytes();
        }
        if self.exchange.manner == Manner::ModPython && chunk.is_str() {
            return chunk.to_utf8().map(str::as_bytes);
        }
        let message = format!("the response of an application must be of bytes, not {}", chunk.type_name());
        Err(Raised::type_error(self.exchange.attached, message))
    }

    /// Sends a file by its descriptor, if it is one; else false.
    fn send_file(&self) -> Result<bool, Raised> {
        if !self.result.attribute(c"is_plain")?.is_true()? {
            return Ok(false);
        }
        let file = self.result.attribute(c"filelike")?;
        let request = self.request()?;
        Ok(match send_open_file(&request, &file)? {
            SentFile::Sent => true,
            SentFile::NoFile => false,
        })
    }

    /// Tells the client the length, unless the application did, or the response has no body.
    fn tell_length(&self, request: &Instance<'i, RequestObject>, length: u64) -> Result<(), Raised> {
        let in_use = request.enter(self.exchange.attached)?;
        let told = in_use.request();
        let is_whole = !in_use.state().output.has_sent();
        if told.status().has_body() && is_whole && told.headers_out().value(c"Content-Length").is_none() {
            told.set_content_length(length);
        }
        Ok(())
    }

    /// Calls `close()`, if there is one.
    fn close(&self) -> Result<(), Raised> {
        match self.result.attribute(c"close") {
            Ok(close) => close.call([]).map(drop),
            Err(raised) => {
                let attached = self.exchange.attached;
                let exception = raised.fetch(attached);
                // SAFETY: a class of CPython's.
                match unsafe { exception.is_builtin(py::PyExc_AttributeError) } {
                    true => Ok(()),
                    false => Err(exception.restore()),
                }
            }
        }
    }
}
