"""docker/release without Docker: versions, checksums, the comparison of two builds, what the reports say."""

import argparse
import contextlib
import gzip
import io
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
sys.path.insert(0, str(HERE.parent / "image/release"))

from audited import sentence
from matrix.command import status_of
from matrix.docker import DockerError
from matrix.systems import Refusal
from packages import command, deb, release, wheel
from packages.files import compare, members, write_sums
from packages.release import is_ours, put_in_place, read_reports
from packages.versions import date_of, version_of

REPOSITORY = HERE.parents[1]


class Folders(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def write(self, name, content=b""):
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return file


class Versions(Folders):
    def test_those_of_this_checkout_agree_and_have_a_date(self):
        self.assertRegex(version_of(REPOSITORY), r"^\d+\.\d+\.\d+$")
        self.assertGreater(date_of(REPOSITORY), 1_700_000_000)

    def checkout(self, library="4.1.0"):
        self.write("Cargo.toml", b'[package]\nversion = "4.1.0"\n')
        self.write("python/mod_python/version.py", f'version = "{library}"\n'.encode())
        self.write("debian/changelog", b"libapache2-mod-python (4.1.0-2) unstable; urgency=medium\n\n -- A <a@b.example>  Thu, 01 Jan 1970 01:00:10 +0100\n")
        self.write("docker/Dockerfile", b"ARG VERSION=4.1.0\n")

    def test_the_date_is_that_of_the_newest_entry(self):
        self.checkout()
        self.assertEqual(version_of(self.folder), "4.1.0")
        self.assertEqual(date_of(self.folder), 10)

    def test_files_that_disagree_are_named(self):
        self.checkout(library="4.0.0")
        with self.assertRaisesRegex(Refusal, r"Cargo.toml has 4.1.0, python/mod_python/version.py has 4.0.0"):
            version_of(self.folder)


class Sums(Folders):
    def test_sha256sum_takes_them(self):
        self.write("b.whl", b"wheel")
        self.write("deb/trixie/a.deb", b"package")
        self.write("SHA256SUMS", b"of an earlier run")
        self.assertEqual(write_sums(self.folder), 2)
        self.assertEqual([line[66:] for line in (self.folder / "SHA256SUMS").read_text().splitlines()], ["b.whl", "deb/trixie/a.deb"])
        check = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=self.folder, capture_output=True, text=True)
        self.assertEqual((check.returncode, check.stdout), (0, "b.whl: OK\ndeb/trixie/a.deb: OK\n"))


