"""A cell's integration tests: the test program, run inside the image to deploy, as its own user."""

from __future__ import annotations

import re
import subprocess
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from .docker import Docker, DockerError
from .systems import Cell

# Tests wait for processes most of the time: more threads than cores.
THREADS = 3
MEMORY = "2g"
PROCESSES = 2048
# So much of what the program prints is kept: what its failed tests said comes last.
LINES = 100_000
# Lines of it, and characters of a line, that are enough to see what kind of failure it is.
FEW_LINES = 6
WIDTH = 200

# The tests of a process model are named after it. The one-child cell also runs what is no process model's: those tests
# choose one that suits them.
FILTERS = {
    "prefork": ["::prefork"],
    "worker": ["::worker"],
    "event": ["::event"],
    "winnt": ["--skip", "::prefork", "--skip", "::worker", "--skip", "::event", "--skip", "itk::"],
    "itk": ["::prefork", "itk::", "--skip", "lasting::"],
}
# They read the sources and the manual, compile, or need mod_python 3.5, mod_wsgi, root, a Redis server or packages from PyPI, which no image has.
ELSEWHERE = [
    word
    for area in (
        "documents::", "comparison::", "proofs::", "frameworks::", "gilstate::packages::", "library::httpdconf::", "library::testing::",
        "library::psp::the_sources_are_those_of_mod_python", "venv::tools::", "venv::errors::what_the_childrens_user_cannot_read_stops_the_start",
        "lifecycle::starting::mod_wsgi_beside_this_module", "wsgi_directives::guides::another_user_stops_httpd",
        "wsgi_directives::process::mod_wsgi_has_its_own_directives", "store::redis::", "store::sessions::",
        "store::socache::it_can_be_on_a_server", "store::writemap::where_memory_has_no_",
    )
    for word in ("--skip", area)
]  # fmt: skip

# mpm_itk's parent is root, and gives each connection to a user of its choice.
ITK_RIGHTS = ["--user", "root", "--cap-add", "DAC_READ_SEARCH", "--cap-add", "SYS_NICE"]
# The tests look into the processes of those users.
ITK_TEST_RIGHTS = [*ITK_RIGHTS, "--cap-add", "SYS_PTRACE"]

# Root begins, whoever runs the tests: `/` is to belong to the image's user, as whom handlers run, since it is then spared the storage
# driver's answer (see run_tests) at the first step of every path. It cannot write there all the same, unless it means to.
BEGIN = """
chmod 555 / && chown "$IMAGE_USER" / || exit
[ "$MOD_PYTHON_TEST_MODEL" = itk ] || as_user=(setpriv --reuid "${IMAGE_USER%:*}" --regid "${IMAGE_USER#*:}" --clear-groups)
exec "${as_user[@]}" bash -c "$0" "$@"
"""

# First the programs whose lack only some of the tests would notice.
CLIENTS = """
curl -V 2>/dev/null | grep -q HTTP2 || echo '=== not done what asks by curl: it does not start here, or without HTTP/2'
openssl version >/dev/null 2>&1 || echo '=== not done what makes certificates: openssl does not start here'
"""

SCRIPT = f"cd /tmp\n{CLIENTS}" + """
export MOD_PYTHON_TEST_SKIPS=/tmp/skips
echo "=== total $(/tests/suite --list "$@" 2>/dev/null | grep -c ': test$')"
/tests/suite --test-threads "$THREADS" "$@" 2>&1
echo "=== end $?"
[ ! -e "$MOD_PYTHON_TEST_SKIPS" ] || sed 's/^/=== not done /' "$MOD_PYTHON_TEST_SKIPS"
"""


@dataclass
class TestFailure:
    """A test, or the whole test program, that failed, and what it said."""

    name: str
    output: str

    @property
    def words(self) -> list[str]:
        """A few lines of what it said, those that tell most: of a test, why it panicked; else the first, and the last ones."""
        lines = self.output.splitlines()
        panic = next((number for number, line in enumerate(lines) if " panicked at " in line), None)
        if panic is not None:
            lines = lines[panic : panic + FEW_LINES]
        elif len(lines) > FEW_LINES:
            lines = [lines[0], *lines[1 - FEW_LINES :]]
        printable = ("".join(c if c.isprintable() else " " for c in line[:WIDTH]).rstrip() for line in lines)
        return [line for line in printable if line]


@dataclass
class TestRun:
    """What a cell's tests came to."""

    total: int = 0
    passed: int = 0
    failures: list[TestFailure] = field(default_factory=list)

    @property
    def summary(self) -> str:
        return f"{self.passed}/{self.total}"


