"""What is done in a cell: the module's own proof, or the check of an application."""

from __future__ import annotations

from portability import verdict
from portability.check import CheckError
from portability.observations import Observations

from .application import Application, observe, verdict_section
from .docker import Docker
from .images import ImageError, Images, Progress
from .package import run_package
from .report import Result, Run
from .scenario import run_scenario
from .systems import PACKAGE, System
from .tests import run_tests

# What no image to deploy has: a compiler, or any other means to build with.
BUILDERS = "cc gcc g++ c++ clang cargo rustc make apxs apxs2"
# Bytes that an image to deploy has at most: Debian, httpd, Python, and some way to go for each of them.
LARGEST = 200 * 10**6


class Work:
    """What is done in the cells."""

    # Whether the others are run only if the first cell, alone, has shown no problem.
    first_cell_decides = False
    # Seconds that a cell may take.
    limit = 10 * 60

    def __init__(self, docker: Docker, images: Images, run: Run) -> None:
        self.docker, self.images, self.whole = docker, images, run

    def versions(self, system: System, progress: Progress) -> dict[str, str]:
        """What is really in the image to deploy. Raises ImageError if that is more than it is to have."""
        image = self.images.deployed(system, progress)
        size = int(self.docker.call("image", "inspect", "--format", "{{.Size}}", image))
        self.whole.images[image] = size
        words = f"apache2 -v | head -n 1; python{system.python} -V; command -v {BUILDERS}; true"
        httpd, python, *builders = self.docker.call(
            "run", "--rm", *self.docker.label(), "--network", "none", "--entrypoint", "bash", image, "-c", words
        ).splitlines()
        if builders:
            raise ImageError(f"the image {image} has what it was built with in it: {', '.join(builders)}", "")
        if size > LARGEST:
            raise ImageError(f"the image {image} has {size / 1e6:.0f} MB, and more than {LARGEST / 1e6:.0f} are not meant to be", "")
        return {"httpd": httpd.partition("/")[2].split()[0], "Python": python.split()[1]}

    def image(self, system: System, model: str, progress: Progress) -> str:
        """The image that such a cell runs in, by its number: another run may give its name to another one meanwhile."""
        raise NotImplementedError

    def run(self, result: Result, image: str) -> None:
        """Runs a cell; what fails is noted in the result."""
        raise NotImplementedError

    def finish(self) -> tuple[dict, str, str]:
        """What this adds to report.json, report.html and the last words in the terminal."""
        return {}, "", ""


class IntegrationTests(Work):
    """The module's own: the integration tests, the scenario, and the package."""

    def __init__(self, docker: Docker, images: Images, run: Run) -> None:
        super().__init__(docker, images, run)
        self._deployed: dict[System, str] = {}
        # The volume with the /usr of an image, by its number.
        self._usr: dict[str, str] = {}

    def image(self, system: System, model: str, progress: Progress) -> str:
        if model == PACKAGE:
            return self.docker.image_id(self.images.debian_package(system, progress))
        cell = self.docker.image_id(self.images.cell(system, progress))
        self._deployed[system] = self.docker.image_id(self.images.deployed(system, progress))
        if cell not in self._usr:
            progress("copying /usr for the tests")
            self._usr[cell] = self.docker.volume(cell, "/usr")
        return cell

    def run(self, result: Result, image: str) -> None:
        cell, tell = result.cell, self.whole.tell
        if cell.is_package:
            package = run_package(self.docker, cell, image, lambda words: tell(result, doing=f"package: {words}"))
            tell(result, package=package, versions=package.versions)
            return
        tell(result, doing="tests")
        tests = run_tests(self.docker, cell, image, self._usr[image], lambda words: tell(result, doing=f"tests: {words}"))
        tell(result, tests=tests, doing="scenario")
        # mpm_itk is no part of the image to deploy.
        deployed = image if cell.model == "itk" else self._deployed[cell.system]
        scenario = run_scenario(self.docker, cell, deployed, lambda words: tell(result, doing=f"scenario: {words}"))
        tell(result, scenario=scenario)


class Check(Work):
    """The portability check of an application."""

    # An application that cannot be imported need not be tried everywhere.
    first_cell_decides = True

    def __init__(self, docker: Docker, images: Images, run: Run, application: Application) -> None:
        super().__init__(docker, images, run)
        self._application = application
        self._observed: dict[str, Observations] = {}

    def image(self, system: System, model: str, progress: Progress) -> str:
        image = self.images.itk(system, progress) if model == "itk" else self.images.deployed(system, progress)
        if self._application.has_image:
            image = self.images.application(system, image, self._application.folder, progress)
        return self.docker.image_id(image)

    def run(self, result: Result, image: str) -> None:
        try:
            seen = observe(self.docker, result.cell, image, self._application, lambda words: self.whole.tell(result, doing=words))
        except CheckError as error:
            self.whole.tell(result, error=str(error).rstrip("."))
            return
        if seen.unusable:
            self.whole.tell(result, error=seen.unusable)
        else:
            self._observed[result.cell.name] = seen

    def finish(self) -> tuple[dict, str, str]:
        order = {result.cell.name: result for result in self.whole.to_run}
        observed = {name: self._observed[name] for name in order if name in self._observed}
        if not observed:
            return {}, "", ""
        found = verdict.judge(self._application.plan, observed)
        for fault in found.faults:
            for name in fault.cells:
                self.whole.tell(order[name], state="failed")
        facts = {"verdict": found.to_json(), "observations": {name: seen.to_json() for name, seen in observed.items()}}
        missing = [name for name in order if name not in observed]
        words = verdict.text(found) + (f"Not checked in: {', '.join(missing)}.\n" if missing else "")
        return facts, verdict_section(found, missing), words
