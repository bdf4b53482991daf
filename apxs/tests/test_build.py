"""What apxs/lib does before and around a build: it finds what was built before, and says why cargo has failed."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from test_serve import REPOSITORY

# A cargo that does what the environment says, and a rustc that is new enough.
_CARGO = """\
#!/bin/sh
[ "$1" != --version ] || { echo cargo 1.99.0; exit; }
echo "cargo $*" >>"$FAKE/calls"
echo "$CARGO_HTTP_CAINFO" >>"$FAKE/certificates"
if [ -n "$FAKE_SAYS" ]; then echo "$FAKE_SAYS" >&2; exit 101; fi
mkdir -p "$FAKE/target"
echo built >"$FAKE/target/libmod_python.so"
echo "{\\"filenames\\":[\\"$FAKE/target/libmod_python.so\\"]}"
"""

_SCRIPT = """\
set -euo pipefail
ME=test REPO={repository} LIB=$REPO/apxs/lib
for file in common python httpd needs build; do . "$LIB/$file.sh"; done
apxs_query() {{ echo "$1"; }}
HTTPD=/usr/sbin/httpd PYTHON=/usr/bin/python3 PYTHON_VERSION=3.11.2
build_module
echo "module $MODULE"
"""


class Build(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        for name, text in (("cargo", _CARGO), ("rustc", "#!/bin/sh\necho rustc 1.99.0\n")):
            (self.folder / name).write_text(text)
            (self.folder / name).chmod(0o755)

    def build(self, repository=REPOSITORY, **more):
        environ = {name: value for name, value in os.environ.items() if name not in ("MOD_PYTHON_SO", "CARGO_HTTP_CAINFO", "CARGO_TARGET_DIR")}
        environ.update(FAKE=str(self.folder), FAKE_SAYS="", PATH=f"{self.folder}:{os.environ['PATH']}", XDG_CACHE_HOME=str(self.folder / "cache"))
        environ.update(more)
        return subprocess.run(["bash", "-c", _SCRIPT.format(repository=repository)], env=environ, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)

    def calls(self):
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def clone(self, name):
        """Another checkout of what a build reads."""
        clone = self.folder / name
        clone.mkdir()
        for part in ("Cargo.toml", "Cargo.lock", "build.rs", "wrapper.h"):
            shutil.copy(REPOSITORY / part, clone / part)
        for part in ("src", "include", "python/mod_python", "apxs/lib"):
            shutil.copytree(REPOSITORY / part, clone / part, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        return clone

    def test_another_checkout_of_the_same_sources_finds_what_was_built(self):
        first = self.build(self.clone("first"))
        self.assertEqual((first.returncode, len(self.calls())), (0, 1), first.stderr)
        self.assertIn("the first time cargo fetches ", first.stderr)
        other = self.clone("other")
        again = self.build(other)
        self.assertEqual((again.returncode, len(self.calls())), (0, 1), again.stderr)
        self.assertIn("was built before from these sources", again.stderr)
        self.assertTrue(again.stdout.startswith(f"module {self.folder}/cache/mod_python/built/"), again.stdout)
        # Other sources are not taken for them.
        with (other / "src/lib.rs").open("a") as file:
            file.write("// changed\n")
        changed = self.build(other)
        self.assertEqual((changed.returncode, len(self.calls())), (0, 2), changed.stderr)

    def test_few_are_kept(self):
        clone = self.clone("clone")
        for number in range(7):
            (clone / "wrapper.h").write_text(f"/* {number} */\n")
            self.assertEqual(self.build(clone).returncode, 0)
        self.assertEqual(len(list((self.folder / "cache/mod_python/built").iterdir())), 5)

    def test_why_cargo_has_failed(self):
        certificates = self.folder / "ca.pem"
        certificates.write_text("")
        for says, parts in (
            ("[60] SSL peer certificate or SSH remote key was not OK", ["certificate on the way to crates.io is not known to " + str(certificates), "CARGO_HTTP_CAINFO=/path"]),
            ("[6] Could not resolve host: index.crates.io", ["there is no way to crates.io from here", "HTTPS_PROXY"]),
            ("error[E0425]: cannot find value", ["the build failed; what cargo said is above."]),
        ):
            done = self.build(FAKE_SAYS=says, SSL_CERT_FILE=str(certificates))
            self.assertEqual(done.returncode, 1)
            for part in [says, *parts]:
                self.assertIn(part, done.stderr)
        self.assertFalse((self.folder / "cache").exists(), "nothing is kept of it")
        self.assertEqual(set((self.folder / "certificates").read_text().split()), {str(certificates)}, "cargo is given the certificates of the environment")

    def test_the_systems_certificates_are_taken(self):
        known = [path for path in ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt") if os.path.exists(path)]
        if not known:
            self.skipTest("this system keeps its certificates elsewhere")
        done = self.build(SSL_CERT_FILE="", CURL_CA_BUNDLE="", REQUESTS_CA_BUNDLE="")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((self.folder / "certificates").read_text().split(), known[:1])


if __name__ == "__main__":
    unittest.main()
