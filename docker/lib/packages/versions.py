"""What a release is called, and its date."""

from __future__ import annotations

import email.utils
import re
import tomllib
from pathlib import Path

from matrix.systems import Refusal


def version_of(repository: Path) -> str:
    """The version, which all files that have it agree on. Raises Refusal if they do not."""
    found = {
        "Cargo.toml": tomllib.loads((repository / "Cargo.toml").read_text())["package"]["version"],
        "python/mod_python/version.py": first(r'^version = "(.*)"$', repository / "python/mod_python/version.py"),
        "debian/changelog": first(r"^\S+ \((.*)-[^-]*\)", repository / "debian/changelog"),
        "docker/Dockerfile": first(r"^ARG VERSION=(.*)$", repository / "docker/Dockerfile"),
    }
    if len(set(found.values())) != 1:
        raise Refusal(f"the versions differ: {', '.join(f'{file} has {version}' for file, version in found.items())}.")
    return found["Cargo.toml"]


def date_of(repository: Path) -> int:
    """The release's date, which is that of the newest entry of debian/changelog, in seconds since 1970: SOURCE_DATE_EPOCH."""
    return int(email.utils.parsedate_to_datetime(first(r"^ -- .*>  (.*)$", repository / "debian/changelog")).timestamp())


def first(pattern: str, file: Path) -> str:
    found = re.search(pattern, file.read_text(), re.MULTILINE)
    if not found:
        raise Refusal(f"{file} has no line {pattern}.")
    return found[1]
