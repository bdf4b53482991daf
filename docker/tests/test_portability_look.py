"""The watch answers whatever the configuration of the application does with its addresses; or else the check says so."""

import tempfile
import unittest
from pathlib import Path

from local_server import LocalCell, module

from portability import check, verdict
from portability.observations import ALONE, Observations
from portability.plan import Plan, Request, Step

WHY_NOT = "no module is built: run cargo build, or name one in MOD_PYTHON_SO"

FRONT = """
hits = 0


def handler(req):
    global hits
    hits += 1
    req.content_type = "text/plain"
    req.write(f"{req.uri} {req.hostname}\\n")
    return 0


def gate(req):
    return 0 if req.headers_in.get("X-Key") == "open" else 403


def nowhere(req):
    raise LookupError(f"no file for {req.uri}")
"""
SITE = """
<Location "/">
    Require all granted
    SetHandler mod_python
    PythonHandler front
</Location>
"""
PAGE = Step("page", Request("GET", "/page", (("X-Key", "open"),)))
THERE = Step("there", Request("GET", "/page", (("Host", "shop.test"), ("X-Key", "open"))))


@unittest.skipUnless(module(), WHY_NOT)
class Looks(unittest.TestCase):
    """Applications with a configuration of their own, on this machine's httpd."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.folder.chmod(0o755)
        (self.folder / "front.py").write_text(FRONT)

    def configure(self, configuration):
        (self.folder / "httpd.conf").write_text(SITE + configuration)

    def seen(self, configuration, *steps, **environment):
        """What is seen of it in the pass `alone`."""
        self.configure(configuration)
        cell = LocalCell(self.folder, "event")
        seen = Observations({"name": cell.name, "system": "here", "python": "3", "model": "event", "gil": "shared"})
        with cell.client() as client, cell.serve(environment=environment) as server:
            passes = check._Passes(Plan("r.toml", steps), seen, check._Caller(client), server)
            passes.begin()
            passes.demand_look()
            passes.alone()
        return seen

    def test_it_is_reached_behind_what_takes_every_address(self):
        for name, configuration, address in (
            ("a front controller", "RewriteEngine On\nRewriteRule ^ /front.html [PT]", "/front.html"),
            ("one in a section", '<Location "/">\nRewriteEngine On\nRewriteRule ^ http://other.test/ [R]\n</Location>', None),
            ("an access handler", "PythonAccessHandler front::gate", "/page"),
            ("a handler before that", '<Location "/">\nPythonInitHandler front::gate\n</Location>', "/page"),
            ("a fixup handler", "PythonFixupHandler front::gate", "/page"),
        ):
            with self.subTest(name):
                seen = self.seen(configuration, PAGE)
                (run,) = seen.runs[ALONE]["page"]
                answer = run.answers[0]
                self.assertEqual((answer.status, answer.body.split()[:1]), (200, [address]) if address else (302, answer.body.split()[:1]))
                self.assertIsNotNone(run.child)
                self.assertEqual([change.name for change in seen.changes["page"]], ["hits"] if address else [])

    def test_where_it_is_not_reached_the_check_says_why(self):
        for configuration, words in (
            ("PythonTransHandler front::gate", "answered with status 403, not by the watch"),
            ("PythonInitHandler front::gate", "answered with status 403, not by the watch"),
            ("PythonTransHandler front::nowhere", "status 500 (LookupError: no file for /.portability-look at front.py line 18)"),
            ("Redirect / http://other.test/", "answered with status 302, not by the watch"),
            ('<If "true">\nPythonHandler front\n</If>', "answered with status 200 and '/.portability-look 127.0.0.1\\n', not by the watch"),
        ):
            with self.subTest(configuration):
                self.configure(configuration)
                with self.assertRaises(check.CheckError) as caught:
                    check.run_cell(LocalCell(self.folder, "event"), Plan("r.toml", (PAGE,)))
                sentence = str(caught.exception)
                self.assertIn(words, sentence)
                self.assertTrue(sentence.startswith("here event shared: GET /.portability-look was answered with "), sentence)
                self.assertIn("let the address through to docker/watch/conf/look.conf.", sentence)

    def test_each_virtual_host_is_looked_at(self):
        seen = self.seen("", PAGE, THERE, VHOST="shop.test")
        self.assertEqual([change.name for change in seen.changes["page"]], ["hits"])
        self.assertEqual([change.name for change in seen.changes["there"]], ["hits"])

    def test_a_virtual_host_that_cannot_be_looked_at_is_a_note(self):
        condition = "<If \"%{HTTP_HOST} == 'shop.test'\">\nPythonHandler front\n</If>"
        seen = self.seen(condition, PAGE, THERE, VHOST="shop.test")
        self.assertNotIn("there", seen.changes)
        self.assertIsNotNone(seen.runs[ALONE]["there"][0].child)
        notes = [finding.sentence for finding in verdict.judge(Plan("r.toml", (PAGE, THERE)), {"x": seen}).notes]
        self.assertIn("The watch did not answer behind there: whether globals change was not looked at.", notes)


if __name__ == "__main__":
    unittest.main()
