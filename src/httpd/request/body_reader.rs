//! The request body as programs read it: by size and by line.

use std::io::BufRead;

use crate::httpd::{Request, Status};

use super::{Body, BodyError};

/// How much is read at once to find the end of a line, in bytes.
const AHEAD: usize = 8192;

/// A buffer larger than this is freed when it is empty, in bytes.
const KEPT: usize = 64 * 1024;

/// The body of a request, and a buffer of data that was read and not taken.
#[derive(Default)]
pub struct BodyReader {
    body: Body,
    buffer: Vec<u8>,
    /// Where the data that was not taken begins in the buffer.
    start: usize,
}

impl BodyReader {
    /// Whether reading has begun.
    pub fn is_started(&self) -> bool {
        self.body.is_started()
    }

    /// The data that was read and not taken.
    pub fn ready(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// Takes the first `count` bytes of `ready`.
    pub fn take(&mut self, count: usize) {
        self.start += count;
        if self.start == self.buffer.len() {
            self.start = 0;
            match self.buffer.capacity() > KEPT {
                true => self.buffer = Vec::new(),
                false => self.buffer.clear(),
            }
        }
    }

    /// The length of the next line, at most `most`, if it is ready without reading more.
    pub fn ready_line(&self, most: usize) -> Option<usize> {
        self.line_from(0, most)
    }

    /// Reads until `most` bytes are ready, or the body ends. May block.
    ///
    /// # Errors
    /// As `Body::read`. Data that was read before stays ready.
    pub fn gather(&mut self, request: Request<'_>, most: usize) -> Result<(), BodyError> {
        while self.ready().len() < most {
            if !self.read_on(request, most - self.ready().len())? {
                break;
            }
        }
        Ok(())
    }

    /// Reads until a line is ready, and returns its length. It has no end if it has `most` bytes or is the last. May block.
    ///
    /// # Errors
    /// As `gather`.
    pub fn gather_line(&mut self, request: Request<'_>, most: usize) -> Result<usize, BodyError> {
        let mut searched = 0;
        loop {
            if let Some(length) = self.line_from(searched, most) {
                return Ok(length);
            }
            searched = self.ready().len();
            if !self.read_on(request, AHEAD)? {
                return Ok(searched);
            }
        }
    }

    /// Drops the whole body; returns a status. May block.
    pub fn discard(&mut self, request: Request<'_>) -> Status {
        self.take(self.ready().len());
        self.body.discard(request)
    }

    fn line_from(&self, searched: usize, most: usize) -> Option<usize> {
        let ready = self.ready();
        let within = &ready[..ready.len().min(most)];
        let mut rest = &within[searched.min(within.len())..];
        let passed = rest.skip_until(b'\n').unwrap_or_default();
        let length = searched.min(within.len()) + passed;
        (length == most || (passed > 0 && within[length - 1] == b'\n')).then_some(length)
    }

    /// Reads more; returns whether there was any.
    fn read_on(&mut self, request: Request<'_>, most: usize) -> Result<bool, BodyError> {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        let before = self.buffer.len();
        self.body.read(request, most, &mut self.buffer)?;
        Ok(self.buffer.len() > before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(ready: &[u8]) -> BodyReader {
        BodyReader { buffer: [b"??", ready].concat(), start: 2, ..Default::default() }
    }

    #[test]
    fn a_line_is_ready_with_its_end_or_with_as_many_bytes_as_asked_for() {
        assert_eq!(reader(b"a\nb").ready_line(usize::MAX), Some(2));
        assert_eq!(reader(b"\n").ready_line(usize::MAX), Some(1));
        assert_eq!(reader(b"abc").ready_line(usize::MAX), None);
        assert_eq!(reader(b"abc").ready_line(2), Some(2));
        assert_eq!(reader(b"abc").ready_line(3), Some(3));
        assert_eq!(reader(b"abc\n").ready_line(3), Some(3));
        assert_eq!(reader(b"").ready_line(0), Some(0));
        assert_eq!(reader(b"").ready_line(1), None);
    }

    #[test]
    fn what_was_searched_is_not_searched_again() {
        assert_eq!(reader(b"a\nb\n").line_from(2, usize::MAX), Some(4));
        assert_eq!(reader(b"abcd").line_from(3, 4), Some(4));
        assert_eq!(reader(b"abcd").line_from(4, 4), Some(4));
        assert_eq!(reader(b"abcd").line_from(4, 9), None);
    }

    #[test]
    fn what_is_taken_is_gone() {
        let mut reader = reader(b"abc");
        reader.take(1);
        assert_eq!(reader.ready(), b"bc");
        reader.take(2);
        assert_eq!((reader.ready(), reader.buffer.len()), (&b""[..], 0));
    }
}
