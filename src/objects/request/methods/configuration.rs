//! What the configuration says for a request.

use crate::config::DirectoryConfig;
use crate::cpython::{Arguments, Object, Raised};
use crate::ffi::httpd as raw;
use crate::httpd::bytes_at;
use crate::objects::request::This;
use crate::objects::settings::{self, Shown};
use crate::objects::text::from_httpd;

pub fn construct_url<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 1)?;
    let attached = this.attached();
    let path = arguments.text(0)?;
    let used = this.enter(attached)?;
    let request = used.request();
    let path = request.pool().c_string(&path);
    // SAFETY: the request is live; the URL is made in its pool. `UseCanonicalName DNS` looks names up.
    let url = attached.detach(|| unsafe {
        bytes_at(raw::ap_construct_url(request.pool().as_ptr(), path.as_ptr(), request.as_ptr()))
    });
    from_httpd(attached, url)
}

pub fn document_root<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let used = this.enter(this.attached())?;
    // SAFETY: the request is live; the text is of its configuration or its pool.
    from_httpd(this.attached(), unsafe { bytes_at(raw::ap_document_root(used.request().as_ptr())) })
}

pub fn get_config<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let attached = this.attached();
    let used = this.enter(attached)?;
    let configured = used.request().directory_config::<DirectoryConfig>().map(|config| &config.settings);
    settings::directives(attached, this.equipment(attached)?, configured)
}

/// Options set to nothing are not there.
pub fn get_options<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let attached = this.attached();
    let used = this.enter(attached)?;
    let configured = used.request().directory_config::<DirectoryConfig>().map(|config| &config.settings);
    settings::options(attached, this.equipment(attached)?, configured, Shown::Set)
}
