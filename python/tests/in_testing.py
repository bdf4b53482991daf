"""The cases of test_testing.py, which runs this file in a Python of its own: the stand-in is there once and for all."""

import ast
import os
import sys
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = os.path.dirname(HERE)
sys.path.insert(0, PYTHON)

from mod_python import testing  # isort: split

from mod_python import apache, cgihandler
from mod_python.testing import Request, run


class Installed(unittest.TestCase):
    def test_apache_is_there(self):
        import _apache

        self.assertIs(apache.SERVER_RETURN, _apache.SERVER_RETURN)
        self.assertIs(testing.install(), apache)
        self.assertEqual((apache.interpreter, apache.main_server.server_hostname), ("localhost", "localhost"))
        self.assertEqual(str(type(apache.main_server)), "<class 'mp_server'>")
        self.assertEqual(str(type(Request())), "<class 'mp_request'>")
        self.assertEqual(type(Request().connection).__name__, "mp_conn")
        self.assertEqual(type(apache.table()).__name__, "mp_table")
        self.assertEqual(type(Request().finfo).__name__, "mp_finfo")
        self.assertNotEqual(sys.argv, ["mod_python"])

    def test_another_apache_is_left_alone(self):
        there = sys.modules["_apache"]
        try:
            sys.modules["_apache"] = sys
            with self.assertRaisesRegex(RuntimeError, "outside of httpd"):
                testing.install()
        finally:
            sys.modules["_apache"] = there

    def test_its_own_stub_says_what_is_there(self):
        from stub_compare import differences

        self.assertEqual(differences("testing"), [])

    def test_all_names_of_the_stubs_are_there(self):
        """What the server has is imitated, or says that it is not."""
        with open(os.path.join(PYTHON, "_apache.pyi"), encoding="utf-8") as file:
            body = ast.parse(file.read()).body
        import _apache

        objects = {"mp_request": Request, "mp_server": testing.Server(), "mp_conn": Request().connection, "mp_table": testing.Table()}
        objects |= {"mp_finfo": Request().finfo, "mp_hlist": Request().hlist}
        missing = []
        for node in body:
            if isinstance(node, ast.FunctionDef) and not hasattr(_apache, node.name):
                missing.append(node.name)
            elif isinstance(node, ast.AnnAssign) and not hasattr(_apache, node.target.id) and not node.target.id.startswith("_"):
                missing.append(node.target.id)
            elif isinstance(node, ast.ClassDef) and node.name in objects:
                for part in node.body:
                    name = part.name if isinstance(part, ast.FunctionDef) else part.target.id
                    try:
                        getattr(objects[node.name], name)
                    except NotImplementedError:
                        pass
                    except AttributeError:
                        if name not in ("__getattr__",):
                            missing.append(f"{node.name}.{name}")
        self.assertEqual(missing, [])

    def test_what_is_not_imitated_says_so(self):
        req = Request()
        for call in (
            lambda: req.register_output_filter("a", "b"),
            lambda: req.add_input_filter("a"),
            lambda: req.build_wsgi_env(),
            lambda: req.ssl_var_lookup("x"),
            lambda: req.set_etag(),
            lambda: req.meets_conditions(),
            lambda: req._request_rec,
            lambda: req.connection.read(),
            lambda: apache.config_tree(),
            lambda: apache.mpm_query(apache.AP_MPMQ_MAX_THREADS),
            lambda: apache.mpm_name(),
        ):
            self.assertRaisesRegex(NotImplementedError, "is not imitated by mod_python.testing: test it with a server", call)
        # It is not taken for an error of the handler's
        self.assertRaisesRegex(NotImplementedError, r"req\.set_etag\(\)", run, lambda req: req.set_etag())
        with self.assertRaisesRegex(NotImplementedError, "PythonDebug"):
            run(lambda req: 1 / 0, Request(config={"PythonDebug": "1"}))
        self.assertEqual(run(raising(NotImplementedError("mine"))).status, 500)


def raising(error):
    def handler(req):
        raise error

    return handler


