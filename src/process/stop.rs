//! The stop of a process that httpd ends in a signal handler, as prefork does with its children.
//!
//! httpd's handler destroys pools and calls `exit` wherever the signal has interrupted the thread: within `malloc`, or in the middle of
//! a request that another thread is about to send. So, while this module has the thread, the signal waits: the request is
//! finished, and the process ends as in a graceful stop. What takes longer than `BOUND` ends the process at once, without any of its exit
//! functions.

use std::cell::Cell;
use std::ffi::c_int;
use std::marker::PhantomData;
use std::mem::{self, MaybeUninit};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::time::Duration;

/// How long a request may take after the signal.
const BOUND: Duration = Duration::from_millis(250);

/// The signals for a stop and a restart of httpd.
const STOPS: [c_int; 2] = [libc::SIGTERM, libc::SIGHUP];

/// httpd's own for a graceful restart (`AP_SIG_GRACEFUL` in mpm_common.h).
const GRACEFUL: c_int = libc::SIGUSR1;

/// Whether `take_over` was called in this process or in one that has forked it.
static TAKEN_OVER: AtomicBool = AtomicBool::new(false);
/// The process that serves requests: not one that a handler has forked.
static SERVING: AtomicI32 = AtomicI32::new(0);
/// Whether a signal waits.
static WAITS: AtomicBool = AtomicBool::new(false);
/// httpd's handlers for a stop and for a graceful one.
static STOP: AtomicUsize = AtomicUsize::new(0);
static STOP_GRACEFULLY: AtomicUsize = AtomicUsize::new(0);
static LAST_WORDS: OnceLock<String> = OnceLock::new();

/// What a thread knows of the stop.
struct Thread {
    /// Whether httpd's signal handlers interrupt this thread.
    serves: Cell<bool>,
    /// How many `Held` it has.
    held: Cell<usize>,
}

thread_local!(static THREAD: Thread = const { Thread { serves: Cell::new(false), held: Cell::new(0) } });

/// Makes the signals for a stop wait while this thread, the first one of the process, has a `Held`. To be called when httpd has set its
/// handlers. `last_words` are written to the standard error output if the process ends in the midst of a request.
pub fn take_over(last_words: Option<&str>) {
    if let Some(words) = last_words {
        let _ = LAST_WORDS.set(format!("{words}\n"));
    }
    let (Some(stop), Some(stop_gracefully)) = (handler(STOPS[0]), handler(GRACEFUL)) else { return };
    STOP.store(stop, Ordering::Relaxed);
    STOP_GRACEFULLY.store(stop_gracefully, Ordering::Relaxed);
    THREAD.with(|thread| thread.serves.set(true));
    serves_here();
    TAKEN_OVER.store(true, Ordering::Relaxed);
    for signal in STOPS.into_iter().filter(|signal| handler(*signal) == Some(stop)) {
        // SAFETY: a zeroed action has an empty mask; the function does only what a signal handler may do.
        unsafe {
            let mut action: libc::sigaction = mem::zeroed();
            action.sa_sigaction = on_stop as extern "C" fn(_, _, _) as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
            libc::sigaction(signal, &action, ptr::null_mut());
        }
    }
}

/// Notes that this process serves requests, although it was forked from one that does.
pub fn serves_here() {
    // SAFETY: takes no pointers.
    SERVING.store(unsafe { libc::getpid() }, Ordering::Relaxed);
    // What waits in the process that has forked this one ends that one; its timer is not here.
    WAITS.store(false, Ordering::Relaxed);
}

/// The function that handles a signal now, if it is a plain one.
fn handler(signal: c_int) -> Option<usize> {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: the structure is filled in if the call succeeds.
    let action = unsafe {
        match libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) {
            0 => action.assume_init(),
            _ => return None,
        }
    };
    let is_plain = action.sa_flags & libc::SA_SIGINFO == 0;
    (is_plain && ![libc::SIG_DFL, libc::SIG_IGN].contains(&action.sa_sigaction)).then_some(action.sa_sigaction)
}

