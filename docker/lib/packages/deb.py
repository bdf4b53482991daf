"""docker/deb: Debian packages for each system."""

from __future__ import annotations

from matrix.images import Images

from .command import Kind

KIND = Kind(
    command="docker/deb",
    description="""
Builds the Debian package libapache2-mod-python in a container for each release, by its own python3, and tries it on a fresh system of
that release: installed beside httpd with apt, a site served, an upgrade from mod_python 3.5 where the release has it, removed, purged.
""",
    build=Images.debian_package,
    pattern="libapache2-mod-python*",
    trial="docker/image/deb",
)
