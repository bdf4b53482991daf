//! Methods of requests.

mod access;
mod adding;
mod cgi;
mod cleanup;
mod configuration;
mod extensions;
mod file;
mod read;
mod redirect;
mod response;
mod write;
mod wsgi;

use crate::cpython::{Instance, Iterate, Method, Object, Raised, method};

use super::RequestObject;

pub use write::send_what_is_due;

/// Reading the body, for objects that stand for it.
pub mod reading {
    pub use super::read::{line, read_bytes};
}

/// Making the response, for programs that are called otherwise than handlers.
pub mod responding {
    pub use super::file::{SentFile, send_open_file};
    pub use super::write::{flush_all as flush, send};
    pub use super::wsgi::{HopByHop, start_response};
}

pub(super) static METHODS: &[Method] = &[
    method!(
        RequestObject,
        c"write",
        write::write,
        c"write($self, data, flush=1, /)\n--\n\n\
          Send text, or anything with the buffer interface."
    ),
    method!(RequestObject, c"flush", write::flush, c"flush($self, /)\n--\n\nSend what was collected."),
    method!(
        RequestObject,
        c"sendfile",
        file::sendfile,
        c"sendfile($self, path, offset=0, len=-1, /)\n--\n\n\
          Send a file or a part of it; how many bytes."
    ),
    method!(
        RequestObject,
        c"read",
        read::read,
        c"read($self, n=-1, /)\n--\n\n\
          Up to n bytes of the body, or all that is left."
    ),
    method!(
        RequestObject,
        c"readline",
        read::readline,
        c"readline($self, n=-1, /)\n--\n\n\
          A line of the body, at most n bytes of it."
    ),
    method!(
        RequestObject,
        c"readlines",
        read::readlines,
        c"readlines($self, sizehint=-1, /)\n--\n\n\
          The lines of the body as a list."
    ),
    method!(
        RequestObject,
        c"discard_request_body",
        read::discard_request_body,
        c"discard_request_body($self, /)\n--\n\n\
          Read the body and drop it; OK or the status of what went wrong."
    ),
    method!(
        RequestObject,
        c"internal_redirect",
        redirect::internal_redirect,
        c"internal_redirect($self, uri, /)\n--\n\n\
          Run another request in place of this one, now."
    ),
    method!(
        RequestObject,
        c"_redirect_to_get",
        redirect::redirect_to_get,
        c"_redirect_to_get($self, uri, /)\n--\n\n\
          internal_redirect() with the method GET and without a body; for cgihandler."
    ),
    method!(
        RequestObject,
        c"register_cleanup",
        cleanup::register_cleanup,
        c"register_cleanup($self, callable, data=None, /)\n--\n\n\
          Call callable(data) when the request ends, the last registered first."
    ),
    method!(
        RequestObject,
        c"add_handler",
        adding::add_handler,
        c"add_handler($self, phase, handler, dir=None, /)\n--\n\n\
          Add a handler to a phase of this request, after those of the configuration."
    ),
    method!(
        RequestObject,
        c"register_input_filter",
        adding::register_input_filter,
        c"register_input_filter($self, name, handler, dir=None, /)\n--\n\n\
          Register an input filter under a name, for this request."
    ),
    method!(
        RequestObject,
        c"register_output_filter",
        adding::register_output_filter,
        c"register_output_filter($self, name, handler, dir=None, /)\n--\n\n\
          Register an output filter under a name, for this request."
    ),
    method!(
        RequestObject,
        c"add_input_filter",
        adding::add_input_filter,
        c"add_input_filter($self, name, /)\n--\n\n\
          Add a filter, of this request or of httpd, to the request's body."
    ),
    method!(
        RequestObject,
        c"add_output_filter",
        adding::add_output_filter,
        c"add_output_filter($self, name, /)\n--\n\n\
          Add a filter, of this request or of httpd, to the response."
    ),
    method!(
        RequestObject,
        c"allow_methods",
        response::allow_methods,
        c"allow_methods($self, methods, reset=0, /)\n--\n\n\
          Add names of methods to the Allow header; with reset replace those so far."
    ),
    method!(
        RequestObject,
        c"meets_conditions",
        response::meets_conditions,
        c"meets_conditions($self, /)\n--\n\n\
          OK, or the status to return: 304 or 412."
    ),
    method!(
        RequestObject,
        c"set_content_length",
        response::set_content_length,
        c"set_content_length($self, n, /)\n--\n\n\
          Set the length of the response."
    ),
    method!(
        RequestObject,
        c"set_etag",
        response::set_etag,
        c"set_etag($self, /)\n--\n\n\
          Set the ETag header from finfo and mtime."
    ),
    method!(
        RequestObject,
        c"set_last_modified",
        response::set_last_modified,
        c"set_last_modified($self, /)\n--\n\n\
          Set the Last-Modified header from mtime."
    ),
    method!(
        RequestObject,
        c"update_mtime",
        response::update_mtime,
        c"update_mtime($self, seconds, /)\n--\n\n\
          Make mtime at least this; whole seconds are kept."
    ),
    method!(
        RequestObject,
        c"send_http_header",
        response::send_http_header,
        c"send_http_header($self, /)\n--\n\n\
          Do nothing: headers are sent automatically."
    ),
    method!(
        RequestObject,
        c"log_error",
        response::log_error,
        c"log_error($self, message, level=3, /)\n--\n\n\
          Write to the error log, on this request. None writes nothing."
    ),
    method!(
        RequestObject,
        c"get_basic_auth_pw",
        access::get_basic_auth_pw,
        c"get_basic_auth_pw($self, /)\n--\n\n\
          The password of Basic authentication, or None; sets user."
    ),
    method!(
        RequestObject,
        c"get_remote_host",
        access::get_remote_host,
        c"get_remote_host($self, type=1, str_is_ip=None, /)\n--\n\n\
          The client's name or address, or None; with a second argument a pair: it, and whether it is an \
          address."
    ),
    method!(RequestObject, c"auth_name", access::auth_name, c"auth_name($self, /)\n--\n\nAuthName, or None."),
    method!(RequestObject, c"auth_type", access::auth_type, c"auth_type($self, /)\n--\n\nAuthType, or None."),
    method!(RequestObject, c"is_https", access::is_https, c"is_https($self, /)\n--\n\n1 over TLS, else 0."),
    method!(
        RequestObject,
        c"ssl_var_lookup",
        access::ssl_var_lookup,
        c"ssl_var_lookup($self, name, /)\n--\n\n\
          A variable of mod_ssl, or None."
    ),
    method!(
        RequestObject,
        c"construct_url",
        configuration::construct_url,
        c"construct_url($self, uri, /)\n--\n\n\
          The full URL of a path on this server."
    ),
    method!(
        RequestObject,
        c"document_root",
        configuration::document_root,
        c"document_root($self, /)\n--\n\n\
          DocumentRoot."
    ),
    method!(
        RequestObject,
        c"get_config",
        configuration::get_config,
        c"get_config($self, /)\n--\n\n\
          The directives in effect for this request, as a table."
    ),
    method!(
        RequestObject,
        c"get_options",
        configuration::get_options,
        c"get_options($self, /)\n--\n\n\
          The PythonOptions in effect for this request, as a table of their own."
    ),
    method!(
        RequestObject,
        c"get_addhandler_exts",
        extensions::get_addhandler_exts,
        c"get_addhandler_exts($self, /)\n--\n\n\
          The extensions that AddHandler gives to mod_python, with blanks between."
    ),
    method!(
        RequestObject,
        c"add_common_vars",
        cgi::add_common_vars,
        c"add_common_vars($self, /)\n--\n\n\
          Add the variables of all CGI scripts to subprocess_env."
    ),
    method!(
        RequestObject,
        c"add_cgi_vars",
        cgi::add_cgi_vars,
        c"add_cgi_vars($self, /)\n--\n\n\
          Add all CGI variables except PATH_TRANSLATED to subprocess_env."
    ),
    method!(
        RequestObject,
        c"_build_cgi_env",
        cgi::build_cgi_env,
        c"_build_cgi_env($self, /)\n--\n\n\
          The variables of a CGI script, as a new table."
    ),
    method!(
        RequestObject,
        c"build_wsgi_env",
        wsgi::build_wsgi_env,
        c"build_wsgi_env($self, /)\n--\n\n\
          The environment for a WSGI application; None if the URL is not below its base."
    ),
    method!(
        RequestObject,
        c"_run_wsgi",
        wsgi::run_wsgi,
        c"_run_wsgi($self, application, /)\n--\n\n\
          Call a WSGI application and send its response; False if the URL is not below its base."
    ),
    method!(
        RequestObject,
        c"wsgi_start_response",
        wsgi::wsgi_start_response,
        c"wsgi_start_response($self, status, headers, exc_info=None, /)\n--\n\n\
          Set the status and add the headers; write."
    ),
    Method::END,
];

impl Iterate for RequestObject {
    fn next<'i>(this: &Instance<'i, Self>) -> Result<Option<Object<'i>>, Raised> {
        read::next_line(this)
    }
}
