"""httpd's configuration as Python objects, and what httpd says of it."""

import contextlib
import io
import os
import random
import re
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = os.path.dirname(HERE)
if PYTHON not in sys.path:
    sys.path.insert(0, PYTHON)

import mod_python.httpdconf as h
from mod_python import _httpdconf_names, _httpdconf_text, _installation
from mod_python.httpdconf import Comment, Container, ContainerTag, Directive

SPECIAL = "a b \t\"'\\#<>$%é/:=|;,"
HTTPD = _installation.value("HTTPD")
IS_2_4 = HTTPD and _installation.value("HTTPD_VERSION").startswith("2.4.") and _installation.value("LIBEXECDIR")


def sources(*names):
    text = ""
    for name in names:
        with open(os.path.join(os.path.dirname(PYTHON), "src", "config", name), encoding="utf-8") as file:
            text += file.read()
    return text


def stub():
    """What httpdconf.pyi says."""
    lines = [
        '"""httpd\'s configuration as Python objects; this stub is made by python/tests/test_httpdconf.py."""',
        "",
        "import os as os",
        "import shutil as shutil",
        "import sys as sys",
        "from collections.abc import Iterable, Sequence",
        "from os import PathLike",
        "from typing import Any, TypeAlias",
        "",
        "import mod_python as mod_python",
        "",
        "_Value: TypeAlias = str | bytes | int | float | PathLike[str]",
        "",
        "class _Part:",
        "    indent: int",
        "",
        "class Directive(_Part):",
        "    name: str",
        "    val: Any",
        "    flipslash: int",
        "    def __init__(self, name: str, val: _Value | Sequence[_Value], flipslash: int = 1) -> None: ...",
        "",
        "class Container(_Part):",
        "    args: list[_Part]",
        "    only_if: str | None",
        "    def __init__(self, *args: _Part, only_if: str | None = None) -> None: ...",
        "    def append(self, value: _Part) -> None: ...",
        "",
        "class ContainerTag(_Part):",
        "    tag: str",
        "    attr: Any",
        "    args: list[_Part]",
        "    flipslash: int",
        "    def __init__(self, tag: str, attr: _Value | None, args: Iterable[_Part], flipslash: int = 1) -> None: ...",
        "    def append(self, value: _Part) -> None: ...",
        "",
        "class Comment(_Part):",
        "    comment: str",
        "    def __init__(self, comment: str) -> None: ...",
        "",
        "def quote(text: _Value) -> str: ...",
        "def quote_if_space(s: str) -> str: ...",
        "def write_basic_config(",
        "    server_root: str | PathLike[str],",
        '    listen: str = "0.0.0.0:8888",',
        '    conf: str = "conf",',
        '    logs: str = "logs",',
        '    htdocs: str = "public",',
        '    pythonhandler: str = "mod_python.publisher",',
        "    pythonpath: Sequence[str] = [],",
        "    pythonoptions: Sequence[str] = [],",
        "    mp_comments: Sequence[str] = [],",
        '    conf_name: str = "httpd_conf.py",',
        "    createdirs: bool = True,",
        "    replace_config: bool = False,",
        "    module: str | None = None,",
        ") -> str | None: ...",
        "",
        "class _Named(Directive):",
        "    def __init__(self, val: _Value, *more: _Value) -> None: ...",
        "",
        "class _OffUnlessSaid(Directive):",
        '    def __init__(self, val: _Value = "Off") -> None: ...',
        "",
        "class _Section(ContainerTag):",
        "    def __init__(self, attr: _Value, *args: _Part) -> None: ...",
        "",
        "class _SectionWithoutArgument(ContainerTag):",
        "    def __init__(self, *args: _Part) -> None: ...",
        "",
    ]
    lines += [f"class {name}({made.__mro__[1].__name__}): ..." for name, made in sorted(h._classes.items())]
    return "\n".join(lines) + "\n"


