//! The embedded engine: the operations on a store, each at one moment for all threads and processes. They know nothing of Python; those that
//! change something block until it is their turn, unless they must not (`Waiting`).

use std::panic::RefUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use minicbor::data::Type;
use minicbor::encode::write::Cursor;
use minicbor::{Decoder, Encoder};

use crate::config::{StoreOptions, StoreSync};
use crate::process::time::{self, since_boot};

use super::entries::{self, Namespace};
use super::error::{Failure, StoreError};
use super::lmdb::{Code, Environment, Writing};
use super::locks::{self, Attempt};
use super::opened::Parts;
use super::presence::{Presence, TOKEN};
use super::rates;
use super::wakeups::Wakeups;

/// How many bytes an integer takes at most as it is stored.
const LONGEST_INTEGER: usize = 9;

/// The format of what this module writes into a store.
const FORMAT: &[u8] = b"mod_python store 2";

/// How many expired entries a change takes away beside its own work.
const SOME: usize = 8;

/// How long a thread waits for a lock until it looks whether those before it are still alive.
const LOOK: Duration = Duration::from_millis(100);

/// What a change expects: a value, or none.
pub struct Check {
    pub name: Vec<u8>,
    pub value: Option<Vec<u8>>,
}

/// What a change does: a value to write, with its time to live in milliseconds (0 for ever), or none to delete.
pub struct Write {
    pub name: Vec<u8>,
    pub value: Option<Vec<u8>>,
    pub ttl: u64,
}

/// Whether a change may wait, for other threads or for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    Allowed,
    /// It gives `StoreError::WouldWait` instead, and changes nothing.
    Refused,
}

/// A store that is open in this process.
pub struct Engine {
    name: String,
    folder: PathBuf,
    /// Whose the folder is, where each user has one.
    user: Option<u32>,
    environment: &'static Environment,
    wakeups: &'static Wakeups,
    presence: &'static Presence,
    size: u64,
    readers: u32,
    sync: StoreSync,
    /// When the disk had all, in milliseconds since 1970.
    synced: AtomicU64,
    /// When a change last found that no more entries had expired, in milliseconds since 1970.
    swept: AtomicU64,
}

// What a panic leaves behind is whole: transactions are undone.
impl RefUnwindSafe for Engine {}

/// The time, in milliseconds since 1970.
fn now() -> u64 {
    u64::try_from(time::now() / 1000).unwrap_or(0)
}

impl Engine {
    /// `within` is the folder of the parts, `user` whose that is, where each has one.
    pub(super) fn open(
        name: &str,
        within: PathBuf,
        user: Option<u32>,
        options: &StoreOptions,
        readers: u32,
        parts: &Parts,
    ) -> Result<Self, StoreError> {
        let (size, readers) = (options.size, options.readers.unwrap_or(readers));
        let environment = parts.environment(&within, readers, options);
        let environment = environment.map_err(|code| describe(name, &within, size, readers, Failure::Lmdb(code)))?;
        let this = Self {
            name: name.to_owned(),
            folder: within,
            user,
            environment,
            wakeups: parts.wakeups,
            presence: parts.presence,
            size,
            readers,
            sync: options.sync,
            synced: AtomicU64::new(now()),
            swept: AtomicU64::new(0),
        };
        this.begin()?;
        Ok(this)
    }

    /// Whether it is the one for the user as whom this process works now: mpm_itk's processes change theirs in the midst of a request.
    #[inline]
    pub fn is_of_this_user(&self) -> bool {
        // SAFETY: takes no pointers.
        self.user.is_none_or(|user| user == unsafe { libc::geteuid() })
    }

