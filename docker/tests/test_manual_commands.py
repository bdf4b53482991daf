"""The commands of README and the manual: programs, options and files that they name are there. docker/commands runs those that need a system."""

import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

DOCKER = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(DOCKER / "lib"))

from manual import container, pages, programs


def wrong_with(text):
    """What is found in a piece of shell."""
    found = []
    for command in pages.commands("here", text):
        try:
            programs.check(command)
        except programs.Wrong as error:
            found.append(str(error))
    return found


class Manual(unittest.TestCase):
    maxDiff = None

    def test_every_command_of_a_block(self):
        wrong, seen = [], 0
        for name in pages.names():
            for block in pages.blocks(name, pages.read(name)):
                if block.language != "sh":
                    self.assertFalse(block.is_run, f"{block.place}: only sh is run")
                    continue
                unseen = []
                text = "".join(line + "\n" for line in block.text.splitlines() if not line.startswith("(gdb)"))
                for command in pages.commands(block.place, text):
                    seen += 1
                    try:
                        if not programs.check(command):
                            unseen.append(command.text)
                    except programs.Wrong as error:
                        wrong.append(f"{block.place}: {command.text}: {error}")
                if unseen and not block.is_run and not block.excuse:
                    wrong.append(f"{block.place}: write <!-- run --> before the block, or <!-- not run: WHY -->, for: {unseen[0]}")
        self.assertEqual(wrong, [])
        self.assertGreater(seen, 80)

    def test_every_command_within_a_line(self):
        wrong, seen = [], 0
        for name in pages.names():
            for place, code in pages.inline(name, pages.read(name)):
                words = code.split()
                while words and pages.ASSIGNMENT.match(words[0]):
                    words = words[1:]
                if len(words) < 2 or not programs.is_program(words[0]) or words[1] in ("was", "is"):
                    continue
                try:
                    for command in pages.commands(place, code):
                        seen += 1
                        programs.check(command)
                except (programs.Wrong, ValueError) as error:
                    wrong.append(f"{place}: {code}: {error}")
        self.assertEqual(wrong, [])
        self.assertGreater(seen, 60)

    def test_debian_s_commands_stand_beside_httpds(self):
        wrong = []
        for name in pages.names():
            # Rows of tables and items of lists are paragraphs too.
            for part in re.split(r"\n\s*\n|\n(?=\||- |\d+\. )", pages.read(name)):
                for here, there in (("`httpd -t`", "apache2ctl configtest"), ("`httpd -k graceful`", "systemctl reload apache2")):
                    if here in part and there not in part:
                        wrong.append(f"{name}: {here} without {there}: {part.strip()[:80]}")
        self.assertEqual(wrong, [])

    def test_no_python_of_one_version(self):
        wrong = []
        for name in pages.names():
            for block in pages.blocks(name, pages.read(name)):
                if block.language in ("apache", "sh") and "lib/python3." in block.text:
                    wrong.append(block.place)
        self.assertEqual(wrong, [])


# Files of a site, and whether what they use of mod_python is beyond the handler itself
USES = {
    "a.py": ("from mod_python import apache, Session, util\n", True),
    "b.py": ("from mod_python import util\n", True),
    "c.py": ("from  mod_python\timport Cookie as C\n", True),
    "d.py": ("from mod_python import (\n    apache,\n    Session,\n)\n", True),
    "e.py": ("from mod_python import apache, \\\n    util\n", True),
    "f.py": ("import mod_python.util\n", True),
    "g.py": ("import mod_python.Session as S\n", True),
    "h.py": ("from mod_python.util import FieldStorage, redirect\n", True),
    "i.py": ("from mod_python import *\n", True),
    "j.py": ("util = apache.import_module('mod_python.util')\n", True),
    "k.py": ("if True:\n    from mod_python import apache,util\n", True),
    "l.conf": ("PythonHandler mod_python.publisher\n", True),
    "m.conf": ("    PythonHandler mod_python.psp | .psp\n", True),
    "n.psp": ("<%\nfrom mod_python import Session\n%>\n", True),
    "o.conf": ("PythonOutputFilter upper UPPER\n", True),
    "p.py": ("req.add_output_filter('X')\n", True),
    "q.py": ("from mod_python import (apache, util)\n", True),
    "r.py": ("from mod_python import apache; from mod_python import cache\n", True),
    "none1.py": ("from mod_python import apache\n", False),
    "none2.py": ("from mod_python import apache, utility\nimport util\n", False),
    "none3.py": ("from mod_python import (\n    apache,\n)\nimport util\nfrom http import cookies\n", False),
    "none4.conf": ("SetHandler mod_python\nPythonHandler hello\n", False),
    "none5.py": ("from mod_python import apache, \\\n    utility\nimport cache\n", False),
}