class Texts(unittest.TestCase):
    maxDiff = None

    def test_words(self):
        # Texts as httpd.conf has them, and the words that httpd reads
        for text, words in {
            "a b": ["a", "b"],
            '"a b" c': ["a b", "c"],
            "'a \"b' c": ['a "b', "c"],
            '"a \\" b" \\x': ['a " b', "\\x"],
            '"\\\\" "\\n"': ["\\", "\\n"],
            "  ": [],
            '""': [""],
        }.items():
            self.assertEqual(_httpdconf_text.words(text), words)

    def test_quoting_is_read_back(self):
        chance = random.Random(16)
        for _ in range(5000):
            text = "".join(chance.choices(SPECIAL, k=chance.randrange(8)))
            self.assertEqual(_httpdconf_text.words(h.quote(text)), [text])
            words = [text, "x", text]
            self.assertEqual(_httpdconf_text.words(" ".join(map(h.quote, words))), words)
            line = str(h.PythonOption("key", text))
            self.assertEqual(_httpdconf_text.words(line), ["PythonOption", "key", text])
            self.assertFalse(line.removesuffix("\n").endswith("\\"))
            value = _httpdconf_text.words(str(h.AuthName(text)))
            self.assertEqual(len(value), 2, text)
        self.assertEqual([h.quote(text) for text in ("a", "", "a b", 'a"b', '"a', "a\\ b", "a \\")], ["a", '""', '"a b"', 'a"b', '"\\"a"', '"a\\ b"', '"a \\\\"'])
        self.assertEqual([h.quote_if_space(text) for text in ("a", "", "a b", '"a b"', 'a "b"')], ["a", "", '"a b"', '"a b"', '"a \\"b\\""'])

    def test_directives(self):
        for directive, text, code in (
            (h.Listen("8888"), "Listen 8888", "Listen('8888')"),
            (h.Listen(8888), "Listen 8888", "Listen(8888)"),
            (h.PythonDebug(True), "PythonDebug On", "PythonDebug(True)"),
            (h.DocumentRoot("/srv/my site"), 'DocumentRoot "/srv/my site"', "DocumentRoot('/srv/my site')"),
            (h.DocumentRoot('"/srv/my site"'), 'DocumentRoot "/srv/my site"', "DocumentRoot('\"/srv/my site\"')"),
            (h.DocumentRoot("c:\\web\\site"), "DocumentRoot c:/web/site", "DocumentRoot('c:\\\\web\\\\site')"),
            (h.AliasMatch("^/a\\.b /c"), "AliasMatch ^/a\\.b /c", "AliasMatch('^/a\\\\.b /c')"),
            (h.Alias("/a", "/my b"), 'Alias /a "/my b"', "Alias('/a', '/my b')"),
            (h.PythonOption("a b"), "PythonOption a b", "PythonOption('a b')"),
            (h.PythonOption("a", "b c"), 'PythonOption a "b c"', "PythonOption('a', 'b c')"),
            (h.PythonPath("sys.path + ['/x']"), "PythonPath \"sys.path + ['/x']\"", "PythonPath(\"sys.path + ['/x']\")"),
            (h.PythonPath("\"sys.path+['/x']\""), "PythonPath \"sys.path+['/x']\"", "PythonPath('\"sys.path+[\\'/x\\']\"')"),
            (h.PythonInterpPerDirectory(), "PythonInterpPerDirectory Off", "PythonInterpPerDirectory('Off')"),
            (h.ServerName(""), 'ServerName ""', "ServerName('')"),
            (h.Require("all denied"), "Require all denied", "Require('all denied')"),
            (h.SSLEngine("on"), "SSLEngine on", "SSLEngine('on')"),
            (h.RewriteRule("^/x$", "/y z", "[L]"), 'RewriteRule ^/x$ "/y z" [L]', "RewriteRule('^/x$', '/y z', '[L]')"),
            (h.LogFormat('"%h \\"%r\\"" x'), 'LogFormat "%h \\"%r\\"" x', "LogFormat('\"%h \\\\\"%r\\\\\"\" x')"),
            (h.CustomLog('l\\a "%h \\"%r\\""'), 'CustomLog l/a "%h \\"%r\\""', "CustomLog('l\\\\a \"%h \\\\\"%r\\\\\"\"')"),
            (Directive("Mine", "a\\b"), "Mine a/b", "Directive('Mine', 'a\\\\b')"),
            (Directive("Mine", "a\\b", 0), "Mine a\\b", "Directive('Mine', 'a\\\\b', flipslash=0)"),
            (Directive("Mine", ("a b", "c")), 'Mine "a b" c', "Directive('Mine', ('a b', 'c'))"),
            (h.PythonHandler("a::b | .py"), "PythonHandler a::b | .py", "PythonHandler('a::b | .py')"),
            (h.PythonOption("x\\"), "PythonOption x\\ ", "PythonOption('x\\\\')"),
        ):
            self.assertEqual(str(directive), text + "\n")
            self.assertEqual(repr(directive), code)
            self.assertEqual(str(eval(code, vars(h))), str(directive))

    def test_sections(self):
        config = Container(
            Comment("the site"),
            h.Directory("/srv/my site", h.PythonDebug("On"), h.If("%{HTTP_HOST} == 'a b'", h.SetHandler("x")), h.Else(h.SetHandler("y"))),
            h.Directory("~ ^/srv/a b", h.RequireAny(h.Require("ip 10"), h.RequireNone(h.Require("user x")))),
            h.LocationMatch("^/a\\.b c", h.Limit("GET POST", h.Require("all granted"))),
            h.IfVersion(">= 2.4", h.VirtualHost("*:80 *:81", h.ServerName("x"))),
            h.Macro("Site $name $path", h.Define("A", "b c")),
            h.Directory("c:\\web"),
            ContainerTag("Other", "x y", [h.Listen("1")]),
            Container(h.Listen("2"), only_if="1 > 2"),
            Container(h.Listen("3"), only_if="mod_python.version.version[0] > '0' and os and sys"),
        )
        text = """\
# the site
<Directory "/srv/my site">
  PythonDebug On
  <If "%{HTTP_HOST} == 'a b'">
    SetHandler x
  </If>
  <Else>
    SetHandler y
  </Else>
</Directory>
<Directory ~ "^/srv/a b">
  <RequireAny>
    Require ip 10
    <RequireNone>
      Require user x
    </RequireNone>
  </RequireAny>
</Directory>
<LocationMatch "^/a\\.b c">
  <Limit GET POST>
    Require all granted
  </Limit>
</LocationMatch>
<IfVersion >= 2.4>
  <VirtualHost *:80 *:81>
    ServerName x
  </VirtualHost>
</IfVersion>
<Macro Site $name $path>
  Define A "b c"
</Macro>
<Directory c:/web>
</Directory>
<Other x y>
  Listen 1
</Other>
Listen 3
"""
        self.assertEqual(str(config), text)
        self.assertEqual(str(eval(repr(config), vars(h))), text)
        self.assertEqual(repr(h.Directory("/x", h.Listen("1"))), "Directory('/x',\n    Listen('1'),\n)")
        self.assertEqual(repr(Container(h.Listen("1"), only_if="a")), "Container(\n    Listen('1'),\n    only_if='a')")
        self.assertEqual(repr(Container()), "Container(\n)")

    def test_comments(self):
        for comment, text in {"a": "# a\n", "a\nb\n": "# a\n# b\n", "": "", "\n": "# \n", "a\n\nb": "# a\n# \n# b\n", "a\\\r\nb": "# a\\ \n# b\n"}.items():
            self.assertEqual(str(Comment(comment)), text)
            self.assertEqual(str(eval(repr(Comment(comment)), vars(h))), text)
        self.assertRaises(ValueError, Comment, "a\0b")

    def test_append(self):
        for part in (Container(), h.Directory("/x"), ContainerTag("X", "y", ())):
            part.append(h.Listen("1"))
            self.assertIn("Listen 1", str(part))
            with self.assertRaisesRegex(TypeError, "instance of Directive, Container, ContainerTag or Comment"):
                part.append("Listen 1")
        with self.assertRaisesRegex(TypeError, "not 'Listen 1'"):
            h.Directory("/x", "Listen 1")

    def test_what_is_refused(self):
        for make in (
            lambda: h.Listen("1\n2"),
            lambda: h.Listen("1\r"),
            lambda: h.PythonOption("a", "b\0"),
            lambda: h.Directory("/x\n/y"),
            lambda: Directive("a b", "c"),
            lambda: Directive("", "c"),
            lambda: Directive("<a", "c"),
            lambda: Directive("#a", "c"),
            lambda: Directive("a\nb", "c"),
            lambda: ContainerTag("a b", "c", ()),
            lambda: ContainerTag("a\n", "c", ()),
        ):
            self.assertRaises(ValueError, make)
        directive = h.Listen("1")
        directive.val = "1\nLoadModule x y"
        self.assertRaises(ValueError, str, directive)
        with self.assertRaisesRegex(ZeroDivisionError, "zero") as caught:
            str(Container(only_if="1 / 0"))
        self.assertEqual(caught.exception.__notes__, ["in only_if='1 / 0'"])

    def test_a_class_of_ones_own(self):
        class Mine(Directive):
            def __init__(self, val):
                Directive.__init__(self, self.__class__.__name__, val)

        self.assertEqual((str(Mine("x")), repr(Mine("x"))), ("Mine x\n", "Mine('x')"))


