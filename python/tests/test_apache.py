"""The module apache: names, constants, functions."""

import unittest

import fake_apache
from support import LibraryTest

from mod_python import apache

CONSTANTS = """
OK 0 REQ_PROCEED 0 DECLINED -1 REQ_NOACTION -1 DONE -2 REQ_ABORTED 500 REQ_EXIT 'REQ_EXIT'
HTTP_CONTINUE 100 HTTP_SWITCHING_PROTOCOLS 101 HTTP_PROCESSING 102 HTTP_OK 200 HTTP_CREATED 201 HTTP_ACCEPTED 202
HTTP_NON_AUTHORITATIVE 203 HTTP_NO_CONTENT 204 HTTP_RESET_CONTENT 205 HTTP_PARTIAL_CONTENT 206 HTTP_MULTI_STATUS 207
HTTP_MULTIPLE_CHOICES 300 HTTP_MOVED_PERMANENTLY 301 HTTP_MOVED_TEMPORARILY 302 HTTP_SEE_OTHER 303 HTTP_NOT_MODIFIED 304
HTTP_USE_PROXY 305 HTTP_TEMPORARY_REDIRECT 307 HTTP_BAD_REQUEST 400 HTTP_UNAUTHORIZED 401 HTTP_PAYMENT_REQUIRED 402
HTTP_FORBIDDEN 403 HTTP_NOT_FOUND 404 HTTP_METHOD_NOT_ALLOWED 405 HTTP_NOT_ACCEPTABLE 406 HTTP_PROXY_AUTHENTICATION_REQUIRED 407
HTTP_REQUEST_TIME_OUT 408 HTTP_CONFLICT 409 HTTP_GONE 410 HTTP_LENGTH_REQUIRED 411 HTTP_PRECONDITION_FAILED 412
HTTP_REQUEST_ENTITY_TOO_LARGE 413 HTTP_REQUEST_URI_TOO_LARGE 414 HTTP_UNSUPPORTED_MEDIA_TYPE 415 HTTP_RANGE_NOT_SATISFIABLE 416
HTTP_EXPECTATION_FAILED 417 HTTP_IM_A_TEAPOT 418 HTTP_UNPROCESSABLE_ENTITY 422 HTTP_LOCKED 423 HTTP_FAILED_DEPENDENCY 424
HTTP_UPGRADE_REQUIRED 426 HTTP_INTERNAL_SERVER_ERROR 500 HTTP_NOT_IMPLEMENTED 501 HTTP_BAD_GATEWAY 502
HTTP_SERVICE_UNAVAILABLE 503 HTTP_GATEWAY_TIME_OUT 504 HTTP_VERSION_NOT_SUPPORTED 505 HTTP_VARIANT_ALSO_VARIES 506
HTTP_INSUFFICIENT_STORAGE 507 HTTP_NOT_EXTENDED 510
APLOG_EMERG 0 APLOG_ALERT 1 APLOG_CRIT 2 APLOG_ERR 3 APLOG_WARNING 4 APLOG_NOTICE 5 APLOG_INFO 6 APLOG_DEBUG 7 APLOG_NOERRNO 0
REMOTE_HOST 0 REMOTE_NAME 1 REMOTE_NOLOOKUP 2 REMOTE_DOUBLE_REV 3
FINFO_MODE 0 FINFO_INO 1 FINFO_DEV 2 FINFO_NLINK 3 FINFO_UID 4 FINFO_GID 5 FINFO_SIZE 6 FINFO_ATIME 7 FINFO_MTIME 8 FINFO_CTIME 9
FINFO_FNAME 10 FINFO_NAME 11 FINFO_FILETYPE 12
URI_SCHEME 0 URI_HOSTINFO 1 URI_USER 2 URI_PASSWORD 3 URI_HOSTNAME 4 URI_PORT 5 URI_PATH 6 URI_QUERY 7 URI_FRAGMENT 8
PROXYREQ_NONE 0 PROXYREQ_PROXY 1 PROXYREQ_REVERSE 2 PROXYREQ_RESPONSE 3
M_GET 0 M_PUT 1 M_POST 2 M_DELETE 3 M_CONNECT 4 M_OPTIONS 5 M_TRACE 6 M_PATCH 7 M_PROPFIND 8 M_PROPPATCH 9 M_MKCOL 10 M_COPY 11
M_MOVE 12 M_LOCK 13 M_UNLOCK 14 M_VERSION_CONTROL 15 M_CHECKOUT 16 M_UNCHECKOUT 17 M_CHECKIN 18 M_UPDATE 19 M_LABEL 20
M_REPORT 21 M_MKWORKSPACE 22 M_MKACTIVITY 23 M_BASELINE_CONTROL 24 M_MERGE 25 M_INVALID 26
AP_REQ_ACCEPT_PATH_INFO 0 AP_REQ_REJECT_PATH_INFO 1 AP_REQ_DEFAULT_PATH_INFO 2
AP_MPMQ_NOT_SUPPORTED 0 AP_MPMQ_STATIC 1 AP_MPMQ_DYNAMIC 2 AP_MPMQ_MAX_DAEMON_USED 1 AP_MPMQ_IS_THREADED 2 AP_MPMQ_IS_FORKED 3
AP_MPMQ_HARD_LIMIT_DAEMONS 4 AP_MPMQ_HARD_LIMIT_THREADS 5 AP_MPMQ_MAX_THREADS 6 AP_MPMQ_MIN_SPARE_DAEMONS 7
AP_MPMQ_MIN_SPARE_THREADS 8 AP_MPMQ_MAX_SPARE_DAEMONS 9 AP_MPMQ_MAX_SPARE_THREADS 10 AP_MPMQ_MAX_REQUESTS_DAEMON 11
AP_MPMQ_MAX_DAEMONS 12
CGI_MAGIC_TYPE 'application/x-httpd-cgi' INCLUDES_MAGIC_TYPE 'text/x-server-parsed-html'
INCLUDES_MAGIC_TYPE3 'text/x-server-parsed-html3' DIR_MAGIC_TYPE 'httpd/unix-directory'
REQUEST_NO_BODY 0 REQUEST_CHUNKED_ERROR 1 REQUEST_CHUNKED_DECHUNK 2
APR_FINFO_LINK 0x1 APR_FINFO_MTIME 0x10 APR_FINFO_CTIME 0x20 APR_FINFO_ATIME 0x40 APR_FINFO_SIZE 0x100 APR_FINFO_CSIZE 0x200
APR_FINFO_DEV 0x1000 APR_FINFO_INODE 0x2000 APR_FINFO_NLINK 0x4000 APR_FINFO_TYPE 0x8000 APR_FINFO_USER 0x10000
APR_FINFO_GROUP 0x20000 APR_FINFO_UPROT 0x100000 APR_FINFO_GPROT 0x200000 APR_FINFO_WPROT 0x400000 APR_FINFO_ICASE 0x1000000
APR_FINFO_NAME 0x2000000 APR_FINFO_MIN 0x8170 APR_FINFO_IDENT 0x3000 APR_FINFO_OWNER 0x30000 APR_FINFO_PROT 0x700000
APR_FINFO_NORM 0x73b170 APR_FINFO_DIRENT 0x2000000
""".split()

