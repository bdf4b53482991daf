//! Turns: a lock for each request, so that one thread at a time uses its pool.
//!
//! httpd allocates from a request's pool in nearly every call, and a pool can be used by one thread at a time only. A handler can share its
//! request with other threads, so each request has a turn, and a thread takes it before it uses the request. A turn covers calls into httpd.
//! **It is never held while Python runs**: if httpd calls back into this module and Python is entered, the turn is given up, and
//! taken again before the callback returns to httpd (`give_up`). So two handlers that wait for each other never wait because of
//! a turn.
//!
//! A thread holds one turn at a time. Most takes are short: the thread is attached, calls a function of httpd that neither blocks nor
//! calls back, and releases the turn. A thread that is not attached may block in httpd, and enter Python during that call;
//! for such calls, the turn that the thread holds is noted in a thread-local.

use std::cell::{Cell, UnsafeCell};
use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::lock_api::{RawMutex as _, RawMutexFair as _, RawMutexTimed as _};
use parking_lot::{Condvar, Mutex, RawMutex};

use super::blocking;

/// What a turn is taken for: the address of the request, connection or the like.
pub type Subject = *const ();

/// A fair, re-entrant lock: the thread that waits longest gets it next, and the thread that has it can take it again.
pub struct Turn {
    lock: RawMutex,
    /// The thread that has it, as in `me`; 0 if none has.
    owner: AtomicUsize,
    /// How many times the owner has taken it.
    depth: Cell<u32>,
    /// The threads that have given it up during a call into httpd, and the subject of the call. Used by the owner only.
    suspended: UnsafeCell<Vec<(usize, Subject)>>,
    /// A thread waits for suspended calls to return.
    is_awaited: AtomicBool,
}

// SAFETY: `depth` and `suspended` are used by the owner only; the lock orders the accesses of different owners.
unsafe impl Send for Turn {}
// SAFETY: as above.
unsafe impl Sync for Turn {}

/// Notified each time a suspended call continues that a thread waits for.
static RETURNS: Mutex<()> = Mutex::new(());
static RETURNED: Condvar = Condvar::new();

/// The turn that this thread holds. In a release build, the short takes of attached threads are not noted.
struct Local {
    turn: Cell<*const Turn>,
    subject: Cell<Subject>,
}

/// A number that no other running thread has; never 0.
#[inline]
fn me() -> usize {
    // SAFETY: only returns the thread's handle.
    unsafe { libc::pthread_self() as usize }
}

thread_local! {
    // Without a destructor, so that it can be used until the very end of the thread.
    static LOCAL: Local = const { Local { turn: Cell::new(ptr::null()), subject: Cell::new(ptr::null()) } };
}

impl Default for Turn {
    fn default() -> Self {
        Self {
            lock: RawMutex::INIT,
            owner: AtomicUsize::new(0),
            depth: Cell::new(0),
            suspended: UnsafeCell::new(Vec::new()),
            is_awaited: AtomicBool::new(false),
        }
    }
}

impl Turn {
    /// Takes the turn if it is free, for a thread that is attached and stays so until it releases the turn.
    #[inline]
    pub fn try_take_attached(&self) -> Option<TakenAttached<'_>> {
        if cfg!(debug_assertions) {
            return self.try_take(ptr::null()).map(Taken::for_attached);
        }
        let me = me();
        let depth = if self.owner.load(Ordering::Relaxed) == me {
            self.depth.get()
        } else if self.lock.try_lock() {
            self.owner.store(me, Ordering::Relaxed);
            0
        } else {
            return None;
        };
        self.depth.set(depth + 1);
        Some(TakenAttached { turn: self, thread: PhantomData })
    }

    /// Takes the turn if it is free.
    #[inline]
    pub fn try_take(&self, subject: Subject) -> Option<Taken<'_>> {
        LOCAL.with(|local| {
            if self.take_again(local) || self.lock.try_lock() {
                return Some(self.taken(local, subject));
            }
            None
        })
    }

    /// Takes the turn. Blocks: this thread must not be attached to an interpreter.
    #[inline]
    pub fn take(&self, subject: Subject) -> Taken<'_> {
        LOCAL.with(|local| {
            if !self.take_again(local) {
                debug_assert!(blocking::is_allowed(), "a thread that is attached waits for a turn");
                self.lock.lock();
            }
            self.taken(local, subject)
        })
    }

    /// The same, waiting for at most `longest`.
    pub fn take_within(&self, subject: Subject, longest: Duration) -> Option<Taken<'_>> {
        LOCAL.with(|local| {
            debug_assert!(blocking::is_allowed(), "a thread that is attached waits for a turn");
            (self.take_again(local) || self.lock.try_lock_for(longest)).then(|| self.taken(local, subject))
        })
    }

    /// Whether this thread has the turn.
    #[inline]
    pub fn is_mine(&self) -> bool {
        self.owner.load(Ordering::Relaxed) == me()
    }

    #[inline]
    fn take_again(&self, local: &Local) -> bool {
        let is_mine = self.is_mine();
        debug_assert!(is_mine || local.turn.get().is_null(), "a thread holds one turn at a time");
        is_mine
    }

    /// Notes that this thread has taken the turn once more.
    #[inline]
    fn taken(&self, local: &Local, subject: Subject) -> Taken<'_> {
        let depth = self.depth.get();
        self.depth.set(depth + 1);
        if depth == 0 {
            self.owner.store(me(), Ordering::Relaxed);
            local.turn.set(self);
            local.subject.set(subject);
        }
        Taken { turn: self, thread: PhantomData }
    }

    /// Releases the turn completely, however often this thread has taken it, and hands it to the thread that waits longest.
    #[inline]
    fn release(&self, local: Option<&Local>) {
        self.depth.set(0);
        if let Some(local) = local {
            local.turn.set(ptr::null());
        }
        self.owner.store(0, Ordering::Relaxed);
        // SAFETY: this thread has locked it.
        unsafe { self.lock.unlock_fair() };
    }

    /// Uses the list of suspended calls.
    fn with_suspended<R>(&self, work: impl FnOnce(&mut Vec<(usize, Subject)>) -> R) -> R {
        debug_assert!(self.is_mine());
        // SAFETY: this thread has the turn, and `work` does not come back here.
        work(unsafe { &mut *self.suspended.get() })
    }
}