class Names(unittest.TestCase):
    maxDiff = None

    def test_all_of_ours_are_there_and_no_other(self):
        text = sources("directives.rs", "flags.rs", "phase.rs", "directives/wsgi.rs")
        there = set(re.findall(r'"((?:Python|WSGI)[A-Z]\w+)"', text))
        self.assertGreater(len(there), 60)
        self.assertEqual(set((_httpdconf_names.OWN_ONE + _httpdconf_names.OWN_LINE).split()), there)
        rows = re.findall(r'c"(WSGI\w+)",\s*\w+,\s*Takes::(\w+)', text)
        one = {name for name, takes in rows if takes in ("One", "OnOff")} | set(re.findall(r'\w+: c"(Python\w+)",', sources("flags.rs")))
        self.assertLessEqual(one, set(_httpdconf_names.OWN_ONE.split()))

    def test_those_of_mod_python_are_there(self):
        names = (
            "AddHandler AddOutputFilter AddType AuthBasicAuthoritative AuthBasicProvider AuthType AuthName CustomLog DirectoryIndex DocumentRoot "
            "ErrorLog KeepAliveTimeout Listen LoadModule LogLevel LogFormat LockFile MaxConnectionsPerChild MaxClients MaxRequestsPerChild "
            "MaxSpareServers MaxSpareThreads MaxThreadsPerChild MinSpareThreads Mutex NameVirtualHost NumServers Options PidFile Require SetHandler "
            "ServerAdmin ServerName ServerPath ServerRoot StartServers StartThreads ThreadsPerChild Timeout TypesConfig PythonAuthenHandler "
            "PythonAuthzHandler PythonCleanupHandler PythonConnectionHandler PythonAccessHandler PythonPostReadRequestHandler PythonTransHandler "
            "PythonFixupHandler PythonHandler PythonDebug PythonImport PythonPath PythonOutputFilter PythonOption PythonInterpPerDirectory "
            "PythonInterpPerDirective Directory Files IfModule Location VirtualHost Directive Container ContainerTag Comment quote_if_space "
            "write_basic_config mod_python os sys shutil"
        ).split()
        there = {}
        exec("from mod_python.httpdconf import *", there)
        self.assertEqual([name for name in names if name not in there], [])
        self.assertFalse({"print", "open", "map", "filter", "type"} & set(h.__all__))
        self.assertEqual(len(h.__all__), len(set(h.__all__)))
        self.assertGreater(len(h._classes), 700)

    def test_the_stub_has_all_names(self):
        path = os.path.join(PYTHON, "mod_python", "httpdconf.pyi")
        if os.environ.get("MOD_PYTHON_WRITE_DOCS"):
            with open(path, "w", encoding="utf-8") as file:
                file.write(stub())
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), stub(), "MOD_PYTHON_WRITE_DOCS=1 makes the stub anew")

    @unittest.skipUnless(IS_2_4, "there is no httpd 2.4 here")
    def test_all_of_this_httpd_are_there(self):
        with tempfile.TemporaryDirectory() as folder:
            said = httpd("-L", folder=folder, config=Container(*module_lines()))
        names = set(re.findall(r"^([A-Z]\w+) \(\w+\.c\)$", said, re.MULTILINE))
        sections = set(re.findall(r"^<([A-Z]\w+) \(\w+\.c\)$", said, re.MULTILINE))
        self.assertGreater(len(names), 100, said[:300])
        self.assertEqual([name for name in sorted(names) if name not in h._classes], [])
        self.assertEqual([name for name in sorted(sections) if name not in h._classes and not name.startswith(("Lua", "MD"))], [])


