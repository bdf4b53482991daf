//! Members of requests.

mod numbers;
mod relations;
mod structures;
mod text;

use crate::cpython::{GetSet, getter, setter};
use crate::ffi::python as py;
use crate::httpd::{field, set_field};
use crate::objects::table::RequestTable;

use super::{Cached, RequestObject};

/// A read-only text of httpd's record.
macro_rules! text {
    ($name:literal, $field:ident, $doc:literal) => {
        getter!(RequestObject, $name, |this| text::get(this, |request| field!(request, $field)), $doc)
    };
}

/// A text of httpd's record that can be assigned.
macro_rules! assigned_text {
    ($name:literal, $field:ident, $kind:ident, $doc:literal) => {
        setter!(
            RequestObject,
            $name,
            |this| text::get(this, |request| field!(request, $field)),
            |this, value| text::set(
                this,
                value,
                $name,
                text::Kind::$kind,
                |request| field!(request, $field),
                |request, text| set_field!(request, $field, text.cast())
            ),
            $doc
        )
    };
}

/// A read-only number of httpd's record.
macro_rules! number {
    ($name:literal, $field:ident, $doc:literal) => {
        getter!(RequestObject, $name, |this| numbers::get(this, |request| field!(request, $field) as i64), $doc)
    };
}

/// A number of httpd's record that can be assigned.
macro_rules! assigned_number {
    ($name:literal, $field:ident, $doc:literal) => {
        setter!(
            RequestObject,
            $name,
            |this| numbers::get(this, |request| field!(request, $field) as i64),
            |this, value| numbers::set(this, value, $name, |request, number| set_field!(request, $field, number)),
            $doc
        )
    };
}

/// A time of httpd's record, in seconds.
macro_rules! time {
    ($name:literal, $field:ident, $doc:literal) => {
        getter!(RequestObject, $name, |this| numbers::get_time(this, |request| field!(request, $field)), $doc)
    };
}

/// One of httpd's tables.
macro_rules! table {
    ($name:literal, $which:ident, $doc:literal) => {
        getter!(RequestObject, $name, |this| relations::table(this, Cached::$which, RequestTable::$which), $doc)
    };
}

