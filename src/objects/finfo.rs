//! `mp_finfo`: information about a file.

use std::ffi::{CStr, CString, c_char};
use std::ptr;

use crate::cpython::{
    Class, GetSet, Instance, Method, Object, Raised, Repr, Sequence, getter, repr_slot, sequence_slot,
};
use crate::ffi::httpd as raw;
use crate::ffi::python as py;
use crate::httpd::Pool;

use super::module_state::{ApacheClass, ClassId};
use super::text;

/// A copy of httpd's information about a file.
pub struct FinfoObject {
    /// The numbers; its pointers are null.
    numbers: raw::apr_finfo_t,
    /// The path that was asked for.
    fname: Option<CString>,
    /// The name as the file system has it.
    name: Option<CString>,
}

impl FinfoObject {
    /// A copy of a record that APR has filled in.
    pub fn copied(finfo: &raw::apr_finfo_t) -> Self {
        // SAFETY: strings in the record's own pool; null if it has none.
        let copy = |text: *const c_char| (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_owned());
        // Only the fields that `valid` names are set.
        let name = if finfo.valid & raw::APR_FINFO_NAME as i32 != 0 { copy(finfo.name) } else { None };
        let numbers = raw::apr_finfo_t {
            pool: ptr::null_mut(),
            fname: ptr::null(),
            name: ptr::null(),
            filehand: ptr::null_mut(),
            ..*finfo
        };
        Self { numbers, fname: copy(finfo.fname), name }
    }

    /// Writes it into a record of httpd, whose strings are copied into `pool`.
    ///
    /// # Safety
    /// `into` is a live record, which only this thread uses.
    pub unsafe fn fill(&self, pool: Pool<'_>, into: *mut raw::apr_finfo_t) {
        let copy =
            |text: &Option<CString>| text.as_ref().map_or(ptr::null(), |text| pool.c_string(text.to_bytes()).as_ptr());
        let finfo =
            raw::apr_finfo_t { pool: pool.as_ptr(), fname: copy(&self.fname), name: copy(&self.name), ..self.numbers };
        // SAFETY: the caller's.
        unsafe { into.write(finfo) };
    }

    fn exists(&self) -> bool {
        self.numbers.filetype != raw::apr_filetype_e_APR_NOFILE
    }

    /// Whether there is a file, and the fields of `what` are known.
    fn knows(&self, what: u32) -> bool {
        self.exists() && self.numbers.valid & what as i32 != 0
    }
}

type This<'a, 'i> = &'a Instance<'i, FinfoObject>;
type Get = for<'a, 'i> fn(This<'a, 'i>) -> Result<Object<'i>, Raised>;

/// A number if it is known, else None.
fn number<'i>(
    this: This<'_, 'i>,
    what: u32,
    value: impl TryInto<i64> + TryInto<u64> + Copy,
) -> Result<Object<'i>, Raised> {
    let attached = this.attached();
    match (this.knows(what), value.try_into(), value.try_into()) {
        (false, _, _) => Ok(Object::none(attached)),
        (true, Ok(value), _) => Object::int(attached, value),
        (true, _, value) => Object::unsigned(attached, value.unwrap_or_default()),
    }
}

/// A time in whole seconds if it is known, else None.
fn seconds<'i>(this: This<'_, 'i>, what: u32, time: raw::apr_time_t) -> Result<Object<'i>, Raised> {
    number(this, what, time / 1_000_000)
}

fn bytes(text: &Option<CString>) -> Option<&[u8]> {
    text.as_deref().map(CStr::to_bytes)
}

fn fname<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    text::from_httpd(this.attached(), bytes(&this.fname))
}

fn filetype<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    Object::int(this.attached(), this.numbers.filetype.into())
}

fn valid<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    match this.exists() {
        true => Object::int(this.attached(), this.numbers.valid.into()),
        false => Ok(Object::none(this.attached())),
    }
}

fn protection<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    number(this, raw::APR_FINFO_PROT, this.numbers.protection)
}

fn user<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    number(this, raw::APR_FINFO_USER, this.numbers.user)
}

fn group<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    number(this, raw::APR_FINFO_GROUP, this.numbers.group)
}

fn size<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    number(this, raw::APR_FINFO_SIZE, this.numbers.size)
}

fn inode<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    number(this, raw::APR_FINFO_INODE, this.numbers.inode)
}

fn device<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    number(this, raw::APR_FINFO_DEV, this.numbers.device)
}

fn nlink<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    number(this, raw::APR_FINFO_NLINK, this.numbers.nlink)
}

fn atime<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    seconds(this, raw::APR_FINFO_ATIME, this.numbers.atime)
}

