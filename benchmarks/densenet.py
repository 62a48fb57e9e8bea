"""How fast is it? `python benchmarks/densenet.py [--model MODEL] [--repeats N] [--json]`, or `make bench`.

Measures napari-webipred against `bare.py`, the same work written by hand with ONNX Runtime, in turns within one run,
with a DenseNet121 of 224 x 224 pixels and 64 images of 1000 x 800. Ratios are what counts: times drift.

MODEL is anything that `napari-webipred classify --model` takes. Left out, it is the DenseNet121 with synthetic weights
in `../shared/models/webipred-16` where that is present, else WebIPred's chest X-ray model, which is downloaded.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

# Nothing but the standard library here: on Linux a child's peak memory counts from that of its parent.

HERE = Path(__file__).resolve().parent
SYNTHETIC = HERE.parents[1] / "shared" / "models" / "webipred-16" / "make_weights.py"
PUBLISHED = "webipred-16"
FILES, MANY = 64, 1000


@dataclass
class Comparison:
    """One line of the table: the same task by napari-webipred and by hand, several times each."""

    task: str
    unit: str
    goal: float | None = None
    ours: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """How many times as much as by hand, median against median."""
        return median(self.ours) / median(self.bare)


def run(*command: str | Path) -> str:
    """Run a Python script or module to its end and return what it prints."""
    done = subprocess.run([sys.executable, *map(str, command)], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


@dataclass(frozen=True)
class Cost:
    """What a process has cost: seconds until its first line with numbers and to its end, peak memory in MB."""

    first: float
    whole: float
    memory: float


def cost(*command: str | Path) -> Cost:
    """Run a process that prints a line per image, and measure it."""
    begin = time.perf_counter()
    process = subprocess.Popen([sys.executable, *map(str, command)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    first = 0.0
    for line in process.stdout:
        if not first and not line.startswith(b"image,"):
            first = time.perf_counter() - begin
    _, status, usage = os.wait4(process.pid, 0)
    whole = time.perf_counter() - begin
    if status:
        raise SystemExit(f"{' '.join(map(str, command))} has failed")
    kilobytes = usage.ru_maxrss / 1024 if sys.platform == "darwin" else usage.ru_maxrss
    return Cost(first, whole, kilobytes / 1024)


def in_turns(repeats: int, ours: Callable[[], Cost], bare: Callable[[], Cost]) -> list[tuple[Cost, Cost]]:
    """Measure A B A B ...; the first turn fills the caches of the operating system and does not count."""
    return [(ours(), bare()) for _ in range(repeats + 1)][1:]


def measure(model: str, folder: Path, repeats: int) -> list[Comparison]:
    """Take all measures."""
    few, many = folder / "few", folder / "many"
    run(HERE / "images.py", few, str(FILES))
    many.mkdir()
    for number, path in zip(range(MANY), sorted(few.iterdir()) * (MANY // FILES + 1), strict=False):
        os.link(path, many / f"{number:04}{path.suffix}")
    one = sorted(few.iterdir())[0]

    def ours(images: Path) -> Cost:
        return cost("-m", "napari_webipred.cli", "classify", images, "--model", model, "--standardize", "torch")

    ours(one)  # downloads, compiles
    graphs = list(Path(os.environ["NAPARI_WEBIPRED_CACHE"]).rglob("*.onnx"))
    assert len(graphs) == 1, graphs

    def bare(images: Path) -> Cost:
        return cost(HERE / "bare.py", graphs[0], images)

    start = Comparison("process start to first probabilities", "s", 2.5)
    for a, b in in_turns(2 * repeats, lambda: ours(one), lambda: bare(one)):
        start.ours.append(a.first)
        start.bare.append(b.first)

    warm = {
        "tensor": Comparison("one warm image: tensor", "ms", 1.15),
        "array": Comparison("one warm image: array of 1000 x 800", "ms", 1.15),
        "file": Comparison("one warm image: file of 1000 x 800", "ms", 1.15),
    }
    for _ in range(repeats):
        for who, with_what in (("ours", model), ("bare", str(graphs[0]))):
            times = json.loads(run(HERE / "warm.py", who, with_what, one))
            for task, line in warm.items():
                getattr(line, who).append(median(times[task]))

    files = Comparison(f"{FILES} files, each", "ms", 1.3)
    memory = Comparison(f"peak memory, {FILES} files", "MB")
    for a, b in in_turns(repeats, lambda: ours(few), lambda: bare(few)):
        for line, value in ((files, lambda c: 1000 * c.whole / FILES), (memory, lambda c: c.memory)):
            line.ours.append(value(a))
            line.bare.append(value(b))

    further = Comparison(f"each further file, up to {MANY}", "ms", 1.3)
    memory_of_many = Comparison(f"peak memory, {MANY} files", "MB")
    for a, b in in_turns(max(1, repeats // 2), lambda: ours(many), lambda: bare(many)):
        for who, c in (("ours", a), ("bare", b)):
            few_seconds = median(getattr(files, who)) * FILES / 1000
            getattr(further, who).append(1000 * (c.whole - few_seconds) / (MANY - FILES))
            getattr(memory_of_many, who).append(c.memory)

    importing = Comparison("import napari_webipred (by hand: python -c pass)", "ms")
    for a, b in in_turns(2 * repeats, lambda: cost("-c", "import napari_webipred"), lambda: cost("-c", "pass")):
        importing.ours.append(1000 * a.whole)
        importing.bare.append(1000 * b.whole)
    return [start, *warm.values(), files, further, memory, memory_of_many, importing]


def show(lines: list[Comparison]) -> None:
    """Print the table: medians, and the range in brackets."""

    def spread(values: list[float], digits: int) -> str:
        low, high = min(values), max(values)
        return f"{median(values):.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"

    print(f"{'median (least-most)':<50} {'napari-webipred':>22} {'by hand':>22}  ratio   goal")
    for line in lines:
        digits = {"s": 2, "ms": 1, "MB": 0}[line.unit]
        goal = f"{line.goal:.2f} {'ok' if line.ratio <= line.goal else 'MISSED'}" if line.goal else ""
        print(
            f"{line.task + ', ' + line.unit:<50} {spread(line.ours, digits):>22} {spread(line.bare, digits):>22}"
            f"  {line.ratio:5.2f}   {goal}"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure napari-webipred against bare ONNX Runtime.")
    parser.add_argument("--model", help="default: a DenseNet121, see above")
    parser.add_argument("--repeats", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print every single measurement")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="webipred-bench-"))
    os.environ["NAPARI_WEBIPRED_CACHE"] = str(folder / "cache")
    try:
        model = options.model or PUBLISHED
        if not options.model and SYNTHETIC.is_file():
            model = str(folder / "model")
            run(SYNTHETIC, model)
        lines = measure(model, folder, options.repeats)
    finally:
        shutil.rmtree(folder)
    if options.json:
        print(json.dumps([asdict(line) | {"ratio": line.ratio} for line in lines], indent=2))
    else:
        show(lines)


if __name__ == "__main__":
    main()
