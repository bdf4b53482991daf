"""The demo: what its page is made of, and what its handlers answer. MOD_PYTHON_SO names a module that is built already."""

import concurrent.futures
import html
import json
import os
import re
import signal
import time
import unittest
import urllib.error
import urllib.request

import test_serve
from test_serve import REPOSITORY, Folder

MODULE = os.environ.get("MOD_PYTHON_SO")
PAGE = REPOSITORY / "apxs/demo/handlers/page"


class Page(unittest.TestCase):
    def test_what_the_script_looks_for_is_there(self):
        text = "".join(file.read_text() for file in PAGE.glob("*.html"))
        script = "".join(file.read_text() for file in PAGE.glob("*.js"))
        for name in set(re.findall(r'\$\("([a-z-]+)"\)', script)):
            self.assertRegex(text, rf'id="{name}"', name)

    def test_every_file_belongs_to_a_section(self):
        source = (REPOSITORY / "apxs/demo/handlers/page.py").read_text()
        sections = re.search(r"SECTIONS = \((.*)\)", source)[1]
        known = set(re.findall(r'"(\w+)"', sections)) | {"page", "base", "start", "gil-own", "gil-none"}
        self.assertEqual({file.stem for file in PAGE.iterdir()} - known, set())

    def test_no_advice_that_does_not_work(self):
        self.assertNotRegex("".join(file.read_text() for file in PAGE.iterdir()), "hosts</code> file|/etc/hosts")


