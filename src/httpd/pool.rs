//! APR pools. An object in a pool lives exactly as long as the pool.

use std::ffi::{CStr, c_void};
use std::marker::PhantomData;
use std::mem;
use std::ptr::{self, NonNull};

use crate::ffi::httpd as raw;

use crate::process::{caught, memory};

/// A pool that lives at least as long as `'p`.
#[derive(Clone, Copy)]
pub struct Pool<'p>(NonNull<raw::apr_pool_t>, PhantomData<&'p ()>);

impl<'p> Pool<'p> {
    /// # Safety
    /// `pool` is not null, is not cleared or destroyed during `'p`, and is used by one thread at a time.
    pub unsafe fn from_raw(pool: *mut raw::apr_pool_t) -> Self {
        // SAFETY: the caller's.
        Self(unsafe { NonNull::new_unchecked(pool) }, PhantomData)
    }

    pub fn as_ptr(self) -> *mut raw::apr_pool_t {
        self.0.as_ptr()
    }

    /// A NUL-terminated copy of `bytes`, up to a NUL in it.
    pub fn c_string(self, bytes: &[u8]) -> &'p CStr {
        // SAFETY: APR copies that many bytes (or up to a NUL) and terminates them.
        unsafe { CStr::from_ptr(raw::apr_pstrmemdup(self.as_ptr(), bytes.as_ptr().cast(), bytes.len())) }
    }

    /// A copy of `text` that lives in the pool.
    pub fn text(self, text: &str) -> &'p str {
        let copy = self.slice(text.as_bytes());
        // SAFETY: a copy of UTF-8.
        unsafe { std::str::from_utf8_unchecked(copy) }
    }

    /// Moves a plain value into the pool.
    pub fn value<T: Copy>(self, value: T) -> &'p mut T {
        let place: *mut T = self.allocate(1);
        // SAFETY: fresh memory of the size, aligned as APR aligns (8 bytes).
        unsafe {
            place.write(value);
            &mut *place
        }
    }

    /// Moves a value into the pool. It is never dropped.
    pub fn place<T>(self, value: T) -> *mut T {
        const { assert!(!mem::needs_drop::<T>(), "a pool drops nothing") };
        let place: *mut T = self.allocate(1);
        // SAFETY: fresh memory of the size, aligned as APR aligns (8 bytes).
        unsafe { place.write(value) };
        place
    }

    /// Whether there is memory for `size` more bytes. APR aborts the process if there is none, so this is asked first if a client or a
    /// program chooses the size.
    pub fn has_room_for(self, size: usize) -> bool {
        // Less than that is taken from blocks that APR allocates anyway.
        const SMALL: usize = 64 * 1024;
        // A block of APR's is the size and a bit more.
        size < SMALL || memory::can_be_mapped(size.saturating_add(2 * SMALL))
    }

    /// Copies plain values into the pool.
    pub fn slice<T: Copy>(self, values: &[T]) -> &'p [T] {
        if values.is_empty() {
            return &[];
        }
        let place: *mut T = self.allocate(values.len());
        // SAFETY: fresh memory of that size, which does not overlap.
        unsafe {
            ptr::copy_nonoverlapping(values.as_ptr(), place, values.len());
            std::slice::from_raw_parts(place, values.len())
        }
    }

    fn allocate<T>(self, count: usize) -> *mut T {
        const { assert!(mem::align_of::<T>() <= 8, "APR aligns to 8 bytes") };
        // SAFETY: the pool is alive. httpd aborts the process when memory runs out.
        unsafe { raw::apr_palloc(self.as_ptr(), mem::size_of::<T>() * count).cast() }
    }

    /// Runs `work` when the pool is cleared or destroyed, before its cleanups and its child pools.
    pub fn before_cleanup<F: FnOnce() + 'static>(self, work: F) {
        let work = Box::into_raw(Box::new(work)).cast();
        // SAFETY: the pool is alive; the function gets `work` as its argument.
        unsafe { raw::apr_pool_pre_cleanup_register(self.as_ptr(), work, Some(run_cleanup::<F>)) };
    }

    /// Runs `work` when the pool is cleared or destroyed, after its child pools.
    pub fn at_cleanup<F: FnOnce() + 'static>(self, work: F) {
        unsafe extern "C" fn nothing(_: *mut c_void) -> raw::apr_status_t {
            0
        }
        let work = Box::into_raw(Box::new(work)).cast();
        // SAFETY: the pool is alive; the function gets `work` as its argument.
        unsafe { raw::apr_pool_cleanup_register(self.as_ptr(), work, Some(run_cleanup::<F>), Some(nothing)) };
    }
}

/// Runs a function that was registered with a pool.
///
/// # Safety
/// `work` is a box of an `F` that was given away; APR calls a cleanup once.
unsafe extern "C" fn run_cleanup<F: FnOnce()>(work: *mut c_void) -> raw::apr_status_t {
    // SAFETY: the caller's.
    let work = unsafe { Box::from_raw(work.cast::<F>()) };
    if let Err(panic) = caught(work) {
        tracing::error!(
            "MP0105: a cleanup of mod_python panicked: {panic}; the child goes on. Please report this defect."
        );
    }
    0
}

/// A pool of its own, destroyed when dropped.
pub struct OwnedPool(NonNull<raw::apr_pool_t>);

// SAFETY: owned by one thread at a time; APR's global pool, its parent, is made for sharing.
unsafe impl Send for OwnedPool {}

impl OwnedPool {
    pub fn new() -> Self {
        let mut pool = ptr::null_mut();
        // SAFETY: without a parent the pool is below APR's global one; APR aborts when memory runs out.
        unsafe {
            raw::apr_pool_create_ex(&mut pool, ptr::null_mut(), None, ptr::null_mut());
            Self(NonNull::new_unchecked(pool))
        }
    }

    pub fn pool(&self) -> Pool<'_> {
        Pool(self.0, PhantomData)
    }
}

impl Drop for OwnedPool {
    fn drop(&mut self) {
        // SAFETY: nothing that borrows from the pool is left.
        unsafe { raw::apr_pool_destroy(self.0.as_ptr()) }
    }
}
