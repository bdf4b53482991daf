"""The blocks of a page, what comments beside them say of them, and the commands in them.

| comment | |
|---|---|
| `<!-- file PATH -->`, before a block | docker/commands writes the block to that file |
| `<!-- run -->`, or `<!-- run`, lines, `-->` | docker/commands runs the block; the lines are what it runs first |
| `<!-- expect`, lines, `-->`, behind a block that is run | shell that has to succeed afterwards |
| `<!-- not run: WHY -->` | nobody runs it, or who does |
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent.parent
# At the start of a line or in a list
FENCE = re.compile(r" *```(\w*)")
DIRECTIVE = re.compile(r"<!-- (file|run|not run|expect)\b:?\s*(.*)")
ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
SEPARATORS = {"&&", "||", ";", "|", "&"}


@dataclass
class Block:
    """A block of code."""

    page: str
    line: int
    language: str
    text: str = ""
    file: str = ""
    is_run: bool = False
    setup: str = ""
    expect: str = ""
    excuse: str = ""

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Command:
    """A command of a page: its words, without the variables in front and without sudo."""

    place: str
    words: tuple[str, ...]
    text: str = field(compare=False, default="")


def names() -> list[str]:
    """README and the pages, by their paths in the repository."""
    others = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "SAFETY.md", "benches/README.md"]
    return others + sorted(str(path.relative_to(REPOSITORY)) for path in (REPOSITORY / "docs").rglob("*.md"))


def read(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def blocks(name: str, text: str) -> list[Block]:
    """The blocks of a page, in order. Raises ValueError for a comment that stands nowhere."""
    found: list[Block] = []
    waiting: dict[str, str] = {}
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        if directive := DIRECTIVE.match(line):
            kind, value = directive[1], directive[2]
            if value.endswith("-->"):
                value = value.removesuffix("-->").strip()
            else:
                value = "\n".join([value, *(each for _, each in until(lines, "-->"))]).strip()
            if kind != "expect":
                waiting[kind] = value
            elif found and found[-1].is_run:
                found[-1].expect = value
            else:
                raise ValueError(f"{name}:{number}: no block before this one is run")
        elif fence := FENCE.match(line):
            block = Block(name, number, fence[1], file=waiting.get("file", ""), setup=waiting.get("run", ""))
            block.is_run, block.excuse = "run" in waiting, waiting.get("not run", "")
            block.text = "\n".join(each for _, each in until(lines, "```")) + "\n"
            found.append(block)
            waiting = {}
        elif line.strip() and waiting:
            raise ValueError(f"{name}:{number}: a block is missing behind <!-- {next(iter(waiting))} -->")
    return found


def until(lines, end: str):
    """The lines before the one that is this."""
    for number, line in lines:
        if line.strip() == end:
            return
        yield number, line


def inline(name: str, text: str) -> list[tuple[str, str]]:
    """What stands between backticks in the text, with its place."""
    found = []
    is_code = False
    for number, line in enumerate(text.splitlines(), 1):
        if FENCE.match(line):
            is_code = not is_code
        elif not is_code:
            found += [(f"{name}:{number}", code) for code in re.findall(r"`([^`]+)`", line)]
    return found


def commands(place: str, text: str) -> list[Command]:
    """The simple commands of a piece of shell. Raises ValueError for what is none."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="();<>|&")
        lexer.whitespace_split = True
        lexer.commenters = "#"
        # A number sign within a word begins no comment.
        words = list(lexer) if not re.search(r"\S#", line) else shlex.split(line, comments=False)
        command: list[str] = []
        for word in [*words, ";"]:
            if word not in SEPARATORS:
                command.append(word)
                continue
            if stripped := without_prefix(redirected(command)):
                found.append(Command(place, tuple(stripped), line.strip()))
            command = []
    return found


def redirected(words: list[str]) -> list[str]:
    """The words without redirections."""
    kept, is_target = [], False
    for word in words:
        if is_target:
            is_target = False
        elif set(word) <= set("<>&"):
            is_target = True
        else:
            kept.append(word)
    return kept


def without_prefix(words: list[str]) -> list[str]:
    """The words behind variables, sudo and its options."""
    while words:
        if ASSIGNMENT.match(words[0]) and len(words) > 1:
            words = words[1:]
        elif words[0] == "sudo":
            words = words[3:] if words[1:2] == ["-u"] else words[1:]
        else:
            return words
    return words
