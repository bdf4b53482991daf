//! The entries of a store: a value under a name, with a time to live.

use smallvec::SmallVec;

use super::error::Failure;
use super::lmdb::{Table, View, Writing};

/// The longest name, in bytes, with the byte for its namespace: LMDB's keys have at most 511, and that of the table of times begins with 8
/// more.
pub const LONGEST_NAME: usize = 481;

/// Whose a name is: its first byte. The Python half knows the same (`_store_base.py`).
pub struct Namespace;

impl Namespace {
    /// The entries of the mapping.
    pub const ENTRY: u8 = b'e';
    pub const LOCK: u8 = b'l';
    pub const VERSION: u8 = b'v';
}

/// Entries of about this length are written without memory of their own.
const SHORT: usize = 256;

/// What stands before each value: when it expires and its time to live, in milliseconds; 0 for never.
const HEAD: usize = 16;

/// How long an entry lives.
#[derive(Clone, Copy)]
pub struct Times {
    /// When it expires, in milliseconds since 1970; 0 for never.
    pub expires: u64,
    /// The time to live that it was written with, in milliseconds; 0 for ever.
    pub ttl: u64,
}

impl Times {
    fn are_on(self, now: u64) -> bool {
        self.expires == 0 || self.expires > now
    }
}

/// An entry that has not expired.
#[derive(Clone, Copy)]
pub struct Entry<'v> {
    pub times: Times,
    pub value: &'v [u8],
}

fn table_of(name: &[u8]) -> Table {
    match name.first() {
        Some(&Namespace::ENTRY) => Table::Entries,
        _ => Table::Others,
    }
}

fn number(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}

fn parsed(stored: &[u8]) -> Result<Entry<'_>, Failure> {
    let (head, value) = stored.split_at_checked(HEAD).ok_or(Failure::Damaged)?;
    let part = |range: std::ops::Range<usize>| head.get(range).and_then(number).ok_or(Failure::Damaged);
    Ok(Entry { times: Times { expires: part(0..8)?, ttl: part(8..16)? }, value })
}

/// The entry of a name, unless it has expired.
pub fn get<'v>(view: &'v View<'_>, name: &[u8], now: u64) -> Result<Option<Entry<'v>>, Failure> {
    let Some(stored) = view.get(table_of(name), name)? else { return Ok(None) };
    let entry = parsed(stored)?;
    Ok(entry.times.are_on(now).then_some(entry))
}

/// The key in the table of times.
fn expiry_key(expires: u64, name: &[u8]) -> Vec<u8> {
    [&expires.to_be_bytes(), name].concat()
}

/// Takes an entry, expired or not, out of the table of times.
fn forget_time(writing: &mut Writing<'_>, name: &[u8]) -> Result<(), Failure> {
    let expires = match writing.get(table_of(name), name)? {
        Some(stored) => parsed(stored)?.times.expires,
        None => 0,
    };
    if expires != 0 {
        writing.delete(Table::Times, &expiry_key(expires, name))?;
    }
    Ok(())
}

/// Writes an entry, with its time to live in milliseconds from now; 0 for ever.
pub fn put(writing: &mut Writing<'_>, name: &[u8], value: &[u8], ttl: u64, now: u64) -> Result<(), Failure> {
    let expires = if ttl == 0 { 0 } else { now.saturating_add(ttl) };
    forget_time(writing, name)?;
    put_over(writing, name, Times { expires, ttl }, value)?;
    if expires != 0 {
        writing.put(Table::Times, &expiry_key(expires, name), &[])?;
    }
    Ok(())
}

/// Writes a value in the place of another one, whose times it keeps.
pub fn put_over(writing: &mut Writing<'_>, name: &[u8], times: Times, value: &[u8]) -> Result<(), Failure> {
    let Times { expires, ttl } = times;
    let mut stored = SmallVec::<[u8; SHORT]>::from_slice(&expires.to_be_bytes());
    stored.extend_from_slice(&ttl.to_be_bytes());
    stored.extend_from_slice(value);
    Ok(writing.put(table_of(name), name, &stored)?)
}

/// Deletes an entry, if it is there.
pub fn delete(writing: &mut Writing<'_>, name: &[u8]) -> Result<(), Failure> {
    forget_time(writing, name)?;
    Ok(writing.delete(table_of(name), name)?)
}

/// Deletes some of the entries that have expired; returns how many.
pub fn sweep(writing: &mut Writing<'_>, now: u64, most: usize) -> Result<usize, Failure> {
    let mut expired: Vec<Vec<u8>> = Vec::new();
    writing.walk(Table::Times, &[], |key, _| {
        let is_due = key.get(..8).and_then(number).is_some_and(|expires| expires <= now);
        if is_due {
            expired.push(key.to_vec());
        }
        Ok::<_, Failure>(is_due && expired.len() < most)
    })?;
    for key in &expired {
        writing.delete(Table::Times, key)?;
        let name = key.get(8..).unwrap_or_default();
        let is_the_same = match writing.get(table_of(name), name)? {
            Some(stored) => Some(parsed(stored)?.times.expires) == key.get(..8).and_then(number),
            None => false,
        };
        if is_the_same {
            writing.delete(table_of(name), name)?;
        }
    }
    Ok(expired.len())
}

/// How many names of a namespace have not expired.
pub fn count(view: &View<'_>, prefix: &[u8], now: u64) -> Result<usize, Failure> {
    if prefix != [Namespace::ENTRY] {
        let mut count = 0;
        view.walk(table_of(prefix), prefix, |name, stored| {
            let is_one = name.starts_with(prefix);
            count += usize::from(is_one && parsed(stored)?.times.are_on(now));
            Ok::<_, Failure>(is_one)
        })?;
        return Ok(count);
    }
    let mut expired = 0;
    view.walk(Table::Times, &[], |key, _| {
        let is_due = key.get(..8).and_then(number).is_some_and(|expires| expires <= now);
        expired += usize::from(is_due && key.get(8) == Some(&Namespace::ENTRY));
        Ok::<_, Failure>(is_due)
    })?;
    Ok(view.len(Table::Entries)?.saturating_sub(expired))
}

/// A portion of the entries whose names begin with a prefix: after one name, at most so many, and about so many bytes.
///
/// Returns names and values, and whether there may be more.
#[allow(clippy::type_complexity)]
pub fn scan(
    view: &View<'_>,
    prefix: &[u8],
    after: Option<&[u8]>,
    most: usize,
    now: u64,
) -> Result<(Vec<(Vec<u8>, Vec<u8>)>, bool), Failure> {
    const ENOUGH: usize = 1 << 20;
    let mut found = Vec::new();
    let mut size = 0;
    let mut is_more = false;
    view.walk(table_of(prefix), after.unwrap_or(prefix), |name, stored| {
        if !name.starts_with(prefix) {
            return Ok::<_, Failure>(false);
        }
        if after == Some(name) {
            return Ok(true);
        }
        if found.len() >= most || size >= ENOUGH {
            is_more = true;
            return Ok(false);
        }
        let entry = parsed(stored)?;
        if entry.times.are_on(now) {
            size += name.len() + entry.value.len();
            found.push((name.to_vec(), entry.value.to_vec()));
        }
        Ok(true)
    })?;
    Ok((found, is_more))
}
