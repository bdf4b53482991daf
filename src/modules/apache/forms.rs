//! `parse_qs` and `parse_qsl`: the fields of a query string or of an urlencoded form.

use std::collections::HashMap;

use crate::cpython::{Arguments, Attached, Object, Raised};

use super::State;

/// A field's name and value, decoded.
type Field = (Vec<u8>, Vec<u8>);

/// The type of a query string, which its names and values have too.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Str,
    Bytes,
}

impl Kind {
    fn make<'i>(self, attached: Attached<'i>, bytes: &[u8]) -> Result<Object<'i>, Raised> {
        match self {
            Self::Str => Object::text(attached, bytes),
            Self::Bytes => Object::bytes(attached, bytes),
        }
    }
}

/// `parse_qs(qs[, keep_blank[, strict]])`: a dict of lists.
pub(super) fn parse_qs<'i>(_: &State, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    let attached = arguments.attached();
    let (kind, mut fields) = parsed(&arguments)?;
    if kind == Kind::Str {
        // Names that differ in their bytes only are the same text.
        fields.iter_mut().for_each(|(name, _)| make_utf8(name));
    }
    let mut places = HashMap::new();
    let mut names: Vec<(&[u8], Vec<&[u8]>)> = Vec::new();
    for (name, value) in &fields {
        let place = *places.entry(&**name).or_insert(names.len());
        if place == names.len() {
            names.push((name, Vec::new()));
        }
        names[place].1.push(value);
    }
    let dict = Object::dict(attached)?;
    for (name, values) in names {
        let list = Object::list(attached, values.into_iter().map(|value| kind.make(attached, value)))?;
        dict.set_item(&kind.make(attached, name)?, &list)?;
    }
    Ok(dict)
}

/// `parse_qsl(qs[, keep_blank[, strict]])`: a list of pairs.
pub(super) fn parse_qsl<'i>(_: &State, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    let attached = arguments.attached();
    let (kind, fields) = parsed(&arguments)?;
    let pair =
        |(name, value): &Field| Object::tuple(attached, [kind.make(attached, name)?, kind.make(attached, value)?]);
    Object::list(attached, fields.iter().map(pair))
}

fn parsed(arguments: &Arguments<'_>) -> Result<(Kind, Vec<Field>), Raised> {
    arguments.expect(1, 3)?;
    let query = arguments.required(0)?;
    let keep_blank = arguments.flag_or(1, false)?;
    if query.is_bytes() {
        return Ok((Kind::Bytes, fields(query.to_bytes()?, keep_blank)));
    }
    if query.is_str() {
        return Ok((Kind::Str, fields(query.encoded(c"surrogateescape")?.to_bytes()?, keep_blank)));
    }
    let message = format!("{}() argument 1 must be str or bytes, not {}", arguments.function(), query.type_name());
    Err(Raised::type_error(arguments.attached(), message))
}

/// The fields in their order. Text ends at a NUL, in the query as in what is decoded from it.
fn fields(query: &[u8], keep_blank: bool) -> Vec<Field> {
    up_to_nul(query)
        .split(|byte| matches!(byte, b'&' | b';'))
        .filter(|pair| !pair.is_empty())
        .filter_map(|pair| {
            let equals = pair.iter().position(|byte| *byte == b'=');
            let (name, value) = equals.map_or((pair, &[] as &[u8]), |at| (&pair[..at], &pair[at + 1..]));
            (keep_blank || !value.is_empty()).then(|| (decoded(name), decoded(value)))
        })
        .collect()
}

/// Bytes that are not UTF-8 are Latin-1.
fn make_utf8(bytes: &mut Vec<u8>) {
    if std::str::from_utf8(bytes).is_err() {
        *bytes = bytes.iter().map(|byte| char::from(*byte)).collect::<String>().into_bytes();
    }
}

fn up_to_nul(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// `+` and `%XX` decoded; what is no such escape stays as it is.
fn decoded(text: &[u8]) -> Vec<u8> {
    let digit = |at: usize| text.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let (byte, length) = match (text[at], digit(at + 1), digit(at + 2)) {
            (b'+', ..) => (b' ', 1),
            (b'%', Some(high), Some(low)) => ((high * 16 + low) as u8, 3),
            (byte, ..) => (byte, 1),
        };
        if byte == 0 {
            break;
        }
        out.push(byte);
        at += length;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(query: &str, keep_blank: bool) -> String {
        let fields = fields(query.as_bytes(), keep_blank);
        let shown = fields
            .iter()
            .map(|(name, value)| format!("{}={}", String::from_utf8_lossy(name), String::from_utf8_lossy(value)));
        shown.collect::<Vec<_>>().join("|")
    }

    #[test]
    fn pairs_are_split_and_decoded() {
        assert_eq!(shown("a=1&b=2;c=3", false), "a=1|b=2|c=3");
        assert_eq!(shown("x=10", false), "x=10");
        assert_eq!(shown("a+b=c%20d&%41=%c3%A9", false), "a b=c d|A=é");
        assert_eq!(shown("a==b&=c&&;d=%3D", false), "a==b|=c|d==");
        assert_eq!(shown("a=%zz&b=%4&c=%", false), "a=%zz|b=%4|c=%");
    }

    #[test]
    fn blanks_are_kept_on_demand() {
        assert_eq!(shown("a=&b&c=1", false), "c=1");
        assert_eq!(shown("a=&b&c=1&=", true), "a=|b=|c=1|=");
    }

    #[test]
    fn text_ends_at_a_nul() {
        assert_eq!(shown("a=x%00y&b%00c=z", false), "a=x|b=z");
        assert_eq!(shown("a=x\0y&b=z", false), "a=x");
        assert_eq!(shown("a=%00", false), "a=");
    }
}