class Reader:
    """Follows the output of the test program, line by line."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.run = TestRun()
        self._tell = tell
        self._begun = self._ended = False
        self._failed: list[str] = []
        self._lines: deque[str] = deque(maxlen=LINES)
        self._not_done: list[str] = []

    def line(self, line: str) -> None:
        if mark := re.match(r"=== total (\d+)$", line):
            self.run.total, self._begun = int(mark[1]), True
        elif mark := re.match(r"=== end (\d+)$", line):
            self._end(int(mark[1]))
        elif mark := re.match(r"=== not done (.+)$", line):
            # It has passed, as far as the program knows.
            self._not_done.append(mark[1])
        else:
            self._lines.append(line)
            if result := re.match(r"test (\S+)(?: - should panic)? \.\.\. (ok|FAILED)$", line):
                if result[2] == "ok":
                    self.run.passed += 1
                else:
                    self._failed.append(result[1])
                self._tell(self.run.summary + (f", {self.failed} failed" if self.failed else ""))

    @property
    def failed(self) -> int:
        return len(self._failed)

    def _end(self, status: int) -> None:
        self._ended = True
        text = "\n".join(self._lines)
        self.run.failures.extend(TestFailure(name, section(text, name)) for name in self._failed)
        if status != 0 and not self._failed:
            self.run.failures.append(TestFailure("the test program", f"it ended with status {status}\n{text}"))

    def over(self, cause: str | None) -> TestRun:
        """Closes the account; `cause` says why there may be no end of it."""
        if self._begun and not self._ended:
            self._end(-1)
        if cause:
            self.run.failures.append(TestFailure("the cell", cause))
        elif not self._begun:
            self.run.failures.append(TestFailure("the cell", "its tests did not begin"))
        elif not self.run.total and not self.run.failures:
            self.run.failures.append(TestFailure("the cell", "no test is named after its process model"))
        elif self._not_done:
            tests = "\n".join(self._not_done)
            self.run.failures.append(TestFailure("tests were not done for want of something in the image", tests))
        elif not self.run.failures and self.run.passed != self.run.total:
            gap = f"{self.run.passed} tests passed, {self.run.total} were to run"
            self.run.failures.append(TestFailure("the cell", gap))
        return self.run


def section(text: str, name: str) -> str:
    """What a failed test printed."""
    found = re.search(rf"^---- {re.escape(name)} stdout ----\n(.*?)(?=^---- \S+ stdout ----$|^failures:$|\Z)", text, re.M | re.S)
    return found[1].strip() if found else text


def run_tests(docker: Docker, cell: Cell, image: str, usr: str, tell: Callable[[str], None]) -> TestRun:
    """Runs the tests of a cell in a container of its own without a network.

    `usr` is a volume with the image's /usr: the tests start thousands of httpds, and for each file that those open, some of Docker's
    storage drivers (fuse-overlayfs) ask a process of theirs several times. Docker's own init would have to be put into it (`--init`): the
    shell that runs the program is the container's first process, and sees orphans off.
    """
    container = docker.name(cell.name.replace(" ", "-"))
    environment = {
        "THREADS": str(THREADS),
        "MOD_PYTHON_SO": "/usr/lib/apache2/modules/mod_python.so",
        "MOD_PYTHON_TEST_MODULES": "/modules",
        "TMPDIR": "/tmp",
        "HOME": "/tmp",
        "IMAGE_USER": docker.image_user(image),
    }
    if cell.gil == "own":
        environment["MOD_PYTHON_TEST_GIL"] = "own"
    if cell.model == "itk":
        environment["MOD_PYTHON_TEST_MODEL"] = "itk"
    command = [
        "run", "--rm", "--name", container, *docker.label(cell.name), "--network", "none", "--no-healthcheck", "--volume", f"{usr}:/usr:ro", "--sig-proxy=false",
        "--memory", MEMORY, "--memory-swap", MEMORY, "--pids-limit", str(PROCESSES), "--tmpfs", "/tmp:exec,mode=1777",
        *(ITK_TEST_RIGHTS if cell.model == "itk" else ["--user", "root"]),
        *(part for name, value in environment.items() for part in ("--env", f"{name}={value}")),
        "--entrypoint", "bash", image, "-c", BEGIN, SCRIPT, "tests", *FILTERS[cell.model], *ELSEWHERE,
    ]  # fmt: skip
    reader = Reader(tell)
    process = docker.open(*command, stderr=subprocess.STDOUT)
    try:
        assert process.stdout
        for line in process.stdout:
            reader.line(line.decode(errors="replace").rstrip("\n"))
        status = process.wait()
    finally:
        docker.forget(process)
    if docker.ending.is_set():
        raise DockerError("the run is ending")
    return reader.over(f"its container ended with status {status}" if status != 0 else None)
