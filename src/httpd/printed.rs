//! Printed text on its way to the error log: whole lines at once, the rest kept for its thread.

use std::cell::RefCell;

use super::log::{Level, LogScope, Place, write_entry};

/// How long a line without an end may get before it is written all the same, in bytes.
const LONGEST: usize = 8000;

struct Pending(Vec<(i32, String)>);

impl Drop for Pending {
    fn drop(&mut self) {
        // A thread that ends serves nothing; at the end of a prefork child the request it served may be gone already.
        Lines(self.0.drain(..).collect()).write_to(Place::Process);
    }
}

thread_local! {
    static PENDING: RefCell<Pending> = const { RefCell::new(Pending(Vec::new())) };
}

/// Lines that are complete, each with its level.
#[must_use]
pub struct Lines(Vec<(i32, String)>);

impl Lines {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes them to the error log, where this thread's entries go. May block.
    pub fn write(self) {
        self.write_to(LogScope::current());
    }

    fn write_to(self, place: Place) {
        for (level, line) in self.0 {
            let line = line.trim_end_matches('\r');
            if !line.is_empty() {
                write_entry(place, Level(level), line);
            }
        }
    }
}

/// The whole lines of `text` after what this thread has kept at that level; the rest is kept.
pub fn add(level: i32, text: &str) -> Lines {
    let lines = PENDING.try_with(|pending| {
        let mut pending = pending.borrow_mut();
        let mut line = match pending.0.iter().position(|(known, _)| *known == level) {
            Some(index) => pending.0.swap_remove(index).1,
            None => String::new(),
        };
        let mut lines = Vec::new();
        for piece in text.split_inclusive('\n') {
            line.push_str(piece.strip_suffix('\n').unwrap_or(piece));
            if piece.ends_with('\n') || line.len() > LONGEST {
                lines.push((level, std::mem::take(&mut line)));
            }
        }
        if !line.is_empty() {
            pending.0.push((level, line));
        }
        lines
    });
    // A thread that is ending keeps nothing.
    Lines(lines.unwrap_or_else(|_| text.lines().map(|line| (level, line.to_owned())).collect()))
}

/// What this thread has kept at a level, or at every level.
pub fn take(level: Option<i32>) -> Lines {
    let taken = PENDING.try_with(|pending| {
        let mut pending = pending.borrow_mut();
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
