//! Transactions: what is read in them, and what one can change.

use std::marker::PhantomData;
use std::ptr;

use lmdb_master_sys as raw;

use super::{Code, Environment, Reader, Table, checked};

/// What a transaction sees.
pub struct View<'e> {
    pub(super) txn: *mut raw::MDB_txn,
    pub(super) tables: &'e [raw::MDB_dbi; Table::COUNT],
    pub(super) thread: PhantomData<*mut ()>,
}

/// A view of one moment.
pub struct Reading<'e> {
    pub(super) view: View<'e>,
    pub(super) environment: &'e Environment,
}

/// A transaction that can change what it sees.
pub struct Writing<'e> {
    pub(super) view: View<'e>,
    /// The largest size of the data in bytes, where it is not that of the map.
    pub(super) limit: Option<usize>,
    pub(super) is_ended: bool,
}

impl<'e> std::ops::Deref for Reading<'e> {
    type Target = View<'e>;

    fn deref(&self) -> &View<'e> {
        &self.view
    }
}

impl<'e> std::ops::Deref for Writing<'e> {
    type Target = View<'e>;

    fn deref(&self) -> &View<'e> {
        &self.view
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        // SAFETY: a live read transaction, which nobody uses until it is renewed.
        unsafe { raw::mdb_txn_reset(self.view.txn) };
        self.environment.idle.lock().push(Reader(self.view.txn));
    }
}

fn value_of(bytes: &[u8]) -> raw::MDB_val {
    raw::MDB_val { mv_size: bytes.len(), mv_data: bytes.as_ptr().cast_mut().cast() }
}

const NO_VALUE: raw::MDB_val = raw::MDB_val { mv_size: 0, mv_data: ptr::null_mut() };

/// # Safety
/// `value` is what LMDB has given, and lives during `'a`.
unsafe fn bytes_of<'a>(value: &raw::MDB_val) -> &'a [u8] {
    match value.mv_size {
        0 => &[],
        // SAFETY: the caller's.
        size => unsafe { std::slice::from_raw_parts(value.mv_data.cast(), size) },
    }
}

