//! `_store.Embedded`: what the embedded engine gives the mapping in Python, and faster ways for what is used most.

use std::path::PathBuf;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};

use smallvec::SmallVec;

use crate::config::StoreOptions;
use crate::cpython::{
    Arguments, Attached, Class, GetSet, Instance, Method, Object, Raised, Subscript, UsedDetached, Visitor, method,
    subscript_slots,
};
use crate::ffi::python as py;
use crate::httpd::Mpm;
use crate::process::fork;
use crate::store::{self, Check, Encoding, Engine, Namespace, StoreError, Waiting, Write};

use super::{full_name, milliseconds, place, raised};

/// Values of about this length are read without memory of their own.
const SHORT: usize = 256;

/// Changes of so many bytes take less time than letting the GIL go and taking it again.
const SMALL: usize = 4096;

/// What each further name of a change is counted as, beside its bytes.
const EACH: usize = 64;

/// After so many changes for which it was not let go the GIL is: other threads would have to ask for it, which takes them 5 ms.
const IN_A_ROW: u32 = 64;

/// A store in a folder, as this interpreter uses it.
pub struct Embedded {
    name: String,
    folder: PathBuf,
    options: StoreOptions,
    encoding: Encoding,
    /// The engine of the process in which it was looked up last, and `fork::generation()` of that, plus one.
    engine: AtomicPtr<Engine>,
    generation: AtomicUsize,
    /// How many changes were made attached.
    attached_changes: AtomicU32,
}

type This<'a, 'i> = &'a Instance<'i, Embedded>;

/// The namespace of the mapping's keys.
const ENTRY: &[u8] = &[Namespace::ENTRY];