pub(super) static MEMBERS: &[GetSet] = &[
    // The request line and its parts.
    text!(c"the_request", the_request, c"The request line."),
    text!(c"method", method, c"The method: 'GET', 'POST', ..."),
    number!(c"method_number", method_number, c"The method as one of apache.M_*; HEAD has that of GET."),
    number!(c"header_only", header_only, c"1 for HEAD."),
    text!(c"protocol", protocol, c"The protocol: 'HTTP/1.1'."),
    number!(c"proto_num", proto_num, c"The protocol's version; 1001 is 1.1."),
    assigned_number!(c"assbackwards", assbackwards, c"1 for HTTP/0.9."),
    assigned_number!(c"proxyreq", proxyreq, c"One of apache.PROXYREQ_*."),
    text!(c"hostname", hostname, c"The host of the URL or of the Host header."),
    time!(c"request_time", request_time, c"When the request began, in seconds."),
    text!(c"unparsed_uri", unparsed_uri, c"The URL as the client sent it."),
    assigned_text!(c"uri", uri, Path, c"The path of the URL, decoded."),
    assigned_text!(c"args", args, OptionalPath, c"The query string of the URL, not decoded."),
    getter!(RequestObject, c"parsed_uri", structures::parsed_uri, c"The parts of the URL, by apache.URI_*."),
    // The file.
    assigned_text!(c"filename", filename, Path, c"The file that the URL is mapped to."),
    assigned_text!(c"canonical_filename", canonical_filename, Path, c"The file's true name."),
    assigned_text!(c"path_info", path_info, Path, c"What follows the file in the URL."),
    setter!(RequestObject, c"finfo", structures::finfo, structures::set_finfo, c"Information about the file."),
    getter!(RequestObject, c"extension", text::extension, c"The extension that chose the handlers."),
    assigned_number!(c"used_path_info", used_path_info, c"One of apache.AP_REQ_*."),
    assigned_text!(c"handler", handler, Optional, c"The name of the content handler."),
    // The user and the client.
    setter!(RequestObject, c"user", text::user, text::set_user, c"The authenticated user."),
    assigned_text!(c"ap_auth_type", ap_auth_type, Text, c"How the user was authenticated."),
    text!(c"useragent_ip", useragent_ip, c"The client's address, as mod_remoteip sees it."),
    getter!(RequestObject, c"useragent_addr", structures::useragent_addr, c"The client's address and port."),
    // Tables.
    table!(c"headers_in", HeadersIn, c"The headers of the request."),
    table!(c"headers_out", HeadersOut, c"The headers of the response."),
    table!(c"err_headers_out", ErrHeadersOut, c"Headers of the response that are sent with an error page too."),
    table!(c"subprocess_env", SubprocessEnv, c"The environment of CGI scripts."),
    table!(c"notes", Notes, c"Notes from one module to another."),
    // The response.
    assigned_number!(c"status", status, c"The status of the response."),
    assigned_text!(
        c"status_line",
        status_line,
        Header,
        c"The status line of the response, if it is not the usual one."
    ),
    setter!(
        RequestObject,
        c"content_type",
        text::content_type,
        text::set_content_type,
        c"The media type of the response."
    ),
    text!(c"content_encoding", content_encoding, c"The encoding of the response."),
    getter!(RequestObject, c"content_languages", structures::content_languages, c"The languages of the response."),
    number!(c"clength", clength, c"The length of the response, if it was set."),
    time!(c"mtime", mtime, c"When the resource was changed, in seconds."),
    text!(c"range", range, c"The Range header."),
    text!(c"vlist_validator", vlist_validator, c"The validator of a negotiated variant."),
    assigned_number!(c"chunked", chunked, c"1 if the response is sent in chunks."),
    assigned_number!(c"no_cache", no_cache, c"The response must not be cached."),
    assigned_number!(c"no_local_copy", no_local_copy, c"There is no local copy: no 304."),
    number!(c"allowed", allowed, c"The allowed methods as a bit mask."),
    getter!(
        RequestObject,
        c"allowed_methods",
        structures::allowed_methods,
        c"Allowed methods that httpd has no number for."
    ),
    getter!(RequestObject, c"allowed_xmethods", structures::allowed_xmethods, c"Allowed extension methods."),
    number!(c"sent_bodyct", sent_bodyct, c"Not 0 once the response has begun."),
    number!(c"bytes_sent", bytes_sent, c"How many bytes of the body were sent."),
    number!(c"eos_sent", eos_sent, c"1 once the end of the response was sent."),
    // The request's body.
    number!(c"read_body", read_body, c"How the body is read: one of apache.REQUEST_*."),
    number!(c"read_chunked", read_chunked, c"1 if the body comes in chunks."),
    number!(c"expecting_100", expecting_100, c"1 if the client waits for 100 Continue."),
    number!(c"remaining", remaining, c"How many bytes of the body are to come."),
    number!(c"read_length", read_length, c"How many bytes of the body were read."),
    // Related objects.
    getter!(RequestObject, c"connection", relations::connection, c"The connection."),
    getter!(RequestObject, c"server", relations::server, c"The server."),
    getter!(RequestObject, c"main", relations::main, c"The request that this one is a subrequest of."),
    getter!(RequestObject, c"prev", relations::prev, c"The request that was redirected to this one."),
    getter!(RequestObject, c"next", relations::next, c"The request that this one was redirected to."),
    getter!(RequestObject, c"hlist", relations::hlist, c"The handlers of the phase."),
    getter!(RequestObject, c"interpreter", text::interpreter, c"The name of the interpreter."),
    getter!(RequestObject, c"phase", text::phase, c"The phase that runs."),
    getter!(RequestObject, c"_content_type_set", numbers::content_type_set, c"1 if content_type was assigned."),
    getter!(
        RequestObject,
        c"_bytes_queued",
        numbers::bytes_queued,
        c"How many bytes were given to write and sendfile."
    ),
    getter!(RequestObject, c"_request_rec", structures::request_rec, c"httpd's record, as a capsule."),
    GetSet::new(
        c"__dict__",
        py::PyObject_GenericGetDict,
        Some(py::PyObject_GenericSetDict),
        c"The attributes that were set.",
    ),
    GetSet::END,
];
