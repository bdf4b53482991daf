//! Tables of directives and options, for `get_config()` and `get_options()`.

use crate::config::Settings;
use crate::cpython::{Attached, Object, Raised};

use super::module_state::ModuleState;
use super::table::TableObject;

/// A name and its value, copied from the configuration.
pub type Setting = (Box<[u8]>, Box<[u8]>);

/// The directives that are set.
pub fn directives(settings: Option<&Settings<'_>>) -> Vec<Setting> {
    let directives = settings.map(Settings::directives).unwrap_or_default();
    directives.into_iter().map(|(name, text)| (name.as_bytes().into(), text.into())).collect()
}

/// Which options are shown.
#[derive(Clone, Copy, PartialEq)]
pub enum Shown {
    All,
    /// Without those that are set to an empty text, which removes them.
    Set,
}

/// The options that are set.
pub fn options(settings: Option<&Settings<'_>>, shown: Shown) -> Vec<Setting> {
    let options = settings.and_then(|settings| settings.options);
    let entries = options.into_iter().flat_map(|options| options.iter());
    let entries = entries.map(|(name, value)| (name, value.unwrap_or_default()));
    let entries = entries.filter(|(_, value)| shown == Shown::All || !value.is_empty());
    entries.map(|(name, value)| (name.into(), value.into())).collect()
}

/// A new table, so that a handler cannot change the configuration.
pub fn table<'i>(
    attached: Attached<'i>,
    module_state: &ModuleState,
    settings: &[Setting],
) -> Result<Object<'i>, Raised> {
    TableObject::with_entries(attached, module_state, settings.iter().map(|(name, value)| (&**name, Some(&**value))))
}
