//! Handles to records of httpd that Python may use only while a callback runs.
//!
//! A request is freed when it ends, while its Python objects can be kept anywhere and used by any thread.
//! They hold a handle instead of a pointer. It is valid while a callback of the request is running, lets one thread at a time
//! use the request (its turn), and returns an error afterwards.

use std::panic::{RefUnwindSafe, UnwindSafe};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use crate::cpython::{Attached, Raised, UsedDetached};
use crate::process::turn::{Subject, Taken, TakenAttached, Turn};

/// An object with a turn.
pub trait HasTurn: Send + Sync + UnwindSafe + RefUnwindSafe {
    fn turn(&self) -> &Turn;
}

/// A handle to a record of httpd's.
pub struct Handle<T> {
    /// Null while the handle is not valid. Written only by threads that have the turn.
    pointer: AtomicPtr<T>,
    /// The callback is about to end, and waits for calls of other threads to return.
    is_ending: AtomicBool,
    own: Turn,
    /// The object whose turn is used instead, for records that share a pool.
    shared: Option<Arc<dyn HasTurn>>,
    /// Its name in the exception.
    what: &'static str,
}

impl<T> RefUnwindSafe for Handle<T> {}

/// The record can no longer be used.
#[derive(Debug)]
pub struct NotValid(&'static str);

impl NotValid {
    #[cold]
    pub fn raise(&self, attached: Attached<'_>) -> Raised {
        let text = format!(
            "{} is no longer valid: httpd keeps it for Python only while a handler for it runs, so keep copies of what is needed, not the object",
            self.0
        );
        Raised::runtime_error(attached, text)
    }
}

/// A record that this thread, which is attached, uses until this is dropped. Python does not run meanwhile.
pub struct InUse<'a, T> {
    _taken: TakenAttached<'a>,
    pointer: NonNull<T>,
}

impl<T> InUse<'_, T> {
    #[inline]
    pub fn as_ptr(&self) -> *mut T {
        self.pointer.as_ptr()
    }
}

impl<T> Handle<T> {
    /// Not valid yet.
    pub fn new(what: &'static str) -> Self {
        Self {
            pointer: AtomicPtr::new(ptr::null_mut()),
            is_ending: AtomicBool::new(false),
            own: Turn::default(),
            shared: None,
            what,
        }
    }

    /// Not valid yet. It uses the turn of `other`.
    pub fn along(what: &'static str, other: Arc<dyn HasTurn>) -> Self {
        Self { shared: Some(other), ..Self::new(what) }
    }

    #[inline]
    pub fn turn(&self) -> &Turn {
        match &self.shared {
            None => &self.own,
            Some(other) => other.turn(),
        }
    }

    /// Makes the handle valid, until `invalidate`.
    ///
    /// # Safety
    /// `pointer` is live until then, and meanwhile is used only by threads that have the turn.
    pub unsafe fn validate(&self, pointer: *mut T) {
        #[cfg(debug_assertions)]
        crate::process::turn::owed::begin(pointer.cast_const().cast(), self.turn());
        self.pointer.store(pointer, Ordering::Release);
    }

    /// Whether it is valid at the moment.
    #[inline]
    pub fn is_valid(&self) -> bool {
        !self.pointer.load(Ordering::Acquire).is_null()
    }

    /// Makes the handle invalid. Waits, detached, until no other thread uses it or is in a call for it.
    pub fn invalidate(&self, attached: Attached<'_>) {
        if self.is_valid() {
            drop(self.invalidate_and_keep_turn(attached));
        }
    }

    /// The same for a valid handle; returns the turn.
    #[inline]
    pub fn invalidate_and_keep_turn(&self, attached: Attached<'_>) -> TakenAttached<'_> {
        // Only this callback makes it invalid.
        let pointer = self.pointer.load(Ordering::Acquire);
        let subject = subject(pointer);
        if let Some(taken) = self.turn().try_take_attached() {
            if !taken.are_others_inside(subject) {
                self.forget(pointer);
                return taken;
            }
        }
        attached.detach(|| self.wait_and_forget()).for_attached()
    }

    #[cold]
    fn wait_and_forget(&self) -> Taken<'_> {
        let pointer = self.pointer.load(Ordering::Acquire);
        let subject = subject(pointer);
        let taken = self.turn().take(subject);
        self.is_ending.store(true, Ordering::Relaxed);
        taken.wait_for_others(subject);
        self.is_ending.store(false, Ordering::Relaxed);
        self.forget(pointer);
        taken
    }

