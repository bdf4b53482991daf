"""start(): the library's finder, argv, the environment, fork."""

import os
import subprocess
import sys
import unittest

from support import HERE, run_bootstrapped


class Finder(unittest.TestCase):
    def test_the_library_is_found_without_a_path(self):
        reports, _ = run_bootstrapped(
            """
            import mod_python
            from mod_python import apache, version
            report(mod_python.mp_version == version.version == "4.0.0")
            report(apache.__file__)
            report(apache.__spec__.origin)
            report(type(apache.__loader__).__name__)
            report(mod_python.__path__)
            report(apache.OK)
            """
        )
        self.assertEqual(
            reports, [True, "<mod_python.so>/mod_python/apache.py", "<mod_python.so>/mod_python/apache.py", "Library", [], 0]
        )

    def test_it_wins_over_a_package_elsewhere(self):
        reports, _ = run_bootstrapped(
            """
            import tempfile
            folder = tempfile.mkdtemp()
            os.mkdir(folder + "/mod_python")
            open(folder + "/mod_python/__init__.py", "w").close()
            open(folder + "/mod_python/other.py", "w").close()
            sys.path.insert(0, folder)
            for name in [name for name in sys.modules if name.startswith("mod_python")]:
                del sys.modules[name]
            import mod_python
            report(mod_python.__file__)
            try:
                import mod_python.other
            except ModuleNotFoundError as error:
                report(error.name)
            """
        )
        self.assertEqual(reports, ["<mod_python.so>/mod_python/__init__.py", "mod_python.other"])

    def test_other_names_are_not_its_business(self):
        reports, _ = run_bootstrapped(
            """
            library = sys.meta_path[0]
            report(library.find_spec("mod_python_extra"))
            report(library.find_spec("json"))
            report(library.find_spec("mod_python.nothing"))
            try:
                library.get_source("mod_python.nothing")
            except ImportError as error:
                report(str(error))
            """
        )
        self.assertEqual(reports, [None, None, None, "the library has no module 'mod_python.nothing'"])

    def test_tracebacks_show_lines_of_the_library(self):
        reports, _ = run_bootstrapped(
            """
            import traceback
            from mod_python import apache
            for act in (lambda: apache.resolve_object(apache, "nothing"), os.fork):
                try:
                    act()
                except Exception:
                    report(traceback.format_exc())
            """
        )
        self.assertIn('File "<mod_python.so>/mod_python/apache.py"', reports[0])
        self.assertIn("found = getattr(found, name)", reports[0])
        self.assertIn('File "<mod_python.so>/mod_python/_process.py"', reports[1])
        self.assertIn("raise RuntimeError(", reports[1])

    def test_tracebacks_show_lines_of_the_bootstrap_itself(self):
        reports, _ = run_bootstrapped(
            """
            import traceback
            try:
                sys.meta_path[0].get_source("mod_python.nothing")
            except ImportError:
                report(traceback.format_exc())
            """
        )
        self.assertIn('File "<mod_python.so>/mod_python/_bootstrap.py"', reports[0])
        self.assertIn("raise ImportError(f", reports[0])

    def test_inspect_and_code(self):
        reports, _ = run_bootstrapped(
            """
            import inspect
            from mod_python import apache
            report(inspect.getsource(apache.init).splitlines()[0])
            report(sys.meta_path[0].is_package("mod_python"))
            report(sys.meta_path[0].is_package("mod_python.apache"))
            report(sys.meta_path[0].get_filename("mod_python.apache"))
            """
        )
        self.assertEqual(reports, ["def init(name, server):", True, False, "<mod_python.so>/mod_python/apache.py"])

    def test_nothing_but_the_library_is_imported(self):
        # Before 3.13 threading is imported on purpose, with all that it brings.
        before = "import threading" if sys.version_info < (3, 13) else ""
        reports, _ = run_bootstrapped("report(sorted(imported)); report(sys.argv)", options=("-S", "-E"), before=before)
        # Before 3.14 Python has loaded io itself by then.
        needed = ["io"] if sys.version_info >= (3, 14) else []
        self.assertEqual([name for name in reports[0] if not name.startswith("mod_python")], needed)
        for name in ("mod_python._cgi", "mod_python._logging", "mod_python._importing_from"):
            self.assertNotIn(name, reports[0])
        self.assertEqual(reports[1], ["mod_python"])

    def test_asyncio_is_without_what_interpreters_would_share(self):
        for is_main in (False, True):
            reports, _ = run_bootstrapped("import asyncio.tasks; report(asyncio.Task is asyncio.tasks._PyTask)", is_main=is_main)
            self.assertEqual(reports, [sys.version_info < (3, 12) and not is_main])


class OutsideHttpd(unittest.TestCase):
    def run_plain(self, code):
        return subprocess.run(
            [sys.executable, "-B", "-c", code], cwd=os.path.dirname(HERE), capture_output=True, text=True, timeout=60
        )

    def test_the_package_can_be_imported(self):
        done = self.run_plain("import mod_python; print(mod_python.mp_version, hasattr(mod_python, 'apache'))")
        self.assertEqual((done.stdout, done.stderr), ("4.0.0 False\n", ""))

    def test_apache_cannot(self):
        done = self.run_plain("from mod_python import apache")
        self.assertIn("No module named '_apache'", done.stderr)

    def test_another_failure_is_not_hidden(self):
        done = self.run_plain("import sys, types; sys.modules['_apache'] = types.ModuleType('_apache'); import mod_python")
        self.assertIn("ImportError: cannot import name", done.stderr)