class Running(unittest.TestCase):
    def test_a_response(self):
        def handler(req):
            req.content_type = "text/plain"
            req.headers_out["X-A"] = "1"
            req.headers_out.add("Set-Cookie", "a")
            req.headers_out.add("Set-Cookie", "b")
            req.write("é")
            return apache.OK

        response = run(handler)
        self.assertEqual((response.status, response.reason, response.text, response.body), (200, "OK", "é", "é".encode()))
        self.assertEqual((response.content_type, response.headers["set-cookie"], response.headers["x-a"]), ("text/plain", ["a", "b"], "1"))
        self.assertEqual((response.is_complete, response.is_error_page, response.exception, response.redirected_to), (True, False, None, None))
        self.assertEqual(repr(response), "<Response 200 OK, 2 bytes>")

    def test_failures(self):
        error = KeyError("x")
        response = run(raising(error))
        self.assertEqual((response.status, response.is_error_page), (500, True))
        self.assertIs(response.exception, error)
        texts = [text for _, text in response.log]
        self.assertIn("raised KeyError: 'x'", texts[0])
        self.assertEqual(texts[-1], "KeyError: 'x'")
        for exception, status in ((apache.SERVER_RETURN(404), 404), (apache.SERVER_RETURN(apache.OK, 202), 202), (apache.SERVER_RETURN(), 500), (SystemExit(), 500)):
            self.assertEqual(run(raising(exception)).status, status)
        self.assertRaises(KeyboardInterrupt, run, raising(KeyboardInterrupt()))
        for result in (None, True, "200", 17, 600, -3, (404,)):
            response = run(lambda req: result)
            self.assertEqual((response.status, type(response.exception)), (500, AssertionError), result)

    def test_a_body_that_is_cut(self):
        def handler(req):
            req.read()
            return apache.OK

        response = run(handler, Request("POST", headers={"Content-Length": "10"}, body="short"))
        self.assertEqual((response.status, type(response.exception).__name__), (400, "RequestBodyError"))
        self.assertEqual(run(handler, Request("POST", headers={"Transfer-Encoding": "chunked"}, body="short")).status, 200)

    def test_a_request_is_over_after_its_run(self):
        req = Request()
        run(lambda req: apache.OK, req)
        self.assertRaisesRegex(RuntimeError, "over", req.write, "x")
        self.assertRaisesRegex(RuntimeError, "over", run, lambda req: apache.OK, req)

    def test_cleanups(self):
        called = []

        def handler(req):
            req.register_cleanup(called.append, 1)
            req.register_cleanup(lambda data: 1 / 0)
            req.register_cleanup(called.append, 2)
            apache.register_cleanup(called.append, "child")
            return apache.OK

        response = run(handler)
        self.assertEqual((response.status, called), (200, [2, 1]))
        self.assertTrue(any("MP0501" in text for _, text in response.log))
        apache.main_server.run_cleanups()
        self.assertEqual(called, [2, 1, "child"])

    def test_the_current_request(self):
        def handler(req):
            apache.log_error("to the request", apache.APLOG_INFO)
            apache.log_error("to the server", apache.APLOG_INFO, req.server)
            inner = run(lambda req: apache.log_error("inside") or apache.OK)
            apache.allow_methods("PUT")
            self.assertEqual(inner.log, [(apache.APLOG_ERR, "inside")])
            return apache.HTTP_METHOD_NOT_ALLOWED

        server = testing.Server()
        response = run(handler, Request(server=server))
        self.assertEqual(response.headers["Allow"], "PUT,TRACE")
        self.assertEqual((response.log, server.log), ([(6, "to the request")], [(6, "to the server")]))

    def test_handlers_by_name(self):
        self.assertEqual(run("in_testing::front").text, "front")
        self.assertEqual(run("in_testing::Shop.front", Request(uri="/x")).text, "shop /x")
        self.assertEqual(run("in_testing::none").status, 500)
        self.assertEqual(run("no_such_module").status, 500)

    def test_redirects_and_declined(self):
        def handler(req):
            req.write("lost?")
            req.internal_redirect("/there")
            req.write("lost")
            return apache.OK

        response = run(handler)
        self.assertEqual((response.redirected_to, response.text), ("/there", "lost?"))
        self.assertEqual(run(lambda req: apache.DECLINED).status, 404)
        self.assertEqual(run(lambda req: apache.DECLINED, Request("PUT")).status, 405)
        with self.assertRaisesRegex(NotImplementedError, "DECLINED"):
            run(lambda req: apache.DECLINED, Request(filename=__file__))

    def test_threads_have_requests_of_their_own(self):
        def work(number):
            def handler(req):
                barrier.wait()
                apache.log_error(str(number))
                return apache.OK

            logs[number] = run(handler).log

        barrier, logs = threading.Barrier(4), {}
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(logs, {number: [(3, str(number))] for number in range(4)})

    def test_a_cgi_script(self):
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "script.py")
            with open(path, "w") as file:
                file.write("import os, sys\nprint('Content-Type: text/plain\\n')\nprint(os.environ['QUERY_STRING'], sys.stdin.read())")
            argv = sys.argv
            response = run(cgihandler.handler, Request("POST", "/script.py?a=1", body="sent", filename=path))
            sys.argv = argv
        self.assertEqual((response.status, response.text, response.content_type), (200, "a=1 sent\n", "text/plain"), response.log)

    def test_requests(self):
        req = Request("POST", "https://shop.test:8443/a%20b?x=1#y", [("Cookie", "a=1"), ("Cookie", "b=2")], "text", https=True)
        self.assertEqual((req.uri, req.args, req.hostname, req.headers_in["cookie"]), ("/a b", "x=1", "shop.test", ["a=1", "b=2"]))
        self.assertEqual((req.is_https(), req.construct_url("/x"), req.headers_in["Content-Length"]), (1, "https://localhost:80/x", "4"))
        server = testing.Server("shop.test", 443, options={"a": "1", "b": "2"}, config={"PythonDebug": "0"})
        req = Request(server=server, https=True, options={"b": "3"}, config={"PythonPath": "x"}, user="ann", auth_type="Basic")
        self.assertEqual(dict(req.get_options().items()), {"a": "1", "b": "3"})
        self.assertEqual(dict(req.get_config().items()), {"PythonDebug": "0", "PythonPath": "x"})
        self.assertEqual((req.construct_url("/x"), req.user, req.ap_auth_type), ("https://shop.test/x", "ann", "Basic"))
        server.get_options()["c"] = "4"
        self.assertEqual(server.get_options()["C"], "4")
        testing.defines.add("FEATURE")
        self.assertTrue(apache.exists_config_define("FEATURE"))
        testing.defines.clear()
        self.assertFalse(apache.exists_config_define("FEATURE"))

    def test_there_is_one_process(self):
        queries = (apache.AP_MPMQ_IS_THREADED, apache.AP_MPMQ_IS_FORKED, apache.AP_MPMQ_MAX_DAEMONS, apache.AP_MPMQ_HARD_LIMIT_DAEMONS)
        self.assertEqual([apache.mpm_query(query) for query in queries], [1, 0, 1, 1])
        self.assertRaises(TypeError, apache.mpm_query, "2")

    def test_mutexes(self):
        import _apache

        server = apache.main_server
        _apache._global_lock(server, "a")
        self.assertFalse(_apache._global_trylock(server, "a"))
        self.assertTrue(_apache._global_trylock(server, "b"))
        _apache._global_unlock(server, "a")
        _apache._global_unlock(server, "b")
        self.assertRaises(ValueError, _apache._global_unlock, server, "a")


def front(req):
    req.write("front")
    return apache.OK


class Shop:
    def __init__(self, req):
        self.uri = req.uri

    def front(self, req):
        req.write(f"shop {self.uri}")
        return apache.OK


if __name__ == "__main__":
    sys.path.insert(0, HERE)
    unittest.main()
