//! What Python may touch only while httpd lends it.
//!
//! A request belongs to the thread that serves it, while Python objects that stand for it can be kept anywhere and used by
//! any thread. The lease is what they hold instead of a pointer: it gives access while a callback of the request is running,
//! to one thread at a time, and says no afterwards.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::cpython::{Attached, Raised};

/// Access to something of httpd's, lent for the time of a callback.
pub struct Lease<T> {
    /// Null while nothing is lent.
    pointer: AtomicPtr<T>,
    own: Gate,
    /// Whose gate is used instead, for things that share memory.
    shared: Option<Arc<dyn AsRef<Gate> + Send + Sync>>,
    /// What it is called in the exception.
    what: &'static str,
}

/// Lets one thread in at a time.
#[derive(Default)]
pub struct Gate {
    /// The thread that is using it, by `thread_token`; 0 when none is.
    holder: AtomicUsize,
    /// How many times the holder has entered.
    depth: AtomicU32,
    /// How many threads wait for it.
    waiting: AtomicU32,
}

/// The threads that wait for a lease, by its address and theirs, first come first served: one that uses a request over and
/// over must not keep the others from it, least of all the one that serves it. Waiting is rare: a handler has to share its
/// request with another thread.
static QUEUE: Mutex<VecDeque<(usize, usize)>> = Mutex::new(VecDeque::new());
static HANDED_OVER: Condvar = Condvar::new();

fn queue() -> MutexGuard<'static, VecDeque<(usize, usize)>> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn thread_token() -> usize {
    thread_local!(static TOKEN: u8 = const { 0 });
    TOKEN.try_with(|token| std::ptr::from_ref(token) as usize).unwrap_or(1)
}

impl<T> Lease<T> {
    /// Nothing lent yet.
    pub fn new(what: &'static str) -> Self {
        Self { pointer: AtomicPtr::default(), own: Gate::default(), shared: None, what }
    }

    /// Nothing lent yet; whoever is inside `other` keeps others from this one too.
    pub fn along(what: &'static str, other: Arc<dyn AsRef<Gate> + Send + Sync>) -> Self {
        Self { shared: Some(other), ..Self::new(what) }
    }

    /// The gate to what is lent.
    pub fn gate(&self) -> &Gate {
        self.shared.as_deref().map_or(&self.own, AsRef::as_ref)
    }

    /// Lends `pointer` until `suspend`.
    ///
    /// # Safety
    /// `pointer` is live until then, and only this thread uses it outside of Python.
    pub unsafe fn lend(&self, pointer: *mut T) {
        self.pointer.store(pointer, Ordering::Release);
    }

    /// Lends `pointer` until the guard is dropped, also by a panic.
    ///
    /// # Safety
    /// As `lend`.
    pub unsafe fn lend_during<'a>(&'a self, attached: Attached<'a>, pointer: *mut T) -> Lent<'a, T> {
        // SAFETY: the caller's.
        unsafe { self.lend(pointer) };
        Lent { lease: self, attached }
    }

    /// Takes it back; waits for a thread that is using it. This thread must not be attached, unless `attached` is given.
    pub fn suspend(&self, attached: Option<Attached<'_>>) {
        self.gate().acquire(attached);
        self.pointer.store(std::ptr::null_mut(), Ordering::Release);
        self.gate().release();
    }

    /// Whether it is lent at the moment.
    pub fn is_lent(&self) -> bool {
        !self.pointer.load(Ordering::Acquire).is_null()
    }

    /// Uses what is lent; waits, detached, while another thread does.
    ///
    /// # Errors
    /// `RuntimeError` when it is not lent any more.
    pub fn enter(&self, attached: Attached<'_>) -> Result<Entered<'_, T>, Raised> {
        self.gate().acquire(Some(attached));
        let pointer = self.pointer.load(Ordering::Acquire);
        if pointer.is_null() {
            self.gate().release();
            return Err(Raised::runtime_error(
                attached,
                format!(
                    "{} is used after its time: httpd lends it to Python only while a handler for it runs (keep copies of what is needed, not the object)",
                    self.what
                ),
            ));
        }
        Ok(Entered { gate: self.gate(), pointer })
    }
}

impl Gate {
    fn acquire(&self, attached: Option<Attached<'_>>) {
        let me = thread_token();
        match self.holder.compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => {}
            Err(holder) if holder == me => {}
            Err(_) => match attached {
                Some(attached) => attached.detach(|| self.wait(me)),
                None => self.wait(me),
            },
        }
        self.depth.fetch_add(1, Ordering::Relaxed);
    }

