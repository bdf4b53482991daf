//! The signals that a thread blocks.
//!
//! Most MPMs block nearly all signals in the threads that serve requests. A program that such a thread starts inherits
//! that through `exec`, and only SIGKILL would end it. So programs start with the signal mask that httpd was started with.

use std::cell::Cell;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;

/// The signals that a thread blocks.
#[derive(Clone, Copy)]
pub struct SignalMask(libc::sigset_t);

/// The highest number that a signal can have here.
const HIGHEST: i32 = 64;

impl SignalMask {
    /// All signals.
    pub fn all() -> Self {
        let mut all = MaybeUninit::uninit();
        // SAFETY: the set is filled in.
        unsafe {
            libc::sigfillset(all.as_mut_ptr());
            Self(all.assume_init())
        }
    }

    /// The mask of this thread.
    pub fn current() -> Self {
        let mut mask = MaybeUninit::uninit();
        // SAFETY: without a new mask, the old one is filled in.
        unsafe {
            libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), mask.as_mut_ptr());
            Self(mask.assume_init())
        }
    }

    /// Makes this the mask of this thread.
    pub fn set(&self) {
        // SAFETY: a valid set; the mask is this thread's own.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, ptr::null_mut()) };
    }

    /// The signals' numbers.
    pub fn numbers(&self) -> impl Iterator<Item = i32> + '_ {
        // SAFETY: a valid set.
        (1..=HIGHEST).filter(|number| unsafe { libc::sigismember(&self.0, *number) } == 1)
    }
}

impl PartialEq for SignalMask {
    fn eq(&self, other: &Self) -> bool {
        self.numbers().eq(other.numbers())
    }
}

/// Another signal mask for this thread, until dropped.
pub struct ChangedSignals {
    before: SignalMask,
    thread: PhantomData<*mut ()>,
}

impl ChangedSignals {
    pub fn to(mask: &SignalMask) -> Self {
        let before = SignalMask::current();
        mask.set();
        Self { before, thread: PhantomData }
    }

    /// Blocks all signals.
    pub fn blocked() -> Self {
        Self::to(&SignalMask::all())
    }
}

impl Drop for ChangedSignals {
    fn drop(&mut self) {
        self.before.set();
    }
}

static INHERITED: OnceLock<SignalMask> = OnceLock::new();

/// Notes the mask that httpd was started with. To be called by httpd's first thread, before it starts others.
pub fn note_inherited() {
    INHERITED.get_or_init(SignalMask::current);
}

/// The mask that httpd was started with.
pub fn inherited() -> SignalMask {
    INHERITED.get().copied().unwrap_or_else(SignalMask::current)
}

thread_local! {
    // Without a destructor: it is read in the hook after a fork.
    static STARTS_PROGRAM: Cell<bool> = const { Cell::new(false) };
}

/// Until this is dropped, a process that this thread forks begins with the signal mask that httpd was started with: it is about to
/// execute another program. With `vfork` no hook runs, so the mask stays as it is.
pub struct StartsProgram(PhantomData<*mut ()>);

impl StartsProgram {
    pub fn begin() -> Self {
        STARTS_PROGRAM.set(true);
        Self(PhantomData)
    }
}

impl Drop for StartsProgram {
    fn drop(&mut self) {
        STARTS_PROGRAM.set(false);
    }
}

/// For the hook after a fork, in the new process.
pub(super) fn forked() {
    if STARTS_PROGRAM.get() {
        inherited().set();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_blocks_all_signals_until_dropped() {
        std::thread::spawn(|| {
            let before = SignalMask::current();
            let blocked = ChangedSignals::blocked();
            assert!(SignalMask::current().numbers().any(|number| number == libc::SIGTERM));
            assert!(SignalMask::current() != before);
            drop(blocked);
            assert!(SignalMask::current() == before);
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_forked_program_begins_with_what_httpd_was_started_with() {
        note_inherited();
        crate::process::fork::watch();
        std::thread::spawn(|| {
            let _blocked = ChangedSignals::blocked();
            for (starts_program, expected) in [(false, 1), (true, 0)] {
                let scope = starts_program.then(StartsProgram::begin);
                // SAFETY: the new process looks at its mask and ends.
                let status = unsafe {
                    let child = libc::fork();
                    if child == 0 {
                        let is_blocked = SignalMask::current().numbers().any(|number| number == libc::SIGTERM);
                        libc::_exit(is_blocked.into());
                    }
                    let mut status = 0;
                    assert_eq!(libc::waitpid(child, &mut status, 0), child);
                    status
                };
                drop(scope);
                assert_eq!(libc::WEXITSTATUS(status), expected);
            }
        })
        .join()
        .unwrap();
    }
}