impl View<'_> {
    /// The value of a key. It is in the map, and lives until the transaction changes something or ends.
    #[inline]
    pub fn get(&self, table: Table, key: &[u8]) -> Result<Option<&[u8]>, Code> {
        let mut key = value_of(key);
        let mut value = NO_VALUE;
        // SAFETY: a live transaction, which is not changed while the value is borrowed from it.
        match unsafe { raw::mdb_get(self.txn, self.tables[table as usize], &mut key, &mut value) } {
            // SAFETY: within the map.
            0 => Ok(Some(unsafe { bytes_of(&value) })),
            raw::MDB_NOTFOUND => Ok(None),
            code => Err(Code(code)),
        }
    }

    /// How many entries a table has.
    pub fn len(&self, table: Table) -> Result<usize, Code> {
        let all = self.stat(self.tables[table as usize])?.ms_entries;
        Ok(match table {
            Table::Entries => all.saturating_sub(Table::NAMED.len()),
            Table::Others | Table::Times => all,
        })
    }

    fn stat(&self, table: raw::MDB_dbi) -> Result<raw::MDB_stat, Code> {
        let mut stat = std::mem::MaybeUninit::uninit();
        // SAFETY: a live transaction; the structure is filled in on success.
        unsafe { checked(raw::mdb_stat(self.txn, table, stat.as_mut_ptr())).map(|()| stat.assume_init()) }
    }

    /// Calls `visit` with each key and value from `first` on, in the order of the keys, until it returns false.
    pub fn walk<E: From<Code>>(
        &self,
        table: Table,
        first: &[u8],
        visit: impl FnMut(&[u8], &[u8]) -> Result<bool, E>,
    ) -> Result<(), E> {
        self.walk_through(self.tables[table as usize], first, visit)
    }

    /// Whether at least so many pages are free. Only in a view that changes nothing.
    pub(super) fn has_free_pages(&self, wanted: usize) -> Result<bool, Code> {
        // LMDB's own table: lists of pages, which begin with their length.
        const FREE: raw::MDB_dbi = 0;
        let mut count = 0_usize;
        self.walk_through(FREE, &[], |_, pages| {
            let length = pages.first_chunk().map_or(0, |length| usize::from_ne_bytes(*length));
            count = count.saturating_add(length);
            Ok::<_, Code>(count < wanted)
        })?;
        Ok(count >= wanted)
    }

    fn walk_through<E: From<Code>>(
        &self,
        table: raw::MDB_dbi,
        first: &[u8],
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<bool, E>,
    ) -> Result<(), E> {
        let mut cursor = ptr::null_mut();
        // SAFETY: a live transaction; `cursor` is filled in.
        checked(unsafe { raw::mdb_cursor_open(self.txn, table, &mut cursor) })?;
        let cursor = Cursor(cursor);
        let (mut key, mut value) = (value_of(first), NO_VALUE);
        // LMDB knows no empty key.
        let mut step = if first.is_empty() { raw::MDB_FIRST } else { raw::MDB_SET_RANGE };
        loop {
            // SAFETY: a live cursor, within its transaction.
            match unsafe { raw::mdb_cursor_get(cursor.0, &mut key, &mut value, step) } {
                // SAFETY: within the map; nothing is changed while `visit` runs, which does not get the transaction.
                0 => match visit(unsafe { bytes_of(&key) }, unsafe { bytes_of(&value) })? {
                    true => step = raw::MDB_NEXT,
                    false => return Ok(()),
                },
                raw::MDB_NOTFOUND => return Ok(()),
                code => return Err(Code(code).into()),
            }
        }
    }
}

struct Cursor(*mut raw::MDB_cursor);

impl Drop for Cursor {
    fn drop(&mut self) {
        // SAFETY: open, and its transaction is live.
        unsafe { raw::mdb_cursor_close(self.0) };
    }
}

impl Writing<'_> {
    /// Writes a value.
    pub fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), Code> {
        let (mut key, mut value) = (value_of(key), value_of(value));
        // SAFETY: a live write transaction; LMDB copies both.
        checked(unsafe { raw::mdb_put(self.view.txn, self.view.tables[table as usize], &mut key, &mut value, 0) })
    }

    /// Deletes a key, if it is there.
    pub fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), Code> {
        let mut key = value_of(key);
        // SAFETY: a live write transaction.
        match unsafe { raw::mdb_del(self.view.txn, self.view.tables[table as usize], &mut key, ptr::null_mut()) } {
            0 | raw::MDB_NOTFOUND => Ok(()),
            code => Err(Code(code)),
        }
    }

    /// Whether the data still has its size, for changes that add to it. What deletes may use the room behind it, as far as no reader holds
    /// pages there.
    ///
    /// False if it is larger.
    pub fn has_room(&self) -> Result<bool, Code> {
        let Some(limit) = self.limit else { return Ok(true) };
        let mut used = 0;
        for table in self.view.tables {
            let stat = self.view.stat(*table)?;
            let pages = stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
            used += pages * stat.ms_psize as usize;
        }
        Ok(used <= limit)
    }

    /// Runs `work` and keeps what it has changed, unless it gives an error.
    pub(super) fn finish<T, E: From<Code>>(mut self, work: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        let done = work(&mut self)?;
        self.is_ended = true;
        // SAFETY: a live write transaction, which this ends, also when it fails.
        checked(unsafe { raw::mdb_txn_commit(self.view.txn) })?;
        Ok(done)
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if !self.is_ended {
            // SAFETY: a live write transaction. After an error or a panic nothing of it is kept.
            unsafe { raw::mdb_txn_abort(self.view.txn) };
        }
    }
}
