"""httpd's configuration as httpd has understood it: what ``httpd -t -D DUMP_CONFIG`` prints, with variables, includes and macros replaced."""

import re
from dataclasses import dataclass, field


@dataclass
class Node:
    """A directive, or a section with its content."""

    name: str  # of a section without its bracket
    arguments: str
    file: str
    line: int
    parent: "Node | None" = None
    content: list = field(default_factory=list)
    is_section: bool = False

    @property
    def place(self):
        """Where it stands."""
        return f"{self.file}:{self.line}"

    @property
    def words(self):
        """Its arguments."""
        return words(self.arguments)

    def all(self):
        """This one and all that it holds."""
        yield self
        for inner in self.content:
            yield from inner.all()

    def around(self):
        """The sections that it is in, from the inside; the configuration itself is the last one."""
        node = self.parent
        while node is not None:
            yield node
            node = node.parent

    def is_named(self, *names):
        """Whether it has one of these names, as httpd compares them."""
        return self.name.lower() in {name.lower() for name in names}


def parsed(text):
    """The configuration, as a section without a name."""
    root = Node("", "", "", 0, is_section=True)
    section, file, number = root, "", 0
    for line in text.splitlines():
        line = line.strip()
        if found := re.fullmatch(r"# In file: (.*)", line):
            file = found[1]
        elif found := re.fullmatch(r"#\s*(\d+):", line):
            number = int(found[1])
        elif line.startswith("</"):
            section = section.parent or root
        elif line and not line.startswith("#"):
            is_section = line.startswith("<")
            name, _, arguments = line.strip("<").removesuffix(">" if is_section else "").partition(" ")
            node = Node(name, arguments.strip(), file, number, section, is_section=is_section)
            section.content.append(node)
            if is_section:
                section = node
    return root


def words(text):
    """The words of a line, with httpd's quoting."""
    found = re.findall(r'"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'|(\S+)', text)
    return [bare or re.sub(r"\\([\"'\\])", r"\1", double or single) for double, single, bare in found]
