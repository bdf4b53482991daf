//! Directives that set a value for a section or server.

use std::ffi::CStr;

use crate::httpd::Table;

use super::Outcome;
use super::reading::Reading;
use crate::config::error::ConfigError;
use crate::config::records::PathExpression;

/// `PythonInterpreter name`. httpd refuses an empty argument itself.
pub(super) fn interpreter(reading: &mut Reading<'_>, name: &CStr) -> Outcome {
    let name = reading.pool().slice(name.to_bytes());
    reading.set(|settings| settings.interpreter = Some(name));
    Ok(())
}

/// `PythonPath expression`
pub(super) fn path(reading: &mut Reading<'_>, expression: &CStr) -> Outcome {
    let expression = reading.text(expression)?;
    if expression.trim().is_empty() {
        return Err(ConfigError::EmptyPath);
    }
    reading.set(|settings| settings.path = Some(PathExpression::new(expression)));
    Ok(())
}

/// `PythonOption key [value]`
pub(super) fn option(reading: &mut Reading<'_>, key: &CStr, value: Option<&CStr>) -> Outcome {
    let pool = reading.pool();
    let key = pool.c_string(key.to_bytes());
    let value = pool.c_string(value.unwrap_or_default().to_bytes());
    reading.set(|settings| settings.options.get_or_insert_with(|| Table::new(pool)).set(key, value));
    Ok(())
}