def tar(mtime, **files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(content), mtime
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def package(**members):
    return b"!<arch>\n" + b"".join(
        f"{name.replace('_', '.'):<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
        for name, data in members.items()
    )


class Comparison(Folders):
    def test_the_same_bytes_are_the_same_and_what_tells_the_build_is_not_compared(self):
        for build in "12":
            self.write(f"{build}/a.whl", b"same")
            self.write(f"{build}/a.buildinfo", build.encode())
            self.write(f"{build}/a.changes", build.encode())
        self.assertEqual(compare(self.folder / "1", self.folder / "2"), (["a.whl"], []))

    def test_a_file_that_only_one_build_has_is_a_difference(self):
        self.write("1/a.whl")
        (self.folder / "2").mkdir()
        self.assertEqual(compare(self.folder / "1", self.folder / "2"), ([], [f"a.whl is not in {self.folder / '2'}"]))

    def test_of_a_debian_package_the_member_that_differs_is_named(self):
        one = self.write("1/a.deb", package(debian_binary=b"2.0\n", data_tar=tar(1, so=b"one", doc=b"x")))
        two = self.write("2/a.deb", package(debian_binary=b"2.0\n", data_tar=tar(1, so=b"two", doc=b"x")))
        self.assertEqual(members(one, two), ["data.tar: so (content)"])
        self.assertEqual(compare(one.parent, two.parent), ([], ["a.deb differs: data.tar: so (content)"]))

    def test_a_date_is_an_attribute(self):
        one = self.write("1/a.tar.gz", gzip.compress(tar(1, so=b"x")))
        two = self.write("2/a.tar.gz", gzip.compress(tar(2, so=b"x")))
        self.assertEqual(members(one, two), ["so (attributes)"])

    def test_the_same_members_packed_in_another_way_are_a_difference(self):
        self.write("1/a.tar.gz", gzip.compress(tar(1, so=b"x"), mtime=1))
        self.write("2/a.tar.gz", gzip.compress(tar(1, so=b"x"), mtime=2))
        self.assertEqual(compare(self.folder / "1", self.folder / "2"), ([], ["a.tar.gz differs: only in how it is packed"]))

    def test_a_wheel_is_looked_into_too(self):
        for build, names in (("1", ["so"]), ("2", ["so", "more"])):
            with zipfile.ZipFile(self.write(f"{build}/a.whl"), "w") as archive:
                for name in names:
                    archive.writestr(zipfile.ZipInfo(name), b"x")
        self.assertEqual(members(self.folder / "1/a.whl", self.folder / "2/a.whl"), ["more (in one only)"])


class Place(Folders):
    def test_a_folder_of_somebody_elses_is_not_replaced(self):
        self.assertTrue(is_ours(self.folder / "new"))
        self.assertTrue(is_ours(self.folder))
        file = self.write("thesis.txt")
        self.assertFalse(is_ours(self.folder))
        self.assertFalse(is_ours(file))
        self.write("SHA256SUMS")
        self.assertTrue(is_ours(self.folder))

    def test_a_release_takes_the_place_of_an_earlier_one(self):
        self.write("dist/old.whl")
        self.write("dist.part/new.whl")
        put_in_place(self.folder / "dist.part", self.folder / "dist")
        self.assertEqual([str(file.relative_to(self.folder)) for file in self.folder.rglob("*.whl")], ["dist/new.whl"])


class Reports(unittest.TestCase):
    def test_each_report_has_an_outcome_and_one_that_says_nothing_failed(self):
        said = "sbom\tok\t40 crates.\nnoise\ncargo-deny\tbad\tGPL-3.0.\npip-audit\tabsent\tnot checked.\n"
        self.assertEqual(
            read_reports(said),
            [
                ("sbom", "ok", "40 crates."),
                ("cargo-deny", "bad", "GPL-3.0."),
                ("cargo-deny-advisories", "bad", "it was not made."),
                ("pip-audit", "absent", "not checked."),
            ],
        )

    def test_a_package_that_was_not_looked_up_is_not_all_right(self):
        fine, unknown = '{"name": "build", "version": "1", "vulns": []}', '{"name": "hatchling", "skip_reason": "not found"}'
        faulty = '{"name": "build", "version": "1", "vulns": [{"id": "PYSEC-1"}]}'
        self.assertEqual(sentence(f'{{"dependencies": [{fine}]}}', 0, "")[0], "ok")
        self.assertEqual(sentence(f'{{"dependencies": [{faulty}, {unknown}]}}', 1, ""), ("bad", "PyPI knows vulnerabilities of build: pip-audit.json has them."))
        outcome, words = sentence(f'{{"dependencies": [{fine}, {unknown}]}}', 0, "")
        self.assertEqual((outcome, "hatchling" in words), ("absent", True))

    def test_no_report_is_absent_with_the_reason(self):
        self.assertEqual(sentence(None, 1, "no network."), ("absent", "not checked: pip-audit came to no result (no network)."))
        self.assertEqual(sentence('{"dependencies": []}', 0, "")[0], "absent")


class CommandLines(unittest.TestCase):
    def test_an_unknown_release_is_refused_with_those_that_there_are(self):
        for main in (release.main, lambda arguments: command.main(deb.KIND, arguments), lambda arguments: command.main(wheel.KIND, arguments)):
            with contextlib.redirect_stderr(io.StringIO()) as errors:
                self.assertEqual(main(["sarge"]), 2)
            self.assertIn("there is no release sarge: it is one of bookworm, trixie, forky", errors.getvalue())

    def test_what_docker_does_not_do_is_a_failure_in_one_sentence(self):
        def run(_):
            raise DockerError("docker create: no such image")

        with contextlib.redirect_stderr(io.StringIO()) as errors:
            self.assertEqual(status_of("docker/release", run, argparse.Namespace()), 1)
        self.assertEqual(errors.getvalue(), "docker/release: docker create: no such image\n")

    def test_packages_are_for_the_releases_own_python(self):
        self.assertEqual({suite: system.python for suite, system in command.known().items()}, {"bookworm": "3.11", "trixie": "3.13", "forky": "3.14"})


if __name__ == "__main__":
    unittest.main()
