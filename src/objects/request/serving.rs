//! The requests that a thread is serving.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::sync::Arc;

use crate::cpython::{Attached, Object, Raised};
use crate::interpreter::Interpreter;

use super::flushing::LookedAt;
use super::record::RequestRecord;

/// The requests of one thread.
struct Thread {
    /// The callbacks under way, the innermost last: they nest, also across interpreters.
    callbacks: RefCell<Vec<(&'static Interpreter, *const RequestRecord)>>,
    /// The requests that they make valid, for the thread that sends what was written.
    looked_at: LookedAt,
}

thread_local! {
    // Never dropped: the pools of a process that ends go after the variables of its thread, and run callbacks.
    static THREAD: ManuallyDrop<Thread> = const {
        ManuallyDrop::new(Thread { callbacks: RefCell::new(Vec::new()), looked_at: LookedAt::new() })
    };
}

/// Notes a request's callback on its thread until dropped.
pub struct Serving {
    /// The record, if the callback makes the request valid.
    valid: Option<*const RequestRecord>,
    thread: PhantomData<*mut ()>,
}

impl Serving {
    /// # Safety
    /// The record is that of an `Arc` that is alive for as long as this.
    #[inline]
    pub(super) unsafe fn begin(
        interpreter: &'static Interpreter,
        record: *const RequestRecord,
        makes_valid: bool,
    ) -> Self {
        THREAD.with(|thread| {
            thread.callbacks.borrow_mut().push((interpreter, record));
            if makes_valid {
                // SAFETY: the caller's.
                unsafe { thread.looked_at.add(record) };
            }
        });
        Self { valid: makes_valid.then_some(record), thread: PhantomData }
    }
}

impl Drop for Serving {
    #[inline]
    fn drop(&mut self) {
        THREAD.with(|thread| {
            thread.callbacks.borrow_mut().pop();
            if let Some(record) = self.valid {
                thread.looked_at.remove(record);
            }
        });
    }
}

/// The object of the request that this thread serves in an interpreter; `None` for a thread that serves none there.
pub fn current_request<'i>(
    attached: Attached<'i>,
    interpreter: &'static Interpreter,
) -> Result<Option<Object<'i>>, Raised> {
    let innermost = THREAD.with(|thread| {
        let callbacks = thread.callbacks.borrow();
        let found = callbacks.iter().rev().find(|(known, _)| std::ptr::eq(*known, interpreter));
        // SAFETY: the record of a callback under way.
        found.map(|(_, record)| unsafe {
            Arc::increment_strong_count(*record);
            Arc::from_raw(*record)
        })
    });
    innermost.map(|record| record.object(attached, interpreter)).transpose()
}
