"""sys.stdout, sys.stderr and threading.excepthook."""

import io
import threading
import unittest

import fake_apache
from support import LibraryTest, run_bootstrapped

from mod_python._streams import LogStream

NOTICE, ERR = 5, 3


class Streams(LibraryTest):
    def setUp(self):
        super().setUp()
        self.stream = LogStream("<stdout>", NOTICE)
        self.addCleanup(fake_apache._log_flush, NOTICE)

    def test_each_complete_line_is_an_entry_at_once(self):
        print("one", file=self.stream)
        print("two\nthree", file=self.stream)
        self.assertEqual(fake_apache.entries, [(NOTICE, "one"), (NOTICE, "two"), (NOTICE, "three")])

    def test_the_rest_waits_for_a_flush(self):
        print("part", end="", file=self.stream)
        self.assertEqual(fake_apache.entries, [])
        print(" and part", end="", file=self.stream, flush=True)
        self.assertEqual(fake_apache.entries, [(NOTICE, "part and part")])

    def test_threads_do_not_mix(self):
        barrier = threading.Barrier(8)

        def work(number):
            barrier.wait()
            for turn in range(50):
                for word in (str(number), "-", str(turn), "\n"):
                    self.stream.write(word)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wanted = {f"{number}-{turn}" for number in range(8) for turn in range(50)}
        self.assertEqual({text for _, text in fake_apache.entries}, wanted)
        self.assertEqual(len(fake_apache.entries), 400)

    def test_it_is_a_text_stream(self):
        stream = self.stream
        self.assertIsInstance(stream, io.TextIOBase)
        self.assertEqual((stream.encoding, stream.name, stream.mode, stream.closed), ("utf-8", "<stdout>", "w", False))
        self.assertEqual((stream.isatty(), stream.writable(), stream.readable(), stream.seekable()), (False, True, False, False))
        self.assertEqual(stream.write("héllo\n"), 6)
        stream.writelines(["a\n", "b\n"])
        self.assertEqual([text for _, text in fake_apache.entries], ["héllo", "a", "b"])
        for act in (stream.fileno, stream.read, stream.readline, stream.tell, stream.truncate):
            with self.assertRaises(io.UnsupportedOperation):
                act()

    def test_only_text_is_taken(self):
        for value in (b"bytes", None, 3):
            with self.assertRaisesRegex(TypeError, f"must be str, not {type(value).__name__}"):
                self.stream.write(value)

    def test_lone_surrogates_never_fail(self):
        print("\udcff \ud800 é", file=self.stream)
        self.assertEqual(fake_apache.entries, [(NOTICE, "\\udcff \\ud800 é")])

    def test_bytes_go_through_the_buffer(self):
        self.assertEqual(self.stream.buffer.write(b"caf\xc3\xa9 \xff\n"), 8)
        self.assertEqual(self.stream.buffer.write(memoryview(b"view\n")), 5)
        self.stream.buffer.write(bytearray(b"array"))
        self.stream.buffer.flush()
        self.assertEqual([text for _, text in fake_apache.entries], ["café \\xff", "view", "array"])
        with self.assertRaises(TypeError):
            self.stream.buffer.write("text")
        self.assertIs(self.stream.detach(), self.stream.buffer)

    def test_closing_does_not_silence_it(self):
        self.stream.write("rest")
        self.stream.close()
        self.stream.buffer.close()
        print("after", file=self.stream)
        with self.stream:
            self.stream.reconfigure(encoding="latin-1", line_buffering=False)
        self.assertEqual([text for _, text in fake_apache.entries], ["rest", "after"])


class Installed(unittest.TestCase):
    def test_print_and_warnings_reach_the_log(self):
        _, entries = run_bootstrapped(
            """
            import warnings
            print("to stdout")
            print("to stderr", file=sys.stderr)
            sys.stdout = sys.__stdout__
            sys.stderr = sys.__stderr__
            print("again")
            warnings.warn("watch out")
            """
        )
        self.assertEqual(entries[:3], [(NOTICE, "to stdout"), (ERR, "to stderr"), (NOTICE, "again")])
        self.assertTrue(entries[3][1].endswith("UserWarning: watch out"))

    def test_print_works_when_warnings_are_errors(self):
        _, entries = run_bootstrapped("print('a', 1, flush=True); sys.stderr.write('b\\n')", options=("-W", "error"))
        self.assertEqual(entries, [(NOTICE, "a 1"), (ERR, "b")])

    def test_an_uncaught_exception_in_a_thread(self):
        reports, entries = run_bootstrapped(
            """
            import threading
            def work():
                raise ValueError("bad \\udcff")
            thread = threading.Thread(target=work, name="worker-1")
            thread.start()
            thread.join()
            """,
            name="www.example.com",
        )
        texts = [text for _, text in entries]
        self.assertEqual({level for level, _ in entries}, {ERR})
        self.assertTrue(texts[0].startswith("MP0701: thread 'worker-1' of interpreter 'www.example.com' ended by an uncaught"))
        self.assertEqual(texts[1], "Traceback (most recent call last):")
        self.assertEqual(texts[-1], "ValueError: bad \\udcff")
        self.assertFalse([text for text in texts if "\n" in text or not text])

    def test_a_hook_that_was_set_and_restored(self):
        # threading is imported before start() or after it
        for before in ("", "import threading"):
            _, entries = run_bootstrapped(
                """
                import threading
                threading.excepthook = None
                threading.excepthook = threading.__excepthook__
                thread = threading.Thread(target=int, args=("x",))
                thread.start()
                thread.join()
                """,
                before=before,
            )
            self.assertTrue(entries[0][1].startswith("MP0701: "), entries)

    def test_a_hook_that_was_set_at_the_start_of_python_stays(self):
        reports, entries = run_bootstrapped(
            """
            thread = threading.Thread(target=int, args=("x",))
            thread.start()
            thread.join()
            """,
            before="import threading; threading.excepthook = lambda args: report(str(args.exc_value))",
        )
        self.assertEqual((len(reports), entries), (1, []))

    def test_system_exit_in_a_thread_is_silent(self):
        _, entries = run_bootstrapped(
            """
            import threading
            thread = threading.Thread(target=sys.exit, args=(3,))
            thread.start()
            thread.join()
            """
        )
        self.assertEqual(entries, [])

    def test_an_application_can_set_its_own_hook(self):
        reports, entries = run_bootstrapped(
            """
            import threading
            threading.excepthook = lambda args: report(str(args.exc_value))
            thread = threading.Thread(target=int, args=("x",))
            thread.start()
            thread.join()
            """
        )
        self.assertEqual((len(reports), entries), (1, []))

    def test_the_hook_takes_what_its_documentation_allows(self):
        _, entries = run_bootstrapped(
            """
            import threading
            threading.excepthook(threading.ExceptHookArgs((KeyError, None, None, None)))
            """
        )
        self.assertIn("KeyError", entries[0][1])

    def test_a_thread_started_without_threading(self):
        _, entries = run_bootstrapped(
            """
            import _thread, time
            _thread.start_new_thread(int, ("x",))
            time.sleep(0.3)
            """
        )
        self.assertTrue(any("ValueError: invalid literal" in text for _, text in entries))


if __name__ == "__main__":
    unittest.main()
