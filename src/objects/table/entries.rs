//! The entries of a table: of one of httpd, or of an independent one.

use std::borrow::Cow;
use std::ffi::{CStr, CString};

use crate::cpython::{Object, Raised};
use crate::httpd::Table;
use crate::process::memory::{self, NoMemory};

/// A key, and the value if it is not missing.
pub(super) type Entry = (Box<[u8]>, Option<Box<[u8]>>);

/// The entries of a table. Keys are compared without regard to (ASCII) case.
pub(super) trait Entries {
    fn len(&self) -> usize;
    /// The key at `index`, which is below `len`.
    fn key(&self, index: usize) -> &[u8];
    /// The value at `index`, which is below `len`; `None` if it is missing.
    fn value(&self, index: usize) -> Option<&[u8]>;
    /// Replaces the value of the first entry with that key and removes the others, or adds one.
    fn set(&mut self, key: &CStr, value: &CStr) -> Result<(), NoMemory>;
    fn add(&mut self, key: &CStr, value: &CStr) -> Result<(), NoMemory>;
    /// Removes every entry with that key.
    fn unset(&mut self, key: &CStr);
    fn remove_at(&mut self, index: usize);
    fn clear(&mut self);

    /// A copy of the entry at `index`.
    fn entry(&self, index: usize) -> Result<Entry, NoMemory> {
        Ok((memory::boxed(self.key(index))?, self.value(index).map(memory::boxed).transpose()?))
    }
}

impl Entries for Table<'_> {
    fn len(&self) -> usize {
        Table::len(*self)
    }

    fn key(&self, index: usize) -> &[u8] {
        self.at(index).0
    }

    fn value(&self, index: usize) -> Option<&[u8]> {
        self.at(index).1
    }

    fn set(&mut self, key: &CStr, value: &CStr) -> Result<(), NoMemory> {
        has_room(*self, key, value)?;
        Table::set(*self, key, value);
        Ok(())
    }

    fn add(&mut self, key: &CStr, value: &CStr) -> Result<(), NoMemory> {
        has_room(*self, key, value)?;
        Table::add(*self, key, value);
        Ok(())
    }

    fn unset(&mut self, key: &CStr) {
        Table::unset(*self, key);
    }

    fn remove_at(&mut self, index: usize) {
        Table::remove_at(*self, index);
    }

    fn clear(&mut self) {
        Table::clear(*self);
    }
}

/// Whether the table's pool has room for copies of both.
fn has_room(table: Table<'_>, key: &CStr, value: &CStr) -> Result<(), NoMemory> {
    let size = key.count_bytes().saturating_add(value.count_bytes());
    if table.pool().has_room_for(size) { Ok(()) } else { Err(NoMemory) }
}

/// The entries of an independent table.
#[derive(Default)]
pub(super) struct OwnEntries(Vec<Entry>);

impl FromIterator<Entry> for OwnEntries {
    fn from_iter<I: IntoIterator<Item = Entry>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

impl Entries for OwnEntries {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn key(&self, index: usize) -> &[u8] {
        &self.0[index].0
    }

    fn value(&self, index: usize) -> Option<&[u8]> {
        self.0[index].1.as_deref()
    }

    fn set(&mut self, key: &CStr, value: &CStr) -> Result<(), NoMemory> {
        let same = |entry: &Entry| entry.0.eq_ignore_ascii_case(key.to_bytes());
        let Some(first) = self.0.iter().position(same) else {
            return self.add(key, value);
        };
        self.0[first].1 = Some(memory::boxed(value.to_bytes())?);
        let mut index = 0;
        self.0.retain(|entry| {
            index += 1;
            index <= first + 1 || !same(entry)
        });
        Ok(())
    }

    fn add(&mut self, key: &CStr, value: &CStr) -> Result<(), NoMemory> {
        let entry = (memory::boxed(key.to_bytes())?, Some(memory::boxed(value.to_bytes())?));
        self.0.try_reserve(1)?;
        self.0.push(entry);
        Ok(())
    }

    fn unset(&mut self, key: &CStr) {
        self.0.retain(|entry| !entry.0.eq_ignore_ascii_case(key.to_bytes()));
    }

    fn remove_at(&mut self, index: usize) {
        self.0.remove(index);
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

/// A key to look up.
///
/// A str matches keys that are decoded to that text, whether they are UTF-8 or Latin-1; bytes match the same bytes.
pub(super) struct Wanted<'a> {
    key: Cow<'a, [u8]>,
    /// The other bytes that are decoded to the same text.
    latin1: Option<Vec<u8>>,
}

impl<'a> Wanted<'a> {
    /// # Errors
    /// `TypeError` if it is neither `str` nor `bytes`.
    pub fn new(key: &'a Object<'_>) -> Result<Self, Raised> {
        if key.is_bytes() {
            return Ok(Self { key: Cow::Borrowed(key.to_bytes()?), latin1: None });
        }
        if !key.is_str() {
            let message = format!("a table's key is not an ISO-8859-1 string but {}", key.type_name());
            return Err(Raised::type_error(key.attached(), message));
        }
        match key.to_utf8() {
            Ok(text) => Ok(Self { key: Cow::Borrowed(text.as_bytes()), latin1: latin1(text) }),
            Err(raised) => {
                // Lone surrogates: no bytes are decoded to that.
                raised.clear(key.attached());
                Ok(Self { key: Cow::Borrowed(b"\0"), latin1: None })
            }
        }
    }

