"""What very many files cost: memory, the time until the first row, and the rate against arrays in memory.

    python benchmarks/cohort.py [rate] [memory] [million] [listing] [--files 10000] [--rounds 5] [--model MODEL]

Ratios are of runs in turns in one process. On a machine that does other things, too, processor time says more than
seconds.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from process import timed

SOME = 50  # different images; the others are links to these
MILLION = 1_000_000
MODEL = "demo"


def make(folder: Path, count: int) -> Path:
    """Make a folder with many links to a few small images, 1,000 in each folder below it."""
    few = folder.with_name(f"{folder.name} few")
    few.mkdir()
    for number in range(SOME):
        pixels = np.random.default_rng(number).integers(0, 256, (256, 256, 3), np.uint8)
        Image.fromarray(pixels).save(few / f"{number}.jpg", quality=90)
    for number in range(count):
        below = folder / f"patient {number // 1000:04}"
        below.mkdir(parents=True, exist_ok=True)
        os.link(few / f"{number % SOME}.jpg", below / f"{number}.jpg")
    return folder


def rate(folder: Path, files: int, rounds: int) -> None:
    """Compare the command, from files to a table, with the engine on the same images as arrays in memory."""
    import napari_webipred as wp
    from napari_webipred import cli, engine

    scans, table = make(folder / "scans", files), folder / "out.csv"
    some = [np.asarray(Image.open(path)) for path in sorted((folder / "scans few").iterdir())]
    arrays = [some[number % SOME] for number in range(files)]
    model = wp.open_model(MODEL, standardize=None if MODEL == "demo" else "torch")
    told = [] if MODEL == "demo" else ["--standardize", "torch"]

    def from_arrays() -> None:
        for _ in engine.classify(model, arrays):
            pass

    def from_files() -> None:
        cli.main(["classify", str(scans), "-m", MODEL, "-o", str(table), "--quiet", *told])

    def only_reading() -> None:
        for path in scans.rglob("*.jpg"):
            with Image.open(path) as image:
                image.load()

    found = [(timed(from_arrays), timed(from_files), timed(only_reading)) for _ in range(rounds)]
    for name, which in (("seconds", 0), ("processor time", 1)):
        whole = [arrays_took[which] / files_took[which] for arrays_took, files_took, _ in found]
        print(f"rate of files against arrays, by {name}: {_spread(whole)}")
    without = [arrays_took[1] / (files_took[1] - decoding[1]) for arrays_took, files_took, decoding in found]
    print(f"the same by processor time, without decoding: {_spread(without)}")
    each = statistics.median(arrays_took[1] for arrays_took, _, _ in found) / files
    print(f"from arrays: {1000 * each:.2f} ms of processor time an image")


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def memory(folder: Path, files: int, rounds: int) -> None:
    """Compare the peak memory of a tenth of the files with that of all."""
    few, many = make(folder / "few", files // 10), make(folder / "many", files)
    for scans, count in ((few, files // 10), (many, files)):
        peaks = [_peak(scans, folder / "out.csv") for _ in range(rounds)]
        print(f"{count:,} files: peak memory {statistics.median(peaks):.0f} MB ({min(peaks):.0f} to {max(peaks):.0f})")


def _peak(scans: Path, table: Path) -> float:
    program = [sys.executable, "-m", "napari_webipred.cli", "classify"]
    command = [*program, str(scans), "-m", "demo", "-o", str(table), "--quiet"]
    process = subprocess.Popen(command)
    _, _, used = os.wait4(process.pid, 0)
    process.returncode = 0
    return used.ru_maxrss / 1024


SIMULATED = """
import resource, sys, time
begin = time.perf_counter()
import numpy as np
from napari_webipred import cli, engine
from napari_webipred.execution import threads
from napari_webipred.imaging import finding
from napari_webipred.imaging.source import Source
from napari_webipred.results.result_file import ResultFile
from napari_webipred.results.row import Row

numbers = np.linspace(0, 1, 5, dtype=np.float32)
threads.classify_plane = lambda plane, *_: Row(
    plane.number, plane.source.name, probabilities=numbers, prediction="sharp", assigned=(0,))
finding.file_source = lambda path: Source(path, "raster", None)
write, first = ResultFile.write, []
def noted(self, *row):
    first or first.append((time.perf_counter() - begin, time.process_time()))
    write(self, *row)
ResultFile.write = noted
assert cli.main(["classify", "@" + sys.argv[1], "-m", "demo", "-o", sys.argv[2], "--quiet"]) == 0
print(*first[0], time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def million(folder: Path, files: int, rounds: int) -> None:
    """Write a table of a million rows of a model that computes nothing, of files that are not there."""
    for count in (1000, files, MILLION):
        images = folder / f"{count}.txt"
        with images.open("w") as file:
            file.writelines(f"/none/patient {number // 1000:04}/image {number}.png\n" for number in range(count))
        said = subprocess.run(
            [sys.executable, "-c", SIMULATED, str(images), str(folder / "rows.csv")],
            capture_output=True,
            text=True,
            check=True,
        )
        seconds, used, all_used, peak = map(float, said.stdout.split())
        print(
            f"{count:,} rows simulated: first row after {seconds:.1f} s ({used:.1f} s of processor time), "
            f"{1e6 * (all_used - used) / count:.0f} us of processor time a row, peak memory {peak:.0f} MB",
            flush=True,
        )


def listing(folder: Path, files: int, rounds: int) -> None:
    """Find the files in folders, of which nobody reads any."""
    from napari_webipred import engine

    scans = folder / "empty"
    for number in range(10 * files):
        below = scans / f"patient {number // 1000:04}"
        if number % 1000 == 0:
            below.mkdir(parents=True)
        (below / f"image_{number}.png").touch()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    times = [timed(lambda: engine.found(str(scans)))[1] for _ in range(rounds)]
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{10 * files:,} files listed: {_spread(times)} s of processor time, {after - before:.0f} MB more memory")


PARTS = {part.__name__: part for part in (rate, memory, million, listing)}


def main() -> None:
    """Measure the parts that are asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", default="demo", help="for the rate: a model that takes ImageNet's scaling")
    options = parser.parse_args()
    global MODEL
    MODEL = options.model
    for name in options.parts or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            PARTS[name](Path(folder), options.files, options.rounds)


if __name__ == "__main__":
    main()