@unittest.skipUnless(MODULE, "MOD_PYTHON_SO names no module")
class Served(unittest.TestCase):
    serve, get = test_serve.Serving.serve, test_serve.Serving.get

    @classmethod
    def setUpClass(cls):
        cls.folder = Folder({})
        case = cls("test_the_page")
        cls.process = case.serve(cls.folder.__enter__())
        cls.port = case.port
        status, said = case.get(cls.process, "/")
        if status != 200:
            raise AssertionError(said)

    @classmethod
    def tearDownClass(cls):
        cls.process.send_signal(signal.SIGINT)
        cls.process.communicate(timeout=30)
        cls.folder.__exit__(None, None, None)

    def ask(self, path, method="GET", **headers):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return reply.status, reply.headers.get_content_type(), reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers.get_content_type(), error.read().decode()

    def test_the_page(self):
        status, kind, text = self.ask("/")
        self.assertEqual((status, kind), (200, "text/html"))
        for name in ("map-section", "gil", "lost", "apart", "together", "by-directory", "by-directive"):
            self.assertIn(f'id="{name}"', text)
        self.assertIsNone(re.search(r"\$[a-z_]+\b(?!\()", re.sub(r"(?s)<script.*?</script>|<style.*?</style>", "", text)), "everything is filled in")
        self.assertEqual(self.ask("/none")[0], 404)

    def test_the_documents_that_it_names_are_there(self):
        names = re.findall(r'href="(/docs/[a-z-]+\.md)"', self.ask("/")[2])
        self.assertEqual(len(names), 7)
        for name in names:
            status, kind, text = self.ask(name)
            self.assertEqual((status, kind, text[:2]), (200, "text/plain", "# "), name)

    def test_a_link_leads_to_a_page_and_a_script_gets_json(self):
        status, kind, text = self.ask("/by-directory/one/", Accept="text/html,*/*")
        self.assertEqual((status, kind), (200, "text/html"))
        self.assertIn("Counter in globals", text)
        status, kind, text = self.ask("/by-directory/one/?wait=1")
        self.assertEqual((status, kind), (200, "application/json"))
        self.assertEqual(json.loads(text)["interpreter"]["name"].rstrip("/").rpartition("/")[2], "one")
        for wrong in ("x", "-1", "1.5"):
            self.assertEqual(self.ask(f"/by-directory/one/?wait={wrong}")[0], 400)

    def test_a_load_says_how_far_it_is(self):
        status, kind, text = self.ask("/load/shared/one?ms=350")
        first, *slices = map(json.loads, text.splitlines())
        self.assertEqual((status, kind, first["interpreter"]["name"]), (200, "application/x-ndjson", "load-shared-one"))
        self.assertGreater(len(slices), 0)
        for line in slices:
            self.assertGreater(line["rounds"], 0)
            self.assertGreaterEqual(line["took"], 100)
            self.assertTrue(0 <= line.get("blocked", 0) <= line["took"], line)
        self.assertEqual(list(json.loads(self.ask("/load/shared/two?ms=350&child=1")[2])), ["another"])
        for wrong in ("ms=x", "ms=0", "child=x"):
            self.assertEqual(self.ask(f"/load/shared/one?{wrong}")[0], 400)

    @unittest.skipUnless(os.path.exists("/proc/thread-self/schedstat"), "this system does not say what a thread waits for")
    def test_two_interpreters_with_one_gil_wait_for_it(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/load/shared/one?ms=6000", timeout=30) as first:
            child = json.loads(first.readline())["child"]
            deadline, second = time.monotonic() + 5, [{"another": 0}]
            while "another" in second[0] and time.monotonic() < deadline:
                second = [json.loads(line) for line in self.ask(f"/load/shared/two?ms=700&child={child}")[2].splitlines()]
        self.assertEqual(second[0].get("child"), child, "it has met the same child")
        waited, took = (sum(line[name] for line in second[1:]) for name in ("blocked", "took"))
        self.assertGreater(waited, 0.05 * took, second)

    def counted(self, path):
        status, kind, text = self.ask(path)
        self.assertEqual((status, kind), (200, "application/json"), text)
        return json.loads(text)

    def test_visits_one_after_the_other_are_counted_by_file_and_store(self):
        before = self.counted("/lost/one?add=0")
        answers = [self.counted(f"/lost/{which}") for which in ("one", "two", "one")]
        for counter in ("unlocked", "store"):
            self.assertEqual([answer[counter] - before[counter] for answer in answers], [1, 2, 3], counter)
        self.assertEqual([answer["interpreter"]["name"] for answer in answers], ["lost-one", "lost-two", "lost-one"])
        after = self.counted("/lost/two?add=0")
        self.assertEqual([after[counter] - before[counter] for counter in ("unlocked", "store")], [3, 3], "who only looks is not counted")
        self.assertEqual([self.ask(f"/lost/one{query}")[0] for query in ("?add=x", "?add=-1")], [400, 400])
        self.assertEqual(self.ask("/lost/one", method="POST")[0], 405)

    def test_visits_at_once_are_all_in_the_store_and_in_no_copy_of_the_globals(self):
        before = self.counted("/lost/one?add=0")
        paths = ["/lost/one", "/lost/two"] * 30
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(self.counted, paths))
        after = self.counted("/lost/two?add=0")
        numbers = sorted(answer["store"] - before["store"] for answer in answers)
        self.assertEqual(numbers, list(range(1, 61)), "each visit has a number of its own")
        self.assertEqual(after["store"], before["store"] + 60)
        self.assertTrue(1 <= after["unlocked"] - before["unlocked"] <= 60, after)
        copies = {}
        for answer in answers:
            copies.setdefault((answer["child"], answer["interpreter"]["name"]), []).append(answer["globals"])
        self.assertGreaterEqual(len(copies), 2)
        for copy, seen in copies.items():
            self.assertEqual(sorted(seen), list(range(min(seen), min(seen) + len(seen))), copy)

    def test_the_code_that_is_shown_is_the_handler(self):
        code = (PAGE.parent / "visit.py").read_text()
        self.assertIn(html.escape(code.rstrip()), self.ask("/")[2])
        for document in ("README.md", "docs/store.md"):
            self.assertIn(f"```python\n{code}```", (REPOSITORY / document).read_text(), document)
        first, second = (self.ask("/visit")[2] for _ in range(2))
        self.assertRegex(first, r"^visit \d+$")
        self.assertEqual(second, f"visit {int(first.split()[1]) + 1}")
        self.assertEqual(self.counted("/lost/one?add=0")["store"], int(first.split()[1]) + 1, "one number for the handler and the chart")

    def test_a_child_is_killed_and_replaced(self):
        self.assertEqual(self.ask("/end")[0], 405)
        self.assertEqual(self.ask("/end", method="POST")[0], 403, "a page of another site cannot send the header")
        stored = self.counted("/lost/one")["store"]
        known = {json.loads(self.ask("/by-directory/two/")[2])["child"] for _ in range(40)}
        killed = json.loads(self.ask("/end", method="POST", **{"X-Demo": "end"})[2])["child"]
        deadline, fresh = time.monotonic() + 30, None
        while fresh is None and time.monotonic() < deadline:
            answer = json.loads(self.ask("/by-directory/two/")[2])
            fresh = answer if answer["child"] not in known | {killed} else None
        self.assertIsNotNone(fresh, "another child has taken its place")
        self.assertEqual(fresh["globals"], 1)
        self.assertEqual(self.counted("/lost/one")["store"], stored + 1, "the store goes on")


if __name__ == "__main__":
    unittest.main()
