//! Which request a thread is serving.

use std::cell::RefCell;
use std::marker::PhantomData;

use crate::cpython::{Attached, Object, Raised};
use crate::interpreter::Interpreter;

use super::record::Record;

thread_local! {
    /// The callbacks under way on this thread, the innermost last: they nest, also across interpreters.
    static SERVING: RefCell<Vec<(&'static Interpreter, *mut Record)>> = const { RefCell::new(Vec::new()) };
}

/// Notes a request's callback on its thread until dropped.
pub struct Serving(PhantomData<*mut ()>);

impl Serving {
    /// # Safety
    /// The record is alive for as long as this.
    pub(super) unsafe fn begin(interpreter: &'static Interpreter, record: *mut Record) -> Self {
        SERVING.with_borrow_mut(|serving| serving.push((interpreter, record)));
        Self(PhantomData)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        SERVING.with_borrow_mut(Vec::pop);
    }
}

/// The object of the request that this thread serves in an interpreter; `None` for a thread that serves none there.
pub fn current_request<'i>(
    attached: Attached<'i>,
    interpreter: &'static Interpreter,
) -> Result<Option<Object<'i>>, Raised> {
    let innermost = SERVING.with_borrow(|serving| {
        let found = serving.iter().rev().find(|(known, _)| std::ptr::eq(*known, interpreter));
        found.map(|(_, record)| *record)
    });
    match innermost {
        // SAFETY: the record of a callback under way, which only this thread touches.
        Some(record) => unsafe { (*record).object(attached, interpreter) }.map(Some),
        None => Ok(None),
    }
}