impl Embedded {
    /// The engine of this process.
    #[inline]
    fn engine(&self, attached: Attached<'_>) -> Result<&'static Engine, Raised> {
        if self.generation.load(Ordering::Acquire) == fork::generation() + 1 {
            // SAFETY: stored before the generation, of this process; never freed.
            let engine = unsafe { &*self.engine.load(Ordering::Acquire) };
            if engine.is_of_this_user() {
                return Ok(engine);
            }
        }
        self.open(attached)
    }

    #[cold]
    fn open(&self, attached: Attached<'_>) -> Result<&'static Engine, Raised> {
        let generation = fork::generation() + 1;
        let engine = attached.detach(|| store::engine(&self.name, &self.folder, &self.options, readers()));
        let engine = engine.map_err(|error| raised(attached, &error))?;
        self.engine.store(std::ptr::from_ref(engine).cast_mut(), Ordering::Release);
        self.generation.store(generation, Ordering::Release);
        Ok(engine)
    }

    /// Runs what can block, detached.
    fn run<T>(
        &self,
        attached: Attached<'_>,
        work: impl FnOnce(&Engine) -> Result<T, StoreError> + UsedDetached,
    ) -> Result<T, Raised> {
        let engine = self.engine(attached)?;
        attached.detach(|| work(engine)).map_err(|error| raised(attached, &error))
    }

    /// Runs a change of so many bytes. Not detached if it is small and nothing has to be waited for: with many threads that change something,
    /// handing over the GIL would take most of the time.
    fn change<T>(
        &self,
        attached: Attached<'_>,
        size: usize,
        work: impl Fn(&Engine, Waiting) -> Result<T, StoreError> + UsedDetached,
    ) -> Result<T, Raised> {
        let is_let_go = || self.attached_changes.fetch_add(1, Ordering::Relaxed) % IN_A_ROW == IN_A_ROW - 1;
        if size <= SMALL && !is_let_go() {
            match work(self.engine(attached)?, Waiting::Refused) {
                Err(StoreError::WouldWait) => {}
                outcome => return outcome.map_err(|error| raised(attached, &error)),
            }
        }
        self.run(attached, move |engine| work(engine, Waiting::Allowed))
    }

    /// The value of a name, as bytes. Not detached: it takes about as long.
    fn stored(&self, attached: Attached<'_>, name: &[u8]) -> Result<Option<SmallVec<[u8; SHORT]>>, Raised> {
        let found = self.engine(attached)?.get(name, |value| value.map(SmallVec::from_slice));
        found.map_err(|error| raised(attached, &error))
    }

    fn value<'i>(&self, attached: Attached<'i>, key: &Object<'i>) -> Result<Option<Object<'i>>, Raised> {
        let found = self.stored(attached, &full_name(key, ENTRY)?)?;
        found.map(|value| store::decode(attached, &self.encoding, &value)).transpose()
    }

    fn put(&self, key: &Object<'_>, value: &Object<'_>, ttl: u64) -> Result<(), Raised> {
        let name = full_name(key, ENTRY)?;
        let value = store::encode(&self.encoding, value)?;
        self.change(key.attached(), value.len(), |engine, waiting| engine.set(&name, &value, ttl, waiting))
    }
}

/// How many threads can read at once where `readers=` is not given: those of two generations of children, at a graceful restart, and others
/// that programs start.
fn readers() -> u32 {
    const MORE: usize = 64;
    u32::try_from(2 * Mpm::capacity() + MORE).unwrap_or(u32::MAX).min(100_000)
}

static METHODS: &[Method] = &[
    method!(
        Embedded,
        c"get",
        get,
        c"get($self, key, default=None, /)\n--\n\n\
          The value of a key, or default."
    ),
    method!(Embedded, c"_set", set, c"_set($self, key, value, ttl, /)\n--\n\nWrites an entry."),
    method!(Embedded, c"_take", take, c"_take($self, key, /)\n--\n\nDeletes an entry: its value as bytes, or None."),
    method!(Embedded, c"_incr", incr, c"_incr($self, key, by, ttl, /)\n--\n\nAdds to an int."),
    method!(Embedded, c"_read", read, c"_read($self, names, /)\n--\n\nThe values of names, all of one moment."),
    method!(
        Embedded,
        c"_commit",
        commit,
        c"_commit($self, checks, writes, /)\n--\n\n\
          Does all writes if all checks hold; returns whether it has."
    ),
    method!(
        Embedded,
        c"_scan",
        scan,
        c"_scan($self, prefix, after, limit, /)\n--\n\n\
          Pairs (name, value), and where to go on."
    ),
    method!(Embedded, c"_count", count, c"_count($self, prefix, /)\n--\n\nHow many names begin so."),
    method!(
        Embedded,
        c"_expire",
        expire,
        c"_expire($self, name, ttl, again, /)\n--\n\n\
          Gives an entry another time; returns whether it is there."
    ),
    method!(Embedded, c"_ttl", left, c"_ttl($self, name, /)\n--\n\nThe seconds left: None for ever, -1 if not there."),
    method!(
        Embedded,
        c"_lock_try",
        lock_try,
        c"_lock_try($self, name, token, ttl, wait, /)\n--\n\n\
          Whether token has the lock now."
    ),
    method!(
        Embedded,
        c"_lock_release",
        lock_release,
        c"_lock_release($self, name, token, /)\n--\n\n\
          Whether token had the lock."
    ),
    method!(
        Embedded,
        c"_rate",
        rate,
        c"_rate($self, name, limit, per, /)\n--\n\n\
          0.0 if one more is allowed, else seconds."
    ),
    Method::END,
];

impl Class for Embedded {
    const NAME: &'static std::ffi::CStr = c"_store.Embedded";
    const DOC: &'static std::ffi::CStr = c"A store in a folder.";
    const SUBCLASSING: bool = true;

    fn methods() -> &'static [Method] {
        METHODS
    }

    fn members() -> &'static [GetSet] {
        &[GetSet::END]
    }

    fn slots() -> Vec<py::PyType_Slot> {
        subscript_slots::<Self>().to_vec()
    }

    fn new(attached: Attached<'_>, arguments: &Object<'_>, _: Option<&Object<'_>>) -> Result<Self, Raised> {
        let arguments = arguments.items()?;
        let name = match arguments.as_slice() {
            [name] if name.is_str() => name.to_utf8()?.to_owned(),
            _ => return Err(Raised::type_error(attached, "Embedded() takes the name of a store")),
        };
        let (folder, options) = place(attached, &name)?;
        Ok(Self {
            name,
            folder,
            options,
            encoding: Encoding::new(attached)?,
            engine: AtomicPtr::default(),
            generation: AtomicUsize::new(0),
            attached_changes: AtomicU32::new(0),
        })
    }

    fn traverse(&self, visitor: &mut Visitor) {
        self.encoding.traverse(&mut |pointer| visitor.visit(pointer));
    }

    fn finish(&mut self, attached: Attached<'_>) {
        self.encoding.release(attached);
    }
}