def module_lines():
    """LoadModule for an MPM and what most sites have."""
    from mod_python._httpdconf_basic import _loads

    return _loads(_installation.value("LIBEXECDIR"))


def httpd(*arguments, folder, config):
    """What httpd says, started with that configuration."""
    path = os.path.join(folder, "httpd.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"ServerName x\nErrorLog error.log\n{config}")
    done = subprocess.run([HTTPD, "-d", folder, "-f", path, *arguments], capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


@unittest.skipUnless(IS_2_4, "there is no httpd 2.4 here")
class WithHttpd(unittest.TestCase):
    def test_httpd_reads_what_was_meant(self):
        """Define has httpd itself read the words; -D DUMP_RUN_CFG shows what it has read."""
        chance = random.Random(16)
        values = ["".join(chance.choices("a b'\"\\#<>%é/:=|;,", k=chance.randrange(1, 9))) for _ in range(60)]
        values = [value for value in values if "${" not in value]
        with tempfile.TemporaryDirectory() as folder:
            config = Container(*module_lines(), *(h.Define(f"V{number}", value) for number, value in enumerate(values)))
            said = httpd("-t", "-D", "DUMP_RUN_CFG", folder=folder, config=config)
        for number, value in enumerate(values):
            self.assertIn(f"Define: V{number}={value}\n", said)

    def test_a_basic_configuration_is_accepted(self):
        with tempfile.TemporaryDirectory() as top, contextlib.redirect_stderr(io.StringIO()) as said:
            root = os.path.join(top, "a \"site's\" #1")
            path = h.write_basic_config(
                root, listen="127.0.0.1:8888", pythonpath=["/a b", 'c"d'], pythonoptions=["name a value", "alone"], mp_comments=["a comment"], module="/no/module"
            )
            self.assertEqual(path, os.path.join(root, "conf", "httpd_conf.py"))
            self.assertEqual(sorted(os.listdir(root)), ["conf", "logs", "public"])
            with contextlib.redirect_stdout(io.StringIO()) as out, open(path, encoding="utf-8") as file:
                exec(file.read(), {"__name__": "__main__"})
            text = out.getvalue()
            self.assertIn('PythonOption name "a value"\nPythonOption alone\n# a comment\n', text)
            # The module itself is not needed to see whether the rest is right
            text = "\n".join(line for line in text.splitlines() if "ython" not in line)
            self.assertIn("Syntax OK", httpd("-t", folder=root, config=text))

            said.truncate(0)
            before = os.stat(path).st_mtime_ns
            self.assertIsNone(h.write_basic_config(root))
            self.assertIn("already exists", said.getvalue())
            self.assertEqual(os.stat(path).st_mtime_ns, before)
            self.assertEqual(h.write_basic_config(root, replace_config=True), path)
            with self.assertRaises(FileNotFoundError):
                h.write_basic_config(os.path.join(top, "none"), createdirs=False)


if __name__ == "__main__":
    unittest.main()