fn mtime<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    seconds(this, raw::APR_FINFO_MTIME, this.numbers.mtime)
}

fn ctime<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    seconds(this, raw::APR_FINFO_CTIME, this.numbers.ctime)
}

fn name<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    let known = this.knows(raw::APR_FINFO_NAME).then(|| bytes(&this.name)).flatten();
    text::from_httpd(this.attached(), known)
}

static MEMBERS: &[GetSet] = &[
    getter!(FinfoObject, c"fname", fname, c"The path that was asked for."),
    getter!(FinfoObject, c"filetype", filetype, c"One of apache.APR_*; APR_NOFILE if there is no file."),
    getter!(FinfoObject, c"valid", valid, c"What is known: a sum of apache.APR_FINFO_*."),
    getter!(FinfoObject, c"protection", protection, c"The access permissions."),
    getter!(FinfoObject, c"user", user, c"The number of the owner."),
    getter!(FinfoObject, c"group", group, c"The number of the group."),
    getter!(FinfoObject, c"size", size, c"The size in bytes."),
    getter!(FinfoObject, c"inode", inode, c"The number of the inode."),
    getter!(FinfoObject, c"device", device, c"The number of the device."),
    getter!(FinfoObject, c"nlink", nlink, c"How many hard links there are."),
    getter!(FinfoObject, c"atime", atime, c"When it was last read, in seconds."),
    getter!(FinfoObject, c"mtime", mtime, c"When it was last written, in seconds."),
    getter!(FinfoObject, c"ctime", ctime, c"When its inode last changed, in seconds."),
    getter!(FinfoObject, c"name", name, c"The name as the file system has it."),
    GetSet::END,
];

/// The attributes by index, `apache.FINFO_*`.
const BY_INDEX: [Get; 13] =
    [protection, inode, device, nlink, user, group, size, atime, mtime, ctime, fname, name, filetype];

/// The attributes in the order of `repr()`.
const SHOWN: [(&str, Get); 14] = [
    ("fname", fname),
    ("filetype", filetype),
    ("valid", valid),
    ("protection", protection),
    ("user", user),
    ("group", group),
    ("size", size),
    ("inode", inode),
    ("device", device),
    ("nlink", nlink),
    ("atime", atime),
    ("mtime", mtime),
    ("ctime", ctime),
    ("name", name),
];

impl ApacheClass for FinfoObject {
    const ID: ClassId = ClassId::Finfo;
}

impl Class for FinfoObject {
    const NAME: &'static CStr = c"builtins.mp_finfo";
    const DOC: &'static CStr =
        c"Information about a file, as attributes and by apache.FINFO_*; None for what is not known.";

    fn methods() -> &'static [Method] {
        &[Method::END]
    }

    fn members() -> &'static [GetSet] {
        MEMBERS
    }

    fn slots() -> Vec<py::PyType_Slot> {
        vec![repr_slot::<Self>(), sequence_slot::<Self>()]
    }
}

impl Sequence for FinfoObject {
    fn item<'i>(this: This<'_, 'i>, index: isize) -> Result<Object<'i>, Raised> {
        match usize::try_from(index).ok().and_then(|index| BY_INDEX.get(index)) {
            Some(get) => get(this),
            None => Err(Raised::index_error(this.attached(), "finfo index out of range: it is one of apache.FINFO_*")),
        }
    }
}

impl Repr for FinfoObject {
    fn repr<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
        let all = Object::dict(this.attached())?;
        for (name, get) in SHOWN {
            all.set(name, &get(this)?)?;
        }
        all.to_repr()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_copied_and_only_what_is_valid_counts() {
        // SAFETY: numbers and null pointers only.
        let mut record: raw::apr_finfo_t = unsafe { std::mem::zeroed() };
        record.filetype = raw::apr_filetype_e_APR_REG;
        record.valid = (raw::APR_FINFO_SIZE | raw::APR_FINFO_TYPE) as i32;
        record.size = 5;
        record.fname = c"/a".as_ptr();
        record.name = ptr::dangling();

        let copy = FinfoObject::copied(&record);

        assert_eq!((copy.fname.as_deref(), copy.name.as_deref()), (Some(c"/a"), None));
        assert!(copy.numbers.fname.is_null() && copy.numbers.name.is_null());
        assert!(copy.knows(raw::APR_FINFO_SIZE) && !copy.knows(raw::APR_FINFO_MTIME));
        record.filetype = raw::apr_filetype_e_APR_NOFILE;
        assert!(!FinfoObject::copied(&record).knows(raw::APR_FINFO_SIZE));
    }
}
