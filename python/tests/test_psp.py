"""mod_python.psp, without httpd."""

import linecache
import os
import sys
import threading
import time
import traceback
import types
import unittest
import warnings

import fake_apache
import fake_psp  # noqa: F401
from support import LibraryTest

from mod_python import _psp_pages, apache, psp

fake_apache.ClientGone = type("ClientGone", (ConnectionError,), {})


class Request:
    def __init__(self, filename=None, debug=False):
        self.filename = filename
        self.out = []
        self.calls = []
        self.debug = debug
        self.content_type = None

    def write(self, text, flush=1):
        self.out.append(text)

    def flush(self):
        self.calls.append("flush")

    def document_root(self):
        return os.path.dirname(self.filename)

    def get_config(self):
        return {"PythonDebug": "1"} if self.debug else {}

    def get_options(self):
        return {}

    @property
    def text(self):
        return "".join(self.out)


class PspTest(LibraryTest):
    def setUp(self):
        super().setUp()
        _psp_pages.by_file.pages.clear()
        _psp_pages.by_text.pages.clear()
        self._last_time = 1_700_000_000_000_000_000

    def run_text(self, text, given={}, **about):
        req = Request(os.path.join(self.folder, "asked.psp"))
        psp.PSP(req, string=text, **about).run(given)
        return req

    def page(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        self._last_time += 1
        os.utime(path, ns=(self._last_time, self._last_time))
        return path

    def stand_in(self, name, **content):
        module = types.ModuleType(f"mod_python.{name}")
        vars(module).update(content)
        before = sys.modules.get(module.__name__)
        psp.__dict__.pop(name, None)
        sys.modules[module.__name__] = module
        import mod_python

        had = getattr(mod_python, name, None)
        setattr(mod_python, name, module)

        def undo():
            psp.__dict__.pop(name, None)
            if before is None:
                sys.modules.pop(module.__name__, None)
            else:
                sys.modules[module.__name__] = before
            if had is None:
                delattr(mod_python, name)
            else:
                setattr(mod_python, name, had)

        self.addCleanup(undo)
        return module


class RunTest(PspTest):
    def test_text_code_and_expressions(self):
        req = self.run_text("<h1>\n<%\nfor i in range(3):%>[<%= i %>]<%\n\n%>é</h1>")
        self.assertEqual(req.text, "<h1>\n[0][1][2]é</h1>")

    def test_bytes_are_a_text_too(self):
        self.assertEqual(self.run_text("é<%= 1 %>".encode()).text, "é1")

    def test_names_come_from_the_module_then_the_template_then_the_call(self):
        text = "<%= escape('<') %> <%= a %> <%= b %> <%= c %> <%= __name__ %> <%= apache.OK %>"
        req = self.run_text(text, {"b": "run", "c": "run"}, vars={"a": "template", "b": "template"})
        self.assertEqual(req.text, "&lt; template run run mod_python.psp 0")
        other = Request()
        self.assertEqual(self.run_text("<%= psp %>", {"req": other, "psp": 1}).text, "")
        self.assertEqual(other.text, "1")

    def test_a_value_and_the_text_behind_it_are_written_at_once(self):
        req = self.run_text("a<%= 1 %>b<%= 2 %>\n<% pass %>c")
        self.assertEqual(req.out, ["a", "1b", "2\n", "c"])

    def test_what_a_value_writes_while_it_is_found_comes_first(self):
        inner = psp.PSP(Request(os.path.join(self.folder, "x")), string="INNER<%= 1 %>")
        req = Request(os.path.join(self.folder, "x"))
        inner.req = req
        psp.PSP(req, string="a<%= inner %>b", vars={"inner": inner}).run()
        self.assertEqual((req.text, req.content_type), ("aINNER1b", "text/html"))

    def test_a_page_that_has_a_str_of_its_own_is_written_by_it(self):
        self.assertEqual(self.run_text("<% str = repr %><%= 'x' %>!").text, "'x'!")
        self.assertEqual(self.run_text("<% from builtins import * %><%= 'x' %>!").out, ["x", "!"])
        self.assertEqual(self.run_text("<%\nclass A:\n\tstr = 1\n\n%><%= A.str %>!").text, "1!")

    def test_writes_of_the_programs_own_are_what_they_were(self):
        req = self.run_text("<% req.write('a'); req.write('b', 1); req.write(str('c'), False); req.write(b'd', 0) %>")
        self.assertEqual(req.out, ["a", "b", "c", b"d"])

    def test_a_body_of_empty_text_stays_a_body(self):
        self.assertEqual(self.run_text("<%\nif 1:%><%= '' %><%\n\n%>x").text, "x")
        self.assertEqual(self.run_text("<%\nfor i in 'ab':\n    # begin\n%><%\n\n%>x").text, "x")

    def test_flush(self):
        req = Request()
        psp.PSP(req, string="x").run({}, 1)
        self.assertEqual(req.calls, ["flush"])

    def test_an_empty_page(self):
        self.assertEqual(self.run_text("").out, [])
        self.assertEqual(self.run_text(b"").out, [])

    def test_attributes(self):
        path = self.page("a.psp", "x")
        req = Request(path)
        page = psp.PSP(req, vars={"a": 1})
        self.assertEqual((page.req, page.filename, page.string, page.vars), (req, path, None, {"a": 1}))
        self.assertEqual(page.code.co_filename, path)
        self.assertEqual(psp.PSP(req, string="y").code.co_filename, "__psp__")

    def test_wrong_arguments(self):
        req = Request("/x/y")
        for wrong in ({"filename": "a", "string": "b"},):
            with self.assertRaises(ValueError):
                psp.PSP(req, **wrong)
        with self.assertRaises(ValueError):
            psp.PSP(Request())
        with self.assertRaises(ValueError):
            psp.PSP(Request(), "relative")
        with self.assertRaises(TypeError):
            psp.PSP(req, string=5)

    def test_files_are_beside_the_requests_file(self):
        self.page("t.psp", "T<%= x %>")
        req = Request(os.path.join(self.folder, "asked"))
        psp.PSP(req, "t.psp").run({"x": 1})
        self.assertEqual(req.text, "T1")
        with self.assertRaises(apache.SERVER_RETURN) as caught:
            psp.PSP(req, "missing.psp")
        self.assertEqual(caught.exception.args, (404,))
        with self.assertRaises(apache.SERVER_RETURN):
            psp.PSP(req, self.folder)

    def test_none_is_no_variables(self):
        self.assertEqual(self.run_text("x", None, vars=None).text, "x")


class HandlerTest(PspTest):
    def test_it_runs_the_page(self):
        req = Request(self.page("a.psp", "<%= psp.filename == req.filename == __file__ %>"))
        self.assertEqual((psp.handler(req), req.content_type, req.text), (apache.OK, "text/html", "True"))
        self.assertEqual(psp.handler(Request()), 404)

    def test_an_underscore_shows_the_code_under_debug_only(self):
        path = self.page("a.psp", "<b>\n<%= '<' %>\tx")
        req = Request(path + "_", debug=True)
        psp.handler(req)
        self.assertIn("req.write(str(&nbsp;&#x27;&lt;&#x27;&nbsp;),0)", req.text)
        self.assertIn("<font color=green>&lt;b&gt;</font>", req.text)
        self.assertNotIn("<b>", req.text)
        with self.assertRaises(apache.SERVER_RETURN):
            psp.handler(Request(path + "_"))

    def test_a_page_whose_name_ends_so_is_a_page_without_debug(self):
        req = Request(self.page("a.psp_", "x"))
        psp.handler(req)
        self.assertEqual(req.text, "x")

    def test_the_code_of_a_text_is_shown_too(self):
        req = Request()
        psp.PSP(req, string=b"a\nb").display_code()
        self.assertEqual(req.text.count("<tr>"), 3)


class SessionAndFormTest(PspTest):
    def setUp(self):
        super().setUp()
        self.calls = calls = []

        class Fake(dict):
            def __init__(self, req):
                calls.append("session")

            def save(self):
                calls.append("save")

            def unlock(self):
                calls.append("unlock")

        def fields(req, keep_blank_values=0):
            calls.append(f"form {keep_blank_values}")
            return {"a": "1"}

        def redirect(req, location, permanent, text=None):
            calls.append(("redirect", location, permanent))
            raise apache.SERVER_RETURN(apache.DONE)

        def apply_fs_data(object, form, **kw):
            return object(**{**form, **kw})

        self.stand_in("Session", Session=Fake)
        self.stand_in("util", FieldStorage=fields, redirect=redirect, apply_fs_data=apply_fs_data)

    def test_they_are_made_when_they_are_named(self):
        req = self.run_text("<%= session is req.session %> <%= form is req.form is psp.form %>")
        self.assertEqual((req.text, self.calls), ("True True", ["form 1", "session", "save", "unlock"]))
        self.assertFalse(hasattr(req, "session"))
        self.assertTrue(hasattr(req, "form"))
        self.calls.clear()
        self.run_text("<%= 'session form' %>")
        self.assertEqual(self.calls, [])

    def test_they_are_made_when_a_function_names_them(self):
        self.run_text("<%\ndef f():\n    return lambda: form\n\n%>")
        self.assertEqual(self.calls, ["form 1"])
        self.calls.clear()
        self.run_text("<%\ndef f(form):\n    session = form.x\n    return req.form\n\n%>")
        self.assertEqual(self.calls, [])

    def test_those_that_are_there_are_used(self):
        req = Request()
        session = sys.modules["mod_python.Session"].Session(req)
        req.session, req.form = session, {"b": "2"}
        self.calls.clear()
        psp.PSP(req, string="<%= form %> <%= session is req.session %>").run()
        self.assertEqual((req.text, self.calls), ("{'b': '2'} True", ["save"]))
        self.assertIs(req.session, session)

    def test_those_that_are_given_are_used(self):
        req = self.run_text("<%= form %> <%= session %>", {"form": 1, "session": 2})
        self.assertEqual((req.text, self.calls), ("1 2", []))

    def test_a_failure_does_not_save_and_unlocks(self):
        with self.assertRaises(ZeroDivisionError):
            self.run_text("<% session['a'] = 1; 1 / 0 %>")
        self.assertEqual(self.calls, ["session", "unlock"])

    def test_a_page_can_take_the_session_away(self):
        self.run_text("<% session['a'] = 1; del req.session %>")
        self.assertEqual(self.calls, ["session", "save", "unlock"])

    def test_a_redirect_saves(self):
        with self.assertRaises(apache.SERVER_RETURN) as caught:
            self.run_text("<% session['a'] = 1; psp.redirect('/x', permanent=1) %>")
        self.assertEqual(caught.exception.args, (apache.DONE,))
        self.assertEqual(self.calls, ["session", ("redirect", "/x", 1), "save", "unlock"])

    def test_apply_data(self):
        text = "<%\ndef f(a, b='2'):\n    return a + b\n\n%><%= psp.apply_data(f) %> <%= psp.apply_data(f, b='9') %>"
        self.assertEqual((self.run_text(text).text, self.calls), ("12 19", ["form 1"]))

    def test_modules_can_be_named(self):
        self.assertEqual(self.run_text("<%= util.FieldStorage(1) %> <%= types.ModuleType.__name__ %>").text, "{'a': '1'} module")
        self.assertIs(psp.util, sys.modules["mod_python.util"])
        with self.assertRaises(AttributeError):
            psp.no_such_name


class ErrorPageTest(PspTest):
    def test_it_is_run_with_the_exception(self):
        self.page("error.psp", "<%= exception[0].__name__ %>: <%= exception[1] %> <%= exception[2].tb_lineno > 0 %>")
        req = Request(self.page("a.psp", "a\n<% psp.set_error_page('error.psp') %><%= 1 / 0 %>b"))
        psp.handler(req)
        self.assertEqual(req.text, "a\nZeroDivisionError: division by zero True")
        self.assertEqual(len(self.logged("MP0531")), 1)
        self.assertTrue(any("ZeroDivisionError" in text for _, text in fake_apache.entries))

    def test_a_leading_slash_is_the_document_root(self):
        self.page("error.psp", "E")
        os.mkdir(os.path.join(self.folder, "sub"))
        req = Request(self.page("sub/a.psp", "<% psp.set_error_page('/error.psp') %><%= psp.error_page.filename %>"))
        req.document_root = lambda: self.folder
        psp.handler(req)
        self.assertEqual(req.text, os.path.join(self.folder, "error.psp"))

    def test_an_answer_is_no_failure(self):
        self.page("error.psp", "E")
        with self.assertRaises(apache.SERVER_RETURN):
            self.run_text("<% psp.set_error_page('error.psp'); raise apache.SERVER_RETURN(403) %>")
        self.assertEqual(fake_apache.entries, [])

    def test_a_client_that_is_gone_is_shown_nothing(self):
        self.page("error.psp", "E")
        with self.assertRaises(fake_apache.ClientGone):
            self.run_text("<% psp.set_error_page('error.psp'); raise _apache.ClientGone() %>")

    def test_an_exit_is_a_failure(self):
        self.page("error.psp", "E<%= exception[0].__name__ %>")
        self.assertEqual(self.run_text("<% psp.set_error_page('error.psp'); raise SystemExit(3) %>").text, "ESystemExit")

    def test_one_that_is_missing_or_fails(self):
        with self.assertRaises(ZeroDivisionError):
            self.run_text("<% psp.set_error_page('missing.psp'); 1 / 0 %>")
        self.assertEqual(len(self.logged("MP0532")), 1)
        self.page("error.psp", "<% [][1] %>")
        with self.assertRaises(IndexError) as caught:
            self.run_text("<% psp.set_error_page('error.psp'); 1 / 0 %>")
        self.assertIsInstance(caught.exception.__context__, ZeroDivisionError)

    def test_one_that_names_itself_does_not_loop(self):
        self.page("error.psp", "E<% psp.set_error_page('error.psp'); [][1] %>")
        with self.assertRaises(IndexError):
            self.run_text("<% psp.set_error_page('error.psp'); 1 / 0 %>")
        self.assertIn("has failed itself", self.logged("MP0532")[0][1])

    def test_one_can_have_another(self):
        self.page("one.psp", "1<% psp.set_error_page('two.psp'); [][1] %>")
        self.page("two.psp", "2<%= exception[0].__name__ %>")
        self.assertEqual(self.run_text("<% psp.set_error_page('one.psp'); 1 / 0 %>").text, "12IndexError")


class PlaceTest(PspTest):
    def trace(self, error):
        return [(os.path.basename(frame.filename), frame.lineno, frame.line) for frame in traceback.extract_tb(error.__traceback__)]

    def failure(self, text, name="a.psp"):
        req = Request(self.page(name, text))
        try:
            psp.handler(req)
        except Exception as error:
            linecache.checkcache()
            return error
        self.fail("there is no error")

    def test_a_traceback_shows_the_line_of_the_page(self):
        error = self.failure("a\n<%-- two\nlines --%>b\n<% 1 / 0 %>")
        self.assertEqual(self.trace(error)[-1], ("a.psp", 4, "<% 1 / 0 %>"))
        shown = "".join(traceback.format_exception(error)).split("\n")
        at = shown.index("    <% 1 / 0 %>")
        self.assertIn(shown[at + 1], ("       ~~^~~", "       ~~^~~ "))

    def test_the_column_is_that_of_the_page(self):
        error = self.failure("é<b><%= 1 / 0 %></b>")
        shown = "".join(traceback.format_exception(error)).split("\n")
        self.assertEqual(shown[shown.index("    é<b><%= 1 / 0 %></b>") + 1].rstrip(), "            ~~^~~")

    def test_a_traceback_goes_through_includes(self):
        self.page("one.inc", "x\n<% def f():\n  return [][1] %>\n")
        self.page("one.inc", 'x\n<%\ndef f():\n    return [][1]\n\n%>\n<%@ include file="two.inc" %>')
        self.page("two.inc", "\n\n<% f() %>")
        error = self.failure('<%= 1 %>\n\n<%@ include file="one.inc" %>')
        self.assertEqual(
            self.trace(error)[-5:],
            [
                ("a.psp", 3, '<%@ include file="one.inc" %>'),
                ("one.inc", 7, '<%@ include file="two.inc" %>'),
                ("two.inc", 3, "<% f() %>"),
                ("a.psp", 3, '<%@ include file="one.inc" %>'),
                ("one.inc", 4, "return [][1]"),
            ],
        )

    def test_after_an_include_lines_are_right(self):
        self.page("i", "1\n2\n3\n")
        error = self.failure('<%@ include file="i" %>\n\n<% 1 / 0 %>')
        self.assertEqual(self.trace(error)[-1], ("a.psp", 3, "<% 1 / 0 %>"))

    def test_a_text_has_lines_too(self):
        for number in "12":
            try:
                self.run_text(f"{number}\n<% {number} / 0 %>\n")
            except ZeroDivisionError as error:
                self.assertEqual(self.trace(error)[-1], ("__psp__", 2, f"<% {number} / 0 %>"))

    def syntax(self, text):
        error = self.failure(text)
        self.assertIsInstance(error, SyntaxError)
        return type(error).__name__, os.path.basename(error.filename), error.lineno, error.text, error.msg

    def test_a_syntax_error_has_the_pages_line(self):
        self.assertEqual(self.syntax("a\nb\n<% x = %>\n"), ("SyntaxError", "a.psp", 3, "<% x = %>\n", "invalid syntax"))
        self.assertEqual(self.syntax("<%-- \n\n --%>\n<%= ) %>")[2:4], (4, "<%= ) %>\n"))
        self.assertEqual(self.syntax("a\n<%-- \n --%><% return 1 %>")[2:4], (3, " --%><% return 1 %>\n"))

    def test_a_message_counts_the_pages_lines_too(self):
        kind, file, line, text, message = self.syntax("<%--\n\n--%><%\nfor i in x:\n\n\ny = 1\n%>")
        self.assertEqual((kind, line), ("IndentationError", 7))
        self.assertIn("on line 4", message)

    def test_tabs_and_spaces_mixed(self):
        kind, file, line, text, message = self.syntax("a\n<%\nif 1:\n        x = 1\n\ty = 2\n%>")
        self.assertEqual((kind, file, line, text), ("TabError", "a.psp", 5, "\ty = 2\n"))

    def test_of_an_included_file(self):
        self.page("i", "\n<% x = %>")
        kind, file, line, text, message = self.syntax('\n\n<%@ include file="i" %>')
        self.assertEqual((file, line, text), ("i", 2, "<% x = %>\n"))
        self.assertIn("a.psp, line 3", message)

    def test_a_tag_that_is_not_closed(self):
        kind, file, line, text, message = self.syntax("a\n<% x = 1\n<b>text</b>\n")
        self.assertEqual((line, text), (2, "<% x = 1\n"))
        self.assertIn("not closed", message)
        self.assertEqual(self.run_text("a<% x = 1; req.write('b') ").text, "ab")

    def test_what_is_no_text(self):
        self.assertEqual(self.syntax(b"a\nb\0c")[1:4], ("a.psp", 2, "b\0c\n"))

    def test_a_page_of_nonsense_is_an_error_whatever_it_is(self):
        import random

        caught = warnings.catch_warnings(action="ignore")
        caught.__enter__()
        self.addCleanup(caught.__exit__, None, None, None)
        chance = random.Random(7)
        parts = ["<%", "%>", "<%=", "<%--", "--%>", "\n", "\t", " ", ":", "x", "(", ")", '"', "'", "#", "\\", "if 1", "é", "pass", "1"]
        for _ in range(1500):
            text = "".join(chance.choice(parts) for _ in range(chance.randrange(12)))
            try:
                self.run_text(text, {"x": 1})
            except (SyntaxError, TypeError, AttributeError, NameError) as error:
                if isinstance(error, SyntaxError):
                    self.assertEqual(error.filename, "__psp__", text)
                    self.assertLessEqual(error.lineno, text.count("\n") + 1, text)


class CacheTest(PspTest):
    def test_a_page_is_compiled_once_and_again_when_it_changed(self):
        req = Request(self.page("a.psp", "one"))
        first = psp.PSP(req).code
        self.assertIs(psp.PSP(req).code, first)
        self.page("a.psp", "two")
        self.assertIsNot(psp.PSP(req).code, first)
        psp.handler(req)
        self.assertEqual(req.text, "two")

    def test_an_included_file_that_changed_counts(self):
        self.page("i", "1")
        path = self.page("a.psp", '<%@ include file="i" %>')
        for text in ("1", "2"):
            self.page("i", text)
            req = Request(path)
            psp.handler(req)
            psp.handler(req)
            self.assertEqual(req.text, text * 2)
        os.unlink(os.path.join(self.folder, "i"))
        with self.assertRaises(FileNotFoundError):
            psp.handler(Request(path))

    def test_a_page_that_has_just_changed_is_looked_at_again(self):
        req = Request(self.page("a.psp", "one"))
        now = time.time_ns()
        os.utime(req.filename, ns=(now, now))
        first = psp.PSP(req).code
        with open(req.filename, "r+") as file:
            file.write("two")
        os.utime(req.filename, ns=(now, now))
        self.assertIsNot(psp.PSP(req).code, first)

    def test_a_page_that_is_gone_is_404(self):
        req = Request(self.page("a.psp", "one"))
        psp.PSP(req)
        os.unlink(req.filename)
        with self.assertRaises(apache.SERVER_RETURN):
            psp.PSP(req)

    def test_texts_are_kept_by_their_text(self):
        req = Request()
        self.assertIs(psp.PSP(req, string="a").code, psp.PSP(req, string="a").code)
        self.assertIsNot(psp.PSP(req, string="a").code, psp.PSP(req, string="b").code)
        long = "x" * (_psp_pages.LONGEST_TEXT + 1)
        self.assertIsNot(psp.PSP(req, string=long).code, psp.PSP(req, string=long).code)

    def test_it_is_bounded_and_keeps_what_is_used(self):
        req = Request()
        used = psp.PSP(req, string="used").code
        for number in range(2 * _psp_pages.MOST):
            psp.PSP(req, string=f"{number}")
            self.assertIs(psp.PSP(req, string="used").code, used)
            self.assertLessEqual(len(_psp_pages.by_text.pages), _psp_pages.MOST)
        self.assertGreaterEqual(len(_psp_pages.by_text.pages), _psp_pages.MOST * 3 // 4)

    def test_threads_can_use_it_at_once(self):
        wrong = []

        def work(start):
            try:
                for number in range(start, start + 400):
                    req = Request()
                    psp.PSP(req, string=f"<%= {number % 700} %>").run()
                    if req.text != str(number % 700):
                        wrong.append(req.text)
            except Exception as error:
                wrong.append(error)

        threads = [threading.Thread(target=work, args=(start * 100,)) for start in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])


if __name__ == "__main__":
    unittest.main()