/// The turn, held by this thread until dropped.
pub struct Taken<'a> {
    turn: &'a Turn,
    /// Not for another thread.
    thread: PhantomData<*mut ()>,
}

/// The turn, held until dropped by a thread that stays attached until then.
pub struct TakenAttached<'a> {
    turn: &'a Turn,
    /// Not for another thread.
    thread: PhantomData<*mut ()>,
}

impl<'a> Taken<'a> {
    /// For a thread that has waited for the turn and is attached again: it stays attached until it releases the turn.
    pub fn for_attached(self) -> TakenAttached<'a> {
        let turn = self.turn;
        if !cfg!(debug_assertions) && turn.depth.get() == 1 {
            LOCAL.with(|local| local.turn.set(ptr::null()));
        }
        std::mem::forget(self);
        TakenAttached { turn, thread: PhantomData }
    }
}

impl TakenAttached<'_> {
    /// As `Taken::is_inside`.
    pub fn is_inside(&self, subject: Subject) -> bool {
        self.turn.is_inside(subject)
    }

    /// As `Taken::are_others_inside`.
    #[inline]
    pub fn are_others_inside(&self, subject: Subject) -> bool {
        self.turn.are_others_inside(subject)
    }
}

impl Drop for TakenAttached<'_> {
    #[inline]
    fn drop(&mut self) {
        let depth = self.turn.depth.get() - 1;
        match depth {
            0 if cfg!(debug_assertions) => LOCAL.with(|local| self.turn.release(Some(local))),
            0 => self.turn.release(None),
            depth => self.turn.depth.set(depth),
        }
    }
}

impl Turn {
    /// Whether this thread is within a call into httpd for that subject. For a thread that has the turn.
    fn is_inside(&self, subject: Subject) -> bool {
        self.with_suspended(|suspended| suspended.contains(&(me(), subject)))
    }

    /// Whether other threads are. For a thread that has the turn.
    #[inline]
    fn are_others_inside(&self, subject: Subject) -> bool {
        self.with_suspended(|suspended| !suspended.is_empty() && is_others(suspended, subject))
    }
}

impl Taken<'_> {
    /// Whether this thread is within a call into httpd for that subject, which has called back into Python.
    pub fn is_inside(&self, subject: Subject) -> bool {
        self.turn.is_inside(subject)
    }

    /// Whether other threads are within calls into httpd for that subject, which have called back into Python.
    #[inline]
    pub fn are_others_inside(&self, subject: Subject) -> bool {
        self.turn.are_others_inside(subject)
    }

    /// Waits until no other thread is within a call into httpd for that subject. Blocks: this thread must not be attached, since
    /// the Python code within such a call continues meanwhile, and may take the turn.
    #[cold]
    pub fn wait_for_others(&self, subject: Subject) {
        let turn = self.turn;
        LOCAL.with(|local| {
            let (depth, own_subject) = (turn.depth.get(), local.subject.get());
            while self.are_others_inside(subject) {
                // Held until the wait begins: a call that continues takes the turn first, and then this lock.
                let mut returns = RETURNS.lock();
                turn.is_awaited.store(true, Ordering::Relaxed);
                turn.release(Some(local));
                RETURNED.wait(&mut returns);
                drop(returns);
                turn.regain(local, own_subject, depth);
            }
        });
    }

    /// Waits while other threads are inside of a call as `are_inside` says, but no longer than `longest`. Blocks as `wait_for_others`; this
    /// thread counts as being inside itself meanwhile, so that what it has taken the turn for is there when it goes on.
    #[cold]
    pub fn wait_within(&self, longest: Duration, are_inside: impl Fn() -> bool) {
        let end = Instant::now() + longest;
        LOCAL.with(|local| {
            while are_inside() && Instant::now() < end {
                let mut returns = RETURNS.lock();
                self.turn.is_awaited.store(true, Ordering::Relaxed);
                let given_up = suspend(local, self.turn);
                RETURNED.wait_until(&mut returns, end);
                drop(returns);
                drop(given_up);
            }
        });
    }
}

