//! Sending what was written, although the program writes nothing more.
//!
//! `req.write` does not send each piece. A program can rely on this: what it has written is sent when it reads the body, flushes
//! or returns, and at the latest some hundredths of a second after it was written, whether the program waits, sleeps or
//! computes. For that, a thread checks at each tick the requests that are being served. If one has something to send, and
//! its program is slow, it is passed to another thread, since sending can block. That thread takes the request's turn, so it never
//! interrupts a call of the program, and it sends through the filters as usual.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use smallvec::SmallVec;

use crate::httpd::{LogScope, Place, Request};
use crate::process::{caught, fork, thread};

use super::methods::send_what_is_due;
use super::record::RequestRecord;

/// The time between two checks. What was written is sent after one to two ticks.
const TICK: Duration = Duration::from_millis(15);

/// After so many ticks without a request that has something to send, the checking thread waits until there is one.
const IDLE_TICKS: u32 = 64;

/// How many threads may send at once; further requests wait.
const MOST_SENDERS: usize = 64;

/// How long a sending thread waits for another request before it ends.
const SENDER_WAITS: Duration = Duration::from_secs(10);

/// Whether a request has something to send that no thread is about to send.
#[derive(Default)]
pub struct Due(AtomicU8);

impl Due {
    const NOT: u8 = 0;
    /// Since the latest tick.
    const NEW: u8 = 1;
    /// The checking thread has seen it.
    const SEEN: u8 = 2;
    /// A sending thread has it.
    const HANDED_OVER: u8 = 3;

    /// Notes that something is to be sent soon.
    #[inline]
    pub fn note(&self) {
        if self.0.load(Ordering::Relaxed) == Self::NOT {
            self.0.store(Self::NEW, Ordering::Relaxed);
            // Either the checking thread sees this, or this thread sees its state below.
            fence(Ordering::SeqCst);
            if LOOKER.load(Ordering::Relaxed) != LOOKS {
                wake_looker();
            }
        }
    }

    /// Notes that nothing is to be sent.
    #[inline]
    pub fn forget(&self) {
        self.0.store(Self::NOT, Ordering::Relaxed);
    }

    /// For the checking thread: whether the request is to be sent now, and whether it has anything to send.
    fn tick(&self) -> (bool, bool) {
        let step = |before, after| self.0.compare_exchange(before, after, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        let is_handed_over = step(Self::SEEN, Self::HANDED_OVER);
        let is_new = !is_handed_over && step(Self::NEW, Self::SEEN);
        (is_handed_over, is_handed_over || is_new)
    }
}

/// The state of the checking thread of this process.
static LOOKER: AtomicU8 = AtomicU8::new(NOT_STARTED);
const NOT_STARTED: u8 = 0;
const LOOKS: u8 = 1;
const WAITS: u8 = 2;

/// The requests that one thread serves; nested callbacks have several.
type Served = parking_lot::Mutex<SmallVec<[Record; 2]>>;

/// A record that is alive for as long as it is in the list.
#[derive(Clone, Copy, PartialEq)]
struct Record(*const RequestRecord);

// SAFETY: records are shared among threads.
unsafe impl Send for Record {}

/// The data that the threads of this process share. Each process has its own: a thread may hold a lock when a process is forked.
struct Flusher {
    /// `fork::generation()` of the process that has created it.
    generation: usize,
    /// The requests of each thread; lists of threads that have ended are removed.
    served: Mutex<Vec<Weak<Served>>>,
    looker: Mutex<()>,
    /// Notified when the checking thread is to continue.
    look: Condvar,
    queue: Mutex<Queue>,
    /// Notified when there is a request to send.
    send: Condvar,
    /// The number of idle threads: between two checks, or without work.
    resting: AtomicUsize,
}

/// The requests to send now.
#[derive(Default)]
struct Queue {
    requests: VecDeque<Arc<RequestRecord>>,
    senders: usize,
    idle: usize,
}

static FLUSHER: AtomicPtr<Flusher> = AtomicPtr::new(ptr::null_mut());

/// This process's flusher.
fn flusher() -> &'static Flusher {
    let known = FLUSHER.load(Ordering::Acquire);
    let generation = fork::generation();
    // SAFETY: null, or leaked below.
    if let Some(flusher) = unsafe { known.as_ref() }.filter(|flusher| flusher.generation == generation) {
        return flusher;
    }
    let made = Box::into_raw(Box::new(Flusher {
        generation,
        served: Mutex::default(),
        looker: Mutex::default(),
        look: Condvar::new(),
        queue: Mutex::default(),
        send: Condvar::new(),
        resting: AtomicUsize::new(0),
    }));
    match FLUSHER.compare_exchange(known, made, Ordering::AcqRel, Ordering::Acquire) {
        // SAFETY: leaked on purpose: its threads use it until the process ends.
        Ok(_) => unsafe {
            // Threads do not survive a fork.
            LOOKER.store(NOT_STARTED, Ordering::SeqCst);
            &*made
        },
        Err(faster) => {
            // SAFETY: created above and not published; the other one is leaked.
            unsafe {
                drop(Box::from_raw(made));
                &*faster
            }
        }
    }
}

