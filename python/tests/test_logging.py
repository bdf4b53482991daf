"""apache.LogHandler."""

import logging
import sys
import unittest

import fake_apache
from support import LibraryTest, run_bootstrapped

from mod_python import apache


class Handler(LibraryTest):
    def setUp(self):
        super().setUp()
        self.logger = logging.Logger("app")
        self.handler = apache.LogHandler()
        self.logger.addHandler(self.handler)

    def test_levels(self):
        for level in (logging.CRITICAL, logging.ERROR, 35, logging.WARNING, logging.INFO, logging.DEBUG, 1):
            self.logger.log(level, "at %d", level)
        wanted = [(2, 50), (3, 40), (4, 35), (4, 30), (6, 20), (7, 10), (7, 1)]
        self.assertEqual(fake_apache.entries, [(level, f"at {number}") for level, number in wanted])

    def test_each_line_of_a_record_is_an_entry(self):
        self.handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
        try:
            1 / 0
        except ZeroDivisionError:
            self.logger.exception("two\r\nlines \udcff\n")
        texts = [text for level, text in fake_apache.entries]
        self.assertEqual({level for level, text in fake_apache.entries}, {3})
        self.assertEqual(texts[:3], ["app: two", "lines \\udcff", "Traceback (most recent call last):"])
        self.assertEqual(texts[-1], "ZeroDivisionError: division by zero")
        self.assertNotIn("\n", "".join(texts))

    def test_a_record_without_text_is_an_entry_too(self):
        for text in ("", "\n\n"):
            self.logger.info(text)
        self.logger.info("stack", stack_info=True)
        self.assertEqual(fake_apache.entries[:4], [(6, ""), (6, ""), (6, "stack"), (6, "Stack (most recent call last):")])

    def test_a_record_that_cannot_be_formatted(self):
        stderr, sys.stderr = sys.stderr, open("/dev/null", "w")
        try:
            self.logger.error("%d", "text")
        finally:
            sys.stderr.close()
            sys.stderr = stderr
        self.assertEqual(fake_apache.entries, [])


class Lazy(unittest.TestCase):
    def test_logging_is_imported_when_it_is_asked_for(self):
        reports, entries = run_bootstrapped(
            """
            from mod_python import apache
            report("logging" in sys.modules)
            report("LogHandler" in dir(apache))
            import logging
            logging.basicConfig(handlers=[apache.LogHandler()], level="INFO")
            logging.info("hello")
            report(apache.LogHandler is apache.LogHandler)
            """
        )
        self.assertEqual(reports, [False, True, True])
        self.assertEqual(entries, [(6, "INFO:root:hello")])


if __name__ == "__main__":
    unittest.main()