impl Subscript for Embedded {
    fn item<'i>(this: This<'_, 'i>, key: &Object<'i>) -> Result<Object<'i>, Raised> {
        this.value(this.attached(), key)?.ok_or_else(|| Raised::key_error(key))
    }

    fn set_item<'i>(this: This<'_, 'i>, key: &Object<'i>, value: Option<&Object<'i>>) -> Result<(), Raised> {
        match value {
            Some(value) => this.put(key, value, 0),
            None => {
                let name = full_name(key, ENTRY)?;
                let taken = this.run(this.attached(), |engine| engine.take(&name))?;
                taken.map(drop).ok_or_else(|| Raised::key_error(key))
            }
        }
    }

    fn contains<'i>(this: This<'_, 'i>, key: &Object<'i>) -> Result<bool, Raised> {
        Ok(this.stored(this.attached(), &full_name(key, ENTRY)?)?.is_some())
    }
}

fn get<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 2)?;
    let attached = arguments.attached();
    match this.value(attached, &arguments.required(0)?)? {
        Some(value) => Ok(value),
        None => Ok(arguments.get(1).unwrap_or_else(|| Object::none(attached))),
    }
}

fn set<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(3, 3)?;
    let ttl = milliseconds(arguments.get(2).as_ref())?;
    this.put(&arguments.required(0)?, &arguments.required(1)?, ttl)?;
    Ok(Object::none(arguments.attached()))
}

fn take<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 1)?;
    let attached = arguments.attached();
    let name = full_name(&arguments.required(0)?, ENTRY)?;
    let taken = this.run(attached, |engine| engine.take(&name))?;
    bytes_or_none(attached, taken.as_deref())
}

fn incr<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(3, 3)?;
    let attached = arguments.attached();
    let name = full_name(&arguments.required(0)?, ENTRY)?;
    let by = arguments.required(1)?;
    if !by.is_int() || by.is_bool() {
        return Err(Raised::type_error(attached, format!("what is added is an int, not {}", by.type_name())));
    }
    let (by, ttl) = (by.to_i64()?, milliseconds(arguments.get(2).as_ref())?);
    Object::int(attached, this.change(attached, 0, |engine, waiting| engine.add(&name, by, ttl, waiting))?)
}

fn bytes_or_none<'i>(attached: Attached<'i>, bytes: Option<&[u8]>) -> Result<Object<'i>, Raised> {
    bytes.map_or_else(|| Ok(Object::none(attached)), |bytes| Object::bytes(attached, bytes))
}

/// A name that `_store.name` has made.
pub(super) fn name_of(value: &Object<'_>) -> Result<Vec<u8>, Raised> {
    let name = value.to_bytes()?;
    match name.is_empty() || name.len() > store::LONGEST_NAME {
        true => Err(Raised::value_error(value.attached(), "this is no name of _store.name()")),
        false => Ok(name.to_vec()),
    }
}

fn read<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 1)?;
    let attached = arguments.attached();
    let names = arguments.required(0)?.items()?.iter().map(name_of).collect::<Result<Vec<_>, _>>()?;
    let values = match names.as_slice() {
        [name] => vec![this.stored(attached, name)?.map(SmallVec::into_vec)],
        _ => this.run(attached, |engine| engine.get_many(&names))?,
    };
    Object::list(attached, values.into_iter().map(|value| bytes_or_none(attached, value.as_deref())))
}

fn optional_bytes(value: &Object<'_>) -> Result<Option<Vec<u8>>, Raised> {
    if value.is_none() { Ok(None) } else { value.to_bytes().map(|bytes| Some(bytes.to_vec())) }
}

