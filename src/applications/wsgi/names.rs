//! The keys of environs, made once in an interpreter; and what its environs have in common.

use rustc_hash::FxHashMap;

use crate::cpython::{Attached, Kept, Object, Raised};
use crate::ffi::python as py;
use crate::httpd::variables::{Known, Name, variable_of_header};
use crate::interpreter::{DataSlot, Interpreter, InterpreterData};
use crate::objects::module_state::Locked;
use crate::process::memory;

/// How many names of variables are kept. The configuration chooses them, or has clients choose.
const MOST: usize = 100;

/// The headers whose names are kept: others are made for each request, since a client can send any number of them.
const HEADERS: [&str; 46] = [
    "Accept",
    "Accept-Charset",
    "Accept-Encoding",
    "Accept-Language",
    "Access-Control-Request-Headers",
    "Access-Control-Request-Method",
    "Authorization",
    "Cache-Control",
    "Connection",
    "Content-Encoding",
    "Content-Language",
    "Content-MD5",
    "Cookie",
    "DNT",
    "Date",
    "Expect",
    "Forwarded",
    "From",
    "Host",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "If-Unmodified-Since",
    "Keep-Alive",
    "Origin",
    "Pragma",
    "Priority",
    "Range",
    "Referer",
    "Sec-CH-UA",
    "Sec-CH-UA-Mobile",
    "Sec-CH-UA-Platform",
    "Sec-Fetch-Dest",
    "Sec-Fetch-Mode",
    "Sec-Fetch-Site",
    "Sec-Fetch-User",
    "TE",
    "Transfer-Encoding",
    "Upgrade-Insecure-Requests",
    "User-Agent",
    "Via",
    "X-CSRFToken",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Requested-With",
];

/// Keys that are no variables of CGI's.
#[derive(Clone, Copy)]
pub enum Own {
    Scheme,
    Input,
    Errors,
    Request,
}

impl Own {
    const NAMES: [&'static str; 4] = ["wsgi.url_scheme", "wsgi.input", "wsgi.errors", "mod_python.request"];
}

/// The names of one interpreter.
pub struct Names {
    known: Vec<Kept>,
    own: Vec<Kept>,
    http: Kept,
    https: Kept,
    /// `mod_python._wsgi`
    library: Kept,
    /// `mod_python._wsgi.FileWrapper`
    file_wrapper: Kept,
    /// Of `HEADERS`, as they are written and in lower case.
    headers: FxHashMap<Box<[u8]>, Kept>,
    others: Locked<FxHashMap<Box<[u8]>, Kept>>,
    /// The latest value of each variable that is often the same.
    values: Locked<[Option<Kept>; Known::NAMES.len()]>,
    /// The environ of each application as far as it is the same for all requests.
    templates: Locked<FxHashMap<u64, Kept>>,
}

impl std::panic::RefUnwindSafe for Names {}

impl InterpreterData for Names {
    const SLOT: DataSlot = DataSlot::WsgiNames;
}

impl Names {
    /// The names of an interpreter, made at the first call.
    ///
    /// # Errors
    /// There is no memory, or the library cannot be imported.
    pub fn of(attached: Attached<'_>, interpreter: &'static Interpreter) -> Result<&'static Self, Raised> {
        if let Some(known) = interpreter.data::<Self>() {
            return Ok(known);
        }
        let made = Self::new(attached)?;
        Ok(interpreter.data_or_insert(|| made))
    }

    fn new(attached: Attached<'_>) -> Result<Self, Raised> {
        let interned = |name: &&str| interned(attached, name.as_bytes()).map(Object::keep);
        let library = Object::import(attached, c"mod_python._wsgi")?;
        Ok(Self {
            known: Known::NAMES.iter().map(interned).collect::<Result<_, _>>()?,
            own: Own::NAMES.iter().map(interned).collect::<Result<_, _>>()?,
            http: interned(&"http")?,
            https: interned(&"https")?,
            file_wrapper: library.attribute(c"FileWrapper")?.keep(),
            library: library.keep(),
            headers: headers(attached)?,
            others: Locked::default(),
            values: Locked::new([const { None }; Known::NAMES.len()]),
            templates: Locked::default(),
        })
    }

    /// The key for a variable.
    pub fn key<'i>(&self, attached: Attached<'i>, name: &Name<'_>) -> Result<Object<'i>, Raised> {
        match *name {
            // SAFETY: made in this interpreter.
            Name::Known(known) => Ok(unsafe { self.known[known as usize].get(attached) }),
            Name::Header(name) => match self.headers.get(name) {
                // SAFETY: as above.
                Some(kept) => Ok(unsafe { kept.get(attached) }),
                None => Object::latin1(attached, &variable_of_header(name)),
            },
            Name::Environment(name) => kept(&self.others, attached, name),
        }
    }

