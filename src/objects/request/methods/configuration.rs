//! The configuration of a request.

use crate::config::DirectoryConfig;
use crate::cpython::{Arguments, Object, Raised};
use crate::ffi::httpd as raw;
use crate::httpd::bytes_at;
use crate::objects::request::This;
use crate::objects::settings::{self, Shown};
use crate::objects::text::{from_httpd, room};

pub fn construct_url<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 1)?;
    let attached = this.attached();
    let path = arguments.text(0)?;
    // Escaping makes it longer.
    room(attached, this.enter(attached)?.request().pool(), path.len().saturating_mul(4))?;
    let path = &path;
    let url = this.detached(attached, move |request, _| {
        let path = request.pool().c_string(path);
        // SAFETY: the request is live; the URL is made in its pool. `UseCanonicalName DNS` looks names up.
        let url = unsafe { bytes_at(raw::ap_construct_url(request.pool().as_ptr(), path.as_ptr(), request.as_ptr())) };
        url.map(<[u8]>::to_vec)
    })?;
    from_httpd(attached, url.as_deref())
}

pub fn document_root<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let in_use = this.enter(this.attached())?;
    // SAFETY: the request is live; the text is of its configuration or its pool.
    from_httpd(this.attached(), unsafe { bytes_at(raw::ap_document_root(in_use.request().as_ptr())) })
}

pub fn get_config<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let attached = this.attached();
    let entries = {
        let in_use = this.enter(attached)?;
        settings::directives(in_use.request().directory_config::<DirectoryConfig>().map(|config| &config.settings))
    };
    settings::table(attached, this.module_state(attached)?, &entries)
}

/// Without options that are set to an empty text.
pub fn get_options<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let attached = this.attached();
    let entries = {
        let in_use = this.enter(attached)?;
        let configured = in_use.request().directory_config::<DirectoryConfig>().map(|config| &config.settings);
        settings::options(configured, Shown::Set)
    };
    settings::table(attached, this.module_state(attached)?, &entries)
}
