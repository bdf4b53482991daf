"""The files of a release: their checksums, and what differs between two builds of one."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

SUMS = "SHA256SUMS"
# These say when and where they were made.
TELL_THE_BUILD = (".buildinfo", ".changes")


def write_sums(folder: Path) -> int:
    """Writes SHA256SUMS, as sha256sum -c reads it, for all files below a folder; how many there are."""
    names = sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file() and file.name != SUMS)
    lines = []
    for name in names:
        with (folder / name).open("rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {name}\n")
    (folder / SUMS).write_text("".join(lines))
    return len(names)


def compare(first: Path, second: Path) -> tuple[list[str], list[str]]:
    """The files that two folders have the same, byte for byte, and a sentence for each that they have not."""
    same, different = [], []
    names = sorted({file.name for folder in (first, second) for file in folder.iterdir() if file.suffix not in TELL_THE_BUILD})
    for name in names:
        if missing := [folder for folder in (first, second) if not (folder / name).is_file()]:
            different.append(f"{name} is not in {missing[0]}")
        elif (first / name).read_bytes() == (second / name).read_bytes():
            same.append(name)
        else:
            different.append(f"{name} differs: {', '.join(members(first / name, second / name)) or 'only in how it is packed'}")
    return same, different


def members(first: Path, second: Path) -> list[str]:
    """The members of two archives that differ, with what of them differs."""
    ours, theirs = dict(contents(first.read_bytes(), first.name)), dict(contents(second.read_bytes(), second.name))
    found = []
    for name in sorted(ours.keys() | theirs.keys()):
        if name not in ours or name not in theirs:
            found.append(f"{name} (in one only)")
        elif ours[name] != theirs[name]:
            what = [word for word, one, other in zip(("content", "attributes"), ours[name], theirs[name], strict=True) if one != other]
            found.append(f"{name} ({' and '.join(what)})")
    return found


def contents(data: bytes, name: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """The members of an archive: their names, and for each what it contains and its attributes. One of no kind that is known is a member itself."""
    if name.endswith((".deb", ".ddeb")):
        for member, content in ar(data):
            yield from ((f"{member}: {inner}", facts) for inner, facts in contents(content, member))
    elif name.endswith(".whl"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry in archive.infolist():
                yield entry.filename, (digest(archive.read(entry)), f"{entry.date_time} {entry.external_attr:o}")
    elif ".tar" in name:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for entry in archive:
                file = archive.extractfile(entry) if entry.isfile() else None
                attributes = f"{entry.mtime} {entry.mode:o} {entry.uid} {entry.gid} {entry.linkname}"
                yield entry.name, (digest(file.read()) if file else "", attributes)
    else:
        yield name, (digest(data), "")


def ar(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The members of an ar archive, which a Debian package is."""
    if not data.startswith(b"!<arch>\n"):
        raise ValueError("this is no ar archive")
    at = 8
    while at < len(data):
        header = data[at : at + 60]
        size = int(header[48:58])
        yield header[:16].decode().rstrip(" /"), data[at + 60 : at + 60 + size]
        at += 60 + size + size % 2


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