fn is_others(suspended: &[(usize, Subject)], subject: Subject) -> bool {
    suspended.iter().any(|(thread, inside)| *thread != me() && *inside == subject)
}

impl Turn {
    /// Takes the turn after it was released, as deep as it was.
    fn regain(&self, local: &Local, subject: Subject, depth: u32) {
        debug_assert!(local.turn.get().is_null(), "a thread holds one turn at a time");
        debug_assert!(blocking::is_allowed(), "a thread that is attached waits for a turn");
        self.lock.lock();
        // Released by the guards further out on this thread's stack.
        std::mem::forget(self.taken(local, subject));
        self.depth.set(depth);
    }
}

impl Drop for Taken<'_> {
    #[inline]
    fn drop(&mut self) {
        let depth = self.turn.depth.get() - 1;
        match depth {
            0 => LOCAL.with(|local| self.turn.release(Some(local))),
            depth => self.turn.depth.set(depth),
        }
    }
}

/// Whether this thread holds a turn.
#[inline]
pub fn is_held() -> bool {
    LOCAL.with(|local| !local.turn.get().is_null())
}

/// A turn that was given up during a call into httpd; taken again when dropped. That blocks: this thread must not be attached then.
pub struct GivenUp {
    turn: *const Turn,
    subject: Subject,
    depth: u32,
}

/// Gives up the turn that this thread holds, if it does: Python is about to be entered.
///
/// The guard further out on this thread's stack keeps the turn alive.
#[inline]
#[must_use]
pub fn give_up() -> Option<GivenUp> {
    LOCAL.with(|local| {
        let turn = local.turn.get();
        if turn.is_null() { None } else { Some(suspend(local, turn)) }
    })
}

#[cold]
fn suspend(local: &Local, pointer: *const Turn) -> GivenUp {
    // SAFETY: a `Taken` further out on this thread's stack borrows it.
    let turn = unsafe { &*pointer };
    let given_up = GivenUp { turn: pointer, subject: local.subject.get(), depth: turn.depth.get() };
    turn.with_suspended(|suspended| suspended.push((me(), given_up.subject)));
    turn.release(Some(local));
    given_up
}

impl Drop for GivenUp {
    fn drop(&mut self) {
        // SAFETY: as in `suspend`.
        let turn = unsafe { &*self.turn };
        LOCAL.with(|local| {
            turn.regain(local, self.subject, self.depth);
            turn.with_suspended(|suspended| {
                if let Some(index) = suspended.iter().rposition(|entry| *entry == (me(), self.subject)) {
                    suspended.remove(index);
                }
            });
        });
        if turn.is_awaited.swap(false, Ordering::Relaxed) {
            // A thread that is about to wait holds this lock until its wait begins.
            drop(RETURNS.lock());
            RETURNED.notify_all();
        }
    }
}

/// In a debug build: which turn has to be held for which subject, to find uses without it.
#[cfg(debug_assertions)]
pub mod owed {
    use std::collections::HashMap;

    use super::{Mutex, Subject, Turn};

    static TURNS: Mutex<Option<HashMap<usize, usize>>> = Mutex::new(None);

    /// From now on, the subject is used only by threads that have the turn.
    pub fn begin(subject: Subject, turn: &Turn) {
        TURNS.lock().get_or_insert_default().insert(subject as usize, std::ptr::from_ref(turn) as usize);
    }

    /// From now on, the subject is used by one thread only.
    pub fn end(subject: Subject) {
        TURNS.lock().get_or_insert_default().remove(&(subject as usize));
    }

