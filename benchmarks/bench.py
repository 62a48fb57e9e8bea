"""How fast is it? `python benchmarks/bench.py [--quick] [PART...]`, or `make bench`. It writes `docs/performance.md`.

Measures napari-webipred against the same work written by hand with ONNX Runtime, plainly (`bare.py`) and with all that
makes it faster (`tuned.py`), in turns, with a DenseNet121 of 224 x 224 pixels; also against Keras and TensorFlow.js
where they are installed. Those who compute by hand use the graph that the compiler made when the goals were set. Ratios
are what counts: times drift. With PART, names of parts, only these are measured and nothing is written.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import growth
from measures import ROWS, Place, contestants, prepare
from process import HERE, Line, NotMeasuredError

ROOT = HERE.parent
PAGE, FIGURE = ROOT / "docs" / "performance.md", ROOT / "docs" / "images" / "growth.svg"

TEXT = """# Performance

`make bench` measures and writes this page{quick}. Ratios are what counts: both sides take turns on the same machine,
and each round gives a ratio. The table has the median and, in brackets, the least and the greatest. Below 1, this
program is faster or smaller. *By hand* is the same work written with NumPy, Pillow and ONNX Runtime alone
(`benchmarks/bare.py`), *tuned* the same with all that is known to make it faster (`benchmarks/tuned.py`). Both run the
graph that the compiler made when the goals were set.

Measured {date} on {machine}. The load was {load} before and {load_after} after. On a busy machine ranges are wide.
A Python program that does nothing takes {empty} ms here; where the goals were set it takes 10. Times in milliseconds
compare only in proportion to that.

## Goals

| | what | goal | when it was set | now |
|---|---|---:|---:|---:|
{rows}

A goal that is missed stands in bold. Row 9 is the time of `make test` on two cores, which is not measured here.

Four goals are out of reach, as far as is known:

- *The table.* It is the time to import pandas, and Python takes longer to end with pandas in memory: of 150 ms, 30 are
  this end. Importing pandas while the network opens gained 12 to 24 ms, because Python computes on both sides.
- *Python without the table.* Python's end takes 30 ms, which the command line skips. Without it, Python is faster.
- *CSV.* A row of the table is a copy of 4 KB. CSV makes a text of each of 1,000 numbers, such that the very number can
  be read from it; orjson, the fastest way that is known, takes 25 nanoseconds for each. When the goals were set, a row
  took 630 microseconds as CSV and 6.5 in the table.
- *Standard output.* A column for each axis has to be there before the first row, so every file is opened for its first
  bytes: 3 microseconds for each. A table in a file gets such a column when the first stack comes.

## Contestants

The same files, a DenseNet121 of 224 x 224 pixels. TensorFlow.js gets a tensor, without reading an image.

| contestant | cold start, s | one warm image, ms | {few} files, ms each | memory, MB |
|---|---:|---:|---:|---:|
{contestants}

## Cost against size

![Time against the number of files, pixels, planes a chunk and classes](images/growth.svg)

The demo model; times from the start of the process to its end for files, else with the model open. `refused` is a file
beyond the [limits](limits.md).

{growth}"""


def empty_program() -> float:
    """Return how long a Python program takes that does nothing, in milliseconds."""
    times = []
    for _ in range(7):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


def machine() -> str:
    """Describe this machine and the versions that count."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        name = names[0] if names else name
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = ", ".join(f"{each} {metadata.version(each)}" for each in ("onnxruntime", "numpy", "pillow"))
    return f"{name}, {cores} cores, {platform.system()}, Python {platform.python_version()}, {versions}"


def measured(act: Callable[[Place], Iterator[Line]], place: Place) -> list[Line]:
    """Take the measures of a row, and print them as they come; say why if it cannot be done."""
    lines: list[Line] = []
    name = getattr(act, "__name__", "part")
    begin = time.perf_counter()
    try:
        for line in act(place):
            lines.append(line)
            print(
                f"{line.row:2} {line.task:66} {line.result:34} goal {line.goal or '-':6} was {line.before or '-'}",
                flush=True,
            )
    except (NotMeasuredError, OSError, ValueError, IndexError) as error:
        print(f"{name}: not measured: {error}", flush=True)
        lines.append(
            Line(
                (act.__doc__ or "Row -").split()[1].strip(":"),
                name.replace("_", " "),
                "x",
                "",
                "",
                [],
                str(error)[:120],
            )
        )
    print(f"   ({name}: {time.perf_counter() - begin:.0f} s)", flush=True)
    return lines


def told(place: Place) -> list[str]:
    """Take the measures of the contestants that are here, as rows of the page's table."""
    rows: list[str] = []
    try:
        rows.extend(f"| {' | '.join(each)} |" for each in contestants(place))
    except (NotMeasuredError, OSError, ValueError, IndexError) as error:
        print(f"contestants: not measured: {error}", flush=True)
    return rows


def row_of(line: Line) -> str:
    """Write a line of the page's table."""
    result = line.result
    if line.values and line.goal and line.middle > float(line.goal):
        result = f"**{result}**"
    goal = f"{line.goal} {line.unit}".removesuffix(" x") if line.goal else ""
    before = f"{line.before} {line.unit}".removesuffix(" x") if line.before else ""
    return f"| {line.row} | {line.task} | {goal} | {before} | {result} |"


def load() -> str:
    """Tell how busy the machine is."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description="Measure napari-webipred, and write docs/performance.md.")
    names = {act.__name__: act for act in ROWS}
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"one of {', '.join(names)}, contestants, growth")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and files: some minutes")
    parser.add_argument(
        "--keras", default=sys.executable, metavar="PYTHON", help="a Python that has Keras and TensorFlow"
    )
    parser.add_argument("--tfjs", type=Path, default=ROOT, metavar="FOLDER", help="with node_modules of TensorFlow.js")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="webipred-bench-"))
    os.environ |= {
        "NAPARI_WEBIPRED_CACHE": str(folder / "cache"),
        "NAPARI_WEBIPRED_OFFLINE": "1",
        "NAPARI_CONFIG": str(folder / "napari.yaml"),
    }
    place = Place(folder, options.quick, options.keras, options.tfjs)
    before, empty = load(), empty_program()
    print(f"{machine()}; load {before}", flush=True)
    try:
        prepare(place)
        wanted = [act for name, act in names.items() if not options.parts or name in options.parts]
        lines = [line for act in wanted for line in measured(act, place)]
        peers = told(place) if _is_wanted("contestants", options.parts) else []
        print("\n".join(peers), flush=True)
        curves = growth.measure(place) if _is_wanted("growth", options.parts) else []
        print(growth.table(curves), flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if options.parts:
        return
    growth.draw(curves, FIGURE)
    PAGE.write_text(
        TEXT.format(
            quick=" (this time with `--quick`, so with fewer rounds and files)" if options.quick else "",
            date=time.strftime("%Y-%m-%d"),
            machine=machine(),
            load=before,
            empty=f"{empty:.0f}",
            load_after=load(),
            rows="\n".join(map(row_of, sorted(lines, key=lambda line: line.row))),
            contestants="\n".join(peers),
            few=64,
            growth=growth.table(curves),
        ),
        "utf-8",
    )
    print(f"Written: {PAGE}")


def _is_wanted(part: str, parts: list[str]) -> bool:
    return not parts or part in parts


if __name__ == "__main__":
    main()