    /// For a thread that has the turn.
    fn forget(&self, pointer: *mut T) {
        self.pointer.store(ptr::null_mut(), Ordering::Release);
        #[cfg(debug_assertions)]
        crate::process::turn::owed::end(pointer.cast_const().cast());
        let _ = pointer;
    }

    /// Uses the record while attached, until the result is dropped. If another thread uses it, waits detached. For calls that neither block
    /// nor run Python.
    ///
    /// # Errors
    /// `RuntimeError` if it is no longer valid.
    #[inline]
    pub fn enter(&self, attached: Attached<'_>) -> Result<InUse<'_, T>, Raised> {
        let taken = self.take_turn(attached);
        match self.usable(|subject| taken.is_inside(subject)) {
            Some(pointer) => Ok(InUse { _taken: taken, pointer }),
            None => {
                drop(taken);
                Err(self.not_valid().raise(attached))
            }
        }
    }

    #[cold]
    fn wait(&self, attached: Attached<'_>) -> TakenAttached<'_> {
        attached.detach(|| self.turn().take(subject(self.pointer.load(Ordering::Acquire)))).for_attached()
    }

    /// The record's address if the handle is valid. It may be invalid when the turn is taken.
    pub fn pointer(&self) -> Option<*mut T> {
        Some(self.pointer.load(Ordering::Acquire)).filter(|pointer| !pointer.is_null())
    }

    /// The record, for a thread that has the turn. `is_inside`: whether this thread is in a call for it.
    #[inline]
    fn usable(&self, is_inside: impl FnOnce(Subject) -> bool) -> Option<NonNull<T>> {
        let pointer = NonNull::new(self.pointer.load(Ordering::Acquire))?;
        // While the end waits, threads that are in a call can use it; others cannot.
        (!self.is_ending.load(Ordering::Relaxed) || is_inside(subject(pointer.as_ptr()))).then_some(pointer)
    }

    /// The record, for a thread that has the turn and is not attached.
    ///
    /// # Errors
    /// It is no longer valid.
    #[inline]
    pub fn checked(&self, taken: &Taken<'_>) -> Result<*mut T, NotValid> {
        let pointer = self.usable(|subject| taken.is_inside(subject)).ok_or_else(|| self.not_valid())?;
        Ok(pointer.as_ptr())
    }

    #[cold]
    fn not_valid(&self) -> NotValid {
        NotValid(self.what)
    }

    /// Uses the record with this thread detached, for calls into httpd that can block or run other handlers. The turn is released
    /// before the thread is attached again.
    ///
    /// # Errors
    /// `RuntimeError` if it is no longer valid.
    pub fn detached<R>(
        &self,
        attached: Attached<'_>,
        work: impl FnOnce(*mut T) -> R + UsedDetached,
    ) -> Result<R, Raised> {
        let done = attached.detach(|| {
            let taken = self.turn().take(subject(self.pointer.load(Ordering::Acquire)));
            let result = work(self.checked(&taken)?);
            drop(taken);
            Ok::<R, NotValid>(result)
        });
        done.map_err(|error| error.raise(attached))
    }

    /// Takes the turn while attached, whether the handle is valid or not: for data that is not in httpd's record.
    #[inline]
    pub fn take_turn(&self, attached: Attached<'_>) -> TakenAttached<'_> {
        match self.turn().try_take_attached() {
            Some(taken) => taken,
            None => self.wait(attached),
        }
    }
}

/// The subject of a turn that is taken for a record.
#[inline]
fn subject<T>(pointer: *mut T) -> Subject {
    pointer.cast_const().cast()
}

/// A handle that is valid until this is dropped.
pub struct Valid<'a, T> {
    handle: &'a Handle<T>,
    attached: Attached<'a>,
}

impl<T> Handle<T> {
    /// Makes the handle valid until the guard is dropped, also by a panic.
    ///
    /// # Safety
    /// As `validate`.
    pub unsafe fn validate_during<'a>(&'a self, attached: Attached<'a>, pointer: *mut T) -> Valid<'a, T> {
        // SAFETY: the caller's.
        unsafe { self.validate(pointer) };
        Valid { handle: self, attached }
    }
}

impl<T> Drop for Valid<'_, T> {
    fn drop(&mut self) {
        self.handle.invalidate(self.attached);
    }
}