    #[cold]
    fn wait(&self, me: usize) {
        let mut queue = queue();
        // Before the last try: whoever releases it after that try sees that somebody waits.
        self.waiting.fetch_add(1, Ordering::SeqCst);
        if self.holder.compare_exchange(0, me, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            return;
        }
        queue.push_back((self.address(), me));
        while self.holder.load(Ordering::SeqCst) != me {
            queue = HANDED_OVER.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn release(&self) {
        if self.depth.fetch_sub(1, Ordering::Relaxed) > 1 {
            return;
        }
        if self.waiting.load(Ordering::SeqCst) == 0 {
            self.holder.store(0, Ordering::SeqCst);
            if self.waiting.load(Ordering::SeqCst) == 0 {
                return;
            }
        }
        self.hand_over();
    }

    /// Gives it to the thread that has waited longest.
    #[cold]
    fn hand_over(&self) {
        let mut queue = queue();
        let next = queue.iter().position(|(lease, _)| *lease == self.address());
        let thread = next.map_or(0, |index| queue[index].1);
        // Ours still, or free since a moment ago, when somebody else may have taken it.
        let holder = self.holder.load(Ordering::SeqCst);
        let is_given = (holder == thread_token() || holder == 0)
            && self.holder.compare_exchange(holder, thread, Ordering::SeqCst, Ordering::Relaxed).is_ok();
        if let (true, Some(index)) = (is_given, next) {
            queue.remove(index);
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            HANDED_OVER.notify_all();
        }
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self) as usize
    }
}

/// The use of something lent, by this thread, until dropped.
pub struct Entered<'a, T> {
    gate: &'a Gate,
    pointer: *mut T,
}

impl<T> Entered<'_, T> {
    pub fn as_ptr(&self) -> *mut T {
        self.pointer
    }
}

impl<T> Drop for Entered<'_, T> {
    fn drop(&mut self) {
        self.gate.release();
    }
}

/// Something lent until this is dropped.
pub struct Lent<'a, T> {
    lease: &'a Lease<T>,
    attached: Attached<'a>,
}

impl<T> Drop for Lent<'_, T> {
    fn drop(&mut self) {
        self.lease.suspend(Some(self.attached));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thread_at_a_time_and_the_same_thread_again() {
        let lease = Lease::<u8>::new("it");
        let mut lent = 0u8;
        // SAFETY: `lent` outlives the lease's use here.
        unsafe { lease.lend(&mut lent) };
        lease.gate().acquire(None);
        lease.gate().acquire(None);
        std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                lease.suspend(None);
                lease.is_lent()
            });
            while lease.gate().waiting.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
            assert!(lease.is_lent(), "a thread that is using it is waited for");
            lease.gate().release();
            lease.gate().release();
            assert!(!other.join().unwrap());
        });
    }

    #[test]
    fn what_is_along_shares_the_gate() {
        struct Owner(Lease<u8>);
        impl AsRef<Gate> for Owner {
            fn as_ref(&self) -> &Gate {
                self.0.gate()
            }
        }
        let one = Arc::new(Owner(Lease::new("one")));
        let other = Arc::new(Owner(Lease::along("other", Arc::clone(&one) as _)));
        let third = Lease::<u8>::along("third", Arc::clone(&other) as _);
        assert!(std::ptr::eq(third.gate(), one.0.gate()));
        third.gate().acquire(None);
        assert_ne!(one.0.gate().holder.load(Ordering::SeqCst), 0);
        third.gate().release();
        assert_eq!(one.0.gate().holder.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn who_waits_comes_before_who_comes_back() {
        let lease = Lease::<u8>::new("it");
        let had = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            lease.gate().acquire(None);
            scope.spawn(|| {
                lease.gate().acquire(None);
                had.store(true, Ordering::SeqCst);
                lease.gate().release();
            });
            while lease.gate().waiting.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
            lease.gate().release();
            lease.gate().acquire(None);
            assert!(had.load(Ordering::SeqCst));
            lease.gate().release();
        });
    }

    #[test]
    fn many_threads_have_it_one_at_a_time() {
        let lease = Lease::<u8>::new("it");
        let inside = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        lease.gate().acquire(None);
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        inside.fetch_sub(1, Ordering::SeqCst);
                        lease.gate().release();
                    }
                });
            }
        });
        assert_eq!((lease.gate().waiting.load(Ordering::SeqCst), lease.gate().holder.load(Ordering::SeqCst)), (0, 0));
    }
}