# Those of the providers for httpd's own authentication and authorization, which the reference has not got
OWN = """
AUTH_DENIED 0 AUTH_GRANTED 1 AUTH_USER_NOT_FOUND 3 AUTH_GENERAL_ERROR 4
AUTHZ_DENIED 0 AUTHZ_GRANTED 1 AUTHZ_NEUTRAL 2 AUTHZ_GENERAL_ERROR 3 AUTHZ_DENIED_NO_USER 4
""".split()

FROM_HTTPD = """
AP_CONN_UNKNOWN AP_CONN_CLOSE AP_CONN_KEEPALIVE APR_NOFILE APR_REG APR_DIR APR_CHR APR_BLK APR_PIPE APR_LNK APR_SOCK APR_UNKFILE
MODULE_MAGIC_NUMBER_MAJOR MODULE_MAGIC_NUMBER_MINOR
""".split()

OTHERS = """
log_error import_module resolve_object module_mtime exists_config_define exists_config stat register_cleanup config_tree server_root
make_table table mpm_query mpm_name interpreter_info build_cgi_env setup_cgi restore_nocgi init allow_methods CallBack NullIO CGIStdin
CGIStdout LogHandler interpreter main_server SERVER_RETURN
""".split()


class Names(unittest.TestCase):
    def test_the_constants_are_those_of_the_reference_and_our_own(self):
        pairs = CONSTANTS + OWN
        wanted = {name: eval(value) for name, value in zip(pairs[::2], pairs[1::2])}
        self.assertEqual({name: getattr(apache, name, None) for name in wanted}, wanted)
        ours = {name for name in vars(apache._constants) if not name.startswith("_")}
        self.assertEqual(ours, set(wanted))

    def test_the_values_of_httpd(self):
        for name in FROM_HTTPD:
            self.assertEqual(getattr(apache, name), getattr(fake_apache, name))
        self.assertIs(apache.SERVER_RETURN, fake_apache.SERVER_RETURN)

    def test_everything_is_there_with_a_docstring(self):
        for name in OTHERS:
            value = getattr(apache, name)
            if getattr(value, "__module__", "").startswith("mod_python"):
                self.assertTrue(value.__doc__, name)
        self.assertIs(apache.make_table, apache.table)

    def test_a_star_import_gets_all(self):
        namespace = {}
        exec("from mod_python.apache import *", namespace)
        self.assertEqual(set(CONSTANTS[::2] + FROM_HTTPD + OTHERS) - set(namespace), set())
        self.assertNotIn("_apache", namespace)

    def test_a_name_that_is_not_there(self):
        with self.assertRaisesRegex(AttributeError, "module 'mod_python.apache' has no attribute 'nothing'"):
            apache.nothing
        self.assertLessEqual({"setup_cgi", "OK"}, set(dir(apache)))


