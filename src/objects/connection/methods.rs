//! Methods of connections.

use crate::cpython::{Arguments, Instance, Method, Object, Raised, method};
use crate::httpd::{Amount, Place};
use crate::objects::logging;

use super::ConnectionObject;

pub(super) static METHODS: &[Method] = &[
    method!(
        ConnectionObject,
        c"log_error",
        log_error,
        c"log_error($self, message, level=3, /)\n--\n\n\
          Write to the error log, with the connection, at one of apache.APLOG_*. None writes nothing."
    ),
    method!(
        ConnectionObject,
        c"read",
        read,
        c"read($self, n=0, /)\n--\n\n\
          Bytes from the client: what there is, at most n, or with -1 everything; None at the end."
    ),
    method!(
        ConnectionObject,
        c"readline",
        readline,
        c"readline($self, n=0, /)\n--\n\n\
          A line from the client, or at most n bytes of it; None at the end."
    ),
    method!(ConnectionObject, c"write", write, c"write($self, data, /)\n--\n\nSend to the client at once."),
    Method::END,
];

type This<'a, 'i> = &'a Instance<'i, ConnectionObject>;
type Answer<'i> = Result<Object<'i>, Raised>;

fn log_error<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Answer<'i> {
    arguments.expect(1, 2)?;
    let attached = this.attached();
    drop(this.enter(attached)?);
    if let Some(entry) = logging::Entry::of(&arguments)? {
        this.detached(attached, move |connection| entry.write(Place::Connection(connection.as_ptr())))?;
    }
    Ok(Object::none(attached))
}

fn read<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Answer<'i> {
    arguments.expect(0, 1)?;
    let attached = this.attached();
    let amount = match arguments.int_or(0, 0)? {
        0 => Amount::Available,
        count => usize::try_from(count).map_or(Amount::All, Amount::UpTo),
    };
    match this.detached(attached, move |connection| connection.read(amount))? {
        Ok(Some(data)) => Object::bytes(attached, &data),
        Ok(None) => Ok(Object::none(attached)),
        Err(error) => Err(this.failed(attached, "Connection read", error)),
    }
}

fn readline<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Answer<'i> {
    arguments.expect(0, 1)?;
    let attached = this.attached();
    let most = usize::try_from(arguments.int_or(0, 0)?).ok().filter(|most| *most > 0);
    match this.detached(attached, move |connection| connection.read_line(most))? {
        Ok(Some(line)) => Object::bytes(attached, &line),
        Ok(None) => Ok(Object::none(attached)),
        Err(error) => Err(this.failed(attached, "Connection read", error)),
    }
}

fn write<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Answer<'i> {
    arguments.expect(1, 1)?;
    let attached = this.attached();
    let data = arguments.required(0)?;
    let send = |bytes: &[u8]| match bytes {
        [] => this.enter(attached).map(|_| Ok(())),
        bytes => this.detached(attached, move |connection| connection.write(bytes)),
    };
    let sent = if data.is_str() { send(data.to_utf8()?.as_bytes()) } else { data.with_buffer(send)? };
    match sent? {
        Ok(()) => Ok(Object::none(attached)),
        Err(error) => Err(this.failed(attached, "Connection write", error)),
    }
}
