"""mod_python install and check, and an httpd of a system that they change. MOD_PYTHON_SO names a module that is built already."""

import os
import pathlib
import re
import shutil
import subprocess
import time
import unittest
from unittest import mock

from fake_system import HTTPD, MODULE, FakeSystem, fake_program, has_a2enmod
from test_package import free_port
from test_serve import REPOSITORY, SHARED_PYTHON, Folder

LAYOUTS = ["line", "drop-in", *(["debian"] if has_a2enmod() else [])]
USES = """
<Directory "{root}/htdocs">
    AllowOverride All
    SetHandler mod_python
    PythonHandler hello
</Directory>
"""


@unittest.skipUnless(MODULE and HTTPD, "MOD_PYTHON_SO names no module")
class Install(unittest.TestCase):
    def install(self, system, *arguments, **more):
        return system.command("install", *arguments, "--module", MODULE, **more)

    def ok(self, done):
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_it_is_put_in_and_taken_out(self):
        for layout in LAYOUTS:
            with self.subTest(layout), FakeSystem(layout) as system:
                before = system.files()
                said = self.ok(self.install(system))
                module = system.root / "modules/mod_python.so"
                self.assertIn(f"Installed for {system.program} (Python 3.", said)
                self.assertIn(f"  {module} (", said)
                self.assertIn("httpd accepts its configuration: Syntax OK", said)
                lines = [text for text in system.files().values() if b"LoadModule python_module" in (text if isinstance(text, bytes) else b"")]
                self.assertEqual([text.count(b"LoadModule python_module") for text in lines], [1])
                loaded = subprocess.run([system.program, "-t", "-D", "DUMP_MODULES"], capture_output=True, text=True).stdout
                self.assertIn("python_module (shared)", loaded)
                once = system.files()
                again = self.ok(self.install(system))
                self.assertIn(f"{module} is up to date", again)
                self.assertEqual(system.files(), once)
                taken = self.ok(system.command("install", "--remove"))
                self.assertIn(f"  {module}\n", taken)
                self.assertEqual(system.files(), before)
                self.assertIn("Nothing to take away", self.ok(system.command("install", "--remove")))

    def test_from_a_virtual_environment(self):
        with FakeSystem(more="User nobody\n" if os.geteuid() == 0 else "") as system:
            venv = system.root / "venv"
            made = subprocess.run([SHARED_PYTHON, "-m", "venv", "--without-pip", venv], capture_output=True)
            if made.returncode != 0:
                self.skipTest(f"{SHARED_PYTHON} makes no virtual environment")
            before = system.files()
            home, python = f'PythonHome "{venv}"', str(venv / "bin/python")
            self.ok(self.install(system, python=python))
            self.assertEqual(system.conf.read_text().count(home), 1)
            self.ok(self.install(system, "--no-home", python=python))
            self.assertNotIn("PythonHome", system.conf.read_text())
            self.ok(self.install(system, python=python))
            self.assertIn(home, system.conf.read_text())
            if os.geteuid() == 0:
                venv.chmod(0o700)
                said = self.ok(self.install(system, python=python))
                self.assertIn(f"without {home[:10]} {venv}: httpd's user nobody cannot read it", said)
                self.assertNotIn("PythonHome", system.conf.read_text())
                venv.chmod(0o755)
                self.ok(self.install(system, python=python))
            self.ok(system.command("install", "--remove"))
            self.assertEqual(system.files(), before)

    @unittest.skipUnless(shutil.which("objcopy"), "there is no objcopy")
    def test_the_symbols_lie_beside_it(self):
        with FakeSystem() as system:
            self.ok(self.install(system))
            module, symbols = system.root / "modules/mod_python.so", system.root / "modules/mod_python.so.debug"
            self.assertLess(module.stat().st_size * 3, os.stat(MODULE).st_size)
            sections = subprocess.run(["objdump", "-h", module], capture_output=True, text=True).stdout
            self.assertIn(".gnu_debuglink", sections)
            self.assertNotIn(".debug_info", sections)
            self.assertIn("debug_info", subprocess.run(["objdump", "-h", symbols], capture_output=True, text=True).stdout)

    def test_uses_are_named_before_it_is_taken_out(self):
        with FakeSystem(more=USES.format(root="/nowhere")) as system:
            system.conf.write_text(system.conf.read_text().replace("/nowhere", str(system.root)))
            access = system.root / "htdocs/deep/.htaccess"
            access.parent.mkdir()
            access.write_text("# A comment\nPythonDebug On\nRequire all granted\n")
            self.ok(self.install(system))
            installed = system.files()
            done = system.command("install", "--remove")
            self.assertEqual(done.returncode, 1)
            number = system.conf.read_text().splitlines().index("    PythonHandler hello") + 1
            for part in (f"{system.conf}:{number}: PythonHandler hello", f"{system.conf}:{number - 1}: SetHandler mod_python", f"{access}:2: PythonDebug On", "say --yes"):
                self.assertIn(part, done.stderr)
            self.assertNotIn("Require", done.stderr)
            self.assertNotIn("LoadModule", done.stderr)
            self.assertEqual(system.files(), installed)
            done = system.command("install", "--remove", "--yes")
            self.assertEqual(done.returncode, 0)
            self.assertIn("httpd does not accept its configuration as it is now", done.stderr)
            self.assertFalse((system.root / "modules/mod_python.so").exists())

    def refused(self, system, status, *parts, arguments=(), **more):
        before = system.files()
        done = system.command("install", *arguments, *(() if "--module" in arguments else ("--module", MODULE)), **more)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        for part in parts:
            self.assertIn(part, done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        self.assertEqual(system.files(), before, "nothing is half-installed")

    def test_what_cannot_be_is_refused(self):
        with FakeSystem() as system:
            self.refused(system, 1, "is not an httpd that runs", arguments=("--httpd", "/bin/true"), httpd=False)
            self.refused(system, 1, "--module: /none is not a file", arguments=("--module", "/none"))
            broken = system.root / "broken.so"
            broken.write_text("no module")
            self.refused(system, 1, f"httpd does not take {broken}, so nothing was installed", arguments=("--module", broken))
            text = system.conf.read_text()
            system.conf.write_text(text + "Nonsense On\n")
            self.refused(system, 1, "correct that first", "Invalid command 'Nonsense'")
            system.conf.write_text(text + "# LoadModule wsgi_module modules/mod_wsgi.so\n")
            self.ok(self.install(system))

    def test_two_httpds_are_both_named(self):
        with FakeSystem() as one, FakeSystem() as other:
            self.refused(one, 1, "httpds here, ", str(one.program), str(other.program), "choose one with --httpd", httpd=False, env={"before": f"{one.root}/sbin:{other.root}/sbin"})
            # The environment decides, too.
            done = self.install(one, httpd=False, env={"MOD_PYTHON_HTTPD": str(one.program)})
            self.assertIn(f"Installed for {one.program}", self.ok(done))

    def test_another_python_is_named_with_its_package(self):
        with FakeSystem("drop-in") as system:
            theirs = system.root / "conf.modules.d/10-python.conf"
            theirs.write_text("# mod_wsgi\nLoadModule wsgi_module modules/none.so\n")
            self.refused(system, 1, f"{theirs}:2 loads wsgi_module", "was not written by 'mod_python install'")
            programs = fake_program(system.root / "bin", "dpkg-query", f"[ \"$2\" = {theirs} ] && echo \"libapache2-mod-wsgi-py3: $2\"")
            self.refused(system, 1, f"{theirs}:2 loads wsgi_module, and belongs to the package libapache2-mod-wsgi-py3: remove that first", env={"before": programs})
            theirs.unlink()
            (system.root / "modules/mod_python.so").write_text("somebody's")
            self.refused(system, 1, "modules/mod_python.so is there, and was not put there by 'mod_python install'")

    @unittest.skipUnless(has_a2enmod(), "there is no a2enmod")
    def test_a_package_that_is_not_enabled_is_named_too(self):
        with FakeSystem("debian") as system:
            theirs = system.root / "mods-available/python.load"
            theirs.write_text("LoadModule python_module /usr/lib/apache2/modules/mod_python.so\n")
            programs = fake_program(system.root / "bin", "dpkg-query", f"[ \"$2\" = {theirs} ] && echo \"libapache2-mod-python: $2\"")
            self.refused(system, 1, f"{theirs}:1 loads python_module, and belongs to the package libapache2-mod-python", env={"before": programs})
            env = {"before": programs, "MOD_PYTHON_HTTPD": str(system.program)}
            done = system.command("module-config", "--module", MODULE, httpd=False, env=env)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertRegex(done.stdout, r'^LoadModule python_module "/.*"\n')
            self.assertIn(f"{theirs} belongs to the package libapache2-mod-python, and loads its module: remove that package before", done.stderr)

    @unittest.skipUnless(os.geteuid() == 0, "only root can be somebody else")
    def test_not_root(self):
        import pwd

        nobody = pwd.getpwnam("nobody")
        with FakeSystem() as system, Folder({}) as place:
            for name in ("apxs/lib", "python/mod_python"):
                shutil.copytree(REPOSITORY / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
            module = shutil.copy(MODULE, place / "a.so")
            rights = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            parts = (f"{system.root}/modules belongs to root, or another user: run 'sudo mod_python install'",)
            self.refused(system, 1, *parts, arguments=("--module", module), library=place, **rights)

    def test_the_advice_loads_a_new_module(self):
        from mod_python._command_httpd import SystemHttpd
        from mod_python._command_install import restart_words
        from mod_python._command_install_layout import Layout

        httpd = SystemHttpd("/opt/httpd/bin/httpd")
        for kind, there, was_loaded, expected in (
            ("debian", ["/run/systemd/system"], True, "systemctl restart httpd"),
            ("drop-in", ["/run/systemd/system"], False, "systemctl restart httpd"),
            ("debian", ["/etc/init.d/httpd"], True, "service httpd restart"),
            ("line", ["/run/systemd/system"], False, "httpd -k graceful"),
            ("line", ["/run/systemd/system"], True, "httpd -k stop, and when it has ended, /opt/httpd/bin/httpd -k start"),
            ("debian", [], True, "-k stop, and when it has ended"),
        ):
            with mock.patch("os.path.isdir", there.__contains__), mock.patch("os.path.exists", there.__contains__):
                said = restart_words(httpd, Layout(httpd, kind, "/x"), was_loaded)
            self.assertIn(expected, said)
            self.assertNotIn("-k restart", said)

    def test_what_apxs_install_asks_first(self):
        with FakeSystem() as system:
            self.assertEqual(system.command("install", "--check").returncode, 0)
            (system.root / "modules/mod_python.so").write_text("somebody's")
            self.assertEqual(system.command("install", "--check").returncode, 1)
            self.assertEqual(system.command("install", "--check", "--remove").returncode, 0)


@unittest.skipUnless(MODULE and HTTPD, "MOD_PYTHON_SO names no module")
class Check(unittest.TestCase):
    def check(self, files, configuration, status, *parts, loads=True):
        """The report on a configuration whose {app} is the folder with the files."""
        load = f'LoadModule python_module "{os.path.realpath(MODULE)}"\n' if loads else ""
        with Folder(files) as app, FakeSystem(more=load + configuration.replace("{app}", str(app))) as system:
            done = system.command("check")
            self.assertEqual((done.returncode, done.stderr), (status, ""), done.stdout + done.stderr)
            said = re.sub(r" +", " ", done.stdout)
            for part in parts:
                self.assertIn(part.replace("{app}", str(app)).replace("{conf}", str(system.conf)), said)
            return said

    def test_what_is_right(self):
        files = {
            "hello.py": "import helper\n\ndef handler(req):\n    return 0\n", "helper.py": "x = 1\n", "site/__init__.py": "", "site/wsgi.py": "application = print\n",
            "app.wsgi": "def application(environ, start_response):\n    return []\n", "shop.py": "def create_app():\n    return print\n",
        }  # fmt: skip
        said = self.check(
            files,
            """
PythonPath "['{app}'] + sys.path"
<Location "/hello">
    SetHandler mod_python
    PythonHandler hello mod_python.testhandler
    PythonInterpreter greeting
</Location>
<VirtualHost *:8079>
    ServerName shop.test
    PythonApplication / site.wsgi:application
    PythonApplication /file {app}/app.wsgi
    PythonApplication /shop shop:create_app factory=on interpreter=shop
</VirtualHost>
""",
            0,
            "configuration {conf}: accepted",
            "running no httpd runs with this configuration.",
            "PythonHandler hello ({conf}:",
            "Location /hello of system.test; interpreter greeting; packages of the system",
            "{app}/hello.py compiles, as does the module that it imports from there.",
            "PythonHandler mod_python.testhandler",
            "part of mod_python.",
            "URL / of shop.test; interpreter shop.test;",
            "{app}/site/wsgi.py compiles.",
            "{app}/app.wsgi compiles.",
            "URL /shop of shop.test; interpreter shop;",
            "All is well.",
        )
        self.assertNotIn("WRONG", said)

    def test_what_is_wrong(self):
        files = {
            "broken.py": "def handler(req:\n", "imports.py": "from inner import broken\n\ndef handler(req): return 0\n", "inner/__init__.py": "", "inner/broken.py": "x = = 1\n",
            "site.py": "def application(environ, start_response): return []\n", "page.py": "def handler(req): return 0\n", "other.py": "def nothing(): pass\n",
        }  # fmt: skip
        self.check(
            files,
            """
PythonPath "['{app}'] + sys.path"
PythonHandler broken imports site other none_such
PythonApplication /a page:application
PythonApplication /b {app}/none.wsgi
""",
            1,
            "WRONG: {app}/broken.py: SyntaxError: ",
            "WRONG: {app}/inner/broken.py, which it imports: SyntaxError: invalid syntax, line 1",
            "WRONG: {app}/site.py does not define handler: it defines application, so write 'PythonApplication / site:application' in place of PythonHandler.",
            "WRONG: {app}/other.py does not define handler.",
            "WRONG: there is no module none_such in {app}",
            "WRONG: {app}/page.py does not define application: it defines handler, so write 'PythonHandler page' with 'SetHandler mod_python'.",
            "WRONG: there is no file {app}/none.wsgi.",
            "7 things are wrong.",
        )

    def test_a_misspelled_directive_in_an_access_file(self):
        with FakeSystem(more=f'LoadModule python_module "{os.path.realpath(MODULE)}"\n') as system:
            access = system.root / "htdocs/.htaccess"
            access.write_text("PythonDebug On\n\nPythonHander hello\n# PythonHander\nHeader set X y\n")
            done = system.command("check")
            self.assertEqual((done.returncode, done.stdout.count("did you mean")), (1, 1), done.stdout)
            self.assertIn(f"WRONG: {access}:3: there is no directive PythonHander: did you mean PythonHandler?", done.stdout)

    def test_where_a_module_is_looked_for(self):
        files = {"hello.py": "def handler(req): return 0\n", "one.wsgi": "application = print\n"}
        self.check(
            files,
            """
<Directory "{app}">
    PythonHandler hello hello::missing
</Directory>
<Location "/computed">
    PythonPath "[__import__('os').path.join('/no', 'such')] + sys.path"
    PythonHandler hello
</Location>
<Directory ~ "^/srv/.*">
    PythonHandler hello
</Directory>
<Location "/nowhere">
    PythonPath "['/no/such/folder'] + sys.path"
    PythonHandler hello
</Location>
WSGIScriptAlias /one {app}/one.wsgi
WSGIScriptAliasMatch "^/([a-z]+)$" "{app}/$1.wsgi"
<Location "/not">
    PythonApplication None
</Location>
""",
            1,
            "Directory {app} of system.test; interpreter system.test; packages of the system\n {app}/hello.py compiles.",
            "WRONG: {app}/hello.py does not define missing.",
            "Location /computed of system.test; interpreter system.test; packages of the system\n hello is looked for in folders that Python computes",
            "Directory ~ ^/srv/.* of system.test; interpreter system.test; packages of the system\n hello is looked for in folders that Python computes",
            "WRONG: there is no folder /no/such/folder, in which it is looked for.",
            "URL /one of system.test; interpreter that of its groups",
            "{app}/one.wsgi compiles.",
            "the path depends on the URL: it was not looked at.",
            "3 things are wrong.",
        )

    def test_a_configuration_that_httpd_refuses(self):
        self.check({}, "PythonHander x\n", 1, "not accepted", "there is no directive PythonHander: did you mean PythonHandler?", "correct what httpd says")
        self.check({}, "PythonHandler x\n", 1, "Invalid command 'PythonHandler'", "WRONG: mod_python is not loaded", loads=False)
        self.check({}, "", 1, "WRONG: nothing of Python is served", loads=False)
        said = self.check({}, "", 0, "the configuration names no handler and no application.")
        self.assertIn("All is well.", said)

    @unittest.skipUnless(os.geteuid() == 0, "only root's httpd becomes another user")
    def test_what_the_servers_user_cannot_read(self):
        with Folder({"hello.py": "def handler(req): return 0\n"}) as app:
            app.chmod(0o700)
            load = f'LoadModule python_module "{os.path.realpath(MODULE)}"\nUser nobody\nPythonPath "[\'{app}\']+sys.path"\nPythonHandler hello\n'
            with FakeSystem(more=load) as system:
                done = system.command("check")
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertIn(f"httpd's user nobody cannot read {app}/hello.py", done.stdout)

    def test_what_a_graceful_restart_would_do(self):
        with Folder({"hello.py": "import helper\ndef handler(req): return 0\n", "helper.py": "x = 1\n"}) as app:
            load = f'LoadModule python_module "{os.path.realpath(MODULE)}"\nPythonPath "[\'{app}\']+sys.path"\nPythonHandler hello\n'
            user = "User nobody\n" if os.geteuid() == 0 else ""
            with FakeSystem(more=load + user) as system:
                system.conf.write_text(system.conf.read_text().replace("Listen 127.0.0.1:8079", f"Listen 127.0.0.1:{free_port()}"))
                process = subprocess.Popen([system.program, "-DFOREGROUND"])
                try:
                    self.wait_for_children(system)
                    self.assertIn("All is well: a graceful restart would give every child", system.command("check").stdout)
                    later = os.stat(app / "hello.py").st_mtime + 1000
                    for name, text in (("hello.py", "import helper\ndef handler(req): return 1\n"), ("helper.py", "x = \n")):
                        (app / name).write_text(text)
                        os.utime(app / name, (later, later))
                    said = system.command("check").stdout
                finally:
                    process.terminate()
                    process.wait(timeout=30)
                self.assertRegex(said, rf"{app}/hello.py was edited at .*, after children have started: it is loaded again at the next request \(PythonAutoReload\)")
                self.assertRegex(said, rf"{app}/helper.py was edited at .*: they keep what they have loaded; after a graceful restart requests for it get 500")

    def wait_for_children(self, system):
        from mod_python._command_check_running import Running

        deadline = time.monotonic() + 30
        while not Running(str(system.root / "logs/httpd.pid")).started:
            self.assertLess(time.monotonic(), deadline, pathlib.Path(system.root, "logs/error_log"))
            time.sleep(0.05)

    def test_a_name_that_is_none(self):
        with FakeSystem() as system:
            done = system.command("check", "/none")
            self.assertEqual(done.returncode, 1)
            self.assertIn("there is no configuration /none: name an httpd.conf, or the folder", done.stderr)


if __name__ == "__main__":
    unittest.main()