    /// The key of an existing entry.
    pub fn exactly(key: &'a [u8]) -> Self {
        Self { key: Cow::Borrowed(key), latin1: None }
    }

    pub fn is(&self, key: &[u8]) -> bool {
        let is = |form: &[u8]| key.eq_ignore_ascii_case(form);
        is(&self.key) || self.latin1.as_deref().is_some_and(is)
    }

    /// The keys to look up; a key with a NUL is in no table.
    fn forms(&self) -> impl Iterator<Item = CString> {
        let forms = [Some(&*self.key), self.latin1.as_deref()];
        forms.into_iter().flatten().filter_map(|form| CString::new(form).ok())
    }
}

/// The Latin-1 bytes of a text, if they differ from its UTF-8 and are decoded to that text.
fn latin1(text: &str) -> Option<Vec<u8>> {
    if text.is_ascii() {
        return None;
    }
    let bytes: Option<Vec<u8>> = text.chars().map(|character| u8::try_from(u32::from(character)).ok()).collect();
    bytes.filter(|bytes| std::str::from_utf8(bytes).is_err())
}

/// Replaces all values under a key by one. `key` is one of the forms of `wanted`.
pub(super) fn replace(
    entries: &mut dyn Entries,
    wanted: &Wanted<'_>,
    key: &CStr,
    value: &CStr,
) -> Result<(), NoMemory> {
    if wanted.latin1.is_some() {
        wanted
            .forms()
            .filter(|form| !form.to_bytes().eq_ignore_ascii_case(key.to_bytes()))
            .for_each(|form| entries.unset(&form));
    }
    entries.set(key, value)
}

/// Removes all values under a key.
pub(super) fn remove(entries: &mut dyn Entries, wanted: &Wanted<'_>) {
    wanted.forms().for_each(|form| entries.unset(&form));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(entries: &[(&str, &str)]) -> OwnEntries {
        entries.iter().map(|(key, value)| (key.as_bytes().into(), Some(value.as_bytes().into()))).collect()
    }

    fn content(entries: &OwnEntries) -> Vec<(&str, &str)> {
        let text = |bytes| std::str::from_utf8(bytes).unwrap();
        (0..entries.len()).map(|at| (text(entries.key(at)), text(entries.value(at).unwrap()))).collect()
    }

    fn text(key: &str) -> Wanted<'_> {
        Wanted { key: Cow::Borrowed(key.as_bytes()), latin1: latin1(key) }
    }

    #[test]
    fn set_keeps_the_first_place_and_its_spelling() {
        let mut entries = table(&[("a", "1"), ("B", "2"), ("c", "3"), ("b", "4")]);
        entries.set(c"b", c"5").unwrap();
        assert_eq!(content(&entries), [("a", "1"), ("B", "5"), ("c", "3")]);
        entries.set(c"d", c"6").unwrap();
        assert_eq!(content(&entries), [("a", "1"), ("B", "5"), ("c", "3"), ("d", "6")]);
    }

    #[test]
    fn entries_go_one_by_one_or_by_their_key() {
        let mut entries = table(&[("a", "1"), ("b", "2"), ("A", "3")]);
        entries.add(c"b", c"4").unwrap();
        entries.unset(c"A");
        assert_eq!(content(&entries), [("b", "2"), ("b", "4")]);
        entries.remove_at(0);
        assert_eq!(content(&entries), [("b", "4")]);
        entries.unset(c"none");
        entries.clear();
        assert_eq!(entries.len(), 0);
    }

    #[test]
    fn a_text_finds_both_ways_in_which_it_can_be_written() {
        let wanted = text("Größe");
        assert!(wanted.is(b"gr\xf6\xdfE") && wanted.is("GRößE".as_bytes()));
        assert!(!wanted.is(b"grosse"));
        assert!(!text("Ã¶").is("ö".as_bytes()), "these bytes read as another text");
        assert!(text("€").is("€".as_bytes()));
    }

    #[test]
    fn a_text_is_replaced_and_removed_in_both() {
        let mut entries: OwnEntries =
            [&b"\xf6"[..], "ö".as_bytes(), b"x"].map(|key| (key.into(), Some(b"1"[..].into()))).into_iter().collect();
        replace(&mut entries, &text("ö"), c"\xf6", c"2").unwrap();
        assert_eq!((entries.len(), entries.key(0), entries.value(0)), (2, &b"\xf6"[..], Some(&b"2"[..])));
        remove(&mut entries, &text("ö"));
        assert_eq!(content(&entries), [("x", "1")]);
    }
}
