"""import_module(): importing once, loading again what was edited."""

import os
import sys
import threading
import time
import unittest

import fake_apache
from support import LibraryTest

from mod_python import _importing
from mod_python.apache import import_module, module_mtime


def due(module):
    """Have the module's file looked at by the next call."""
    module.__mtime_check__ = 0


class Importing(LibraryTest):
    def test_a_module_is_imported_once(self):
        self.write("once.py", "import time; made = time.time_ns()")
        module = import_module("once")
        self.assertIs(import_module("once"), module)
        self.assertIs(sys.modules["once"], module)
        self.assertEqual(module.__mtime__, os.stat(module.__file__).st_mtime)
        self.assertAlmostEqual(module.__mtime_check__, time.time(), delta=5)

    def test_the_submodule_is_returned(self):
        self.write("pack/__init__.py", "")
        self.write("pack/inner/__init__.py", "")
        self.write("pack/inner/leaf.py", "value = 1")
        self.assertEqual(import_module("pack.inner.leaf").value, 1)

    def test_failures_are_the_caller_s(self):
        self.write("broken.py", "def f(:\n")
        self.write("raises.py", "1/0")
        with self.assertRaises(SyntaxError):
            import_module("broken")
        with self.assertRaises(ZeroDivisionError):
            import_module("raises")
        for name in ("no_such_module", "no_such.sub", "/srv/app/handler.py", "a..b"):
            with self.assertRaises(ModuleNotFoundError):
                import_module(name)
        with self.assertRaises(ValueError):
            import_module("")
        with self.assertRaises(TypeError):
            import_module(None)
        self.assertNotIn("broken", sys.modules)
        self.write("broken.py", "value = 'mended'")
        self.assertEqual(import_module("broken").value, "mended")
        self.assertEqual(_importing._importing_since, {})

    def test_a_file_made_within_the_tick_of_the_folder_s_listing_is_found(self):
        import_error = self.assertRaises(ModuleNotFoundError)
        with import_error:
            import_module("just_made")
        state = os.stat(self.folder)
        self.write("just_made.py", "value = 1")
        os.utime(self.folder, ns=(state.st_atime_ns, state.st_mtime_ns))
        self.assertEqual(import_module("just_made").value, 1)

    def test_a_missing_module_inside_is_not_looked_for_twice(self):
        self.write("needs.py", "import builtins; builtins.tries = getattr(builtins, 'tries', 0) + 1; import no_such_thing")
        import builtins

        self.addCleanup(delattr, builtins, "tries")
        with self.assertRaises(ModuleNotFoundError):
            import_module("needs")
        self.assertEqual(builtins.tries, 1)

    def test_the_log(self):
        path = self.write("noisy.py", "value = 1")
        module = import_module("noisy", log=1)
        import_module("noisy", log=1)
        self.assertEqual(fake_apache.entries, [(5, "MP0702: importing module 'noisy'")])
        self.write("noisy.py", "value = 2")
        due(module)
        import_module("noisy", log=1)
        self.assertEqual(fake_apache.entries[1:], [(5, f"MP0702: loading module 'noisy' again, because {path!r} was edited")])

    def test_module_mtime(self):
        path = self.write("timed.py", "")
        self.assertEqual(module_mtime(import_module("timed")), os.stat(path).st_mtime)
        self.assertEqual(module_mtime(sys), 0)


