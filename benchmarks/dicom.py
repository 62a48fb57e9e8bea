"""How fast DICOM files are classified, and how much memory that takes; run by hand.

``python benchmarks/dicom.py``

It makes a CT series of 512 x 512 pixels in a temporary folder, as it is and as JPEG 2000, and prints slices per second
through `classify` with the demo model, the peak of memory for 20 and for 500 slices, and the time until a folder of
1,000 files is opened. Each figure comes from a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

SLICES, FEW, MANY, FILES = 40, 20, 500, 1000
WORK = """
import json, resource, sys, time
import napari_webipred as wp
from napari_webipred import engine
model = wp.open_model("demo")
if sys.argv[2] == "open":
    begin = time.perf_counter()
    sources, _ = engine.find_sources(sys.argv[1])
    print(json.dumps([time.perf_counter() - begin, sum(map(len, sources)), len(sources)]))
else:
    for place in range(2):  # the first of the two loads libraries
        begin = time.perf_counter()
        table = wp.classify(sys.argv[1] if place else sys.argv[3], model)
        seconds = time.perf_counter() - begin
    assert (table["error"] == "").all(), table["error"]
    print(json.dumps([seconds, len(table), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024]))
"""


def series(folder: Path, count: int, compress: bool = False) -> Path:
    """Write a series of slices with noise, as a scanner makes it."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from pydicom.uid import JPEG2000Lossless

    from dicom_maker import ct_slice, written

    folder.mkdir()
    numbers = np.random.default_rng(0)
    rows, columns = np.mgrid[:512, :512]
    body = np.where((rows - 256) ** 2 + (columns - 256) ** 2 < 200**2, 40, -1000)
    for number in range(count):
        pixels = (body + numbers.normal(0, 15, body.shape)).astype(np.int16)
        made = ct_slice(number * 2.5, number, pixels)
        if compress:
            made.compress(JPEG2000Lossless, generate_instance_uid=False)
        written(folder / f"IM{number:04}", made)
    return folder


def measured(*arguments: str) -> list[float]:
    done = subprocess.run([sys.executable, "-c", WORK, *arguments], capture_output=True, text=True, check=True)
    found: list[float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        one = str(series(folder / "one", 2))
        for name, compress in (("raw", False), ("JPEG 2000", True)):
            path = series(folder / name, SLICES, compress)
            seconds, rows, _ = measured(str(path), "classify", one)
            print(f"{name}: {rows / seconds:.1f} slices per second")
        for count in (FEW, MANY):
            _, rows, megabytes = measured(str(series(folder / f"{count}", count)), "classify", one)
            print(f"{rows:.0f} slices: {megabytes:.0f} MB at the peak")
        many = series(folder / "files", FILES)
        seconds, planes, sources = measured(str(many), "open")
        print(f"a folder of {FILES} files, {planes:.0f} slices in {sources:.0f} series: opened in {seconds:.2f} s")


if __name__ == "__main__":
    main()
