"""The hostile files on disk, and what becomes of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

WATCH = Path(__file__).with_name("watch.py")


def opened(
    kind: str, suffix: str, cases: Mapping[str, Callable[[], bytes]], folder: Path, source: Path | None = None
) -> list[dict[str, Any]]:
    """Write the files, open each under a watch, and return what was seen in the order of the cases.

    Models may use 4 GB, as on a computer with much memory. ``source`` is the folder of another version of the program.
    """
    files = folder / kind
    files.mkdir()
    for name, content in cases.items():
        (files / (name.replace(":", "") + suffix)).write_bytes(content())
    done = subprocess.run(
        [sys.executable, str(WATCH), kind, str(files)],
        env=os.environ
        | {
            "NAPARI_WEBIPRED_CACHE": str(folder / "cache"),
            "NAPARI_WEBIPRED_OFFLINE": "1",
            "NAPARI_WEBIPRED_MEMORY_LIMIT": "4GB",
            **({"PYTHONPATH": str(source)} if source else {}),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=1800,
    )
    seen = {report["case"]: report for report in map(json.loads, done.stdout.splitlines())}
    for path in files.iterdir():
        seen[path.stem]["bytes"] = path.stat().st_size
    return [seen[name.replace(":", "")] | {"case": name} for name in cases]