class Reloading(LibraryTest):
    def test_the_same_object_with_the_new_code(self):
        self.write("app.py", "value = 1\nkept = 'old'\ndef get(): return value")
        module = import_module("app")
        get = module.get
        self.write("app.py", "value = 22\ndef get(): return value + 1")
        self.assertEqual(import_module("app").value, 1, "looked at within a second")
        due(module)
        self.assertIs(import_module("app"), module)
        self.assertEqual((module.value, module.get(), module.kept), (22, 23, "old"))
        self.assertEqual(get(), 1, "what still runs of the old code finds what it was made with")
        self.assertEqual(fake_apache.entries, [])

    def test_the_check_comes_once_a_second(self):
        self.write("app.py", "value = 1")
        module = import_module("app")
        self.write("app.py", "value = 2")
        import_module("app")
        self.assertEqual(module.value, 1)
        time.sleep(1.05)
        import_module("app")
        self.assertEqual(module.value, 2)

    def test_a_clock_set_back_does_not_stop_the_checks(self):
        self.write("app.py", "value = 1")
        module = import_module("app")
        self.write("app.py", "value = 2")
        module.__mtime_check__ = time.time() + 3600
        self.assertEqual(import_module("app").value, 2)

    def test_without_autoreload_nothing_is_looked_at(self):
        self.write("app.py", "value = 1")
        module = import_module("app", autoreload=0)
        self.write("app.py", "value = 2")
        due(module)
        self.assertEqual(import_module("app", autoreload=0).value, 1)
        self.assertEqual(import_module("app").value, 2)

    def test_edits_within_one_second_with_the_same_size(self):
        second = int(time.time()) * 10**9
        path = self.write("app.py", "value = 1")
        for number in range(1, 6):
            with open(path, "w") as file:
                file.write(f"value = {number}")
            os.utime(path, ns=(second, second + number * 1000))
            module = import_module("app")
            due(module)
            self.assertEqual(import_module("app").value, number)

    def test_stale_bytecode_is_neither_used_nor_left(self):
        if sys.dont_write_bytecode:
            sys.dont_write_bytecode = False
            self.addCleanup(setattr, sys, "dont_write_bytecode", True)
        if time.time() % 1 > 0.8:
            time.sleep(0.2)
        path = self.write("app.py", "value = 1")
        module = import_module("app")
        cached = module.__spec__.cached
        self.assertTrue(os.path.exists(cached))
        # edited in the same second, to the same size: Python itself takes the .pyc for good
        state = os.stat(path)
        with open(path, "w") as file:
            file.write("value = 2")
        later = os.stat(cached).st_mtime_ns + 1
        self.assertEqual(later // 10**9, state.st_mtime_ns // 10**9)
        os.utime(path, ns=(later, later))
        del sys.modules["app"]
        import app

        self.assertEqual(app.value, 1)
        del sys.modules["app"]
        self.assertEqual(import_module("app").value, 2)
        self.assertFalse(os.path.exists(cached))

    def test_a_module_imported_by_an_ordinary_import(self):
        self.write("plain.py", "value = 1; runs = globals().get('runs', 0) + 1")
        os.utime(os.path.join(self.folder, "plain.py"), (1_000_000_000, 1_000_000_000))
        import plain

        self.assertEqual(import_module("plain").runs, 1)
        self.assertIs(import_module("plain"), plain)
        self.write("plain.py", "value = 2")
        due(plain)
        self.assertEqual(import_module("plain").value, 2)

    def test_one_edited_between_its_import_and_the_first_look(self):
        self.write("plain.py", "value = 1")
        import plain

        self.write("plain.py", "value = 2")
        self.assertEqual(import_module("plain").value, 2)

    def test_a_file_edited_while_it_is_imported(self):
        self.write(
            "app.py",
            """
            value = 1
            with open(__file__, "w") as file: file.write("value = 222")
            import os, time
            os.utime(__file__, ns=(time.time_ns() + 10**9,) * 2)
            """,
        )
        self.assertEqual(import_module("app").value, 222)

    def test_parents_come_first(self):
        self.write("pack/__init__.py", "value = 1")
        self.write("pack/leaf.py", "import pack; value = pack.value")
        leaf = import_module("pack.leaf")
        pack = sys.modules["pack"]
        self.write("pack/__init__.py", "value = 2")
        self.write("pack/leaf.py", "import pack; value = pack.value * 100")
        due(pack)
        due(leaf)
        self.assertIs(import_module("pack.leaf"), leaf)
        self.assertIs(pack.leaf, leaf)
        self.assertEqual((pack.value, leaf.value), (2, 200))

    def test_what_never_is_loaded_again(self):
        self.write("spaces/leaf.py", "value = 1")
        import_module("spaces.leaf")
        for name in ("sys", "time", "math", "_struct", "json", "spaces", "__main__", "mod_python.apache"):
            with self.subTest(name):
                self.assertIs(import_module(name), sys.modules[name])
                self.assertIs(import_module(name), sys.modules[name])
        self.assertNotIn("__mtime__", vars(sys.modules["__main__"]))
        self.assertEqual(fake_apache.entries, [])

    def test_what_is_no_module_is_returned_as_it_is(self):
        self.write("swapped.py", "import sys; sys.modules[__name__] = {'not': 'a module'}")
        self.assertEqual(import_module("swapped"), {"not": "a module"})
        self.assertEqual(import_module("swapped"), {"not": "a module"})

    def test_a_deleted_file(self):
        path = self.write("app.py", "value = 1")
        module = import_module("app")
        os.unlink(path)
        for _ in range(3):
            due(module)
            self.assertEqual(import_module("app").value, 1)
        self.assertEqual(len(self.logged("MP0704")), 1)
        self.assertEqual(len(fake_apache.entries), 1)
        self.write("app.py", "value = 222")
        due(module)
        self.assertEqual(import_module("app").value, 222)

    def test_a_program_can_ask_for_a_reload(self):
        self.write("app.py", "runs = globals().get('runs', 0) + 1")
        module = import_module("app")
        module.__mtime__ = 0
        due(module)
        self.assertEqual(import_module("app").runs, 2)
        due(module)
        self.assertEqual(import_module("app").runs, 2)


class FailingReload(LibraryTest):
    def fail(self, text):
        self.write("app.py", "value = 1\nstate = []\ndef get(): return value")
        module = import_module("app")
        before = dict(vars(module))
        path = self.write("app.py", text)
        due(module)
        self.assertIs(import_module("app"), module)
        after = dict(vars(module))
        for namespace in (before, after):
            del namespace["__mtime_check__"]
        self.assertEqual(after, before)
        self.assertEqual(module.get(), 1)
        return module, path

    def test_an_exception(self):
        module, path = self.fail("value = 2\nnew = 3\ndel state\n\n\nraise OSError('no\\udcff')")
        levels, texts = zip(*fake_apache.entries)
        self.assertEqual(set(levels), {3})
        self.assertTrue(texts[0].startswith("MP0703: module 'app' was edited and does not load (OSError, below)"))
        self.assertIn(path, texts[0])
        self.assertEqual(texts[1], "Traceback (most recent call last):")
        self.assertIn(f'File "{path}", line 6, in <module>', texts[2])
        self.assertIn("raise OSError", texts[3])
        self.assertEqual(texts[-1], "OSError: no\\udcff")

    def test_it_is_logged_once_for_each_change(self):
        module, _ = self.fail("raise OSError")
        for _ in range(3):
            due(module)
            self.assertIs(import_module("app"), module)
        self.assertEqual(len(self.logged("MP0703")), 1)
        self.write("app.py", "raise KeyError")
        due(module)
        import_module("app")
        due(module)
        import_module("app")
        self.assertEqual(len(self.logged("MP0703")), 2)
        self.write("app.py", "value = 'mended'")
        due(module)
        self.assertEqual(import_module("app").value, "mended")
        self.assertEqual(len(self.logged("MP0703")), 2)

    def test_a_syntax_error(self):
        _, path = self.fail("value = 2\ndef get(:\n")
        texts = [text for _, text in fake_apache.entries]
        self.assertIn(f'File "{path}", line 2', "".join(texts))
        self.assertFalse([text for text in texts if "_importing" in text or "importlib" in text])

    def test_sys_exit(self):
        self.fail("import sys; sys.exit(3)")
        self.assertEqual(len(self.logged("MP0703")), 1)

    def test_not_utf_8(self):
        self.write("app.py", "value = 1")
        module = import_module("app")
        path = self.write("app.py", "")
        with open(path, "wb") as file:
            file.write(b"value = '\xff\xff'")
        due(module)
        self.assertEqual(import_module("app").value, 1)
        self.assertEqual(len(self.logged("MP0703")), 1)

    def test_what_is_not_an_error_goes_through_and_is_tried_again(self):
        self.write("app.py", "value = 1")
        module = import_module("app")
        self.write("app.py", "value = 2; raise KeyboardInterrupt")
        for _ in range(2):
            due(module)
            with self.assertRaises(KeyboardInterrupt):
                import_module("app")
            self.assertEqual(module.value, 1)
        self.assertEqual(fake_apache.entries, [])


class Threads(LibraryTest):
    def run_threads(self, count, function):
        barrier, results, errors = threading.Barrier(count), [], []

        def work():
            barrier.wait()
            try:
                results.append(function())
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        self.assertEqual(errors, [])
        return results

    def test_the_first_import_is_made_once_and_seen_whole(self):
        import builtins

        builtins.runs = 0
        self.addCleanup(delattr, builtins, "runs")
        self.write("slow/__init__.py", "")
        self.write(
            "slow/leaf.py",
            "import builtins, time; builtins.runs += 1; time.sleep(0.2)\ndef handler(): pass",
        )
        modules = self.run_threads(12, lambda: (import_module("slow.leaf", log=1), import_module("slow.leaf").handler)[0])
        self.assertEqual((builtins.runs, len(set(map(id, modules)))), (1, 1))
        self.assertEqual(fake_apache.entries, [(5, "MP0702: importing module 'slow.leaf'")])

    def test_a_failing_import_is_every_thread_s_failure(self):
        self.write("fails.py", "import time; time.sleep(0.02); 1/0")

        def fail():
            for _ in range(20):
                with self.assertRaises(ZeroDivisionError):
                    import_module("fails")

        self.run_threads(8, fail)

    def test_one_thread_reloads_while_the_others_go_on(self):
        import builtins

        builtins.entered, builtins.leave = entered, leave = threading.Event(), threading.Event()
        self.addCleanup(delattr, builtins, "entered")
        self.addCleanup(delattr, builtins, "leave")
        self.write("app.py", "value = 1")
        module = import_module("app")
        self.write("app.py", "import builtins; builtins.entered.set(); assert builtins.leave.wait(30); value = 2")
        due(module)
        reloading = threading.Thread(target=import_module, args=("app",))
        reloading.start()
        self.assertTrue(entered.wait(30))

        def call():
            due(module)
            return import_module("app").value

        self.assertEqual(self.run_threads(8, call), [1] * 8)
        leave.set()
        reloading.join(30)
        self.assertEqual(module.value, 2)

    def test_nothing_is_seen_of_new_code_that_is_not_complete(self):
        import builtins

        builtins.entered, builtins.leave = entered, leave = threading.Event(), threading.Event()
        self.addCleanup(delattr, builtins, "entered")
        self.addCleanup(delattr, builtins, "leave")
        self.write(
            "app.py",
            "table = {'key': 'old'}\ncount = given = 0\nkept = gone = 1\n"
            "def get(): return table['key'] + suffix()\ndef suffix(): return ''\n"
            "def tick():\n    global count, given, kept, gone, more\n    count += 1; given = 'old'; kept = 'changed'; more = 1; del gone",
        )
        module = import_module("app")
        get, tick = module.get, module.tick
        self.write(
            "app.py",
            "import builtins, sys\ntable = {}\ngiven = 'new'\nsys.modules[__name__].by_name = 'set'\n"
            "def suffix(more): return more\ndef get(): return table['key'] + suffix('!')\n"
            "builtins.entered.set(); assert builtins.leave.wait(30)\ntable['key'] = 'new'",
        )
        due(module)
        reloading = threading.Thread(target=import_module, args=("app",))
        reloading.start()
        self.assertTrue(entered.wait(30))
        self.assertEqual((module.get(), get()), ("old", "old"))
        tick()
        leave.set()
        reloading.join(30)
        self.assertEqual((module.get(), get()), ("new!", "old"))
        # What the old code has set meanwhile is kept, but for what the new code sets
        self.assertEqual((module.count, module.given, module.kept, module.more), (1, "new", "changed", 1))
        self.assertEqual((module.by_name, hasattr(module, "gone"), vars(module)["get"]), ("set", False, module.get))

    def test_many_edits_under_load(self):
        import builtins

        builtins.runs = 0
        self.addCleanup(delattr, builtins, "runs")
        self.write("app.py", "value = 0")
        module = import_module("app")
        stop = threading.Event()

        def call():
            while not stop.is_set():
                due(module)
                import_module("app")

        threads = [threading.Thread(target=call) for _ in range(4)]
        for thread in threads:
            thread.start()
        for number in range(1, 21):
            self.write("new.py", f"import builtins; builtins.runs += 1; value = {number}")
            os.replace(os.path.join(self.folder, "new.py"), os.path.join(self.folder, "app.py"))
            deadline = time.monotonic() + 10
            while module.value != number and time.monotonic() < deadline:
                time.sleep(0.001)
            self.assertEqual(module.value, number)
        stop.set()
        for thread in threads:
            thread.join(30)
        self.assertEqual(builtins.runs, 20)
        self.assertEqual(fake_apache.entries, [])

    def test_a_module_that_imports_itself_while_it_is_loaded_again(self):
        self.write("app.py", "value = 1")
        module = import_module("app")
        self.write("app.py", "from mod_python import apache; same = apache.import_module(__name__); value = 2")
        due(module)
        self.assertIs(import_module("app").same, module)


if __name__ == "__main__":
    unittest.main()
