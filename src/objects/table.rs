//! `mp_table`: httpd's tables in Python, and independent tables that behave the same.

mod entries;
mod filling;
pub(super) mod headers;
mod iterating;
mod methods;
mod shown;

use std::ffi::CStr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::cpython::{
    Attached, Class, GetSet, Initialise, Instance, Mapping, Method, Object, Raised, Repr, Subscript, initialise_slot,
    mapping_slots, repr_slot,
};
use crate::ffi::httpd as raw;
use crate::ffi::python as py;
use crate::httpd::{Connection, Request, Table, field};

use crate::process::memory::{self, NoMemory};

use super::connection::ConnectionRecord;
use super::module_state::{ApacheClass, ClassId, ModuleState};
use super::request::RequestRecord;
use super::text;

use entries::{Entries, Entry, OwnEntries, Wanted};

/// The tables of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RequestTable {
    HeadersIn,
    HeadersOut,
    ErrHeadersOut,
    SubprocessEnv,
    Notes,
}

impl RequestTable {
    fn of(self, request: Request<'_>) -> *mut raw::apr_table_t {
        match self {
            Self::HeadersIn => field!(request, headers_in),
            Self::HeadersOut => field!(request, headers_out),
            Self::ErrHeadersOut => field!(request, err_headers_out),
            Self::SubprocessEnv => field!(request, subprocess_env),
            Self::Notes => field!(request, notes),
        }
    }

    /// The attribute of the request, for messages.
    fn name(self) -> &'static str {
        match self {
            Self::HeadersIn => "headers_in",
            Self::HeadersOut => "headers_out",
            Self::ErrHeadersOut => "err_headers_out",
            Self::SubprocessEnv => "subprocess_env",
            Self::Notes => "notes",
        }
    }
}

/// Where the entries of a table are.
enum Place {
    /// In the object, independent of httpd.
    Own(Mutex<OwnEntries>),
    /// In a request, for as long as it is valid.
    Request(Arc<RequestRecord>, RequestTable),
    /// In the notes of a request's connection, for as long as the request is valid.
    ConnectionNotes(Arc<RequestRecord>),
    /// In the notes of a connection whose handler runs, for as long as it is valid.
    Notes(Arc<ConnectionRecord>),
}

/// A table: ordered, several values under one key, keys compared without regard to case.
pub struct TableObject {
    place: Place,
}

type This<'a, 'i> = &'a Instance<'i, TableObject>;

