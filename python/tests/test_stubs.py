"""The stubs, by mypy in strict mode: they hold together, and the manual's examples agree with them."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = os.path.dirname(HERE)
DOCS = os.path.join(os.path.dirname(PYTHON), "docs")

# What the manual calls its arguments. Everything else is a program's own.
TYPES = {
    "req": "_apache.mp_request",
    "filter": "_apache.mp_filter",
    "flt": "_apache.mp_filter",
    "conn": "_apache.mp_conn",
    "connection": "_apache.mp_conn",
    "user": "str",
    "password": "str",
    "realm": "str",
}

# Of a module's own functions, those that the server calls return an int.
HANDLER = re.compile(r"handler$|^handler")


def examples():
    """The blocks of Python in the manual: page, line, code."""
    for folder, _, files in sorted(os.walk(DOCS)):
        for name in sorted(files):
            path = os.path.join(folder, name)
            page = os.path.relpath(path, DOCS)
            if not name.endswith(".md"):
                continue
            with open(path, encoding="utf-8") as file:
                text = file.read()
            for block in re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
                yield page, text.count("\n", 0, block.start()) + 2, block[1]


class Annotated(ast.NodeTransformer):
    """Gives functions the types that an author would write."""

    def visit_FunctionDef(self, node):
        self.generic_visit(node)
        for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg):
            if argument is not None and argument.annotation is None and argument.arg != "self":
                argument.annotation = ast.parse(TYPES.get(argument.arg, "Any"), mode="eval").body
        if node.returns is None:
            # One that returns nothing is a piece of one.
            is_whole = any(isinstance(part, ast.Return) and part.value for part in ast.walk(node))
            returns = "None" if node.name == "__init__" else "int" if is_whole and HANDLER.search(node.name) else "Any"
            node.returns = ast.parse(returns, mode="eval").body
        return node


def annotated(code):
    """The code with types, each line where it was as far as that matters for a message."""
    code = code.replace("…", "...")
    try:
        tree = ast.parse(code)
    except IndentationError:  # a condition of which only the head is shown
        tree = ast.parse(code + "    pass\n")
    tree = Annotated().visit(tree)
    after = [number for number, node in enumerate(tree.body) if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    tree.body[len(after) : len(after)] = ast.parse("import _apache\nfrom typing import Any").body
    return ast.unparse(ast.fix_missing_locations(tree))


@unittest.skipUnless(shutil.which("mypy"), "there is no mypy here")
class StubsTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cache = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cache.cleanup)
        cls.cache = cache.name

    def mypy(self, *arguments, folder=PYTHON):
        """What mypy complains about."""
        command = ["mypy", "--strict", "--no-error-summary", "--cache-dir", self.cache, *arguments]
        environ = {**os.environ, "MYPYPATH": PYTHON}
        done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return done.stdout

    def test_they_hold_together(self):
        stubs = [os.path.join(folder, name) for folder, _, names in os.walk(PYTHON) for name in names if name.endswith(".pyi")]
        own = [path for path in stubs if not os.path.islink(path)]
        self.assertGreaterEqual(len(own), 4)
        self.assertEqual(self.mypy(*own), "")

    def test_the_examples_agree_with_them(self):
        with tempfile.TemporaryDirectory() as folder:
            places = {}
            for number, (page, line, code) in enumerate(examples()):
                name = f"example{number}.py"
                places[name] = f"docs/{page}, the example in line {line}"
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    file.write(annotated(code))
            self.assertGreater(len(places), 30)
            found = [complaint.split(":", 2) for complaint in self.mypy(*places, folder=folder).splitlines()]
            pieces = {name for name, _, text in found if "[name-defined]" in text}
            # A package that is not installed here has no types, so its decorators have none either
            lacking = {name for name, _, text in found if "[import]" in text and "mod_python" not in text}
            shown = []
            for name, line, text in found:
                # A piece of a program uses modules and names that are not shown; whole ones are served by a test of their own
                if "note:" in text or "[name-defined]" in text or "[import]" in text and "mod_python" not in text:
                    continue
                if name in pieces and "[no-any-return]" in text:
                    continue
                if name in lacking and "Untyped decorator" in text:
                    continue
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    shown.append(f"{places[name]}:{text}\n    {file.read().splitlines()[int(line) - 1]}")
            self.assertEqual("\n".join(shown), "")

    def test_what_is_wrong_is_found(self):
        wrong = {
            "req.write(None)": "arg-type",
            "req.status = 'gone'": "assignment",
            "req.method = 'GET'": "misc",
            "req.filename.upper()": "union-attr",
            "len(req.read(None))": "arg-type",
            "apache.no_such_thing": "attr-defined",
            "apache.OK = 1": "misc",
            "req.connection.started = 1": "attr-defined",
            "req.headers_in.pop('x')": "attr-defined",
            "req.get_remote_host(1, 1).upper()": "union-attr",
            "req.mine = req.other": "",
        }
        with tempfile.TemporaryDirectory() as folder:
            for number, (code, kind) in enumerate(wrong.items()):
                with open(os.path.join(folder, "program.py"), "w", encoding="utf-8") as file:
                    file.write(annotated(f"from mod_python import apache\ndef handler(req):\n    {code}\n    return apache.OK\n"))
                found = self.mypy("program.py", folder=folder)
                self.assertEqual(kind, "".join(re.findall(r"\[([a-z-]+)\]$", found, re.MULTILINE)[:1]), f"{code}: {found}")

    def test_the_package_brings_them_along(self):
        with open(os.path.join(PYTHON, "pyproject.toml"), encoding="utf-8") as file:
            text = file.read()
        for wanted in ('"_apache-stubs"', '"*.pyi"', '"py.typed"'):
            self.assertIn(wanted, text)
        link = os.path.join(PYTHON, "_apache-stubs", "__init__.pyi")
        self.assertTrue(os.path.samefile(link, os.path.join(PYTHON, "_apache.pyi")))
        self.assertTrue(os.path.exists(os.path.join(PYTHON, "mod_python", "py.typed")))


if __name__ == "__main__":
    sys.exit(unittest.main())