    /// Checks the format, and takes away the locks of processes that have ended.
    fn begin(&self) -> Result<(), StoreError> {
        let time = now();
        let found =
            self.read(|view| Ok(entries::get(view, &[Namespace::VERSION], time)?.map(|entry| entry.value.to_vec())))?;
        match found {
            None => self.write(Waiting::Allowed, |writing, _| self.mark(writing))?,
            Some(format) if format == FORMAT => {}
            Some(_) => {
                return Err(StoreError::OtherVersion { name: self.name.clone(), folder: self.folder.clone() });
            }
        }
        let (all, _) = self.read(|view| entries::scan(view, &[Namespace::LOCK], None, usize::MAX, time))?;
        for (name, _) in all {
            let lock = self.read(|view| locks::look(view, &name, since_boot()))?;
            let parties: Vec<_> = lock.holder.iter().chain(&lock.waiting).map(|party| party.token).collect();
            let dead: Vec<_> = parties.into_iter().filter(|token| !self.presence.is_alive(token)).collect();
            for token in dead {
                self.free(Waiting::Allowed, |writing, _| {
                    locks::release(writing, &name, token, since_boot()).map(drop)
                })?;
            }
        }
        self.environment.free_readers();
        Ok(())
    }

    fn described(&self, failure: Failure) -> StoreError {
        describe(&self.name, &self.folder, self.size, self.readers, failure)
    }

