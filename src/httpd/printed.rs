//! Printed text for the error log: complete lines are logged, the rest is kept for each thread.

use std::cell::RefCell;

use crate::process::memory::{self, NoMemory};

use super::log::{Level, Place, write_entry, write_here};

/// A line without an end is written when it has this length, in bytes.
const LONGEST: usize = 8000;

struct Pending(Vec<(i32, String)>);

impl Drop for Pending {
    fn drop(&mut self) {
        // A thread that ends serves no request; at the end of a prefork child the request that it served may be freed already.
        Lines(self.0.drain(..).collect()).write_by(|level, line| write_entry(Place::Process, level, line));
    }
}

thread_local! {
    static PENDING: RefCell<Pending> = const { RefCell::new(Pending(Vec::new())) };
}

/// Complete lines, each with its level.
#[must_use]
pub struct Lines(Vec<(i32, String)>);

impl Lines {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes them to the error log, where this thread's entries go. May block.
    pub fn write(self) {
        self.write_by(write_here);
    }

    fn write_by(self, write: impl Fn(Level, &str)) {
        for (level, line) in self.0 {
            let line = line.trim_end_matches('\r');
            if !line.is_empty() {
                write(Level(level), line);
            }
        }
    }
}

/// Adds `text` to what this thread has kept at that level; returns the complete lines and keeps the rest.
///
/// # Errors
/// If there is no memory, the text is dropped.
pub fn add(level: i32, text: &str) -> Result<Lines, NoMemory> {
    let lines = PENDING.try_with(|pending| {
        let mut pending = pending.borrow_mut();
        let mut line = match pending.0.iter().position(|(known, _)| *known == level) {
            Some(index) => pending.0.swap_remove(index).1,
            None => String::new(),
        };
        let mut lines = Vec::new();
        for piece in text.split_inclusive('\n') {
            let whole = piece.strip_suffix('\n').unwrap_or(piece);
            line.try_reserve(whole.len())?;
            line.push_str(whole);
            if piece.ends_with('\n') || line.len() > LONGEST {
                lines.try_reserve(1)?;
                lines.push((level, std::mem::take(&mut line)));
            }
        }
        if !line.is_empty() {
            pending.0.push((level, line));
        }
        Ok(lines)
    });
    // A thread that ends keeps nothing.
    let all = |_| text.lines().map(|line| memory::text(line).map(|line| (level, line))).collect();
    lines.unwrap_or_else(all).map(Lines)
}

/// Takes what this thread has kept at a level, or at every level.
pub fn take(level: Option<i32>) -> Lines {
    let taken = PENDING.try_with(|pending| {
        let mut pending = pending.borrow_mut();
        if pending.0.is_empty() {
            return Vec::new();
        }
        let (taken, kept): (Vec<_>, Vec<_>) =
            pending.0.drain(..).partition(|(known, _)| level.is_none_or(|level| level == *known));
        pending.0 = kept;
        taken
    });
    Lines(taken.unwrap_or_default())
}

/// Writes what this thread has kept. May block.
pub fn flush(level: Option<i32>) {
    let lines = take(level);
    if !lines.is_empty() {
        lines.write();
    }
}
