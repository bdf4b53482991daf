//! Constants of httpd and APR in `_apache`.

use std::ffi::CStr;

use crate::cpython::{Object, Raised};
use crate::ffi::httpd as raw;

const CONSTANTS: &[(&CStr, u32)] = &[
    (c"AP_CONN_UNKNOWN", raw::ap_conn_keepalive_e_AP_CONN_UNKNOWN),
    (c"AP_CONN_CLOSE", raw::ap_conn_keepalive_e_AP_CONN_CLOSE),
    (c"AP_CONN_KEEPALIVE", raw::ap_conn_keepalive_e_AP_CONN_KEEPALIVE),
    (c"APR_NOFILE", raw::apr_filetype_e_APR_NOFILE),
    (c"APR_REG", raw::apr_filetype_e_APR_REG),
    (c"APR_DIR", raw::apr_filetype_e_APR_DIR),
    (c"APR_CHR", raw::apr_filetype_e_APR_CHR),
    (c"APR_BLK", raw::apr_filetype_e_APR_BLK),
    (c"APR_PIPE", raw::apr_filetype_e_APR_PIPE),
    (c"APR_LNK", raw::apr_filetype_e_APR_LNK),
    (c"APR_SOCK", raw::apr_filetype_e_APR_SOCK),
    (c"APR_UNKFILE", raw::apr_filetype_e_APR_UNKFILE),
    (c"MODULE_MAGIC_NUMBER_MAJOR", raw::MODULE_MAGIC_NUMBER_MAJOR),
    (c"MODULE_MAGIC_NUMBER_MINOR", raw::MODULE_MAGIC_NUMBER_MINOR),
];

/// Adds them to the module.
pub(super) fn add(module: &Object<'_>) -> Result<(), Raised> {
    CONSTANTS
        .iter()
        .try_for_each(|(name, value)| module.set_attribute(name, &Object::int(module.attached(), i64::from(*value))?))
}
