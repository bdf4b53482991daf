//! Values of Python as bytes: CBOR (RFC 8949), as short as it can be, floats always of 64 bits. Equal values have equal bytes.

use std::convert::Infallible;
use std::ffi::CStr;

use minicbor::data::{Tag, Type};
use minicbor::{Decoder, Encoder};

use crate::cpython::{Attached, Kept, Object, Raised};

/// How deep lists and dicts may be nested.
const DEPTH: usize = 64;

/// The largest value, in bytes.
const LARGEST: usize = 16 << 20;

/// RFC 8949, 3.4.1 and 3.4.3.
const TIME: Tag = Tag::new(0);
const POSITIVE: Tag = Tag::new(2);
const NEGATIVE: Tag = Tag::new(3);
/// A datetime without a time zone, as text: no tag of the registry is for that. The number is of those that are first come, first served,
/// and not in use.
const NAIVE_TIME: Tag = Tag::new(28_016);

/// What encoding needs of Python's modules, once for each interpreter.
pub struct Encoding {
    /// None after the release.
    datetime: Option<Kept>,
}

impl Encoding {
    /// # Errors
    /// The module `datetime` cannot be imported.
    pub fn new(attached: Attached<'_>) -> Result<Self, Raised> {
        Ok(Self { datetime: Some(Object::import(attached, c"datetime")?.attribute(c"datetime")?.keep()) })
    }

    /// Releases them. This thread is attached to the interpreter that made them.
    pub fn release(&mut self, attached: Attached<'_>) {
        if let Some(datetime) = self.datetime.take() {
            // SAFETY: the caller's.
            unsafe { datetime.release(attached) };
        }
    }

    /// The objects, for the garbage collector.
    pub fn traverse(&self, visitor: &mut dyn FnMut(*mut crate::ffi::python::PyObject)) {
        if let Some(datetime) = &self.datetime {
            visitor(datetime.as_ptr());
        }
    }

    fn datetime<'i>(&self, attached: Attached<'i>) -> Object<'i> {
        // SAFETY: of the interpreter that made it.
        self.datetime.as_ref().map_or_else(|| Object::none(attached), |datetime| unsafe { datetime.get(attached) })
    }
}

type Out = Encoder<Vec<u8>>;

/// A value as bytes.
///
/// # Errors
/// `TypeError` for what a store cannot hold, `ValueError` for NaN, for what is nested too deep and for what is too large.
pub fn encode(encoding: &Encoding, value: &Object<'_>) -> Result<Vec<u8>, Raised> {
    let mut out = Encoder::new(Vec::with_capacity(64));
    append(encoding, &mut out, value, 0)?;
    Ok(out.into_writer())
}

fn append(encoding: &Encoding, out: &mut Out, value: &Object<'_>, depth: usize) -> Result<(), Raised> {
    let attached = value.attached();
    if value.is_str() {
        written(attached, out.str(value.to_utf8()?))?;
    } else if value.is_bytes() {
        written(attached, out.bytes(value.to_bytes()?))?;
    } else if value.is_none() {
        written(attached, out.null())?;
    } else if value.is_bool() {
        written(attached, out.bool(value.is_true()?))?;
    } else if value.is_int() {
        return append_int(out, value);
    } else if value.is_float() {
        let number = value.to_f64()?;
        if number.is_nan() {
            return Err(Raised::value_error(
                attached,
                "a store does not hold NaN, which is not equal to itself, so that nothing could compare it",
            ));
        }
        written(attached, out.f64(number))?;
    } else if value.is_list() || value.is_tuple() {
        deeper(attached, depth)?;
        let items = value.items()?;
        written(attached, out.array(items.len() as u64))?;
        for item in &items {
            append(encoding, out, item, depth + 1)?;
        }
    } else if value.is_dict() {
        deeper(attached, depth)?;
        let pairs = value.call_method(c"items", [])?.items()?;
        written(attached, out.map(pairs.len() as u64))?;
        for pair in &pairs {
            let pair = pair.items()?;
            let [key, value] = pair.as_slice() else {
                return Err(Raised::type_error(attached, "the items() of this dict are no pairs"));
            };
            if key.is_list() || key.is_tuple() || key.is_dict() {
                let message = format!("a store does not hold a dict with a {} as a key", key.type_name());
                return Err(Raised::type_error(attached, message));
            }
            append(encoding, out, key, depth + 1)?;
            append(encoding, out, value, depth + 1)?;
        }
    } else if value.is_byte_array() {
        written(attached, value.with_buffer(|bytes| out.bytes(bytes).map(drop))?)?;
    } else if value.is_instance(&encoding.datetime(attached)) {
        let tag = if value.call_method(c"utcoffset", [])?.is_none() { NAIVE_TIME } else { TIME };
        let text = value.call_method(c"isoformat", [])?;
        written(attached, out.tag(tag))?;
        written(attached, out.str(text.to_utf8()?))?;
    } else {
        let message = format!(
            "a store holds None, bool, int, float, str, bytes, datetime, and lists and dicts of these, but no {}",
            value.type_name()
        );
        return Err(Raised::type_error(attached, message));
    }
    if out.writer().len() > LARGEST {
        let message = format!("a value in a store has at most {} MB", LARGEST >> 20);
        return Err(Raised::value_error(attached, message));
    }
    Ok(())
}

