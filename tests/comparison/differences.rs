//! What differs from mod_python 3.5, and why. A test fails for a difference that is not here, and for one that is not there.

/// One difference, wherever it shows.
pub struct Difference {
    /// What it is about.
    pub what: &'static str,
    /// What mod_python 3.5 does.
    pub theirs: &'static str,
    /// What ours does.
    pub ours: &'static str,
    pub reason: &'static str,
    /// The requests, `site/name`, and the parts of their answers in which it shows; a star at the end stands for any rest.
    pub seen: &'static [(&'static str, &'static str)],
}

pub const DIFFERENCES: &[Difference] = &[
    // --- phases
    Difference {
        what: "PythonInitHandler in a directory, a location or .htaccess",
        theirs: "never runs",
        ours: "runs before PythonHeaderParserHandler",
        reason: "documented there, and inert",
        seen: &[("phases/init-in-directory", "header X-Trace"), ("phases/init-in-directory-denied", "*")],
    },
    Difference {
        what: "PythonHandlerModule",
        theirs: "500 when the module lacks the function of a phase; PythonInitHandler and PythonTypeHandler do not run",
        ours: "a missing function is passed over, and all phases run",
        reason: "documented there, and broken",
        seen: &[("phases/module", "header X-Trace"), ("phases/module-part", "*")],
    },
    Difference {
        what: "PythonTypeHandler for a file whose type mod_mime knows",
        theirs: "mod_mime answers first, and it does not run",
        ours: "runs first; DECLINED leaves the type to mod_mime",
        reason: "documented there, and mostly inert",
        seen: &[("phases/type-of-known", "*"), ("phases/type-known", "header *")],
    },
    Difference {
        what: "PythonAuthenHandler where AuthType is Basic",
        theirs: "mod_auth_basic is asked first: it refuses a request without a password itself, and without 'AuthBasicAuthoritative Off' users that it does not know",
        ours: "is asked first; DECLINED leaves the decision to mod_auth_basic",
        reason: "which of the two is asked first depends there on the order of LoadModule lines",
        seen: &[
            ("phases/authen-none", "header X-Trace"),
            ("phases/authen-first", "*"),
            ("phases/authen-first-wrong", "*"),
        ],
    },
    Difference {
        what: "any Python handler in a `<Location>`",
        theirs: "httpd does not look for the file: req.filename is None, `<Directory>` and .htaccess do not apply, other content gets 404",
        ours: "the file is looked for as for any other request",
        reason: "a known complaint there",
        seen: &[
            ("api/location", "fact req.filename"),
            ("api/location", "fact req.path_info"),
            ("phases/located-*", "*"),
            ("places/location*", "fact *"),
        ],
    },
    Difference {
        what: "a response that has begun, and whose handler then fails",
        theirs: "httpd's page of the error is appended to the response",
        ours: "the response is broken off",
        reason: "the client can tell that it is not whole",
        seen: &[("errors/writes-then-none", "*"), ("errors/raises-late", "*")],
    },
    Difference {
        what: "the page of PythonDebug",
        theirs: "is sent in chunks, with empty lines",
        ours: "has a length",
        reason: "made at once; texts of exceptions and messages are ours",
        seen: &[
            ("errors/debug-*", "header Content-Length"),
            ("errors/debug-*", "header Transfer-Encoding"),
            ("errors/debug-nothing", "body"),
            ("errors/debug-bad-path", "body"),
            ("errors/debug-returns-none", "body"),
            ("errors/debug-writes-then-none", "body"),
        ],
    },
    // --- the request
    Difference {
        what: "a text with NUL in it",
        theirs: "ends at the NUL",
        ours: "ValueError",
        reason: "httpd cannot hold it; nothing is cut off in silence",
        seen: &[("api/assign-text", "fact assigns(req, 'uri'*")],
    },
    Difference {
        what: "`req.__dict__`; `dir()` of connections, filters, hlists and file information",
        theirs: "AttributeError; empty",
        ours: "the attributes that were set; the names of all members and methods",
        reason: "Python's own way for every object",
        seen: &[("api/attributes", "fact sorted(req.__dict__)"), ("api/directory", "*"), ("filters/out-names", "*")],
    },
    Difference {
        what: "the note `python_init_ran` in req.notes",
        theirs: "is in every request's",
        ours: "is not there",
        reason: "a mark of its own to get PythonInitHandler right, which is not needed here",
        seen: &[("api/notes", "fact *")],
    },
    Difference {
        what: "`req.wsgi_start_response('201 Made', …)`",
        theirs: "every response is 200",
        ours: "the status is sent",
        reason: "lost there: only the status line was set",
        seen: &[("api/wsgi-start", "status"), ("api/wsgi-start", "reason")],
    },
    Difference {
        what: "`req.write()` of a bytearray or memoryview",
        theirs: "TypeError",
        ours: "written",
        reason: "any object with the buffer interface is",
        seen: &[("api/write-buffers", "*")],
    },
    Difference {
        what: "`req.sendfile()` of a file that is not there",
        theirs: "OSError",
        ours: "FileNotFoundError, which is an OSError",
        reason: "Python 3's own classes",
        seen: &[("api/sendfile-missing", "fact *")],
    },
    Difference {
        what: "`for line in req`",
        theirs: "TypeError",
        ours: "the lines of the body",
        reason: "documented there for wsgi.input, which is the request",
        seen: &[("api/read-iter", "fact *")],
    },
    Difference {
        what: "`req.read()` of a body that is sent in chunks",
        theirs: "refused with 411",
        ours: "read like any other",
        reason: "HTTP/1.1 has it",
        seen: &[("api/read-chunked", "fact req.read()")],
    },
    Difference {
        what: "`conn.readline()` and `conn.read()` when the client has nothing more to say",
        theirs: "OSError",
        ours: "None",
        reason: "documented there; OSError is left for errors",
        seen: &[("connection/echo", "body"), ("connection/echo-unended", "body")],
    },
    Difference {
        what: "`conn.readline(n)`",
        theirs: "what follows in the line is lost",
        ours: "what follows is read next",
        reason: "no bytes are lost",
        seen: &[("connection/read", "body")],
    },
    // --- the module
    Difference {
        what: "names in `apache` and `_apache`",
        theirs: "`escape`, which it imports for itself",
        ours: "those of authentication and authorization providers, `LogHandler`, `interpreter_info`, `mpm_name`, and documented ones that it lacks (`allow_methods`, `exists_config`)",
        reason: "what is new here, and what was only documented",
        seen: &[
            ("api/constants", "fact sorted(n for n in vars(apache) if n.startswith('AUTH'))"),
            ("api/module", "fact sorted(n for n in dir(*"),
        ],
    },
    Difference {
        what: "`apache.import_module(5)`",
        theirs: "AttributeError",
        ours: "TypeError",
        reason: "a wrong argument is a TypeError",
        seen: &[("api/import-module", "fact apache.import_module(5)")],
    },
    Difference {
        what: "`finfo[apache.FINFO_FILETYPE]`",
        theirs: "IndexError",
        ours: "the type",
        reason: "documented there, and broken",
        seen: &[("api/stat-filetype", "fact *")],
    },
    Difference {
        what: "subclasses of `apache.table`",
        theirs: "instances are plain tables, and empty",
        ours: "instances of the subclass",
        reason: "Python's own way for every class",
        seen: &[("api/table-subclass", "fact *")],
    },
    Difference {
        what: "`_apache.parse_qsl()` of str",
        theirs: "many names come back as the value",
        ours: "the name",
        reason: "broken there",
        seen: &[("api/parse-qsl", "fact *"), ("api/parse-qsl-short", "fact *")],
    },
    Difference {
        what: "`apache.restore_nocgi()`",
        theirs: "leaves sys.argv empty",
        ours: "puts sys.argv back too",
        reason: "everything is as it was before setup_cgi()",
        seen: &[("api/setup-cgi", "fact sys.argv")],
    },
    Difference {
        what: "`apache.CGIStdin` and `apache.CGIStdout`",
        theirs: "reading fails: it mixes str and bytes; write() returns None",
        ours: "text; write() returns how much was written",
        reason: "streams of Python 3",
        seen: &[("api/cgistdin", "fact *"), ("api/streams", "fact s.write(*")],
    },
    // --- configuration
    Difference {
        what: "`req.get_options()` with a PythonOption that an inner section removes",
        theirs: "can still be there, as an empty text",
        ours: "is not there",
        reason: "it removes entries from the table that it walks through",
        seen: &[("places/merge", "fact options"), ("places/host-options", "fact options")],
    },
    // --- filters
    Difference {
        what: "an output filter that raises, or whose handler is not found",
        theirs: "the connection ends without a response; with PythonDebug, the page of the error is cut short, or the rest of the response follows it unfiltered",
        ours: "500, or the page of the error; a response that has begun is broken off",
        reason: "the client can tell, and nothing goes out unfiltered",
        seen: &[
            ("filters/out-raises", "*"),
            ("filters/out-missing", "*"),
            ("filters/out-nameless", "*"),
            ("filters/mix-debugged", "*"),
            ("filters/mix-debugged-late", "body"),
        ],
    },
    Difference {
        what: "an input filter that raises",
        theirs: "the handler reads an empty body",
        ours: "reading raises OSError, and the request gets 500 unless the handler deals with it",
        reason: "a body that is lost is not an empty one",
        seen: &[("filters/in-raises", "*")],
    },
    Difference {
        what: "`filter.disable()` after something was read or written",
        theirs: "what was read and written is lost, or a part of the body",
        ours: "what was written goes out, and the rest goes through",
        reason: "no bytes are lost",
        seen: &[("filters/out-disables", "*"), ("filters/in-disables", "body")],
    },
    Difference {
        what: "an output filter in the way of a response with a Content-Length",
        theirs: "the length stays, and the response is cut off there",
        ours: "the length is taken back as soon as the filter writes, unless it sets another",
        reason: "the response arrives whole",
        seen: &[("filters/mix-length*", "*")],
    },
    Difference {
        what: "an input filter that makes the body longer",
        theirs: "req.read() gives as many bytes as the client has announced",
        ours: "all that the filter gives",
        reason: "the body arrives whole",
        seen: &[("filters/in-doubles", "body"), ("filters/in-by-line", "body"), ("filters/in-by-piece", "body")],
    },
    Difference {
        what: "`filter.name` of a filter that a request has registered for itself",
        theirs: "`mod_python`, for all of them",
        ours: "the name that it was registered under",
        reason: "several can be told apart",
        seen: &[("filters/mix-registers-folder", "*")],
    },
    // --- includes
    Difference {
        what: "`req.write()` by a page's `<!--#python exec -->`",
        theirs: "an error in the page, and the text behind it",
        ours: "the text in the place of the tag, as by filter.write()",
        reason: "nothing is lost, and the page is whole",
        seen: &[("includes/ssi-write", "body")],
    },
];

