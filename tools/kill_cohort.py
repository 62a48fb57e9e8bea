"""Kill a run of many files again and again, go on each time, and compare the table with that of an undisturbed run.

    python tools/kill_cohort.py [--files 2000] [--kills 20] [--suffix csv] [--seed 0]

Each run is ended with SIGKILL when its journal has grown to a random size. Prints where that was, and whether both
tables are equal.
"""

from __future__ import annotations

import argparse
import filecmp
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

POLL = 0.0005  # seconds


def main() -> int:
    """Return 0 if the tables are equal."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--suffix", default="csv")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scans = make(folder / "scans", options.files)
        whole, parts = folder / f"whole.{options.suffix}", folder / f"parts.{options.suffix}"
        subprocess.run(command(scans, whole), check=False)
        journal = parts.with_name(f"{parts.name}.inputs.jsonl")
        size = 150 * options.files / options.kills  # bytes of the journal between two kills
        killed = 0
        while killed < options.kills:
            if not kill(command(scans, parts, "--resume"), journal, chance.uniform(0, 1.6 * size)):
                print(f"The run came to its end after {killed} kills.")
                break
            killed += 1
            print(f"kill {killed}: {lines(parts)} lines in the table, {lines(journal)} in the journal", flush=True)
        subprocess.run(command(scans, parts, "--resume"), check=False)
        equal = filecmp.cmp(whole, parts, shallow=False)
        records = [json.loads(path.with_name(f"{path.name}.json").read_bytes()) for path in (whole, parts)]
        same = records[0] | {"made": ""} == records[1] | {"made": ""}
        print(
            f"After {killed} kills: tables {'equal' if equal else 'DIFFER'}, records {'equal' if same else 'DIFFER'}."
        )
    return 0 if equal and same else 1


def make(folder: Path, count: int) -> Path:
    """Write many small images, of which one in a hundred is damaged."""
    folder.mkdir()
    for number in range(count):
        path = folder / f"{number}.png"
        if number % 100 == 50:
            path.write_bytes(b"nonsense")
        else:
            pixels = np.random.default_rng(number).integers(0, 256, (64, 64, 3), np.uint8)
            Image.fromarray(pixels).save(path)
    return folder


def command(scans: Path, table: Path, *more: str) -> list[str]:
    """Return the command that classifies them."""
    program = [sys.executable, "-m", "napari_webipred.cli", "classify"]
    return [*program, str(scans), "-m", "demo", "-o", str(table), "--quiet", *more]


def kill(arguments: list[str], journal: Path, more: float) -> bool:
    """Run a command until a file has grown by so many bytes, and kill it; False if it ends before."""
    begin = journal.stat().st_size if journal.exists() else 0
    process = subprocess.Popen(arguments)
    while process.poll() is None:
        if journal.exists() and journal.stat().st_size > begin + more:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return True
        time.sleep(POLL)
    return False


def lines(path: Path) -> int:
    """Return how many lines a file has."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


if __name__ == "__main__":
    raise SystemExit(main())