    /// Panics if this thread uses the subject without its turn.
    #[track_caller]
    pub fn check(subject: Subject) {
        let turn = TURNS.lock().as_ref().and_then(|turns| turns.get(&(subject as usize)).copied());
        // SAFETY: a subject is removed before its turn is dropped.
        let is_mine = turn.is_none_or(|turn| unsafe { (*(turn as *const Turn)).is_mine() });
        assert!(is_mine, "used without its turn");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    const IT: usize = 1;
    const OTHER: usize = 2;

    fn subject(number: usize) -> Subject {
        ptr::without_provenance(number)
    }

    fn is_waited_for(turn: &Turn) -> bool {
        turn.is_awaited.load(Ordering::SeqCst)
    }

    #[test]
    fn one_thread_at_a_time_has_it_and_can_take_it_again() {
        let turn = Turn::default();
        let inside = AtomicU32::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        let _taken = turn.take(subject(IT));
                        let _again = turn.take(subject(IT));
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(turn.try_take(subject(IT)).is_some());
        assert!(!is_held());
    }

    #[test]
    fn a_turn_that_is_given_up_is_taken_again_as_deep_as_it_was() {
        let turn = Turn::default();
        let outer = turn.take(subject(IT));
        let inner = turn.take(subject(IT));
        let given_up = give_up();
        assert!(!is_held() && given_up.is_some() && give_up().is_none());
        thread::scope(|scope| {
            scope.spawn(|| drop(turn.take(subject(IT)))).join().unwrap();
        });
        drop(given_up);
        assert!(turn.is_mine());
        drop(inner);
        assert!(turn.is_mine());
        drop(outer);
        assert!(!turn.is_mine() && !is_held());
    }

    #[test]
    fn a_waiting_thread_gets_it_before_one_that_comes_back() {
        let turn = Turn::default();
        let had = AtomicU32::new(0);
        thread::scope(|scope| {
            let taken = turn.take(subject(IT));
            let (began, begins) = mpsc::channel();
            let (turn, had) = (&turn, &had);
            scope.spawn(move || {
                began.send(()).unwrap();
                let _taken = turn.take(subject(IT));
                had.store(1, Ordering::SeqCst);
            });
            begins.recv().unwrap();
            // The other thread waits or is about to; a fair lock gives it the turn.
            let mut taken = Some(taken);
            while had.load(Ordering::SeqCst) == 0 {
                drop(taken.take());
                thread::yield_now();
                taken = Some(turn.take(subject(IT)));
            }
        });
    }

    #[test]
    fn a_call_of_another_thread_is_waited_for_and_can_continue() {
        let turn = Turn::default();
        let (entered, enters) = mpsc::channel();
        let (go, goes) = mpsc::channel::<()>();
        let done = AtomicU32::new(0);
        thread::scope(|scope| {
            let (turn, done) = (&turn, &done);
            scope.spawn(move || {
                let _call = turn.take(subject(IT));
                let python = give_up();
                entered.send(()).unwrap();
                goes.recv().unwrap();
                // Python code within the call uses the subject.
                let taken = turn.take(subject(IT));
                assert!(taken.is_inside(subject(IT)));
                drop(taken);
                done.store(1, Ordering::SeqCst);
                drop(python);
            });
            enters.recv().unwrap();
            scope.spawn(move || {
                while !is_waited_for(turn) {
                    thread::yield_now();
                }
                go.send(()).unwrap();
            });
            let taken = turn.take(subject(IT));
            assert!(taken.are_others_inside(subject(IT)) && !taken.are_others_inside(subject(OTHER)));
            assert!(!taken.is_inside(subject(IT)));
            taken.wait_for_others(subject(IT));
            assert_eq!(done.load(Ordering::SeqCst), 1);
            assert!(turn.is_mine() && !taken.are_others_inside(subject(IT)));
        });
        assert!(!is_held());
    }

    #[test]
    fn one_that_waits_for_a_call_is_waited_for() {
        let turn = Turn::default();
        let (entered, enters) = mpsc::channel();
        let (go, goes) = mpsc::channel::<()>();
        let is_over = AtomicU32::new(0);
        thread::scope(|scope| {
            let (turn, is_over) = (&turn, &is_over);
            let entered_again = entered.clone();
            scope.spawn(move || {
                let _call = turn.take(subject(IT));
                let python = give_up();
                entered.send(()).unwrap();
                goes.recv().unwrap();
                drop(python);
                is_over.store(1, Ordering::SeqCst);
            });
            enters.recv().unwrap();
            scope.spawn(move || {
                let taken = turn.take(subject(IT));
                entered_again.send(()).unwrap();
                taken.wait_within(Duration::from_secs(20), || is_over.load(Ordering::SeqCst) == 0);
                assert_eq!(is_over.swap(2, Ordering::SeqCst), 1);
            });
            enters.recv().unwrap();
            // Had by this thread when the other one waits.
            let taken = turn.take(subject(IT));
            go.send(()).unwrap();
            taken.wait_for_others(subject(IT));
            assert_eq!(is_over.load(Ordering::SeqCst), 2);
        });
    }

    #[test]
    fn a_wait_ends() {
        let turn = Turn::default();
        let taken = turn.take(subject(IT));
        taken.wait_within(Duration::from_millis(10), || true);
        assert!(turn.is_mine() && !taken.is_inside(subject(IT)));
    }
}
