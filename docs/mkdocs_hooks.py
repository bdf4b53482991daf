"""For mkdocs: the pages that lie outside of docs/, the pages of a folder, and links to files that are no pages."""

import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parent.parent
# Pages of the repository's own, and what they are called in the site
OUTSIDE = {"README.md": "index.md", **{f"{name}.md": f"{name}.md" for name in ("SECURITY", "CHANGELOG", "CONTRIBUTING", "SAFETY")}}
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)#:\s]+)(#[^)\s]*)?\)")


def on_config(config):
    """A folder in the navigation becomes its pages."""
    config["nav"] = [expanded(item) for item in config["nav"]]
    return config


def expanded(item):
    """The same item with the pages of a folder in its place."""
    [(title, place)] = item.items()
    if not isinstance(place, str) or not place.endswith("/"):
        return item
    pages = sorted((ROOT / "docs" / place).glob("*.md"), key=lambda page: (page.name != "README.md", page.name.lower()))
    return {title: [place + page.name for page in pages]}


def on_files(files, config):
    """Adds the pages from outside of docs/; leaves this file out."""
    for file in list(files):
        if file.src_path == "mkdocs_hooks.py" or file.src_path.endswith("build"):
            files.remove(file)
    folder = Path(config["site_dir"]).parent / "manual"
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in OUTSIDE.items():
        (folder / page).write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
        files.append(File(page, str(folder), config["site_dir"], config["use_directory_urls"]))
    return files


def on_page_markdown(markdown, page, config, files):
    """Links lead to pages of the site; the name of a file that is none stands by itself."""
    source = next((name for name, there in OUTSIDE.items() if there == page.file.src_path), f"docs/{page.file.src_path}")

    def linked(match):
        text, target, anchor = match[1], match[2], match[3] or ""
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        there = OUTSIDE.get(path) or (path.removeprefix("docs/") if path.startswith("docs/") else None)
        if there is not None and files.get_file_from_path(there):
            return f"[{text}]({posixpath.relpath(there, posixpath.dirname(page.file.src_path) or '.')}{anchor})"
        if not (ROOT / path).exists():
            raise SystemExit(f"{source}: the link to {target} leads nowhere.")
        return text

    return LINK.sub(linked, markdown)
