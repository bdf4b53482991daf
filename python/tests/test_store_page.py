"""The manual's page of stores: its examples do what they say, where a comment is a value it is the result."""

import ast
import os
import re
import unittest

import packages
from store_support import StoreTest

from mod_python import store

HAS_FLASK = packages.has(("flask", "Flask"), ("cachelib", "cachelib"), ("flask_session", "Flask-Session"), ("flask_caching", "Flask-Caching"))
DOCS = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "docs")
BLOCK = re.compile(r"^(?:<!-- ([^\n]+) -->\n)?```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def page():
    with open(os.path.join(DOCS, "store.md"), encoding="utf-8") as file:
        return file.read()


def expected(line):
    """The value that a line's comment says, in a tuple, or None."""
    _, mark, comment = line.rpartition("  # ")
    try:
        return (ast.literal_eval(comment),) if mark else None
    except (SyntaxError, ValueError):
        return None


class Request:
    useragent_ip = "192.0.2.1"

    def __init__(self):
        self.out = ""
        self.headers_out = {}

    def write(self, text):
        self.out += text


class PageTest(StoreTest):
    def block(self, name):
        """What an example that has a name defines."""
        namespace = {"__name__": name}
        exec(dict(BLOCK.findall(page()))[f"name {name}"], namespace)
        return namespace

    def test_each_example_is_run(self):
        kinds = [kind for kind, _ in BLOCK.findall(page())]
        self.assertEqual(set(kinds) - {"example"}, {f"name {name}" for name in ("counter", "rate", "django_sessions", "django_cache", "flask_session", "flask_caching")})
        self.assertGreater(kinds.count("example"), 8)

    def test_results(self):
        namespace = {"__name__": "example", "check": self.check}
        self.checked = []
        for kind, code in BLOCK.findall(page()):
            if kind != "example":
                continue
            lines = code.splitlines()
            for node in ast.parse(code).body:
                if isinstance(node, ast.With):
                    node.body = [self.checking(part, expected(lines[part.end_lineno - 1])) for part in node.body]
                else:
                    node = self.checking(node, expected(lines[node.end_lineno - 1]))
                exec(compile(ast.fix_missing_locations(ast.Module([node], [])), "store.md", "exec"), namespace)
        self.assertGreater(len(self.checked), 40)

    def checking(self, node, value):
        """The statement, with a look at its result if there is a value."""
        if value is None or not isinstance(node, ast.Expr):
            return node
        return ast.parse(f"check({ast.unparse(node)!r}, {ast.unparse(node)}, {value[0]!r})").body[0]

    def check(self, text, found, value):
        self.assertEqual((found, type(found)), (value, type(value)), text)
        self.checked.append(text)

    def test_the_counter(self):
        handler = self.block("counter")["handler"]
        lines = dict(BLOCK.findall(page()))["name counter"].split("\n")
        self.assertEqual(len([line for line in lines if line]), 4)
        with open(os.path.join(DOCS, "..", "README.md"), encoding="utf-8") as file:
            self.assertIn("\n".join(lines), file.read())
        answers = []
        for _ in range(3):
            req = Request()
            handler(req)
            answers.append(req.out)
        self.assertEqual(answers, ["visit 1", "visit 2", "visit 3"])

    def test_the_rate(self):
        handler = self.block("rate")["handler"]
        statuses = [handler(Request()) for _ in range(100)]
        req = Request()
        self.assertEqual((set(statuses), handler(req)), ({0}, 429))
        self.assertTrue(1 <= int(req.headers_out["Retry-After"]) <= 60)

    def test_settings_of_django(self):
        import importlib.util

        names = [self.block("django_sessions")["SESSION_ENGINE"], self.block("django_cache")["CACHES"]["default"]["BACKEND"].rpartition(".")[0]]
        for name in names:
            self.assertIsNotNone(importlib.util.find_spec(name), name)

    @unittest.skipUnless(HAS_FLASK, "there is no Flask, and no PyPI to have it from")
    def test_flask(self):
        from flask import session

        app = self.block("flask_session")["app"]
        app.get("/")(lambda: str(session.setdefault("n", 7)))
        self.assertEqual(app.test_client().get("/").text, "7")
        self.assertEqual(len(list(store.pickled(store.open()).keys("sessions:"))), 1)
        namespace = self.block("flask_caching")
        with namespace["app"].app_context():
            namespace["cache"].set("a", {1})
            self.assertEqual(namespace["cache"].get("a"), {1})

    def test_exceptions(self):
        text = page()
        for name in store.__all__:
            self.assertIn(name, text)
        for name in dir(store.Store):
            if not name.startswith("_") and name != "name":
                self.assertRegex(text, rf"\b{name}\b")


if __name__ == "__main__":
    unittest.main()
