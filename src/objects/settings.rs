//! The configuration as handlers see it: tables of its directives and its options.

use crate::config::Settings;
use crate::cpython::{Attached, Object, Raised};

use super::equipment::Equipment;
use super::table::TableObject;

/// The directives that are set, a table of its own.
pub fn directives<'i>(
    attached: Attached<'i>,
    equipment: &Equipment,
    settings: Option<&Settings<'_>>,
) -> Result<Object<'i>, Raised> {
    let directives = settings.map(Settings::directives).unwrap_or_default();
    let entries = directives.into_iter().map(|(name, text)| (name.as_bytes(), Some(text)));
    TableObject::with_entries(attached, equipment, entries)
}

/// Which options are shown.
#[derive(Clone, Copy, PartialEq)]
pub enum Shown {
    All,
    /// Without those that are set to nothing, which removes them.
    Set,
}

/// The options, a copy, so that nothing a handler does to it changes the configuration.
pub fn options<'i>(
    attached: Attached<'i>,
    equipment: &Equipment,
    settings: Option<&Settings<'_>>,
    shown: Shown,
) -> Result<Object<'i>, Raised> {
    let options = settings.and_then(|settings| settings.options);
    let entries = options.into_iter().flat_map(|options| options.iter());
    let is_set = |value: Option<&[u8]>| value.is_some_and(|value| !value.is_empty());
    let entries = entries.filter(|(_, value)| shown == Shown::All || is_set(*value));
    TableObject::with_entries(attached, equipment, entries)
}
