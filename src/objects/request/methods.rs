//! What handlers call on a request.

mod access;
mod cgi;
mod cleanup;
mod configuration;
mod extensions;
mod file;
mod handlers;
mod read;
mod redirect;
mod response;
mod write;
mod wsgi;

use crate::cpython::{Instance, Iterate, Method, Object, Raised, method};

use super::RequestObject;

pub(super) static METHODS: &[Method] = &[
    method!(RequestObject, c"write", write::write, c"write(data[, flush=1])\n\nSend text, or anything with the buffer interface."),
    method!(RequestObject, c"flush", write::flush, c"flush()\n\nSend what was collected."),
    method!(
        RequestObject,
        c"sendfile",
        file::sendfile,
        c"sendfile(path[, offset=0[, len=-1]])\n\nSend a file or a part of it; how many bytes."
    ),
    method!(RequestObject, c"read", read::read, c"read([n=-1])\n\nUp to n bytes of the body, or all that is left."),
    method!(RequestObject, c"readline", read::readline, c"readline([n=-1])\n\nA line of the body, at most n bytes of it."),
    method!(RequestObject, c"readlines", read::readlines, c"readlines([sizehint=-1])\n\nThe lines of the body as a list."),
    method!(
        RequestObject,
        c"discard_request_body",
        read::discard_request_body,
        c"discard_request_body()\n\nRead the body and drop it; OK or the status of what went wrong."
    ),
    method!(
        RequestObject,
        c"internal_redirect",
        redirect::internal_redirect,
        c"internal_redirect(uri)\n\nRun another request in place of this one, now."
    ),
    method!(
        RequestObject,
        c"register_cleanup",
        cleanup::register_cleanup,
        c"register_cleanup(callable[, data])\n\nCall callable(data) when the request ends, the last registered first."
    ),
    method!(
        RequestObject,
        c"add_handler",
        handlers::add_handler,
        c"add_handler(phase, handler[, dir])\n\nHave another handler run in a phase of this request, behind those of the \
          configuration."
    ),
    method!(
        RequestObject,
        c"register_input_filter",
        handlers::register_input_filter,
        c"register_input_filter(name, handler[, dir])\n\nMake an input filter known under a name, for this request."
    ),
    method!(
        RequestObject,
        c"register_output_filter",
        handlers::register_output_filter,
        c"register_output_filter(name, handler[, dir])\n\nMake an output filter known under a name, for this request."
    ),
    method!(
        RequestObject,
        c"add_input_filter",
        handlers::add_input_filter,
        c"add_input_filter(name)\n\nHave a filter, of this request or of httpd, in the way of the request's body."
    ),
    method!(
        RequestObject,
        c"add_output_filter",
        handlers::add_output_filter,
        c"add_output_filter(name)\n\nHave a filter, of this request or of httpd, in the way of the response."
    ),
    method!(
        RequestObject,
        c"allow_methods",
        response::allow_methods,
        c"allow_methods(methods[, reset=0])\n\nAdd names of methods to the Allow header; with reset replace those so far."
    ),
    method!(
        RequestObject,
        c"meets_conditions",
        response::meets_conditions,
        c"meets_conditions()\n\nOK, or the status to return: 304 or 412."
    ),
    method!(
        RequestObject,
        c"set_content_length",
        response::set_content_length,
        c"set_content_length(n)\n\nSet the length of the response."
    ),
    method!(RequestObject, c"set_etag", response::set_etag, c"set_etag()\n\nSet the ETag header from finfo and mtime."),
    method!(
        RequestObject,
        c"set_last_modified",
        response::set_last_modified,
        c"set_last_modified()\n\nSet the Last-Modified header from mtime."
    ),
    method!(
        RequestObject,
        c"update_mtime",
        response::update_mtime,
        c"update_mtime(seconds)\n\nMake mtime at least this; whole seconds are kept."
    ),
    method!(
        RequestObject,
        c"send_http_header",
        response::send_http_header,
        c"send_http_header()\n\nDo nothing: headers are sent by themselves."
    ),
    method!(
        RequestObject,
        c"log_error",
        response::log_error,
        c"log_error(message[, level=APLOG_ERR])\n\nWrite to the error log, on this request. None writes nothing."
    ),
    method!(
        RequestObject,
        c"get_basic_auth_pw",
        access::get_basic_auth_pw,
        c"get_basic_auth_pw()\n\nThe password of Basic authentication, or None; sets user."
    ),
    method!(
        RequestObject,
        c"get_remote_host",
        access::get_remote_host,
        c"get_remote_host([type=REMOTE_NAME[, str_is_ip]])\n\nThe client's name or address, or None; with a second argument a pair: it, \
          and whether it is an address."
    ),
    method!(RequestObject, c"auth_name", access::auth_name, c"auth_name()\n\nAuthName, or None."),
    method!(RequestObject, c"auth_type", access::auth_type, c"auth_type()\n\nAuthType, or None."),
    method!(RequestObject, c"is_https", access::is_https, c"is_https()\n\n1 over TLS, else 0."),
    method!(
        RequestObject,
        c"ssl_var_lookup",
        access::ssl_var_lookup,
        c"ssl_var_lookup(name)\n\nA variable of mod_ssl, or None."
    ),
    method!(
        RequestObject,
        c"construct_url",
        configuration::construct_url,
        c"construct_url(uri)\n\nThe full URL of a path on this server."
    ),
    method!(RequestObject, c"document_root", configuration::document_root, c"document_root()\n\nDocumentRoot."),
    method!(
        RequestObject,
        c"get_config",
        configuration::get_config,
        c"get_config()\n\nThe directives in effect for this request, as a table."
    ),
    method!(
        RequestObject,
        c"get_options",
        configuration::get_options,
        c"get_options()\n\nThe PythonOptions in effect for this request, as a table of their own."
    ),
    method!(
        RequestObject,
        c"get_addhandler_exts",
        extensions::get_addhandler_exts,
        c"get_addhandler_exts()\n\nThe extensions that AddHandler gives to mod_python, with blanks between."
    ),
    method!(
        RequestObject,
        c"add_common_vars",
        cgi::add_common_vars,
        c"add_common_vars()\n\nAdd to subprocess_env what all CGI scripts get."
    ),
    method!(
        RequestObject,
        c"add_cgi_vars",
        cgi::add_cgi_vars,
        c"add_cgi_vars()\n\nAdd to subprocess_env all that a CGI script gets, but for PATH_TRANSLATED."
    ),
    method!(
        RequestObject,
        c"build_wsgi_env",
        wsgi::build_wsgi_env,
        c"build_wsgi_env()\n\nThe environment for a WSGI application; None if the URL is not below its base."
    ),
    method!(
        RequestObject,
        c"wsgi_start_response",
        wsgi::wsgi_start_response,
        c"wsgi_start_response(status, headers[, exc_info])\n\nSet the status and add the headers; write."
    ),
    Method::END,
];

impl Iterate for RequestObject {
    fn next<'i>(this: &Instance<'i, Self>) -> Result<Option<Object<'i>>, Raised> {
        read::next_line(this)
    }
}
