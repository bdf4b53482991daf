//! Methods of filters.

use crate::cpython::{Arguments, Method, Object, Raised, method};
use crate::httpd::{AprStatus, Read, StreamError};

use super::{FilterObject, This};

pub(super) static METHODS: &[Method] = &[
    method!(
        FilterObject,
        c"read",
        read,
        c"read($self, n=None, /)\n--\n\n\
          Up to n bytes, up to a megabyte without n, all there is if n is negative; b'' if there is nothing \
          at the moment, None at the end."
    ),
    method!(
        FilterObject,
        c"readline",
        readline,
        c"readline($self, n=None, /)\n--\n\n\
          The same up to the end of a line."
    ),
    method!(
        FilterObject,
        c"write",
        write,
        c"write($self, data, /)\n--\n\n\
          Write text, or anything with the buffer interface."
    ),
    method!(FilterObject, c"flush", flush, c"flush($self, /)\n--\n\nPass on at once what was written."),
    method!(
        FilterObject,
        c"close",
        close,
        c"close($self, /)\n--\n\n\
          Write the end. Nothing can be written after it."
    ),
    method!(FilterObject, c"pass_on", pass_on, c"pass_on($self, /)\n--\n\nPass on what was not read, unchanged."),
    method!(
        FilterObject,
        c"disable",
        disable,
        c"disable($self, /)\n--\n\n\
          Pass on everything from now on without calling the handler."
    ),
    Method::END,
];

fn read<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    read_some(this, &arguments, false)
}

fn readline<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    read_some(this, &arguments, true)
}

fn read_some<'i>(this: This<'_, 'i>, arguments: &Arguments<'i>, line: bool) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 1)?;
    let attached = this.attached();
    let given = arguments.get(0).filter(|size| !size.is_none()).map(|size| size.to_i64()).transpose()?;
    refuse_closed(this)?;
    let most = given.and_then(|given| usize::try_from(given).ok());
    // A negative size asks for everything; a line ends by itself.
    let all = !line && given.is_some_and(|given| given < 0);
    let read = this.with_stream(attached, "Filter read error", move |stream, filter| {
        let mut read = stream.read(filter, most, line)?;
        while let (true, Read::Data(data)) = (all, &mut read) {
            match stream.read(filter, None, false)? {
                Read::Data(more) => {
                    data.try_reserve(more.len()).map_err(|_| StreamError::Failed(AprStatus::NO_MEMORY))?;
                    data.extend_from_slice(&more);
                }
                Read::Nothing | Read::End => break,
            }
        }
        Ok(read)
    })?;
    if matches!(&read, Read::Data(data) if !data.is_empty()) {
        this.forget_length(attached)?;
    }
    match read {
        Read::Data(data) => Object::bytes(attached, &data),
        Read::Nothing => Object::bytes(attached, b""),
        Read::End => Ok(Object::none(attached)),
    }
}

fn write<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 1)?;
    arguments.required(0)?.with_written(|bytes| give_out(this, bytes))
}

fn give_out<'i>(this: This<'_, 'i>, data: &[u8]) -> Result<Object<'i>, Raised> {
    let attached = this.attached();
    refuse_closed(this)?;
    if !data.is_empty() {
        this.forget_length(attached)?;
    }
    this.with_stream(attached, "Filter write error", move |stream, filter| stream.write(filter, data))?;
    Ok(Object::none(attached))
}

fn flush<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let attached = this.attached();
    refuse_closed(this)?;
    this.with_stream(attached, "Flush failed", |stream, filter| stream.flush(filter))?;
    Ok(Object::none(attached))
}

fn close<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let attached = this.attached();
    let is_more_to_come =
        this.enter(attached)?.with(|context| context.stream.as_ref().is_some_and(|stream| !stream.has_ended()));
    if is_more_to_come {
        // The rest is not part of the output.
        this.forget_length(attached)?;
    }
    this.with_stream(attached, "Flush failed", |stream, filter| stream.close(filter))?;
    Ok(Object::none(attached))
}

fn pass_on<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let attached = this.attached();
    refuse_closed(this)?;
    this.with_stream(attached, "Flush failed", |stream, filter| stream.pass_on(filter))?;
    Ok(Object::none(attached))
}

fn disable<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let attached = this.attached();
    this.enter(attached)?.with(|context| context.is_disabled = true);
    Ok(Object::none(attached))
}

fn refuse_closed(this: This<'_, '_>) -> Result<(), Raised> {
    let in_use = this.enter(this.attached())?;
    match in_use.with(|context| context.stream.as_ref().is_some_and(|stream| stream.is_closed())) {
        true => Err(Raised::value_error(this.attached(), "I/O operation on closed filter")),
        false => Ok(()),
    }
}
