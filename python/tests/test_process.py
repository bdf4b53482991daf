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


if __name__ == "__main__":
    unittest.main()