class Migration(unittest.TestCase):
    def test_the_search_finds_every_form_of_a_use(self):
        [block] = [block for block in pages.blocks("docs/migration.md", pages.read("docs/migration.md")) if "grep" in block.text]
        with tempfile.TemporaryDirectory() as folder:
            site, configuration = Path(folder, "srv"), Path(folder, "apache2")
            for place in (site, configuration):
                place.mkdir()
            for name, (text, _) in USES.items():
                (configuration if name.endswith(".conf") else site).joinpath(name).write_text(text)
            script = block.text.replace("/srv", str(site)).replace("/etc/apache2", str(configuration))
            done = subprocess.run(["sh"], input=script, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stderr, "")
        found = set(re.findall(r"/([a-z]+\d?\.[a-z]+)\b", done.stdout))
        self.assertEqual(found, {name for name, (_, is_use) in USES.items() if is_use})


class Container(unittest.TestCase):
    """docker/commands, but for Docker."""

    def test_the_programs_of_the_pages_are_shell(self):
        scripts = {name: script for name in pages.names() if (script := container.script_of(name))}
        self.assertGreater(len(scripts), 7)
        for name, script in scripts.items():
            done = subprocess.run(["sh", "-n"], input=script, capture_output=True, text=True, timeout=60)
            self.assertEqual((done.returncode, done.stderr), (0, ""), name)

    def test_a_page_s_program_does_what_the_page_says(self):
        text = "<!-- file {0}/a b/x -->\n```apache\nit's\n```\n<!-- run\nz=1\n-->\n```sh\ncat '{0}/a b/x'\nfalse\n```\n"
        with tempfile.TemporaryDirectory() as folder:
            [written, run] = pages.blocks("p", text.format(folder))
            subprocess.run(["sh", "-eu"], input=container.written(written), text=True, timeout=60, check=True)
            self.assertEqual(Path(folder, "a b/x").read_text(), "it's\n")
        self.assertEqual(run.setup, "z=1")

    def test_what_it_refuses(self):
        for arguments, words in ((["docs/errors.md"], "has nothing to run"), (["--package", "/none.deb"], "there is no package /none.deb")):
            done = subprocess.run([DOCKER / "commands", *arguments], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(words, done.stderr)


class Checks(unittest.TestCase):
    def test_what_is_wrong_is_found(self):
        for text, words in {
            "apxs/srve app": "no program apxs/srve",
            "apxs/serve --prot 80 .": "does not tell of --prot",
            "benches/memory --request 5": "does not tell of --request",
            "mod_python serve --prot 80 .": "no --prot",
            "mod_python sreve .": "invalid choice",
            "apache2ctl config-test": "apache2ctl takes",
            "httpd -k gracefully": "httpd -k takes",
            "systemctl reload apache": "systemctl takes",
            "sudo a2enmod pyhton": "no module pyhton",
            "apt install libapache2-mod-pyhton": "no package",
            "cargo test --test suite framin": "no area framin",
            "python3 -m unittest discover -s python/test": "no folder",
            "docker build -f docker/Dockerfile --build-arg BSE=x .": "no ARG BSE",
            "PYO3_PYTHON=/usr/bin/python3 frobnicate": "'frobnicate' is no program",
        }.items():
            with self.subTest(text):
                found = wrong_with(text)
                self.assertEqual(len(found), 1)
                self.assertIn(words, found[0])

    def test_what_is_right_is_not(self):
        text = "sudo -u www-data ls /srv | tail -n 1 && apache2ctl -t -D DUMP_RUN_CFG  # a comment\nmod_python serve --static /a=b . \\\n  --mpm prefork > out\n"
        self.assertEqual(wrong_with(text), [])
        found = [command.words for command in pages.commands("here", text)]
        self.assertEqual(found[0], ("ls", "/srv"))
        self.assertEqual(found[-1], ("mod_python", "serve", "--static", "/a=b", ".", "--mpm", "prefork"))

    def test_blocks(self):
        text = "<!-- file /a -->\n```python\nx\n```\n<!-- run\ntouch b\n-->\n\n```sh\nls\n```\n<!-- expect\ntest -e b\n-->\n<!-- not run: it is long -->\n```sh\nls\n```\n"
        first, second, third = pages.blocks("p", text)
        self.assertEqual((first.file, first.is_run, first.text), ("/a", False, "x\n"))
        self.assertEqual((second.is_run, second.setup, second.expect, second.text), (True, "touch b", "test -e b", "ls\n"))
        self.assertEqual((third.excuse, third.is_run), ("it is long", False))
        for wrong in ("<!-- expect\nx\n-->\n", "<!-- run -->\ntext\n"):
            with self.assertRaises(ValueError):
                pages.blocks("p", wrong)


if __name__ == "__main__":
    unittest.main()
