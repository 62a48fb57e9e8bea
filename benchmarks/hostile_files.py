"""What becomes of hostile files? `python benchmarks/hostile_files.py > docs/hostile-files.md`.

Makes the files of `tests/hostile`, opens each in a process of its own and prints a page: what the user sees, seconds
and peak memory of that process. POSIX only.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from hostile.archives import ARCHIVES
from hostile.folder import opened
from hostile.pictures import PICTURES

PAGE = """# Hostile files

Archives and pictures that an attacker or an accident could make, and what the user sees. `tests/hostile` makes them and
holds the program to it with every change: each is refused in words that name the file, or opened where it does no harm,
and none takes {limit} MB. This page is made by `python benchmarks/hostile_files.py`; seconds of the processor and
megabytes are those of the process that opened the file, with all libraries that it needs ({empty} MB, for archives and
pictures).

{archives} archives and {pictures} pictures; the slowest took {seconds:.1f} s, the largest {megabytes:.0f} MB.
"""


def table(title: str, suffix: str, reports: list[dict[str, Any]]) -> str:
    """Lay out the reports as a table."""
    lines = [f"## {title}\n", "| file | what the user sees | s | MB |", "|---|---|---|---|"]
    for report in reports:
        name = report["case"].replace(":", "") + suffix
        words = report["words"].replace(name, "FILE").replace("|", "\\|")
        words = words.replace(f"The model {name.removesuffix(suffix)} ", "The model FILE ")
        words = words if len(words) <= 160 else words[:159] + "…"
        lines.append(f"| {report['case']} | {words} | {report['seconds']:.2f} | {report['megabytes']:.0f} |")
    return "\n".join(lines)


def main() -> None:
    """Open all files and print the page."""
    with tempfile.TemporaryDirectory() as folder:
        archives = opened("archive", ".zip", ARCHIVES, Path(folder))
        pictures = opened("picture", ".dat", PICTURES, Path(folder))
    every = archives + pictures
    worst = {key: max(report[key] for report in every) for key in ("seconds", "megabytes")}
    empty = f"{min(r['megabytes'] for r in archives):.0f} and {min(r['megabytes'] for r in pictures):.0f}"
    print(PAGE.format(limit=300, empty=empty, archives=len(archives), pictures=len(pictures), **worst))
    print(table("Archives", ".zip", archives) + "\n")
    print(table("Pictures", ".dat", pictures))


if __name__ == "__main__":
    main()