impl TableObject {
    /// The live table of a request. It is looked up in httpd's record at each use, since httpd may replace the table.
    pub fn of_request<'i>(
        attached: Attached<'i>,
        module_state: &ModuleState,
        record: Arc<RequestRecord>,
        which: RequestTable,
    ) -> Result<Object<'i>, Raised> {
        Self::make(attached, module_state, Place::Request(record, which))
    }

    /// The live notes of the request's connection.
    pub fn of_connection_notes<'i>(
        attached: Attached<'i>,
        module_state: &ModuleState,
        record: Arc<RequestRecord>,
    ) -> Result<Object<'i>, Raised> {
        Self::make(attached, module_state, Place::ConnectionNotes(record))
    }

    /// The live notes of a connection whose handler runs.
    pub fn of_notes<'i>(
        attached: Attached<'i>,
        module_state: &ModuleState,
        record: Arc<ConnectionRecord>,
    ) -> Result<Object<'i>, Raised> {
        Self::make(attached, module_state, Place::Notes(record))
    }

    /// An independent table with copies of the entries.
    pub fn with_entries<'i, 'a>(
        attached: Attached<'i>,
        module_state: &ModuleState,
        entries: impl IntoIterator<Item = (&'a [u8], Option<&'a [u8]>)>,
    ) -> Result<Object<'i>, Raised> {
        let entries = entries.into_iter().map(|(key, value)| (key.into(), value.map(Into::into))).collect();
        Self::make(attached, module_state, Place::Own(Mutex::new(entries)))
    }

    fn make<'i>(attached: Attached<'i>, module_state: &ModuleState, place: Place) -> Result<Object<'i>, Raised> {
        module_state.instance(attached, Self { place })
    }

    /// Uses the entries. `work` must not call Python: another thread may be waiting while attached.
    ///
    /// # Errors
    /// `RuntimeError` if the request is no longer valid.
    fn with<R>(&self, attached: Attached<'_>, work: impl FnOnce(&mut dyn Entries) -> R) -> Result<R, Raised> {
        let (record, which) = match &self.place {
            Place::Own(entries) => return Ok(work(&mut *entries.lock().unwrap_or_else(PoisonError::into_inner))),
            Place::Request(record, which) => (record, Some(*which)),
            Place::ConnectionNotes(record) => (record, None),
            Place::Notes(record) => {
                let in_use = record.handle.enter(attached)?;
                // SAFETY: the connection is valid, and only this thread uses it until `in_use` is dropped.
                let table = unsafe { Table::from_raw(field!(Connection::from_raw(in_use.as_ptr()), notes)) };
                return self.worked(attached, table, work);
            }
        };
        let in_use = record.handle.enter(attached)?;
        // SAFETY: the request is valid, and only this thread uses it until `in_use` is dropped.
        let request = unsafe { Request::from_raw(in_use.as_ptr()) };
        let table = which.map_or_else(|| field!(request.connection(), notes), |which| which.of(request));
        // SAFETY: null, or a table of the request or of its connection, which outlives it.
        self.worked(attached, unsafe { Table::from_raw(table) }, work)
    }

    fn worked<R>(
        &self,
        attached: Attached<'_>,
        table: Option<Table<'_>>,
        work: impl FnOnce(&mut dyn Entries) -> R,
    ) -> Result<R, Raised> {
        match table {
            Some(mut table) => Ok(work(&mut table)),
            None => Err(Raised::runtime_error(attached, format!("httpd has no {} here", self.name()))),
        }
    }

    /// The name of the table in messages.
    fn name(&self) -> &'static str {
        match &self.place {
            Place::Own(_) => "table",
            Place::Request(_, which) => which.name(),
            Place::ConnectionNotes(_) | Place::Notes(_) => "notes",
        }
    }

    /// Whether the entries are headers of the response.
    fn is_response_headers(&self) -> bool {
        matches!(self.place, Place::Request(_, RequestTable::HeadersOut | RequestTable::ErrHeadersOut))
    }

    /// The same for functions that allocate memory.
    ///
    /// # Errors
    /// `MemoryError` if there is none.
    fn with_memory<R>(
        &self,
        attached: Attached<'_>,
        work: impl FnOnce(&mut dyn Entries) -> Result<R, NoMemory>,
    ) -> Result<R, Raised> {
        self.with(attached, work)?.map_err(|NoMemory| Raised::memory_error(attached))
    }

    /// Copies of all entries, in order.
    fn snapshot(&self, attached: Attached<'_>) -> Result<Vec<Entry>, Raised> {
        self.with_memory(attached, |entries| (0..entries.len()).map(|index| entries.entry(index)).collect())
    }

    /// Copies of every value under a key, in order; a missing value is `None`.
    fn values_of(&self, attached: Attached<'_>, wanted: &Wanted<'_>) -> Result<Vec<Option<Box<[u8]>>>, Raised> {
        self.with_memory(attached, |entries| {
            let found = (0..entries.len()).filter(|index| wanted.is(entries.key(*index)));
            found.map(|index| entries.value(index).map(memory::boxed).transpose()).collect()
        })
    }

    /// A copy of the first value under a key; `None` if there is none or its value is missing, as with httpd's own look-up.
    fn first(&self, attached: Attached<'_>, wanted: &Wanted<'_>) -> Result<Option<Box<[u8]>>, Raised> {
        self.with_memory(attached, |entries| {
            let index = (0..entries.len()).find(|index| wanted.is(entries.key(*index)));
            index.and_then(|index| entries.value(index)).map(memory::boxed).transpose()
        })
    }
}

/// The values under one key for Python: the only one, or a list.
fn one_or_list<'i>(attached: Attached<'i>, values: &[Option<&[u8]>]) -> Result<Object<'i>, Raised> {
    match values {
        [value] => text::from_httpd(attached, *value),
        values => Object::list(attached, values.iter().map(|value| text::from_httpd(attached, *value))),
    }
}

