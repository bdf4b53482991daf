//! `_global_lock`, `_global_trylock` and `_global_unlock`: locks that exclude threads, interpreters and children.

use crate::config::Generation;
use crate::cpython::{Arguments, Object, Raised};
use crate::httpd::{AprStatus, GlobalMutexes};
use crate::objects::module_state::ModuleState;
use crate::objects::server::ServerObject;

use super::Apache;

/// `_global_lock(server, key[, index])`: waits for the mutex of that index, or of the key.
pub(super) fn lock<'i>(state: &Apache, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    let attached = arguments.attached();
    let (mutexes, index) = chosen(state, &arguments)?;
    match attached.detach(|| mutexes.lock(index)) {
        Ok(()) => Ok(Object::none(attached)),
        Err(status) => Err(not_acquired(&arguments, index, status)),
    }
}

/// `_global_trylock(server, key[, index])`: whether the mutex was free, and is held now.
pub(super) fn try_lock<'i>(state: &Apache, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    let attached = arguments.attached();
    let (mutexes, index) = chosen(state, &arguments)?;
    match attached.detach(|| mutexes.try_lock(index)) {
        Ok(held) => Ok(Object::bool(attached, held)),
        Err(status) => Err(not_acquired(&arguments, index, status)),
    }
}

/// `_global_unlock(server, key[, index])`.
pub(super) fn unlock<'i>(state: &Apache, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    let attached = arguments.attached();
    let (mutexes, index) = chosen(state, &arguments)?;
    match attached.detach(|| mutexes.unlock(index)) {
        Ok(true) => Ok(Object::none(attached)),
        Ok(false) => Err(Raised::value_error(
            attached,
            format!("Failed to release global mutex lock: this child does not hold number {index}"),
        )),
        Err(status) => {
            tracing::warn!(
                "MP0604: global mutex {index} could not be released: {status}. Other requests may wait for it until this child ends."
            );
            Err(Raised::value_error(attached, format!("Failed to release global mutex lock: {status}")))
        }
    }
}

fn not_acquired(arguments: &Arguments<'_>, index: usize, status: AprStatus) -> Raised {
    tracing::warn!("MP0603: global mutex {index} could not be acquired: {status}. The handler gets a ValueError.");
    Raised::value_error(arguments.attached(), format!("Failed to acquire global mutex lock: {status}"))
}

/// The mutexes, and the index of the chosen one.
fn chosen(state: &Apache, arguments: &Arguments<'_>) -> Result<(&'static GlobalMutexes, usize), Raised> {
    arguments.expect(2, 3)?;
    let attached = arguments.attached();
    let module_state = ModuleState::of(attached, state.required(attached)?)?;
    if module_state.cast::<ServerObject>(&arguments.required(0)?).is_none() {
        return Err(Raised::type_error(attached, "First argument must be a server object"));
    }
    let mutexes = Generation::current()
        .and_then(|generation| generation.mutexes.as_ref())
        .filter(|mutexes| !mutexes.is_empty())
        .ok_or_else(|| Raised::value_error(attached, "There are no global mutexes; the error log says why"))?;
    let count = mutexes.len();
    match arguments.int_or(2, -1)? {
        -1 => Ok((mutexes, index_of(&arguments.required(1)?, count)?)),
        index => match usize::try_from(index).ok().filter(|index| *index < count) {
            Some(index) => Ok((mutexes, index)),
            None => Err(Raised::value_error(
                attached,
                format!("Lock index is out of range for number of global mutex locks: {index} of {count}"),
            )),
        },
    }
}

/// The mutex of a key. The first one is reserved for dbm files, unless it is the only one.
fn index_of(key: &Object<'_>, count: usize) -> Result<usize, Raised> {
    if count == 1 {
        return Ok(0);
    }
    let hash = match (key.is_str(), key.is_bytes()) {
        (true, _) => hash(key.lossy()?.as_bytes()),
        (_, true) => hash(key.to_bytes()?),
        _ => hash(key.display().as_bytes()),
    };
    Ok(1 + (hash % (count as u64 - 1)) as usize)
}

/// FNV-1a: the same in every process, interpreter and version, which `hash()` is not.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(super::hash(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(super::hash(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(super::hash(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
