//! Methods of tables.

use std::sync::Mutex;

use crate::cpython::{Arguments, Method, Object, Raised, method, new_instance};
use crate::process::memory;

use super::entries::{self, Entry, Wanted};
use super::iterating::{Part, iterate};
use super::{Place, TableObject, This, filling};

pub(super) static METHODS: &[Method] = &[
    method!(
        TableObject,
        c"has_key",
        has_key,
        c"has_key($self, key, /)\n--\n\n\
          1 if there is a value under key, else 0."
    ),
    method!(
        TableObject,
        c"get",
        get,
        c"get($self, key, default=None, /)\n--\n\n\
          The first value under key, or default."
    ),
    method!(
        TableObject,
        c"setdefault",
        set_default,
        c"setdefault($self, key, default=\"\", /)\n--\n\n\
          The first value under key; if there is none, it is set to default."
    ),
    method!(
        TableObject,
        c"popitem",
        pop_item,
        c"popitem($self, /)\n--\n\n\
          Remove and return one (key, value); KeyError if empty."
    ),
    method!(TableObject, c"keys", keys, c"keys($self, /)\n--\n\nA list of the keys of all entries, in order."),
    method!(
        TableObject,
        c"values",
        values,
        c"values($self, /)\n--\n\n\
          A list of the values of all entries, in order."
    ),
    method!(TableObject, c"items", items, c"items($self, /)\n--\n\nA list of all entries as (key, value), in order."),
    method!(TableObject, c"iterkeys", iter_keys, c"iterkeys($self, /)\n--\n\nAn iterator over the keys."),
    method!(TableObject, c"itervalues", iter_values, c"itervalues($self, /)\n--\n\nAn iterator over the values."),
    method!(
        TableObject,
        c"iteritems",
        iter_items,
        c"iteritems($self, /)\n--\n\n\
          An iterator over the entries as (key, value)."
    ),
    method!(
        TableObject,
        c"update",
        update,
        c"update($self, mapping, /)\n--\n\n\
          self[key] = mapping[key] for each key of mapping.keys()."
    ),
    method!(TableObject, c"clear", clear, c"clear($self, /)\n--\n\nRemove all entries."),
    method!(
        TableObject,
        c"copy",
        copy,
        c"copy($self, /)\n--\n\n\
          An independent table with the last value of each key."
    ),
    method!(
        TableObject,
        c"add",
        add,
        c"add($self, key, value, /)\n--\n\n\
          Add a value to those under key."
    ),
    Method::END,
];

fn has_key<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 1)?;
    let found = this.first(this.attached(), &Wanted::new(&arguments.required(0)?)?)?;
    Object::int(this.attached(), found.is_some().into())
}

fn get<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 2)?;
    let attached = this.attached();
    match this.first(attached, &Wanted::new(&arguments.required(0)?)?)? {
        Some(value) => Object::text(attached, &value),
        None => Ok(arguments.get(1).unwrap_or_else(|| Object::none(attached))),
    }
}

fn set_default<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 2)?;
    let attached = this.attached();
    let key = arguments.required(0)?;
    let default = arguments.get(1).map_or_else(|| Object::str(attached, ""), Ok)?;
    let wanted = Wanted::new(&key)?;
    let (key, value) = filling::pair(this, &key, &default)?;
    let found = this.with_memory(attached, |entries| {
        let index = (0..entries.len()).find(|index| wanted.is(entries.key(*index)));
        if let Some(found) = index.and_then(|index| entries.value(index)) {
            return memory::boxed(found);
        }
        entries::replace(entries, &wanted, &key, &value)?;
        memory::boxed(value.to_bytes())
    })?;
    Object::text(attached, &found)
}

fn pop_item<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let attached = this.attached();
    let taken = this.with_memory(attached, |entries| {
        let taken = (entries.len() > 0).then(|| entries.entry(0)).transpose()?;
        if taken.is_some() {
            entries.remove_at(0);
        }
        Ok(taken)
    })?;
    match taken {
        Some(entry) => Part::Items.of(attached, &entry),
        None => Err(Raised::key_error(&Object::str(attached, "popitem(): table is empty")?)),
    }
}

fn list<'i>(this: This<'_, 'i>, arguments: Arguments<'i>, part: Part) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let attached = this.attached();
    let entries = this.snapshot(attached)?;
    Object::list(attached, entries.iter().map(|entry| part.of(attached, entry)))
}

fn keys<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    list(this, arguments, Part::Keys)
}

fn values<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    list(this, arguments, Part::Values)
}

fn items<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    list(this, arguments, Part::Items)
}

fn iter_keys<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    iterate(this, Part::Keys)
}

fn iter_values<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    iterate(this, Part::Values)
}

fn iter_items<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    iterate(this, Part::Items)
}

fn update<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 1)?;
    filling::update(this, &arguments.required(0)?)?;
    Ok(Object::none(this.attached()))
}

fn clear<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    this.with(this.attached(), |entries| entries.clear())?;
    Ok(Object::none(this.attached()))
}

fn copy<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let attached = this.attached();
    let mut copied: Vec<Entry> = Vec::new();
    for (key, value) in this.snapshot(attached)? {
        match copied.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(&key)) {
            Some((_, known)) => *known = value,
            None => copied.push((key, value)),
        }
    }
    let table = TableObject { place: Place::Own(Mutex::new(copied.into_iter().collect())) };
    // SAFETY: the class made from `TableObject` in this interpreter.
    unsafe { new_instance(attached, this.base_class(), table) }
}

fn add<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(2, 2)?;
    let (key, value) = (arguments.required(0)?, arguments.required(1)?);
    let (key, value) = filling::pair(this, &key, &value)?;
    let is_single = filling::is_single(this, &key);
    this.with_memory(this.attached(), |entries| match is_single {
        true => entries.set(&key, &value),
        false => entries.add(&key, &value),
    })?;
    Ok(Object::none(this.attached()))
}