/// Calls a handler of httpd's.
fn call(handler: &AtomicUsize, signal: c_int) {
    let address = handler.load(Ordering::Relaxed);
    // SAFETY: set by `take_over` before anything calls this, from what `sigaction` gave for a plain handler.
    unsafe { mem::transmute::<usize, extern "C" fn(c_int)>(address)(signal) }
}

/// Until this is dropped, a signal for a stop waits.
pub struct Held {
    counts: bool,
    thread: PhantomData<*mut ()>,
}

/// Makes signals for a stop wait, where httpd would end this process in the handler.
#[inline]
pub fn hold() -> Held {
    Held { counts: TAKEN_OVER.load(Ordering::Relaxed) && begin(), thread: PhantomData }
}

fn begin() -> bool {
    THREAD.with(|thread| {
        let serves = thread.serves.get();
        thread.held.set(thread.held.get() + usize::from(serves));
        serves
    })
}

impl Drop for Held {
    #[inline]
    fn drop(&mut self) {
        if self.counts {
            end();
        }
    }
}

fn end() {
    let held = THREAD.with(|thread| {
        thread.held.set(thread.held.get() - 1);
        thread.held.get()
    });
    if held == 0 && WAITS.load(Ordering::Relaxed) && WAITS.swap(false, Ordering::Relaxed) {
        call(&STOP_GRACEFULLY, GRACEFUL);
    }
}

/// Handles a signal for a stop. Only what POSIX allows in signal handlers.
extern "C" fn on_stop(signal: c_int, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    // SAFETY: takes no pointers.
    let process = unsafe { libc::getpid() };
    if process != SERVING.load(Ordering::Relaxed) {
        return call(&STOP, signal);
    }
    if !is_first_thread(process) {
        return to_first_thread(process, signal);
    }
    if THREAD.with(|thread| thread.held.get()) == 0 {
        return call(&STOP, signal);
    }
    // SAFETY: given by the kernel.
    let is_late = unsafe { (*info).si_code } == libc::SI_TIMER;
    let is_new = !is_late && !WAITS.swap(true, Ordering::Relaxed);
    if is_late || (is_new && !signal_later(signal)) {
        end_at_once();
    }
}

fn end_at_once() -> ! {
    // SAFETY: the words live as long as the process.
    unsafe {
        if let Some(words) = LAST_WORDS.get() {
            libc::write(libc::STDERR_FILENO, words.as_ptr().cast(), words.len());
        }
        libc::_exit(0)
    }
}

#[cfg(target_os = "linux")]
fn is_first_thread(process: libc::pid_t) -> bool {
    // SAFETY: takes no pointers.
    unsafe { libc::gettid() == process }
}

/// Threads that a program starts do not block the signals for a stop.
#[cfg(target_os = "linux")]
fn to_first_thread(process: libc::pid_t, signal: c_int) {
    // SAFETY: takes no pointers.
    unsafe { libc::syscall(libc::SYS_tgkill, process, process, signal) };
}

/// Sends this process the signal when `BOUND` has passed. Returns whether that will be done.
#[cfg(target_os = "linux")]
fn signal_later(signal: c_int) -> bool {
    // The system calls themselves: the C library's timer_create may allocate.
    // SAFETY: zeroed structures are valid; the kernel copies them and fills in the timer.
    unsafe {
        let mut event: libc::sigevent = mem::zeroed();
        event.sigev_notify = libc::SIGEV_SIGNAL;
        event.sigev_signo = signal;
        let mut timer: c_int = 0;
        let mut when: libc::itimerspec = mem::zeroed();
        when.it_value.tv_nsec = BOUND.subsec_nanos().into();
        libc::syscall(libc::SYS_timer_create, libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer) == 0
            && libc::syscall(libc::SYS_timer_settime, timer, 0, &raw const when, ptr::null_mut::<libc::itimerspec>())
                == 0
    }
}

#[cfg(not(target_os = "linux"))]
fn is_first_thread(_process: libc::pid_t) -> bool {
    THREAD.with(|thread| thread.serves.get())
}

#[cfg(not(target_os = "linux"))]
fn to_first_thread(_process: libc::pid_t, _signal: c_int) {
    end_at_once();
}

#[cfg(not(target_os = "linux"))]
fn signal_later(_signal: c_int) -> bool {
    false
}