    /// Runs `work` with a view of one moment.
    fn read<T>(&self, work: impl FnOnce(&super::lmdb::Reading<'_>) -> Result<T, Failure>) -> Result<T, StoreError> {
        self.environment.read(work).map_err(|failure| self.described(failure))
    }

    /// Runs `work` as one change, and makes room for it if there is none and something has expired.
    fn write<T>(
        &self,
        waiting: Waiting,
        work: impl Fn(&mut Writing<'_>, u64) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        /// A change that takes away many entries writes many pages before it frees any.
        const SWEEP: usize = 1000;
        let work = |writing: &mut Writing<'_>, time| {
            let done = work(writing, time)?;
            if writing.has_room()? { Ok(done) } else { Err(Failure::Full) }
        };
        if waiting == Waiting::Refused {
            return self.at_once(work);
        }
        let add = || match self.environment.has_room()? {
            true => self.change(work),
            false => Err(Failure::Full),
        };
        let add = || self.with_patience(add);
        let mut outcome = add();
        let (mut has_swept, mut most) = (true, SWEEP);
        while has_swept && outcome.as_ref().is_err_and(Failure::is_for_want_of_room) {
            let swept = self.with_reserve(|| {
                let swept = self.sweep(&mut most)?;
                // LMDB uses pages again in the second change after that which has freed them.
                self.environment.write(|writing| self.mark(writing)).map(|()| swept)
            });
            has_swept = swept.is_ok_and(|count| count > 0);
            outcome = add();
        }
        self.done(outcome)
    }

    /// Takes away expired entries, at most `most`, which becomes less where there is no room for the copies of the pages in which so many are.
    fn sweep(&self, most: &mut usize) -> Result<usize, Failure> {
        loop {
            match self.environment.write(|writing| entries::sweep(writing, now(), *most)) {
                Err(Failure::Lmdb(Code::MAP_FULL)) if *most > 1 => *most = (*most / 4).max(1),
                outcome => return outcome,
            }
        }
    }

    /// Whether an entry, or all entries of a change, could be in the store at all: what could not is refused before the map grows.
    fn can_hold(&self, bytes: usize) -> Result<(), StoreError> {
        if bytes as u64 > self.size { Err(self.described(Failure::Full)) } else { Ok(()) }
    }

    /// Writes the format of the entries.
    fn mark(&self, writing: &mut Writing<'_>) -> Result<(), Failure> {
        entries::put(writing, &[Namespace::VERSION], FORMAT, 0, now())
    }

    /// The same for what makes room. LMDB needs some to delete, since it changes copies of its pages.
    fn free<T>(
        &self,
        waiting: Waiting,
        work: impl Fn(&mut Writing<'_>, u64) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        if waiting == Waiting::Refused {
            return self.at_once(work);
        }
        let outcome = match self.with_patience(|| self.change(&work)) {
            Err(Failure::Lmdb(Code::MAP_FULL)) => self.with_reserve(|| self.change(&work)),
            outcome => outcome,
        };
        self.done(outcome)
    }

    /// Runs `work` again while the map can grow, and while it finds no page in the map because a view shows old ones. Views are short, but a
    /// thread that has one can have to wait for a processor while others change much.
    fn with_patience<T>(&self, work: impl Fn() -> Result<T, Failure>) -> Result<T, Failure> {
        const LONGEST: Duration = Duration::from_secs(5);
        let (mut until, mut is_last) = (None, false);
        loop {
            let length = self.environment.length_of_map();
            let mut outcome = work();
            let has_no_page = matches!(outcome, Err(Failure::Lmdb(Code::MAP_FULL)));
            if !has_no_page && !matches!(outcome, Err(Failure::Full)) {
                return outcome;
            }
            match self.environment.grow(length) {
                Ok(true) => continue,
                Ok(false) => {}
                // That is why there is no room.
                Err(code) => outcome = Err(code.into()),
            }
            if !has_no_page {
                return outcome;
            }
            let until = *until.get_or_insert_with(|| Instant::now() + LONGEST);
            // Once more also without: the view may have ended by now.
            if !self.environment.wait_for_readers(until)? && std::mem::replace(&mut is_last, true) {
                return outcome;
            }
        }
    }

    /// Runs `work` with a map that is somewhat larger.
    fn with_reserve<T>(&self, work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
        const RESERVE: usize = 4 << 20;
        self.environment.resize(RESERVE)?;
        let outcome = work();
        self.environment.resize(0)?;
        outcome
    }

    fn done<T>(&self, outcome: Result<T, Failure>) -> Result<T, StoreError> {
        let done = outcome.map_err(|failure| self.described(failure))?;
        self.sync_if_due()?;
        Ok(done)
    }

    fn change<T>(&self, work: impl Fn(&mut Writing<'_>, u64) -> Result<T, Failure>) -> Result<T, Failure> {
        self.environment.write(|writing| self.work_and_sweep(writing, work))
    }

    /// Runs `work` as one change if nothing has to be waited for. Where changes are made in files, that is never known.
    fn at_once<T>(&self, work: impl Fn(&mut Writing<'_>, u64) -> Result<T, Failure>) -> Result<T, StoreError> {
        match self.environment.write_at_once(|writing| self.work_and_sweep(writing, work)) {
            Ok(Some(done)) => Ok(done),
            Ok(None) => Err(StoreError::WouldWait),
            // The map may have to grow.
            Err(failure) if failure.is_for_want_of_room() => Err(StoreError::WouldWait),
            Err(failure) => Err(self.described(failure)),
        }
    }

    fn work_and_sweep<T>(
        &self,
        writing: &mut Writing<'_>,
        work: impl Fn(&mut Writing<'_>, u64) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let time = now();
        let done = work(writing, time)?;
        // What expires does so in whole milliseconds.
        if self.swept.load(Ordering::Relaxed) != time && entries::sweep(writing, time, SOME)? < SOME {
            self.swept.store(time, Ordering::Relaxed);
        }
        Ok(done)
    }

    fn sync_if_due(&self) -> Result<(), StoreError> {
        let StoreSync::Every(seconds) = self.sync else { return Ok(()) };
        let (time, last) = (now(), self.synced.load(Ordering::Relaxed));
        let is_due = time.abs_diff(last) >= (seconds * 1000.0) as u64;
        if is_due && self.synced.compare_exchange(last, time, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.environment.sync().map_err(|code| self.described(code.into()))?;
        }
        Ok(())
    }

    /// Calls `use_it` with the value of a name.
    pub fn get<T>(&self, name: &[u8], use_it: impl FnOnce(Option<&[u8]>) -> T) -> Result<T, StoreError> {
        self.read(|view| Ok(use_it(entries::get(view, name, now())?.map(|entry| entry.value))))
    }

    /// The values of names, all of one moment.
    pub fn get_many(&self, names: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let time = now();
        self.read(|view| {
            let value = |name: &Vec<u8>| Ok(entries::get(view, name, time)?.map(|entry| entry.value.to_vec()));
            names.iter().map(value).collect()
        })
    }

    /// Writes a value.
    pub fn set(&self, name: &[u8], value: &[u8], ttl: u64, waiting: Waiting) -> Result<(), StoreError> {
        self.can_hold(name.len() + value.len())?;
        self.write(waiting, |writing, now| entries::put(writing, name, value, ttl, now))
    }

    /// Deletes a name, and returns the value that it had.
    pub fn take(&self, name: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.free(Waiting::Allowed, |writing, now| {
            let value = entries::get(writing, name, now)?.map(|entry| entry.value.to_vec());
            if value.is_some() {
                entries::delete(writing, name)?;
            }
            Ok(value)
        })
    }

    /// Makes changes if all checks hold; returns whether it has.
    pub fn commit(&self, checks: &[Check], writes: &[Write], waiting: Waiting) -> Result<bool, StoreError> {
        let work = |writing: &mut Writing<'_>, now| {
            for Check { name, value } in checks {
                let found = entries::get(writing, name, now)?.map(|entry| entry.value);
                if found != value.as_deref() {
                    return Ok(false);
                }
            }
            for Write { name, value, ttl } in writes {
                match value {
                    Some(value) => entries::put(writing, name, value, *ttl, now)?,
                    None => entries::delete(writing, name)?,
                }
            }
            Ok(true)
        };
        match writes.iter().all(|write| write.value.is_none()) {
            true => self.free(waiting, work),
            false => {
                let value = |write: &Write| write.value.as_ref().map_or(0, Vec::len);
                self.can_hold(writes.iter().map(|write| write.name.len() + value(write)).sum())?;
                self.write(waiting, work)
            }
        }
    }

    /// Adds to an integer and returns the sum. What is not there is 0, and gets the time to live; what is there keeps its own.
    pub fn add(&self, name: &[u8], by: i64, ttl: u64, waiting: Waiting) -> Result<i64, StoreError> {
        self.write(waiting, |writing, now| {
            let found = entries::get(writing, name, now)?;
            let before = found.map_or(Ok(0), |entry| integer(entry.value))?;
            let sum = before.checked_add(by).ok_or(Failure::Overflow)?;
            let mut buffer = [0; LONGEST_INTEGER];
            let mut encoder = Encoder::new(Cursor::new(&mut buffer[..]));
            encoder.i64(sum).map_err(|_| Failure::Damaged)?;
            let length = encoder.writer().position();
            let value = &buffer[..length];
            match found.map(|entry| entry.times) {
                Some(times) => entries::put_over(writing, name, times, value)?,
                None => entries::put(writing, name, value, ttl, now)?,
            }
            Ok(sum)
        })
    }

    /// Gives an entry another time to live (0: for ever), or with none its own again. Returns whether it is there.
    pub fn expire(&self, name: &[u8], ttl: Option<u64>) -> Result<bool, StoreError> {
        self.write(Waiting::Allowed, |writing, now| {
            let Some((value, own)) =
                entries::get(writing, name, now)?.map(|entry| (entry.value.to_vec(), entry.times.ttl))
            else {
                return Ok(false);
            };
            entries::put(writing, name, &value, ttl.unwrap_or(own), now)?;
            Ok(true)
        })
    }

    /// The milliseconds that an entry still lives: 0 for ever; none if it is not there.
    pub fn left(&self, name: &[u8]) -> Result<Option<u64>, StoreError> {
        let time = now();
        self.read(|view| {
            Ok(entries::get(view, name, time)?.map(|entry| match entry.times.expires {
                0 => 0,
                expires => (expires - time).max(1),
            }))
        })
    }

    pub fn count(&self, prefix: &[u8]) -> Result<usize, StoreError> {
        self.read(|view| entries::count(view, prefix, now()))
    }

    /// See `entries::scan`.
    #[allow(clippy::type_complexity)]
    pub fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        most: usize,
    ) -> Result<(Vec<(Vec<u8>, Vec<u8>)>, bool), StoreError> {
        self.read(|view| entries::scan(view, prefix, after, most, now()))
    }

    /// Notes a use of a rate: 0 if it is allowed, else the milliseconds until one will be.
    pub fn rate(&self, name: &[u8], limit: usize, per: u64, waiting: Waiting) -> Result<u64, StoreError> {
        self.write(waiting, |writing, now| rates::note(writing, name, limit, per, now))
    }

    /// Tries to take a lock, and waits for some time if that may help. Times in milliseconds, see `locks::Attempt`.
    pub fn lock_try(&self, name: &[u8], token: [u8; TOKEN], ttl: u64, place: u64) -> Result<bool, StoreError> {
        let ticket = self.wakeups.ticket(name);
        let time = since_boot();
        let lock = self.read(|view| locks::look(view, name, time))?;
        let mine = lock.waiting.iter().position(|party| party.token == token);
        // Those before this one, as far as they are gone.
        let before = lock.holder.iter().chain(&lock.waiting[..mine.unwrap_or(lock.waiting.len())]);
        let count = before.clone().count();
        let is_over = |until: u64| until != 0 && until <= time;
        let is_gone = |party: &&locks::Party| is_over(party.until) || !self.presence.is_alive(&party.token);
        let gone: Vec<_> = before.take_while(is_gone).map(|party| party.token).collect();
        let has_place = mine.is_some_and(|index| lock.waiting[index].until > time.saturating_add(place / 2));
        if gone.len() == count || !has_place {
            let attempt = Attempt { token, ttl, place, dead: &gone };
            if self.write(Waiting::Allowed, |writing, _| locks::attempt(writing, name, &attempt, since_boot()))? {
                return Ok(true);
            }
        }
        if place != 0 {
            let until_it_is_over = lock.holder.filter(|holder| holder.until > time).map(|holder| holder.until - time);
            let most = until_it_is_over.unwrap_or(u64::MAX).min(place).clamp(1, LOOK.as_millis() as u64);
            self.wakeups.wait(name, ticket, Duration::from_millis(most));
        }
        Ok(false)
    }

    /// Gives a lock back, or the place among those that wait. Returns whether `token` had it.
    pub fn lock_release(&self, name: &[u8], token: [u8; TOKEN]) -> Result<bool, StoreError> {
        let had = self.free(Waiting::Allowed, |writing, _| locks::release(writing, name, token, since_boot()))?;
        self.wakeups.wake(name);
        Ok(had)
    }
}

/// An integer as it is stored.
fn integer(value: &[u8]) -> Result<i64, Failure> {
    let mut decoder = Decoder::new(value);
    match decoder.datatype() {
        Ok(Type::U8 | Type::U16 | Type::U32 | Type::I8 | Type::I16 | Type::I32 | Type::I64) => {
            decoder.i64().map_err(|_| Failure::Damaged)
        }
        Ok(Type::U64 | Type::Int) => decoder.i64().map_err(|_| Failure::Overflow),
        // RFC 8949, 3.4.3: larger ones.
        Ok(Type::Tag) if decoder.tag().is_ok_and(|tag| [2, 3].contains(&tag.as_u64())) => Err(Failure::Overflow),
        Ok(_) => Err(Failure::NotANumber),
        Err(_) => Err(Failure::Damaged),
    }
}

fn describe(name: &str, folder: &Path, size: u64, readers: u32, failure: Failure) -> StoreError {
    let (name, folder) = (name.to_owned(), folder.to_owned());
    match failure {
        Failure::NotANumber => StoreError::NotANumber(format!("the value in the store {name} is no int")),
        Failure::Overflow => {
            StoreError::Overflow(format!("the value in the store {name}, or the sum, does not fit 64 bits"))
        }
        Failure::Damaged => StoreError::Damaged { name, folder },
        Failure::Full | Failure::Lmdb(Code::MAP_FULL) => StoreError::Full { name, folder, megabytes: size >> 20 },
        Failure::Lmdb(Code::NO_SPACE | Code::QUOTA) => StoreError::DiskFull { name, folder },
        Failure::Lmdb(Code::READERS_FULL) => StoreError::TooManyReaders { name, readers },
        Failure::Lmdb(code) if code.is_other_version() => StoreError::OtherVersion { name, folder },
        Failure::Lmdb(code) if code.is_damage() => StoreError::Damaged { name, folder },
        Failure::Lmdb(code) => StoreError::Unusable { name, folder, why: code.to_string() },
    }
}