/// Writing to memory does not fail.
fn written<T>(attached: Attached<'_>, outcome: Result<T, minicbor::encode::Error<Infallible>>) -> Result<(), Raised> {
    outcome.map(drop).map_err(|error| Raised::system_error(attached, error.to_string()))
}

fn deeper(attached: Attached<'_>, depth: usize) -> Result<(), Raised> {
    match depth < DEPTH {
        true => Ok(()),
        false => {
            let message =
                format!("lists and dicts are nested in each other more than {DEPTH} times, or one contains itself");
            Err(Raised::value_error(attached, message))
        }
    }
}

fn append_int(out: &mut Out, value: &Object<'_>) -> Result<(), Raised> {
    let attached = value.attached();
    if let Some(number) = value.small_int() {
        written(attached, out.i64(number))?;
        return Ok(());
    }
    // -1 - value for negative ones (RFC 8949, 3.4.3).
    let is_negative = value.is_less_than(&Object::int(attached, 0)?)?;
    let magnitude =
        if is_negative { value.call_method(c"__invert__", [])? } else { value.call_method(c"__pos__", [])? };
    let bits = magnitude.call_method(c"bit_length", [])?.to_i64()?;
    if bits as usize / 8 > LARGEST {
        return Err(Raised::value_error(attached, format!("a value in a store has at most {} MB", LARGEST >> 20)));
    }
    let length = Object::int(attached, (bits + 7) / 8)?;
    let bytes = magnitude.call_method(c"to_bytes", [&length, &Object::str(attached, "big")?])?;
    written(attached, out.tag(if is_negative { NEGATIVE } else { POSITIVE }))?;
    written(attached, out.bytes(bytes.to_bytes()?))?;
    Ok(())
}

/// Why bytes are no value.
enum Problem {
    NotOurs,
    Raised(Raised),
}

impl From<minicbor::decode::Error> for Problem {
    fn from(_: minicbor::decode::Error) -> Self {
        Self::NotOurs
    }
}

impl From<Raised> for Problem {
    fn from(raised: Raised) -> Self {
        Self::Raised(raised)
    }
}

/// The value of bytes that `encode` has made.
///
/// # Errors
/// `ValueError` for other bytes.
pub fn decode<'i>(attached: Attached<'i>, encoding: &Encoding, bytes: &[u8]) -> Result<Object<'i>, Raised> {
    let mut decoder = Decoder::new(bytes);
    let value = next(attached, encoding, &mut decoder, 0);
    match value {
        Ok(value) if decoder.position() == bytes.len() => Ok(value),
        Err(Problem::Raised(raised)) => Err(raised),
        Ok(_) | Err(Problem::NotOurs) => {
            Err(Raised::value_error(attached, "what is in the store was not written by this module"))
        }
    }
}

fn next<'i>(
    attached: Attached<'i>,
    encoding: &Encoding,
    decoder: &mut Decoder<'_>,
    depth: usize,
) -> Result<Object<'i>, Problem> {
    if depth > DEPTH + 1 {
        return Err(Problem::NotOurs);
    }
    Ok(match decoder.datatype()? {
        Type::Bytes => Object::bytes(attached, decoder.bytes()?)?,
        Type::String => Object::str(attached, decoder.str()?)?,
        Type::U8 | Type::U16 | Type::U32 | Type::I8 | Type::I16 | Type::I32 | Type::I64 => {
            Object::int(attached, decoder.i64()?)?
        }
        Type::U64 => Object::unsigned(attached, decoder.u64()?)?,
        Type::Null => {
            decoder.null()?;
            Object::none(attached)
        }
        Type::Bool => Object::bool(attached, decoder.bool()?),
        Type::F64 => Object::float(attached, decoder.f64()?)?,
        Type::Array => {
            let count = decoder.array()?.ok_or(Problem::NotOurs)?;
            let mut items = Vec::new();
            for _ in 0..count {
                items.push(next(attached, encoding, decoder, depth + 1)?);
            }
            Object::list(attached, items.into_iter().map(Ok))?
        }
        Type::Map => {
            let count = decoder.map()?.ok_or(Problem::NotOurs)?;
            let dict = Object::dict(attached)?;
            for _ in 0..count {
                let key = next(attached, encoding, decoder, depth + 1)?;
                dict.set_item(&key, &next(attached, encoding, decoder, depth + 1)?)?;
            }
            dict
        }
        Type::Tag => tagged(attached, encoding, decoder)?,
        _ => return Err(Problem::NotOurs),
    })
}

fn tagged<'i>(attached: Attached<'i>, encoding: &Encoding, decoder: &mut Decoder<'_>) -> Result<Object<'i>, Problem> {
    match decoder.tag()? {
        TIME | NAIVE_TIME => {
            let text = Object::str(attached, decoder.str()?)?;
            Ok(encoding.datetime(attached).call_method(c"fromisoformat", [&text])?)
        }
        tag @ (POSITIVE | NEGATIVE) => {
            let bytes = Object::bytes(attached, decoder.bytes()?)?;
            let number = int_class(attached)?.call_method(c"from_bytes", [&bytes, &Object::str(attached, "big")?])?;
            Ok(if tag == NEGATIVE { number.call_method(c"__invert__", [])? } else { number })
        }
        _ => Err(Problem::NotOurs),
    }
}

fn int_class(attached: Attached<'_>) -> Result<Object<'_>, Raised> {
    const BUILTINS: &CStr = c"builtins";
    Object::import(attached, BUILTINS)?.attribute(c"int")
}
