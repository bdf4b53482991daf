"""Says what pip-audit found, as a line of docker/image/release/reports: audited.py REPORT STATUS LAST-WORDS."""

import json
import sys
from pathlib import Path


def sentence(report: str | None, status: int, words: str) -> tuple[str, str]:
    """Whether it is ok, bad or absent, and why. A package that was not looked up is not one that is all right."""
    try:
        packages = json.loads(report or "")["dependencies"]
    except (ValueError, KeyError, TypeError):
        return "absent", f"not checked: pip-audit came to no result ({words.rstrip('.') or f'status {status}'})."
    faulty = sorted(package["name"] for package in packages if package.get("vulns"))
    unknown = sorted(package["name"] for package in packages if "skip_reason" in package)
    if faulty:
        return "bad", f"PyPI knows vulnerabilities of {', '.join(faulty)}: pip-audit.json has them."
    if unknown or not packages:
        return "absent", f"not checked: PyPI's data cannot be had from here for {', '.join(unknown) or 'any package'}."
    return "ok", f"PyPI knows no vulnerability of the {len(packages)} packages that build the wheel; at run time it needs none."


def main(path: str, status: str, words: str) -> None:
    file = Path(path)
    print("pip-audit", *sentence(file.read_text() if file.is_file() else None, int(status), words), sep="\t")


if __name__ == "__main__":
    main(*sys.argv[1:])
