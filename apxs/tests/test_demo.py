"""The demo: what its page is made of, and what its handlers answer. MOD_PYTHON_SO names a module that is built already."""

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
        html = "".join(file.read_text() for file in PAGE.glob("*.html"))
        script = "".join(file.read_text() for file in PAGE.glob("*.js"))
        for name in set(re.findall(r'\$\("([a-z-]+)"\)', script)):
            self.assertRegex(html, rf'id="{name}"', name)

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
        self.assertEqual(len(names), 5)
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
        self.assertEqual(list(json.loads(self.ask("/load/shared/two?ms=350&child=1")[2])), ["another"])
        for wrong in ("ms=x", "ms=0", "child=x"):
            self.assertEqual(self.ask(f"/load/shared/one?{wrong}")[0], 400)

    def test_a_counter_with_and_without_a_lock(self):
        for how in ("plain", "locked"):
            before = json.loads(self.ask(f"/lost?how={how}&add=0")[2])["value"]
            values = [json.loads(self.ask(f"/lost?how={how}")[2])["value"] for _ in range(3)]
            self.assertEqual(values, [before + 1, before + 2, before + 3], "one after the other both are right")
        self.assertEqual([self.ask(path)[0] for path in ("/lost", "/lost?how=other", "/lost?how=plain&add=x")], [400] * 3)

    def test_a_child_is_killed_and_replaced(self):
        self.assertEqual(self.ask("/end")[0], 405)
        self.assertEqual(self.ask("/end", method="POST")[0], 403, "a page of another site cannot send the header")
        known = {json.loads(self.ask("/by-directory/two/")[2])["child"] for _ in range(40)}
        killed = json.loads(self.ask("/end", method="POST", **{"X-Demo": "end"})[2])["child"]
        deadline, fresh = time.monotonic() + 30, None
        while fresh is None and time.monotonic() < deadline:
            answer = json.loads(self.ask("/by-directory/two/")[2])
            fresh = answer if answer["child"] not in known | {killed} else None
        self.assertIsNotNone(fresh, "another child has taken its place")
        self.assertEqual(fresh["globals"], 1)


if __name__ == "__main__":
    unittest.main()
