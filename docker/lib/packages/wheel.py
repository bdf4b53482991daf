"""docker/wheel: wheels for each system, and the source that pip builds from."""

from __future__ import annotations

from matrix.images import Images

from .command import Kind

KIND = Kind(
    command="docker/wheel",
    description="""
Builds the wheel mod_python in a container for each release, by its own python3, with the source package beside it, and tries it on a fresh
system of that release: pip installs it into a virtual environment without a compiler, and it serves from Debian's httpd and from one of
another build.
""",
    build=Images.wheel,
    pattern="mod_python-*",
    trial="docker/image/wheel",
)
