//! Python exceptions as values.

use std::ffi::c_int;

use crate::ffi::python as py;

use super::attached::Attached;
use super::object::Object;

/// An exception is set on the attached thread state.
///
/// Returning it to CPython raises the exception; everything else must `fetch` or `clear` it.
#[derive(Debug)]
#[must_use]
pub struct Raised(());

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
    /// The exception that a call has just set; a `SystemError` if it forgot to.
    pub fn set(attached: Attached<'_>) -> Self {
        match attached.has_error() {
            true => Self(()),
            false => Self::system_error(attached, "a call failed without an exception"),
        }
    }

    /// Raises `class(message)`.
    pub fn new(class: &Object<'_>, message: impl AsRef<str>) -> Self {
        if let Ok(text) = Object::str(class.attached(), message.as_ref()) {
            // SAFETY: attached; class is an exception class.
            unsafe { py::PyErr_SetObject(class.as_ptr(), text.as_ptr()) };
        }
        Self(())
    }

    /// Raises `class(value)` for any value.
    pub fn with_value(class: &Object<'_>, value: &Object<'_>) -> Self {
        // SAFETY: attached; class is an exception class.
        unsafe { py::PyErr_SetObject(class.as_ptr(), value.as_ptr()) };
        Self(())
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
        /// Raises `IndexError`.
        index_error => PyExc_IndexError,
        /// Raises `OverflowError`.
        overflow_error => PyExc_OverflowError,
        /// Raises `AssertionError`.
        assertion_error => PyExc_AssertionError,
        /// Raises `SystemError`.
        system_error => PyExc_SystemError,
    }

    /// Raises `KeyError(key)`.
    pub fn key_error(key: &Object<'_>) -> Self {
        // SAFETY: the exception classes live as long as Python.
        let class = unsafe { Object::borrowed(key.attached(), py::PyExc_KeyError) };
        Self::with_value(&class, key)
    }

    /// Raises the `OSError` subclass that fits `errno`, naming the file.
    pub fn errno(attached: Attached<'_>, errno: c_int, file: &[u8]) -> Self {
        let raise = || -> Result<(), Raised> {
            let message = std::io::Error::from_raw_os_error(errno);
            // SAFETY: the exception classes live as long as Python.
            let class = unsafe { Object::borrowed(attached, py::PyExc_OSError) };
            let text = message.to_string();
            let text = text.split(" (os error").next().unwrap_or_default();
            let arguments = Object::tuple(
                attached,
                [Object::int(attached, errno.into())?, Object::str(attached, text)?, Object::text(attached, file)?],
            )?;
            // SAFETY: attached; PyErr_SetObject calls the class with a tuple's items.
            unsafe { py::PyErr_SetObject(class.as_ptr(), arguments.as_ptr()) };
            Ok(())
        };
        match raise() {
            Ok(()) => Self(()),
            Err(raised) => raised,
        }
    }

    /// The same exception with what led to it: `raise … from cause`.
    pub fn caused_by(self, cause: Exception<'_>) -> Self {
        let exception = self.fetch(cause.value.attached());
        // SAFETY: attached; both are exceptions, and the reference to the cause is given away.
        unsafe { py::PyException_SetCause(exception.value.as_ptr(), cause.value.into_ptr()) };
        exception.restore()
    }

    /// Forgets the exception.
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
            // `owned` has raised the SystemError that stands for nothing raised.
            Err(_) => Self::take(attached),
        }
    }

    #[cfg(not(Py_3_12))]
    fn take(attached: Attached<'i>) -> Self {
        let (mut class, mut value, mut traceback) = (std::ptr::null_mut(), std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: attached; after normalisation the value is an instance, all references are ours.
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

    /// Whether it is one of CPython's own exception classes, such as `PyExc_OSError`.
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
        // SAFETY: attached for as long as the object; the references are given away.
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
        Raised(())
    }

    /// `Class: message` in one line.
    pub fn summary(&self) -> String {
        let text = self.value.display();
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
            entries.items()?.iter().map(|entry| Ok(entry.lossy()?.trim_end_matches('\n').to_owned())).collect()
        };
        format().unwrap_or_else(|raised| {
            let why = raised.fetch(attached);
            vec![self.summary(), format!("(its traceback cannot be shown: {})", why.summary())]
        })
    }
}
