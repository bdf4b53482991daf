//! `wsgi.errors`: the error log of the request, from whatever thread, one entry a line.

use std::ffi::CStr;
use std::mem;
use std::sync::Arc;
use std::thread::{self, ThreadId};

use crate::cpython::{Arguments, Attached, Class, GetSet, Instance, Method, Object, Raised, method};
use crate::httpd::{Level, LogScope, Place, write_entry, write_here};
use crate::objects::module_state::{ApacheClass, ClassId, Locked, ModuleState};
use crate::objects::request::RequestRecord;
use crate::process::memory::NoMemory;

/// How long a line without an end may get before it is written all the same, in bytes.
const LONGEST: usize = 8000;

/// The stream of one request.
pub struct ErrorsObject {
    record: Arc<RequestRecord>,
    /// What has no end of line yet, of each thread that writes.
    pending: Locked<Vec<(ThreadId, String)>>,
}

type This<'a, 'i> = &'a Instance<'i, ErrorsObject>;

impl ErrorsObject {
    /// # Errors
    /// There is no memory.
    pub fn create<'i>(
        attached: Attached<'i>,
        module_state: &ModuleState,
        record: Arc<RequestRecord>,
    ) -> Result<Object<'i>, Raised> {
        module_state.instance(attached, Self { record, pending: Locked::new(Vec::new()) })
    }

    /// Writes what has no end of line.
    pub fn flush(&self, attached: Attached<'_>) {
        let rest: Vec<_> = self.pending.with(mem::take).into_iter().map(|(_, line)| line).collect();
        if !rest.is_empty() {
            self.log(attached, &rest);
        }
    }

    fn write(&self, attached: Attached<'_>, text: &str) -> Result<(), Raised> {
        let thread = thread::current().id();
        let lines = self.pending.with(|pending| {
            let index = pending.iter().position(|(known, _)| *known == thread);
            let (_, mut line) = index.map_or_else(|| (thread, String::new()), |index| pending.swap_remove(index));
            let lines = add(&mut line, text);
            if !line.is_empty() {
                pending.push((thread, line));
            }
            lines
        });
        let lines = lines.map_err(|NoMemory| Raised::memory_error(attached))?;
        if !lines.is_empty() {
            self.log(attached, &lines);
        }
        Ok(())
    }

    /// One entry a line: on the request as long as it is valid, then on its server.
    fn log(&self, attached: Attached<'_>, lines: &[String]) {
        let lines = || lines.iter().map(|line| line.trim_end_matches('\r')).filter(|line| !line.is_empty());
        let request = self.record.handle.pointer();
        match (LogScope::current(), request) {
            // The thread that serves it waits for its turn only so long.
            (Place::Request(here), Some(request)) if std::ptr::eq(here, request) => {
                attached.detach(|| lines().for_each(|line| write_here(Level::ERR, line)));
            }
            _ => {
                let on_request = self.record.handle.detached(attached, |request| {
                    lines().for_each(|line| write_entry(Place::Request(request), Level::ERR, line));
                });
                if let Err(raised) = on_request {
                    raised.clear(attached);
                    let server = Place::Server(self.record.server.as_ptr());
                    attached.detach(|| lines().for_each(|line| write_entry(server, Level::ERR, line)));
                }
            }
        }
    }
}

/// Adds a text to what is pending, and takes the lines that are complete.
fn add(pending: &mut String, text: &str) -> Result<Vec<String>, NoMemory> {
    let mut lines = Vec::new();
    for part in text.split_inclusive('\n') {
        let line = part.strip_suffix('\n');
        let part = line.unwrap_or(part);
        pending.try_reserve(part.len()).map_err(|_| NoMemory)?;
        pending.push_str(part);
        if line.is_some() || pending.len() >= LONGEST {
            lines.push(mem::take(pending));
        }
    }
    Ok(lines)
}

/// A text, with what cannot be encoded escaped.
fn text_of(given: &Object<'_>, attached: Attached<'_>) -> Result<String, Raised> {
    match given.is_str() {
        true => given.lossy(),
        false => Err(Raised::type_error(attached, format!("wsgi.errors takes str, not {}", given.type_name()))),
    }
}

fn write<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 1)?;
    let attached = this.attached();
    let text = text_of(&arguments.required(0)?, attached)?;
    ErrorsObject::write(this, attached, &text)?;
    Object::int(attached, text.chars().count() as i64)
}

fn writelines<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 1)?;
    let attached = this.attached();
    for text in arguments.required(0)?.iterate()? {
        ErrorsObject::write(this, attached, &text_of(&text?, attached)?)?;
    }
    Ok(Object::none(attached))
}

fn flush<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    ErrorsObject::flush(this, this.attached());
    Ok(Object::none(this.attached()))
}

static METHODS: &[Method] = &[
    method!(
        ErrorsObject,
        c"write",
        write,
        c"write($self, text, /)\n--\n\nWrite to the request's error log, one entry a line."
    ),
    method!(ErrorsObject, c"writelines", writelines, c"writelines($self, texts, /)\n--\n\nWrite each of them."),
    method!(ErrorsObject, c"flush", flush, c"flush($self, /)\n--\n\nWrite what has no end of line."),
    Method::END,
];

static MEMBERS: &[GetSet] = &[GetSet::END];

impl ApacheClass for ErrorsObject {
    const ID: ClassId = ClassId::WsgiErrors;
}

impl Class for ErrorsObject {
    const NAME: &'static CStr = c"builtins.WsgiErrors";
    const DOC: &'static CStr = c"wsgi.errors: the error log of a request.";

    fn methods() -> &'static [Method] {
        METHODS
    }

    fn members() -> &'static [GetSet] {
        MEMBERS
    }

    fn finish(&mut self, attached: Attached<'_>) {
        // An object can die while an exception is on its way.
        let raised = attached.has_error().then(|| Raised::set(attached).fetch(attached));
        ErrorsObject::flush(self, attached);
        if let Some(exception) = raised {
            let Raised { .. } = exception.restore();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_entries_and_the_rest_waits() {
        let mut pending = String::new();
        assert_eq!(add(&mut pending, "a").unwrap(), Vec::<String>::new());
        assert_eq!(add(&mut pending, "b\nc\n\nd").unwrap(), ["ab", "c", ""]);
        assert_eq!(pending, "d");
        assert_eq!(add(&mut pending, &"x".repeat(LONGEST)).unwrap().len(), 1);
        assert_eq!(pending, "");
    }
}
