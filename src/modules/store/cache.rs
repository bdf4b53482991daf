//! `_store.Cached`: a cache of httpd's, as bytes by name.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::config::Generation;
use crate::cpython::{Arguments, Attached, Class, GetSet, Instance, Method, Object, Raised, method};
use crate::httpd::{Caches, LONGEST_SECONDS, id_of};

use super::embedded::name_of;
use super::{configured, milliseconds, raised_as};

/// A cache, as this interpreter uses it.
pub struct Cached {
    caches: &'static Caches,
    index: usize,
}

type This<'a, 'i> = &'a Instance<'i, Cached>;

static METHODS: &[Method] = &[
    method!(Cached, c"get", get, c"get($self, name, /)\n--\n\nThe bytes of a name, or None."),
    method!(
        Cached,
        c"set",
        set,
        c"set($self, name, value, ttl, /)\n--\n\n\
          Keeps bytes for ttl seconds at most (None: for 30 days)."
    ),
    method!(Cached, c"remove", remove, c"remove($self, name, /)\n--\n\nRemoves an entry, if it is there."),
    Method::END,
];

impl Class for Cached {
    const NAME: &'static std::ffi::CStr = c"_store.Cached";
    const DOC: &'static std::ffi::CStr = c"A cache of httpd's.";

    fn methods() -> &'static [Method] {
        METHODS
    }

    fn members() -> &'static [GetSet] {
        &[GetSet::END]
    }

    fn new(attached: Attached<'_>, arguments: &Object<'_>, _: Option<&Object<'_>>) -> Result<Self, Raised> {
        let arguments = arguments.items()?;
        let name = match arguments.as_slice() {
            [name] if name.is_str() => name.to_utf8()?,
            _ => return Err(Raised::type_error(attached, "Cached() takes the name of a store")),
        };
        let location = configured(attached, name)?.and_then(|store| store.location.text()).unwrap_or_default();
        let made = Generation::current().and_then(|generation| generation.caches.as_ref());
        let found = made.and_then(|(names, caches)| {
            let index = names.iter().position(|(known, place)| known == name && place == location)?;
            Some(Self { caches, index })
        });
        found.ok_or_else(|| {
            let why = format!(
                "the store {name} is a cache that this child has not got; where its mutex is the reason, the error log says why (MP0602)"
            );
            raised_as(attached, c"StoreError", &why)
        })
    }
}

/// Microseconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}

/// What is before a value in an entry: when it ends, as some providers know seconds only, and the name, since ids can be equal.
fn head(until: u64, name: &[u8]) -> Vec<u8> {
    [&until.to_le_bytes()[..], &(name.len() as u16).to_le_bytes(), name].concat()
}

/// The value in an entry, unless it is of another name or its time is over.
fn value_of<'e>(entry: &'e [u8], name: &[u8], now: u64) -> Option<&'e [u8]> {
    let (until, rest) = entry.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (own, value) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    (own == name && u64::from_le_bytes(*until) > now).then_some(value)
}

fn get<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 1)?;
    let attached = arguments.attached();
    let name = name_of(&arguments.required(0)?)?;
    let (caches, index) = (this.caches, this.index);
    let mut entry = Vec::new();
    let entry = attached.detach(move || {
        caches.retrieve(index, &id_of(&name), &mut entry);
        value_of(&entry, &name, now()).map(<[u8]>::to_vec)
    });
    entry.map_or_else(|| Ok(Object::none(attached)), |value| Object::bytes(attached, &value))
}

fn set<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(3, 3)?;
    let attached = arguments.attached();
    let name = name_of(&arguments.required(0)?)?;
    let value = arguments.required(1)?.to_bytes()?.to_vec();
    let longest = LONGEST_SECONDS * 1000;
    let ttl = match milliseconds(arguments.get(2).as_ref())? {
        0 => longest,
        ttl => ttl.min(longest),
    };
    let (caches, index) = (this.caches, this.index);
    attached.detach(move || {
        let until = now() + ttl * 1000;
        let mut entry = head(until, &name);
        entry.extend_from_slice(&value);
        // Providers cut fractions of a second off.
        let whole = (until + 1_000_000).min(now() + longest * 1000);
        caches.store(index, &id_of(&name), whole, &mut entry);
    });
    Ok(Object::none(attached))
}

fn remove<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 1)?;
    let attached = arguments.attached();
    let name = name_of(&arguments.required(0)?)?;
    let (caches, index) = (this.caches, this.index);
    attached.detach(move || caches.remove(index, &id_of(&name)));
    Ok(Object::none(attached))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_that_of_its_name_and_time() {
        let entry = [head(1000, b"ekey").as_slice(), b"value"].concat();
        assert_eq!(value_of(&entry, b"ekey", 999), Some(&b"value"[..]));
        assert_eq!(value_of(&entry, b"ekey", 1000), None);
        assert_eq!(value_of(&entry, b"ekez", 999), None);
        for length in 0..14 {
            assert_eq!(value_of(&entry[..length], b"ekey", 999), None, "{length}");
        }
    }
}