/// Differences that depend on which of its children answers, and on what that has done before: they are not there each time.
pub const SOMETIMES: &[(&str, &str)] = &[("places/merge", "fact options"), ("places/host-options", "fact options")];

/// What is not sent to mod_python 3.5, and why.
pub const NOT_COMPARED: &[(&str, &str)] = &[
    ("headers, options and texts that are not UTF-8", "crash it, or raise SystemError"),
    (
        "`setdefault()` of a table with a name that is not in it; `popitem()`",
        "crashes it; drops another entry than it returns",
    ),
    ("comparing a table with something that is no mapping", "leaves an exception behind, which strikes later"),
    ("deleting a member (`del req.uri`)", "crashes it"),
    ("`req.hlist.next()` past the end in a handler that returns OK; `req.connection.hlist`", "crashes it"),
    ("`req.sendfile()` of a folder, or of a part of a file that goes on to its end or begins behind it", "crashes it"),
    ("`raise apache.SERVER_RETURN` in a filter; an exception in an include", "crashes it"),
    (
        "`filter.write()` of text, or of bytes that nobody keeps until the response has been sent",
        "sends what happens to be in their place",
    ),
    ("`req.discard_request_body()` with a Python filter on the body", "waits for itself for ever"),
    ("many first requests at once", "makes interpreters twice, hands out half-imported modules, or crashes"),
    ("the mutexes of sessions with one child and one thread", "divides by zero"),
    ("loading edited modules again", "does nothing there on Python 3"),
    ("what is new here", "providers for authentication and authorization, interpreters with their own GIL, and so on"),
];