class Environment(unittest.TestCase):
    def test_it_is_the_snapshot_and_the_same_object(self):
        reports, _ = run_bootstrapped(
            """
            report([os.environ is environ_before[0], os.environb is environ_before[1]])
            report(sorted(os.environ))
            report([os.environb[b"GIVEN"].decode(), os.environb[b"ODD"].decode("latin-1")])
            report(os.environ["ODD"] == os.fsdecode(b"\\xff\\xe9"))
            report(os.getenv("WRITTEN"))
            """,
            environ={b"GIVEN": b"by the child", b"ODD": b"\xff\xe9"},
            process_environ={**os.environ, "WRITTEN": "by another interpreter"},
        )
        self.assertEqual(reports, [[True, True], ["GIVEN", "ODD"], ["by the child", "ÿé"], True, None])

    def test_what_was_bound_before_sees_it_and_the_process_does_not_change(self):
        reports, _ = run_bootstrapped(
            """
            import ctypes
            getenv = ctypes.CDLL(None).getenv
            getenv.restype = ctypes.c_char_p
            report(sys.modules["posix"].environ == {b"GIVEN": b"1"})
            report((getenv(b"GIVEN"), getenv(b"WRITTEN").decode()))
            os.environ["MINE"] = "x"
            report(getenv(b"MINE").decode())
            del os.environ["MINE"]
            report(getenv(b"MINE"))
            """,
            environ={b"GIVEN": b"1"},
            process_environ={**os.environ, "WRITTEN": "by another"},
        )
        self.assertEqual(reports, [True, [None, "by another"], "x", None])

    def test_subprocesses_inherit_what_is_written(self):
        reports, _ = run_bootstrapped(
            """
            import subprocess
            os.environ["WRITTEN_HERE"] = "yes"
            report(subprocess.run(["/bin/sh", "-c", "echo $WRITTEN_HERE"], capture_output=True, text=True).stdout)
            """
        )
        self.assertEqual(reports, ["yes\n"])


class Fork(unittest.TestCase):
    def test_it_is_refused_in_a_sub_interpreter(self):
        reports, _ = run_bootstrapped(
            """
            import posix, pty, multiprocessing
            acts = os.fork, os.forkpty, posix.fork, pty.fork, lambda: os.spawnv(os.P_WAIT, "/bin/true", ["true"])
            process = multiprocessing.get_context("fork").Process(target=print)
            for act in (*acts, process.start):
                try:
                    act()
                except RuntimeError as error:
                    report(str(error))
            """,
            name="www.example.com",
        )
        self.assertEqual(len(reports), 6)
        for text in reports:
            self.assertTrue(text.startswith("MP0705: os.fork"), text)
            for word in ("'www.example.com'", "subprocess", "'spawn'", "PythonInterpreter main_interpreter"):
                self.assertIn(word, text)
        self.assertIn("os.forkpty()", reports[1])

    def test_it_works_in_the_main_interpreter(self):
        reports, _ = run_bootstrapped(
            """
            pid = os.fork()
            if pid == 0:
                os._exit(7)
            report(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            """,
            name="main_interpreter",
            is_main=True,
        )
        self.assertEqual(reports, [7])

    def test_it_is_refused_there_while_there_are_others(self):
        reports, _ = run_bootstrapped(
            """
            import posix
            fake_apache.other_interpreters.append("site")
            for act in (os.fork, os.forkpty, posix.fork):
                try:
                    act()
                except RuntimeError as error:
                    report(str(error))
            """,
            name="main_interpreter",
            is_main=True,
        )
        self.assertEqual(len(reports), 3)
        for text in reports:
            for word in ("MP0705: os.fork", "other interpreters", "subprocess", "'spawn'"):
                self.assertIn(word, text)

    def test_python_tells_that_it_has_forked(self):
        reports, _ = run_bootstrapped(
            """
            reader, writer = os.pipe()
            if os.fork() == 0:
                from mod_python import _process
                _process.after_fork()
                os.write(writer, str(fake_apache.calls.count(("_forked_by_python",))).encode())
                os._exit(0)
            report(os.read(reader, 10).decode())
            report(fake_apache.calls)
            """,
            name="main_interpreter",
            is_main=True,
        )
        self.assertEqual(reports, ["1", []])

    def test_subprocess_goes_on_working(self):
        reports, _ = run_bootstrapped(
            """
            import subprocess
            report(subprocess.check_output(["/bin/echo", "a"], text=True))
            report(subprocess.check_output("echo b", shell=True, text=True, start_new_session=True))
            report(subprocess.run(["/bin/cat"], input="c", capture_output=True, text=True, cwd="/").stdout)
            report(os.popen("echo d").read())
            report(os.system("exit 3") >> 8)
            pid = os.posix_spawn("/bin/true", ["true"], os.environ)
            report(os.waitpid(pid, 0)[1])
            """
        )
        self.assertEqual(reports, ["a\n", "b\n", "c", "d\n", 3, 0])

    def test_multiprocessing_spawn_goes_on_working(self):
        reports, _ = run_bootstrapped(
            """
            import multiprocessing
            sys.modules["__main__"].__file__ = None
            process = multiprocessing.get_context("spawn").Process(target=os.getpid)
            process.start()
            process.join(30)
            report(process.exitcode)
            """
        )
        self.assertEqual(reports, [0])


if __name__ == "__main__":
    unittest.main()
