"""How much memory do images take? `python benchmarks/image_memory.py` prints the table of `docs/limits.md`. Linux only.

Makes the files of `tests/imaging/large_files.py`, and reads and prepares each in a process of its own.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from imaging.large_files import FILES, GREEDY
from imaging.peak_memory import measured


def main() -> None:
    """Measure and print."""
    print("| file of 9 megapixels | image, MB | peak, MB | peak / image | expected / image |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, write in (FILES | GREEDY).items():
            path = Path(folder) / name
            write(path)
            report = measured(path)
            image, peak, expected = report["image"], report["peak"], report["expected"]
            print(f"| {name} | {image / 1e6:.0f} | {peak / 1e6:.0f} | {peak / image:.2f} | {expected / image:.2f} |")


if __name__ == "__main__":
    main()