    /// The value of a variable, which is that of the latest request if it is the same.
    pub fn value<'i>(&self, attached: Attached<'i>, name: Known, value: &[u8]) -> Result<Object<'i>, Raised> {
        let place = name as usize;
        // SAFETY: made in this interpreter.
        let latest = self.values.with(|values| values[place].as_ref().map(|kept| unsafe { kept.get(attached) }));
        if let Some(latest) = latest.filter(|latest| latest.to_utf8().is_ok_and(|latest| latest.as_bytes() == value)) {
            return Ok(latest);
        }
        let made = Object::latin1(attached, value)?;
        // The UTF-8 of others could be the Latin-1 of another value.
        if value.is_ascii() {
            let kept = made.clone().keep();
            if let Some(before) = self.values.with(|values| values[place].replace(kept)) {
                // SAFETY: made in this interpreter.
                unsafe { before.release(attached) };
            }
        }
        Ok(made)
    }

    /// Sets a value of an environ.
    pub fn set<'i>(&self, environ: &Object<'i>, key: Own, value: &Object<'i>) -> Result<(), Raised> {
        // SAFETY: made in this interpreter.
        let key = unsafe { self.own[key as usize].get(environ.attached()) };
        environ.set_dict_item(&key, value)
    }

    pub fn scheme<'i>(&self, attached: Attached<'i>, is_https: bool) -> Object<'i> {
        // SAFETY: made in this interpreter.
        unsafe { if is_https { &self.https } else { &self.http }.get(attached) }
    }

    pub fn file_wrapper<'i>(&self, attached: Attached<'i>) -> Object<'i> {
        // SAFETY: made in this interpreter.
        unsafe { self.file_wrapper.get(attached) }
    }

    /// What all environs of an application have in common, made at the first call.
    pub fn template<'i>(
        &self,
        attached: Attached<'i>,
        fingerprint: u64,
        make: impl FnOnce(&Object<'i>) -> Result<Object<'i>, Raised>,
    ) -> Result<Object<'i>, Raised> {
        // SAFETY: made in this interpreter.
        let known = self.templates.with(|known| known.get(&fingerprint).map(|kept| unsafe { kept.get(attached) }));
        if let Some(known) = known {
            return Ok(known);
        }
        // SAFETY: as above.
        let made = make(&unsafe { self.library.get(attached) })?;
        Ok(self.templates.with(|known| {
            // Another thread may have been faster.
            let kept = known.entry(fingerprint).or_insert_with(|| made.clone().keep());
            // SAFETY: as above.
            unsafe { kept.get(attached) }
        }))
    }
}

/// The keys for the headers that are kept.
fn headers(attached: Attached<'_>) -> Result<FxHashMap<Box<[u8]>, Kept>, Raised> {
    let mut keys = FxHashMap::default();
    for name in HEADERS {
        for written in [name.to_owned(), name.to_ascii_lowercase()] {
            let key = interned(attached, &variable_of_header(written.as_bytes()))?;
            keys.insert(written.into_bytes().into(), key.keep());
        }
    }
    Ok(keys)
}

/// The key for a variable of that name, kept if there is room for it.
fn kept<'i>(
    names: &Locked<FxHashMap<Box<[u8]>, Kept>>,
    attached: Attached<'i>,
    name: &[u8],
) -> Result<Object<'i>, Raised> {
    // SAFETY: made in this interpreter.
    let known = names.with(|known| known.get(name).map(|kept| unsafe { kept.get(attached) }));
    if let Some(known) = known {
        return Ok(known);
    }
    let made = Object::latin1(attached, name)?;
    let kept = made.clone().keep();
    let unkept = names.with(|known| match known.len() < MOST {
        true => memory::boxed(name).ok().and_then(|name| known.insert(name, kept)),
        false => Some(kept),
    });
    if let Some(kept) = unkept {
        // SAFETY: made in this interpreter.
        unsafe { kept.release(attached) };
    }
    Ok(made)
}

fn interned<'i>(attached: Attached<'i>, name: &[u8]) -> Result<Object<'i>, Raised> {
    let mut pointer = Object::latin1(attached, name)?.into_ptr();
    // SAFETY: attached; a text that nobody else has: the reference goes over to what it leaves in its place.
    unsafe {
        py::PyUnicode_InternInPlace(&mut pointer);
        Object::owned(attached, pointer)
    }
}