/// The entries as a `dict`, with a list for several values of one key. Tables are compared by it.
fn as_dict<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    let attached = this.attached();
    let entries = this.snapshot(attached)?;
    let dict = Object::dict(attached)?;
    for (key, _) in &entries {
        let same = entries.iter().filter(|(other, _)| other.eq_ignore_ascii_case(key));
        let values: Vec<_> = same.map(|(_, value)| value.as_deref()).collect();
        dict.set_item(&Object::text(attached, key)?, &one_or_list(attached, &values)?)?;
    }
    Ok(dict)
}

impl ApacheClass for TableObject {
    const ID: ClassId = ClassId::Table;
}

impl Class for TableObject {
    const NAME: &'static CStr = c"builtins.mp_table";
    const DOC: &'static CStr = c"mp_table(items=())\n--\n\n\
        An ordered list of pairs of text: empty, or with the items of a mapping, or filled by t[key] = value for each of \
        some pairs.\n\n\
        Keys are compared without regard to case, and add() puts several values under one.";
    const SUBCLASSING: bool = true;

    fn methods() -> &'static [Method] {
        methods::METHODS
    }

    fn members() -> &'static [GetSet] {
        &[GetSet::END]
    }

    fn slots() -> Vec<py::PyType_Slot> {
        let mut slots = vec![repr_slot::<Self>(), initialise_slot::<Self>()];
        slots.extend(mapping_slots::<Self>());
        slots
    }

    fn new(_: Attached<'_>, _arguments: &Object<'_>, _keywords: Option<&Object<'_>>) -> Result<Self, Raised> {
        Ok(Self { place: Place::Own(Mutex::default()) })
    }
}

impl Initialise for TableObject {
    fn initialise<'i>(this: This<'_, 'i>, arguments: &Object<'i>, keywords: Option<&Object<'i>>) -> Result<(), Raised> {
        filling::initialise(this, arguments, keywords)
    }
}

impl Repr for TableObject {
    fn repr<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
        let shown = shown::shown(&this.snapshot(this.attached())?);
        Object::str(this.attached(), &shown.map_err(|NoMemory| Raised::memory_error(this.attached()))?)
    }
}

impl Subscript for TableObject {
    fn item<'i>(this: This<'_, 'i>, key: &Object<'i>) -> Result<Object<'i>, Raised> {
        let values = this.values_of(this.attached(), &Wanted::new(key)?)?;
        match values.is_empty() {
            true => Err(Raised::key_error(key)),
            false => one_or_list(this.attached(), &values.iter().map(Option::as_deref).collect::<Vec<_>>()),
        }
    }

    fn set_item<'i>(this: This<'_, 'i>, key: &Object<'i>, value: Option<&Object<'i>>) -> Result<(), Raised> {
        let wanted = Wanted::new(key)?;
        match value {
            Some(value) => {
                let (key, value) = filling::pair(this, key, value)?;
                this.with_memory(this.attached(), |entries| entries::replace(entries, &wanted, &key, &value))
            }
            None => this.with(this.attached(), |entries| entries::remove(entries, &wanted)),
        }
    }

    fn contains<'i>(this: This<'_, 'i>, key: &Object<'i>) -> Result<bool, Raised> {
        Ok(this.first(this.attached(), &Wanted::new(key)?)?.is_some())
    }
}

impl Mapping for TableObject {
    fn length(this: This<'_, '_>) -> Result<usize, Raised> {
        this.with(this.attached(), |entries| entries.len())
    }

    fn iterate<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
        iterating::iterate(this, iterating::Part::Keys)
    }

    fn equals<'i>(this: This<'_, 'i>, other: &Object<'i>) -> Result<Option<bool>, Raised> {
        let other = match this.same_class(other) {
            Some(other) => as_dict(&other)?,
            None if other.is_dict() => other.clone(),
            None if filling::has_keys(other)? => filling::dict_of(other)?,
            None => return Ok(None),
        };
        as_dict(this)?.equals(&other).map(Some)
    }
}