/// How many threads of this file are idle: the exit of the process need not wait for them.
pub fn resting_flushers() -> usize {
    let known = FLUSHER.load(Ordering::Acquire);
    // SAFETY: null, or leaked.
    let flusher = unsafe { known.as_ref() }.filter(|flusher| flusher.generation == fork::generation());
    flusher.map_or(0, |flusher| flusher.resting.load(Ordering::Relaxed))
}

/// The list of requests that one thread serves, for the checking thread.
pub(super) struct LookedAt(RefCell<Option<(usize, Arc<Served>)>>);

impl LookedAt {
    pub(super) const fn new() -> Self {
        Self(RefCell::new(None))
    }

    /// Adds a request.
    ///
    /// # Safety
    /// The record is in an `Arc` that lives until the request is removed.
    #[inline]
    pub(super) unsafe fn add(&self, record: *const RequestRecord) {
        match &mut *self.0.borrow_mut() {
            Some((generation, served)) if *generation == fork::generation() => served.lock().push(Record(record)),
            own => *own = Some(first_of_thread(record)),
        }
    }

    /// Removes a request.
    #[inline]
    pub(super) fn remove(&self, record: *const RequestRecord) {
        // A list from before a fork may be locked for ever.
        if let Some((_, served)) = self.0.borrow().as_ref().filter(|(generation, _)| *generation == fork::generation())
        {
            let mut served = served.lock();
            if let Some(index) = served.iter().rposition(|known| *known == Record(record)) {
                served.swap_remove(index);
            }
        }
    }
}

/// Creates the list of a thread in this process, with its first request.
#[cold]
fn first_of_thread(record: *const RequestRecord) -> (usize, Arc<Served>) {
    let served = Arc::<Served>::default();
    served.lock().push(Record(record));
    let flusher = flusher();
    locked(&flusher.served).push(Arc::downgrade(&served));
    (flusher.generation, served)
}

