//! `parse_qs` and `parse_qsl`: the fields of a query string or of an urlencoded form.

use crate::cpython::{Arguments, Attached, Object, Raised};
use crate::process::memory::NoMemory;

use super::Apache;

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
pub(super) fn parse_qs<'i>(_: &Apache, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    let dict = Object::dict(arguments.attached())?;
    for_each_field(&arguments, |name, value| match dict.dict_item(&name)? {
        Some(values) => values.append(&value),
        None => dict.set_item(&name, &Object::list(arguments.attached(), [Ok(value)])?),
    })?;
    Ok(dict)
}

/// `parse_qsl(qs[, keep_blank[, strict]])`: a list of pairs.
pub(super) fn parse_qsl<'i>(_: &Apache, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    let attached = arguments.attached();
    let list = Object::list(attached, [])?;
    for_each_field(&arguments, |name, value| list.append(&Object::tuple(attached, [name, value])?))?;
    Ok(list)
}

/// `_form_fields(data, keep_blank)`: a list of pairs for a form. Names are `str`, values too if they are UTF-8, else `bytes`; NULs are kept.
pub(super) fn form_fields<'i>(_: &Apache, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(2, 2)?;
    let attached = arguments.attached();
    let keep_blank = arguments.flag_or(1, false)?;
    let list = Object::list(attached, [])?;
    let mut space = Vec::new();
    with_data(&arguments, |_, data| {
        for (name, value) in pairs(data, keep_blank) {
            let mut make = |text, or_else: Kind| {
                let text = decode(text, &mut space).map_err(|NoMemory| Raised::memory_error(attached))?;
                match std::str::from_utf8(text) {
                    Ok(text) => Object::str(attached, text),
                    Err(_) => or_else.make(attached, text),
                }
            };
            let pair = [make(name, Kind::Str)?, make(value, Kind::Bytes)?];
            list.append(&Object::tuple(attached, pair)?)?;
        }
        Ok(())
    })?;
    Ok(list)
}

/// `_string_fields(kind, pairs)`: instances of a class that derives from `str`, whose `name` is that of the pair; a list of all, and a
/// dict of lists by name.
pub(super) fn string_fields<'i>(_: &Apache, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(2, 2)?;
    let attached = arguments.attached();
    let class = arguments.required(0)?;
    let attribute = Object::interned(attached, c"name")?;
    let (first, second) = (Object::int(attached, 0)?, Object::int(attached, 1)?);
    let (fields, by_name) = (Object::list(attached, [])?, Object::dict(attached)?);
    for pair in arguments.required(1)?.iterate()? {
        let pair = pair?;
        let (name, value) = (pair.item(&first)?, pair.item(&second)?);
        // Bytes need what the class does with them
        let field = if value.is_str() { class.new_str(&value)? } else { class.call([&value])? };
        field.set_attribute_named(&attribute, &name)?;
        fields.append(&field)?;
        match by_name.dict_item(&name)? {
            Some(others) => others.append(&field)?,
            None => by_name.set_item(&name, &Object::list(attached, [Ok(field)])?)?,
        }
    }
    Object::tuple(attached, [fields, by_name])
}

/// Calls `work` with the decoded name and value of each field, in order.
fn for_each_field<'i>(
    arguments: &Arguments<'i>,
    mut work: impl FnMut(Object<'i>, Object<'i>) -> Result<(), Raised>,
) -> Result<(), Raised> {
    arguments.expect(1, 3)?;
    let attached = arguments.attached();
    let keep_blank = arguments.flag_or(1, false)?;
    with_data(arguments, |kind, query| {
        for (name, value) in fields(query, keep_blank) {
            let decoded = |text| decoded(text).map_err(|NoMemory| Raised::memory_error(attached));
            work(kind.make(attached, &decoded(name)?)?, kind.make(attached, &decoded(value)?)?)?;
        }
        Ok(())
    })
}

/// Calls `work` with the bytes of the first argument, a `str` or a `bytes`.
fn with_data<'i>(
    arguments: &Arguments<'i>,
    work: impl FnOnce(Kind, &[u8]) -> Result<(), Raised>,
) -> Result<(), Raised> {
    let data = arguments.required(0)?;
    if data.is_bytes() {
        return work(Kind::Bytes, data.to_bytes()?);
    }
    if data.is_str() {
        return work(Kind::Str, data.encoded(c"surrogateescape")?.to_bytes()?);
    }
    let message = format!("{}() argument 1 must be str or bytes, not {}", arguments.function(), data.type_name());
    Err(Raised::type_error(arguments.attached(), message))
}

/// The fields in order. Text ends at a NUL, in the query and in decoded text.
fn fields(query: &[u8], keep_blank: bool) -> impl Iterator<Item = (&[u8], &[u8])> {
    pairs(up_to_nul(query), keep_blank)
}

/// The fields in order, NULs and all.
fn pairs(data: &[u8], keep_blank: bool) -> impl Iterator<Item = (&[u8], &[u8])> {
    let pairs = data.split(|byte| matches!(byte, b'&' | b';')).filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let equals = pair.iter().position(|byte| *byte == b'=');
            equals.map_or((pair, &[] as &[u8]), |at| (&pair[..at], &pair[at + 1..]))
        })
        .filter(move |(_, value)| keep_blank || !value.is_empty())
}

fn up_to_nul(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Decodes `+` and `%XX`; anything else stays as it is. Text ends at a NUL.
fn decoded(text: &[u8]) -> Result<Vec<u8>, NoMemory> {
    let mut out = Vec::new();
    decode(text, &mut out)?;
    if out.is_empty() {
        out.try_reserve_exact(text.len())?;
        out.extend_from_slice(text);
    }
    out.truncate(up_to_nul(&out).len());
    Ok(out)
}

/// Decodes `+` and `%XX` into `space`; a text that has none of them is returned as it is, and `space` is empty.
fn decode<'a>(text: &'a [u8], space: &'a mut Vec<u8>) -> Result<&'a [u8], NoMemory> {
    space.clear();
    let is_special = |byte: &u8| matches!(byte, b'+' | b'%');
    let Some(first) = text.iter().position(is_special) else { return Ok(text) };
    space.try_reserve_exact(text.len())?;
    let (mut plain, mut rest) = text.split_at(first);
    loop {
        space.extend_from_slice(plain);
        let digit = |at: usize| rest.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        let length = match rest.first() {
            None => return Ok(space),
            Some(b'+') => {
                space.push(b' ');
                1
            }
            Some(_) => match (digit(1), digit(2)) {
                (Some(high), Some(low)) => {
                    space.push((high * 16 + low) as u8);
                    3
                }
                _ => {
                    space.push(b'%');
                    1
                }
            },
        };
        rest = &rest[length..];
        (plain, rest) = rest.split_at(rest.iter().position(is_special).unwrap_or(rest.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(query: &str, keep_blank: bool) -> String {
        let text = |text| String::from_utf8(decoded(text).unwrap()).unwrap();
        let shown = fields(query.as_bytes(), keep_blank).map(|(name, value)| format!("{}={}", text(name), text(value)));
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

    #[test]
    fn a_form_keeps_its_nuls() {
        let all: Vec<_> = pairs(b"a=x\0y&b%00=z", false).collect();
        assert_eq!(all, [(&b"a"[..], &b"x\0y"[..]), (b"b%00", b"z")]);
        assert_eq!(decode(b"b%00c+d", &mut Vec::new()).unwrap(), b"b\0c d");
        assert_eq!(decode(b"plain", &mut Vec::new()).unwrap(), b"plain");
    }
}