class Functions(LibraryTest):
    def setUp(self):
        super().setUp()
        self.addCleanup(apache.init, apache.interpreter, apache.main_server)
        import sys

        self.addCleanup(setattr, sys, "argv", sys.argv)

    def test_init(self):
        import sys

        callback = apache.init("www.example.com", "the server")
        self.assertIs(callback, apache._callback)
        self.assertIsInstance(callback, apache.CallBack)
        self.assertEqual((apache.interpreter, apache.main_server), ("www.example.com", "the server"))
        self.assertEqual((callback.interpreter, callback.main_server), ("www.example.com", "the server"))
        self.assertIn("www.example.com", repr(callback))
        self.assertEqual(sys.argv, ["mod_python"])

    def test_log_error(self):
        apache.log_error(None)
        apache.log_error("a")
        apache.log_error("b", apache.APLOG_EMERG)
        apache.log_error("c", apache.APLOG_INFO | apache.APLOG_NOERRNO, "server")
        apache.log_error("d", level=None, server=None)
        wanted = [("a", 3, None), ("b", 0, None), ("c", 6, "server"), ("d", 3, None)]
        self.assertEqual(fake_apache.calls, [("log_error", *call) for call in wanted])

    def test_register_cleanup(self):
        apache.init("name", "server")
        apache.register_cleanup(print)
        apache.register_cleanup(print, "data")
        wanted = [("name", "server", print, None), ("name", "server", print, "data")]
        self.assertEqual(fake_apache.calls, [("register_cleanup", *call) for call in wanted])

    def test_what_comes_from_httpd(self):
        self.assertEqual((apache.exists_config_define("DEFINED"), apache.exists_config("OTHER")), (True, False))
        self.assertEqual((apache.server_root(), apache.mpm_name(), apache.mpm_query(3)), ("/srv/httpd", "event", 3))
        self.assertEqual(apache.interpreter_info()["main"], True)

    def test_resolve_object(self):
        class Outer:
            def __init__(self, arg):
                self.arg = arg

            def method(self):
                return self.arg

            class Inner:
                def __init__(self, arg):
                    self.arg = arg

        module = type(unittest)("module")
        module.__file__ = "/srv/module.py"
        module.Outer, module.instance = Outer, Outer("made before")
        self.assertIs(apache.resolve_object(module, "Outer"), Outer)
        self.assertEqual(apache.resolve_object(module, "Outer.method", "req")(), "req")
        self.assertEqual(apache.resolve_object(module, "instance.method", "req")(), "made before")
        self.assertEqual(apache.resolve_object(module, "Outer.Inner.arg", "req"), "req")
        with self.assertRaisesRegex(AttributeError, "module '/srv/module.py' contains no 'Outer.nothing'"):
            apache.resolve_object(module, "Outer.nothing", "req")
        self.assertIsNone(apache.resolve_object(module, "Outer.nothing", "req", silent=1))

    def test_allow_methods(self):
        class Request:
            allowed = None

            def allow_methods(self, names):
                self.allowed = names

        req = Request()
        apache.allow_methods(req, "GET", apache.M_POST)
        self.assertEqual(req.allowed, ["GET", "POST"])
        fake_apache.current_request = req
        apache.allow_methods(apache.M_GET, [apache.M_VERSION_CONTROL, "PUT"])
        self.assertEqual(req.allowed, ["GET", "VERSION-CONTROL", "PUT"])
        for wrong in (apache.M_INVALID, 99, None):
            with self.assertRaises(ValueError):
                apache.allow_methods(wrong)
        fake_apache.current_request = None
        with self.assertRaisesRegex(RuntimeError, "without a request"):
            apache.allow_methods(apache.M_GET)


if __name__ == "__main__":
    unittest.main()
