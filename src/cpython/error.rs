//! Python exceptions as values.

use std::cell::UnsafeCell;
use std::ffi::c_int;
use std::marker::PhantomData;

use crate::ffi::python as py;

use super::attached::Attached;
use super::object::Object;

/// An exception is set on the attached thread state.
///
/// Returning it to CPython raises the exception; everything else must `fetch` or `clear` it. It stays on its thread, attached.
#[derive(Debug)]
#[must_use]
pub struct Raised(PhantomData<*mut UnsafeCell<()>>);

macro_rules! raise {
    ($(#[$doc:meta] $name:ident => $class:ident),* $(,)?) => {
        $(#[$doc]
        pub fn $name(attached: Attached<'_>, message: impl AsRef<str>) -> Self {
            // SAFETY: the exception classes live as long as Python.
            let class = unsafe { Object::borrowed(attached, py::$class) };
            Self::new(&class, message)
        })*
    };
}

impl Raised {
    /// The exception that a call has just set; a `SystemError` if it has set none.
    pub fn set(attached: Attached<'_>) -> Self {
        match attached.has_error() {
            true => Self(PhantomData),
            false => Self::system_error(attached, "a call failed without an exception"),
        }
    }

    /// Raises `class(message)`.
    pub fn new(class: &Object<'_>, message: impl AsRef<str>) -> Self {
        if let Ok(text) = Object::str(class.attached(), message.as_ref()) {
            // SAFETY: attached; class is an exception class.
            unsafe { py::PyErr_SetObject(class.as_ptr(), text.as_ptr()) };
        }
        Self(PhantomData)
    }

    /// Raises `class(value)` for any value.
    pub fn with_value(class: &Object<'_>, value: &Object<'_>) -> Self {
        // SAFETY: attached; class is an exception class.
        unsafe { py::PyErr_SetObject(class.as_ptr(), value.as_ptr()) };
        Self(PhantomData)
    }

    raise! {
        /// Raises `TypeError`.
        type_error => PyExc_TypeError,
        /// Raises `ValueError`.
        value_error => PyExc_ValueError,
        /// Raises `OSError`.
        os_error => PyExc_OSError,
        /// Raises `AttributeError`.
        attribute_error => PyExc_AttributeError,
        /// Raises `RuntimeError`.
        runtime_error => PyExc_RuntimeError,
        /// Raises `LookupError`.
        lookup_error => PyExc_LookupError,
        /// Raises `IndexError`.
        index_error => PyExc_IndexError,
        /// Raises `OverflowError`.
        overflow_error => PyExc_OverflowError,
        /// Raises `AssertionError`.
        assertion_error => PyExc_AssertionError,
        /// Raises `SystemError`.
        system_error => PyExc_SystemError,
    }

    /// Raises `MemoryError`.
    pub fn memory_error(_attached: Attached<'_>) -> Self {
        // SAFETY: attached.
        unsafe { py::PyErr_NoMemory() };
        Self(PhantomData)
    }

    /// Raises `KeyError(key)`.
    pub fn key_error(key: &Object<'_>) -> Self {
        // SAFETY: the exception classes live as long as Python.
        let class = unsafe { Object::borrowed(key.attached(), py::PyExc_KeyError) };
        Self::with_value(&class, key)
    }

    /// Raises the subclass of `OSError` for `errno`, with the name of the file.
    pub fn errno(attached: Attached<'_>, errno: c_int, file: &[u8]) -> Self {
        Self::errno_of(attached, errno, file, "")
    }

    /// The same, with more text behind what `errno` means.
    pub fn errno_of(attached: Attached<'_>, errno: c_int, file: &[u8], more: &str) -> Self {
        let raise = || -> Result<Self, Raised> {
            let message = std::io::Error::from_raw_os_error(errno);
            // SAFETY: the exception classes live as long as Python.
            let class = unsafe { Object::borrowed(attached, py::PyExc_OSError) };
            let text = message.to_string();
            let text = text.split(" (os error").next().unwrap_or_default();
            let arguments = Object::tuple(
                attached,
                [
                    Object::int(attached, errno.into())?,
                    Object::str(attached, &format!("{text}{more}"))?,
                    Object::text(attached, file)?,
                ],
            )?;
            // A tuple's items become the arguments of the class
            Ok(Self::with_value(&class, &arguments))
        };
        raise().unwrap_or_else(|raised| raised)
    }

    /// Raises `SyntaxError` for a line of a file.
    pub fn syntax_error(attached: Attached<'_>, sentence: &str, file: &[u8], line: usize) -> Self {
        let raise = || -> Result<Self, Raised> {
            // SAFETY: the exception classes live as long as Python.
            let class = unsafe { Object::borrowed(attached, py::PyExc_SyntaxError) };
            let none = || Object::none(attached);
            let place = [Object::file_name(attached, file)?, Object::int(attached, line as i64)?, none(), none()];
            let sentence = Object::str(attached, sentence)?;
            let arguments = Object::tuple(attached, [sentence, Object::tuple(attached, place)?])?;
            Ok(Self::with_value(&class, &arguments))
        };
        raise().unwrap_or_else(|raised| raised)
    }

    /// The same exception with a cause: `raise … from cause`.
    pub fn caused_by(self, cause: Exception<'_>) -> Self {
        let exception = self.fetch(cause.value.attached());
        // SAFETY: attached; both are exceptions, and the reference to the cause is passed on.
        unsafe { py::PyException_SetCause(exception.value.as_ptr(), cause.value.into_ptr()) };
        exception.restore()
    }

    /// Clears the exception.
    pub fn clear(self, _attached: Attached<'_>) {
        // SAFETY: attached.
        unsafe { py::PyErr_Clear() };
    }

    /// Takes the exception from the thread state.
    pub fn fetch(self, attached: Attached<'_>) -> Exception<'_> {
        Exception::take(attached)
    }
}

/// An exception taken from the thread state: normalised, with its traceback.
pub struct Exception<'i> {
    value: Object<'i>,
}

impl<'i> Exception<'i> {
    #[cfg(Py_3_12)]
    fn take(attached: Attached<'i>) -> Self {
        // SAFETY: attached; a new reference or null.
        let value = unsafe { Object::owned(attached, py::PyErr_GetRaisedException()) };
        match value {
            Ok(value) => Self { value },
            // No exception was set, so `owned` has raised a SystemError.
            Err(_) => Self::take(attached),
        }
    }

    #[cfg(not(Py_3_12))]
    fn take(attached: Attached<'i>) -> Self {
        let (mut class, mut value, mut traceback) = (std::ptr::null_mut(), std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: attached; after normalisation the value is an instance, all references are owned.
        unsafe {
            py::PyErr_Fetch(&mut class, &mut value, &mut traceback);
            py::PyErr_NormalizeException(&mut class, &mut value, &mut traceback);
            if !traceback.is_null() && !value.is_null() {
                py::PyException_SetTraceback(value, traceback);
            }
            py::Py_XDECREF(class);
            py::Py_XDECREF(traceback);
            match Object::owned(attached, value) {
                Ok(value) => Self { value },
                Err(_) => Self::take(attached),
            }
        }
    }

    /// The exception object.
    pub fn value(&self) -> &Object<'i> {
        &self.value
    }

    pub fn is(&self, class: &Object<'i>) -> bool {
        // SAFETY: attached.
        unsafe { py::PyErr_GivenExceptionMatches(self.value.as_ptr(), class.as_ptr()) != 0 }
    }

    /// Whether it is an instance of one of CPython's exception classes, such as `PyExc_OSError`.
    ///
    /// # Safety
    /// `class` is an exception class of CPython's.
    pub unsafe fn is_builtin(&self, class: *mut py::PyObject) -> bool {
        // SAFETY: attached; the caller's.
        unsafe { py::PyErr_GivenExceptionMatches(self.value.as_ptr(), class) != 0 }
    }

    /// Sets it again.
    pub fn restore(self) -> Raised {
        let pointer = self.value.into_ptr();
        // SAFETY: attached for as long as the object; the references are passed on.
        unsafe {
            #[cfg(Py_3_12)]
            py::PyErr_SetRaisedException(pointer);
            #[cfg(not(Py_3_12))]
            {
                let class = py::Py_TYPE(pointer).cast::<py::PyObject>();
                py::Py_INCREF(class);
                py::PyErr_Restore(class, pointer, py::PyException_GetTraceback(pointer));
            }
        }
        Raised(PhantomData)
    }

    /// `Class: message` in one line.
    pub fn summary(&self) -> String {
        let text = cut(self.value.display());
        let first = text.lines().next().unwrap_or_default();
        match first.is_empty() {
            true => self.value.type_name(),
            false => format!("{}: {first}", self.value.type_name()),
        }
    }

    /// The entries of `traceback.format_exception`, each without its final newline.
    pub fn traceback(&self) -> Vec<String> {
        let attached = self.value.attached();
        let format = || -> Result<Vec<String>, Raised> {
            let module = Object::import(attached, c"traceback")?;
            let entries = module.call_method(c"format_exception", [&self.value])?;
            let entry = |entry: &Object<'_>| {
                let mut text = cut(entry.lossy()?);
                text.truncate(text.trim_end_matches('\n').len());
                Ok(text)
            };
            entries.items()?.iter().map(entry).collect()
        };
        format().unwrap_or_else(|raised| {
            let why = raised.fetch(attached);
            let mut entries = self.plain_traceback();
            entries.push(self.summary());
            entries.push(format!("(the module traceback did not show it: {})", why.summary()));
            entries
        })
    }

    /// The places of the traceback without their lines and without what led to the exception: it needs no module of Python's.
    fn plain_traceback(&self) -> Vec<String> {
        let attached = self.value.attached();
        let mut entries = vec!["Traceback (most recent call last):".to_owned()];
        let mut next = self.value.attribute(c"__traceback__");
        while let Ok(place) = next {
            if place.is_none() {
                return entries;
            }
            let describe = || -> Result<String, Raised> {
                let code = place.attribute(c"tb_frame")?.attribute(c"f_code")?;
                let (file, name) = (code.attribute(c"co_filename")?.lossy()?, code.attribute(c"co_name")?.lossy()?);
                Ok(format!("  File \"{file}\", line {}, in {name}", place.attribute(c"tb_lineno")?.display()))
            };
            match describe() {
                Ok(text) => entries.push(text),
                Err(raised) => raised.clear(attached),
            }
            next = place.attribute(c"tb_next");
        }
        if let Err(raised) = next {
            raised.clear(attached);
        }
        entries
    }
}

/// How much of an exception's text is kept, in bytes.
const MOST_SAID: usize = 64 * 1024;

/// A text, cut to that length.
fn cut(mut text: String) -> String {
    if text.len() > MOST_SAID {
        let end = (0..=MOST_SAID).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        text.truncate(end);
        text.push('…');
    }
    text
}
