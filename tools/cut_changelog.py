"""Print the section of the changelog about one version: ``python tools/cut_changelog.py 0.2.0``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

CHANGELOG = Path(__file__).parents[1] / "CHANGELOG.md"


def section(text: str, version: str) -> str:
    """Return the section of a version, without its heading.

    Raises
    ------
    SystemExit
        The changelog has no section with this heading, or nothing stands below it.
    """
    found = re.search(rf"^## {re.escape(version)}\b.*?$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    body = found[1].strip() if found else ""
    if not body:
        raise SystemExit(f"CHANGELOG.md has no section {version!r}: rename 'Unreleased' to the version and its date.")
    return body


if __name__ == "__main__":
    print(section(CHANGELOG.read_text(encoding="utf-8"), sys.argv[1]))