fn commit<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(2, 2)?;
    let attached = arguments.attached();
    let not_pairs =
        || Raised::type_error(attached, "_commit() takes checks (name, value) and writes (name, value, ttl)");
    let mut checks = Vec::new();
    for check in arguments.required(0)?.items()? {
        let [name, value] = <[Object<'_>; 2]>::try_from(check.items()?).map_err(|_| not_pairs())?;
        checks.push(Check { name: name_of(&name)?, value: optional_bytes(&value)? });
    }
    let mut writes = Vec::new();
    for write in arguments.required(1)?.items()? {
        let [name, value, ttl] = <[Object<'_>; 3]>::try_from(write.items()?).map_err(|_| not_pairs())?;
        writes.push(Write { name: name_of(&name)?, value: optional_bytes(&value)?, ttl: milliseconds(Some(&ttl))? });
    }
    let size_of = |name: &[u8], value: &Option<Vec<u8>>| EACH + name.len() + value.as_ref().map_or(0, Vec::len);
    let checked: usize = checks.iter().map(|check| size_of(&check.name, &check.value)).sum();
    let written: usize = writes.iter().map(|write| size_of(&write.name, &write.value)).sum();
    let is_done =
        this.change(attached, checked + written, |engine, waiting| engine.commit(&checks, &writes, waiting))?;
    Ok(Object::bool(attached, is_done))
}

fn scan<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(3, 3)?;
    let attached = arguments.attached();
    let prefix = name_of(&arguments.required(0)?)?;
    let after = optional_bytes(&arguments.required(1)?)?;
    let most = usize::try_from(arguments.int_or(2, 0)?).unwrap_or(0);
    let (found, is_more) = this.run(attached, |engine| engine.scan(&prefix, after.as_deref(), most))?;
    let last = found.last().filter(|_| is_more).map(|(name, _)| name.clone());
    let pairs = found.into_iter().map(|(name, value)| {
        Object::tuple(attached, [Object::bytes(attached, &name)?, Object::bytes(attached, &value)?])
    });
    Object::tuple(attached, [Object::list(attached, pairs)?, bytes_or_none(attached, last.as_deref())?])
}

fn count<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 1)?;
    let attached = arguments.attached();
    let prefix = name_of(&arguments.required(0)?)?;
    Object::int(attached, this.run(attached, |engine| engine.count(&prefix))? as i64)
}

fn expire<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(3, 3)?;
    let attached = arguments.attached();
    let name = name_of(&arguments.required(0)?)?;
    let ttl = match arguments.flag_or(2, false)? {
        true => None,
        false => Some(milliseconds(arguments.get(1).as_ref())?),
    };
    Ok(Object::bool(attached, this.run(attached, |engine| engine.expire(&name, ttl))?))
}

fn left<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 1)?;
    let attached = arguments.attached();
    let name = name_of(&arguments.required(0)?)?;
    match this.run(attached, |engine| engine.left(&name))? {
        None => Object::int(attached, -1),
        Some(0) => Ok(Object::none(attached)),
        Some(left) => Object::float(attached, left as f64 / 1000.0),
    }
}

/// A token that `_store.lock_token` has made.
fn token<const N: usize>(value: &Object<'_>) -> Result<[u8; N], Raised> {
    let attached = value.attached();
    value.to_bytes()?.try_into().map_err(|_| Raised::value_error(attached, "this is no token of _store.lock_token()"))
}

fn lock_try<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(4, 4)?;
    let attached = arguments.attached();
    let (name, token) = (name_of(&arguments.required(0)?)?, token(&arguments.required(1)?)?);
    let ttl = milliseconds(arguments.get(2).as_ref())?;
    let wait = (arguments.required(3)?.to_f64()?.clamp(0.0, 1e9) * 1000.0).ceil() as u64;
    Ok(Object::bool(attached, this.run(attached, |engine| engine.lock_try(&name, token, ttl, wait))?))
}

fn lock_release<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(2, 2)?;
    let attached = arguments.attached();
    let (name, token) = (name_of(&arguments.required(0)?)?, token(&arguments.required(1)?)?);
    Ok(Object::bool(attached, this.run(attached, |engine| engine.lock_release(&name, token))?))
}

fn rate<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(3, 3)?;
    let attached = arguments.attached();
    let name = name_of(&arguments.required(0)?)?;
    let limit = arguments.required(1)?.to_i64()?;
    let limit =
        usize::try_from(limit).ok().filter(|limit| (1..=store::LARGEST_LIMIT).contains(limit)).ok_or_else(|| {
            Raised::value_error(
                attached,
                format!("limit is {limit}: write a number from 1 to {}", store::LARGEST_LIMIT),
            )
        })?;
    let per = milliseconds(arguments.get(2).as_ref())?;
    if per == 0 {
        return Err(Raised::value_error(attached, "per is None: write a number of seconds"));
    }
    let size = limit * size_of::<u64>();
    let left = this.change(attached, size, |engine, waiting| engine.rate(&name, limit, per, waiting))?;
    Object::float(attached, left as f64 / 1000.0)
}
