"""What belongs to the process: httpd's signals stay httpd's."""

import subprocess
import sys
import textwrap
import unittest
from pathlib import Path

LIBRARY = Path(__file__).resolve().parents[1]


def run(code):
    """Run code in a Python of its own, since it changes a builtin module."""
    prelude = f"import sys\nsys.path[:0] = [{str(LIBRARY)!r}, {str(LIBRARY / 'tests')!r}]\nimport fake_apache\n"
    prelude += "sys.modules.setdefault('_apache', fake_apache)\nfrom mod_python import _process\n"
    return subprocess.run([sys.executable, "-c", prelude + textwrap.dedent(code)], capture_output=True, text=True, check=False)


class Signals(unittest.TestCase):
    def test_httpd_keeps_its_signals(self):
        done = run(
            """
            import signal
            _process.keep_signals()
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGWINCH, signal.SIGINT, signal.SIGCHLD):
                before = signal.getsignal(number)
                try:
                    signal.signal(number, signal.SIG_IGN)
                except ValueError as error:
                    assert "MP0707" in str(error) and number.name in str(error), error
                else:
                    raise AssertionError(number)
                assert signal.getsignal(number) is before
            """
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_other_signals_can_be_handled(self):
        done = run(
            """
            import signal
            _process.keep_signals()
            signal.signal(signal.SIGALRM, lambda *_: print("rang"))
            signal.raise_signal(signal.SIGALRM)
            """
        )
        self.assertEqual((done.returncode, done.stdout), (0, "rang\n"), done.stderr)


class Forks(unittest.TestCase):
    def test_what_was_registered_is_called_after_a_fork_of_httpds(self):
        done = run(
            """
            import os, random, threading
            before = random.getstate()
            _process.note_fork_hooks()
            calls = []
            os.register_at_fork(before=lambda: calls.append("before"), after_in_child=lambda: calls.append("first"))
            os.register_at_fork(after_in_child=lambda: calls.append("second"))
            os.register_at_fork(after_in_parent=lambda: calls.append("parent"))
            for wrong in ({}, {"after_in_child": 1}, {"unknown": len}):
                try:
                    os.register_at_fork(**wrong)
                except TypeError:
                    pass
                else:
                    raise AssertionError(wrong)
            _process.after_fork()
            assert calls == ["first", "second"], calls
            assert random.getstate() != before
            assert threading.main_thread() is threading.current_thread()
            """
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_python_calls_them_too(self):
        done = run(
            """
            import os
            _process.note_fork_hooks()
            os.register_at_fork(after_in_child=lambda: os.write(1, b"called"))
            if os.fork() == 0:
                os._exit(0)
            os.wait()
            """
        )
        self.assertEqual((done.returncode, done.stdout), (0, "called"), done.stderr)

    def test_one_that_fails_keeps_none_of_the_others(self):
        done = run(
            """
            import os
            _process.note_fork_hooks()
            entries = []
            _process.entry = lambda level, text: entries.append(text)
            _process.exception = lambda level, error: entries.append(repr(error))
            def broken():
                raise LookupError("on purpose")
            os.register_at_fork(after_in_child=broken)
            os.register_at_fork(after_in_child=lambda: print("called"))
            _process.after_fork()
            assert "MP0708" in entries[0] and "broken" in entries[0] and "on purpose" in entries[1], entries
            """
        )
        self.assertEqual((done.returncode, done.stdout), (0, "called\n"), done.stderr)

    def test_one_that_exits_keeps_none_of_the_others(self):
        done = run(
            """
            import os, sys
            _process.note_fork_hooks()
            entries = []
            _process.entry = lambda level, text: entries.append(text)
            _process.exception = lambda level, error: entries.append(repr(error))
            os.register_at_fork(after_in_child=sys.exit)
            os.register_at_fork(after_in_child=lambda: print("called"))
            _process.after_fork()
            assert "MP0708" in entries[0] and "SystemExit" in entries[1], entries
            """
        )
        self.assertEqual((done.returncode, done.stdout), (0, "called\n"), done.stderr)

    def test_one_that_registers_more_ends(self):
        done = run(
            """
            import os
            _process.note_fork_hooks()
            def again():
                print("called")
                os.register_at_fork(after_in_child=again)
            os.register_at_fork(after_in_child=again)
            _process.after_fork()
            """
        )
        self.assertEqual((done.returncode, done.stdout), (0, "called\n"), done.stderr)

    def test_what_the_standard_library_has_registered_before_is_called(self):
        done = run(
            """
            import asyncio, concurrent.futures.thread as pools, logging, os, random, threading
            _process.note_fork_hooks()
            known = set(map(str, _process._after_fork))
            assert len(known) == (5 if sys.version_info >= (3, 12) else 4), known
            before = random.getstate()
            pools._global_shutdown_lock.acquire()
            _process.after_fork()
            assert random.getstate() != before
            assert not pools._global_shutdown_lock.locked()
            """
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
