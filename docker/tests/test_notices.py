"""NOTICE and debian/copyright against the crates that cargo builds the module from."""

import json
import re
import subprocess
import unittest
from fnmatch import fnmatch
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
NOTICE = (REPOSITORY / "NOTICE").read_text()
# Not a crate of Cargo.lock
RUST = "Rust's standard library"
LMDB = "LMDB"


def said(*command):
    return subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True).stdout


def plain(text):
    """Text without its line breaks and its indentation."""
    return " ".join(text.split())


class Crates(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        host = re.search(r"^host: (\S+)$", said("rustc", "--version", "--verbose"), re.MULTILINE)[1]
        metadata = json.loads(said("cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", host))
        cls.crates = {crate["id"]: crate for crate in metadata["packages"]}
        cls.nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
        cls.root = metadata["resolve"]["root"]
        table = re.search(r"^Work +License\n((?:.+\n)+)", NOTICE, re.MULTILINE)[1]
        cls.named = dict(re.findall(r"^(.+?) {2,}(.+?)(?: \(its text is below\))?$", table, re.MULTILINE))

    def linked(self):
        """The crates that are in the module: neither those of tests and builds nor macros' own."""
        found, new = {}, [self.root]
        while new:
            node = new.pop()
            crate = self.crates[node]
            if node in found or any("proc-macro" in target["kind"] for target in crate["targets"]):
                continue
            found[node] = crate
            new += [each["pkg"] for each in self.nodes[node]["deps"] if any(kind["kind"] is None for kind in each["dep_kinds"])]
        del found[self.root]
        return list(found.values())

    def test_the_notice_names_what_is_in_the_module(self):
        self.assertEqual(sorted(self.named), sorted([*(crate["name"] for crate in self.linked()), RUST, LMDB]))

    def test_the_notice_names_the_licenses_of_the_crates(self):
        for crate in self.linked():
            with self.subTest(crate["name"]):
                license = "Blue Oak Model License 1.0.0" if crate["license"] == "BlueOak-1.0.0" else crate["license"].replace(" OR ", " or ")
                self.assertEqual(self.named[crate["name"]], license)

    def test_the_notice_has_the_texts_of_the_licenses(self):
        texts = [Path(crate["manifest_path"]).parent for crate in self.linked() if "Apache-2.0" not in crate["license"]]
        lmdb = next(Path(crate["manifest_path"]).parent for crate in self.linked() if crate["name"] == "lmdb-master-sys")
        texts = [next(folder.glob("LICENSE*")) for folder in texts]
        texts += [lmdb / "lmdb/libraries/liblmdb" / name for name in ("LICENSE", "COPYRIGHT")]
        self.assertGreaterEqual(len(texts), 4)
        for text in texts:
            with self.subTest(text.parent.name):
                self.assertIn(plain(text.read_text()), plain(NOTICE))

    def test_debian_copyright_covers_each_vendored_crate(self):
        paragraphs = re.split(r"\n\n", (REPOSITORY / "debian/copyright").read_text())
        fields = [dict(re.findall(r"^([A-Z][\w-]+): *((?:.|\n )*)", paragraph, re.MULTILINE)) for paragraph in paragraphs]
        texts = {each["License"].split("\n")[0] for each in fields if "Files" not in each and "License" in each}
        used = set()
        for crate in self.crates.values():
            if crate["id"] == self.root:
                continue
            with self.subTest(crate["name"]):
                matching = [each for each in fields if any(fnmatch(f"debian/vendor/{crate['name']}/src/lib.rs", files) for files in each.get("Files", "").split())]
                license = matching[-1]["License"]
                used.add(license)
                for one in license.split(" and "):
                    self.assertIn(one, texts)
                    self.assertIn(one, re.split(r"[ /()]+", crate["license"]))
        self.assertGreaterEqual(used, {"Apache-2.0", "MIT", "BSD-3-Clause", "BlueOak-1.0.0"})


if __name__ == "__main__":
    unittest.main()
