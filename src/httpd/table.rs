//! APR tables: ordered, multi-valued, keys compared without regard to case.

use std::ffi::CStr;
use std::marker::PhantomData;
use std::ptr::NonNull;

use crate::ffi::httpd as raw;

use super::Pool;

/// A table that lives at least as long as `'p`.
#[derive(Clone, Copy)]
pub struct Table<'p>(NonNull<raw::apr_table_t>, PhantomData<&'p ()>);

impl<'p> Table<'p> {
    /// # Safety
    /// `table` is a live table during `'p`, used by one thread at a time.
    pub unsafe fn from_raw(table: *mut raw::apr_table_t) -> Option<Self> {
        NonNull::new(table).map(|table| Self(table, PhantomData))
    }

    /// A new table in a pool.
    pub fn new(pool: Pool<'p>) -> Self {
        // SAFETY: the pool is alive; APR aborts when memory runs out.
        let table = unsafe { raw::apr_table_make(pool.as_ptr(), 4) };
        // SAFETY: not null, as said.
        Self(unsafe { NonNull::new_unchecked(table) }, PhantomData)
    }

    pub fn as_ptr(self) -> *mut raw::apr_table_t {
        self.0.as_ptr()
    }

    fn entries(self) -> &'p [raw::apr_table_entry_t] {
        // SAFETY: a table's elements are its entries, contiguous (apr_tables.h, apr_table_elts).
        unsafe {
            let array = raw::apr_table_elts(self.as_ptr());
            match (*array).nelts {
                count if count > 0 => std::slice::from_raw_parts((*array).elts.cast(), count as usize),
                _ => &[],
            }
        }
    }

    /// The pool that holds its strings.
    pub fn pool(self) -> Pool<'p> {
        // SAFETY: a table and its elements are in one pool (apr_tables.h), which lives at least as long.
        unsafe { Pool::from_raw((*raw::apr_table_elts(self.as_ptr())).pool) }
    }

    pub fn len(self) -> usize {
        self.entries().len()
    }

    /// All entries in order; a value may be missing (a null in httpd).
    pub fn iter(self) -> impl DoubleEndedIterator<Item = (&'p [u8], Option<&'p [u8]>)> + ExactSizeIterator {
        self.entries().iter().map(|entry| {
            // SAFETY: keys are never null in a table; values may be.
            unsafe { (super::bytes_at(entry.key).unwrap_or_default(), super::bytes_at(entry.val)) }
        })
    }

    /// The entry at `index`, which is below `len`.
    pub fn at(self, index: usize) -> (&'p [u8], Option<&'p [u8]>) {
        let entry = &self.entries()[index];
        // SAFETY: keys are never null in a table; values may be.
        unsafe { (super::bytes_at(entry.key).unwrap_or_default(), super::bytes_at(entry.val)) }
    }

    /// The first value under `key`: `None` if there is no entry, `Some(None)` if its value is missing.
    pub fn get(self, key: &[u8]) -> Option<Option<&'p [u8]>> {
        self.all(key).next()
    }

    /// The same by httpd's own look-up, which is faster; a missing value is `None`.
    pub fn value(self, key: &CStr) -> Option<&'p [u8]> {
        // SAFETY: the table is alive, and so is its string.
        unsafe { super::bytes_at(raw::apr_table_get(self.as_ptr(), key.as_ptr())) }
    }

    pub fn is_empty(self) -> bool {
        self.entries().is_empty()
    }

    /// Every value under `key`, in order.
    pub fn all(self, key: &[u8]) -> impl Iterator<Item = Option<&'p [u8]>> {
        self.iter().filter(move |(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)
    }

    /// Replaces all values under `key`. Key and value are copied.
    pub fn set(self, key: &CStr, value: &CStr) {
        // SAFETY: the table is alive; APR copies both.
        unsafe { raw::apr_table_set(self.as_ptr(), key.as_ptr(), value.as_ptr()) }
    }

    /// Adds a value to those under the key. Key and value are copied.
    pub fn add(self, key: &CStr, value: &CStr) {
        // SAFETY: the table is alive; APR copies both.
        unsafe { raw::apr_table_add(self.as_ptr(), key.as_ptr(), value.as_ptr()) }
    }

    /// The same for a key and a value that are in the table's pool, or live longer. They are not copied.
    pub fn set_pooled(self, key: &'p CStr, value: &'p CStr) {
        // SAFETY: the table is alive, and both live as long.
        unsafe { raw::apr_table_setn(self.as_ptr(), key.as_ptr(), value.as_ptr()) }
    }

    /// As `set_pooled`, for a value beside those under the key.
    pub fn add_pooled(self, key: &'p CStr, value: &'p CStr) {
        // SAFETY: as above.
        unsafe { raw::apr_table_addn(self.as_ptr(), key.as_ptr(), value.as_ptr()) }
    }

    pub fn unset(self, key: &CStr) {
        // SAFETY: the table is alive.
        unsafe { raw::apr_table_unset(self.as_ptr(), key.as_ptr()) }
    }

    pub fn clear(self) {
        // SAFETY: the table is alive.
        unsafe { raw::apr_table_clear(self.as_ptr()) }
    }

    /// Removes the entry at `index` only.
    pub fn remove_at(self, index: usize) {
        let kept: Vec<_> =
            self.entries().iter().enumerate().filter(|(at, _)| *at != index).map(|(_, e)| (e.key, e.val)).collect();
        self.clear();
        for (key, value) in kept {
            // SAFETY: the strings live in the table's pool, which clearing the table leaves alone; a null value is kept.
            unsafe { raw::apr_table_addn(self.as_ptr(), key, value) };
        }
    }

    /// A new table in `pool` with the entries of `base`, overridden key by key by those of this one.
    pub fn over<'q>(self, base: Table<'_>, pool: Pool<'q>) -> Table<'q> {
        let merged = Table::new(pool);
        // SAFETY: all three are alive. Overlap with SET copies key by key and replaces; the strings live in the pools of
        // the two, which the caller's lifetimes keep.
        unsafe {
            raw::apr_table_overlap(merged.as_ptr(), base.as_ptr(), raw::APR_OVERLAP_TABLES_SET);
            raw::apr_table_overlap(merged.as_ptr(), self.as_ptr(), raw::APR_OVERLAP_TABLES_SET);
        }
        merged
    }
}