/// Wakes the checking thread, or starts it.
#[cold]
fn wake_looker() {
    let flusher = flusher();
    let _locked = locked(&flusher.looker);
    match LOOKER.load(Ordering::SeqCst) {
        WAITS => {
            LOOKER.store(LOOKS, Ordering::SeqCst);
            flusher.look.notify_one();
        }
        // Without that thread, what was written is sent when the program ends.
        NOT_STARTED if thread::spawn("mod_python flush", move || flusher.look()).is_ok() => {
            LOOKER.store(LOOKS, Ordering::SeqCst);
        }
        _ => {}
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Flusher {
    /// The checking thread.
    fn look(&'static self) {
        let mut idle = 0;
        loop {
            self.rest(|| std::thread::sleep(TICK));
            idle = if self.tick() { 0 } else { idle + 1 };
            if idle > IDLE_TICKS {
                idle = 0;
                self.wait();
            }
        }
    }

    /// Waits until a request has something to send.
    fn wait(&'static self) {
        let mut looker = locked(&self.looker);
        LOOKER.store(WAITS, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        // A thread that has noted something before it could see this has not woken this one.
        if self.tick() {
            LOOKER.store(LOOKS, Ordering::Relaxed);
            return;
        }
        self.rest(|| {
            while LOOKER.load(Ordering::Relaxed) == WAITS {
                looker = self.look.wait(looker).unwrap_or_else(PoisonError::into_inner);
            }
        });
    }

    /// Checks all requests once; returns whether one has something to send.
    fn tick(&'static self) -> bool {
        let (mut is_any_due, mut handed_over) = (false, SmallVec::<[Arc<RequestRecord>; 8]>::new());
        locked(&self.served).retain(|served| {
            let Some(served) = served.upgrade() else { return false };
            for Record(record) in served.lock().iter() {
                // SAFETY: alive for as long as it is in the list, which is locked.
                let (is_handed_over, is_due) = unsafe { (**record).due.tick() };
                is_any_due |= is_due;
                if is_handed_over {
                    // SAFETY: as above; it is that of an `Arc`.
                    handed_over.push(unsafe {
                        Arc::increment_strong_count(*record);
                        Arc::from_raw(*record)
                    });
                }
            }
            true
        });
        handed_over.into_iter().for_each(|record| self.hand_over(record));
        is_any_due
    }

    /// Passes a request to a sending thread.
    fn hand_over(&'static self, record: Arc<RequestRecord>) {
        let mut queue = locked(&self.queue);
        queue.requests.push_back(record);
        if queue.idle >= queue.requests.len() {
            self.send.notify_one();
        } else if queue.senders < MOST_SENDERS && thread::spawn("mod_python flush", move || self.send()).is_ok() {
            queue.senders += 1;
        }
    }

    /// A sending thread.
    fn send(&'static self) {
        while let Some(record) = self.next() {
            if let Err(panic) = caught(|| send(&record)) {
                tracing::error!("MP0102: mod_python has a defect: {panic}. The child goes on; please report this.");
            }
        }
    }

    /// The next request to send; `None` if there was none for some time.
    fn next(&self) -> Option<Arc<RequestRecord>> {
        let mut queue = locked(&self.queue);
        loop {
            if let Some(record) = queue.requests.pop_front() {
                return Some(record);
            }
            queue.idle += 1;
            let waited = self.rest(|| self.send.wait_timeout(queue, SENDER_WAITS));
            let (guard, outcome) = waited.unwrap_or_else(PoisonError::into_inner);
            queue = guard;
            queue.idle -= 1;
            if outcome.timed_out() && queue.requests.is_empty() {
                queue.senders -= 1;
                return None;
            }
        }
    }

    fn rest<T>(&self, work: impl FnOnce() -> T) -> T {
        self.resting.fetch_add(1, Ordering::Relaxed);
        let result = work();
        self.resting.fetch_sub(1, Ordering::Relaxed);
        result
    }
}

/// Sends what a request has to send, unless its program is in a call for it.
fn send(record: &Arc<RequestRecord>) {
    let Some(pointer) = record.handle.pointer() else { return record.due.forget() };
    let subject = pointer.cast_const().cast();
    let Some(taken) = record.handle.turn().try_take(subject) else {
        // The program may wait after this call.
        record.due.forget();
        return record.due.note();
    };
    record.due.forget();
    let Ok(pointer) = record.handle.checked(&taken) else { return };
    // SAFETY: valid, and this thread has the turn.
    let (request, _scope) = unsafe {
        let scope = LogScope::enter_shared(Place::Request(pointer), record.handle.turn());
        (Request::from_raw(pointer), scope)
    };
    send_what_is_due(record, request);
}
