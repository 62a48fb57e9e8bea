"""Are the limits of models right? `python benchmarks/limits.py MODEL...`, on Linux.

Opens each model and runs it with one image, in a process of its own: what a run takes of memory, beside what is told
before, and how many multiply-adds are told for each second on one core. The bound of the memory must never be lower
than what is measured, and one core should do at least `napari_webipred.limits.WORK_PER_SECOND`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

IMAGE = 224  # pixels along each side, for networks that take images of any size
CHILD = """
import ctypes, json, sys, time
from pathlib import Path
import numpy as np
import napari_webipred

def memory(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024

model = napari_webipred.open_model(sys.argv[1], standardize="none", activation="none", allow_slow=True)
session = model.session(1)
image = np.zeros((1, *(size or int(sys.argv[2]) for size in session.input_shape)), np.float32)
bounds = session.bounds(image.shape)
ctypes.CDLL(None).malloc_trim(0)
Path("/proc/self/clear_refs").write_text("5")
before = memory("VmRSS")
session.predict(image)
peak = memory("VmHWM") - before
begin = time.perf_counter()
session.predict(image)
seconds = time.perf_counter() - begin
print(json.dumps([bounds.weights / 2**20, bounds.run / 2**20, peak, bounds.work, seconds]))
"""


def main() -> None:
    """Measure the models and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--image", type=int, default=IMAGE, help="size of images where the model leaves it open")
    options = parser.parse_args()
    print("| model | weights, MB | run, told, MB | run, measured, MB | multiply-adds, 1e9 | s | 1e9 per second |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name in options.models:
        command = [sys.executable, "-c", CHILD, name, str(options.image)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        weights, told, measured, work, seconds = json.loads(done.stdout.splitlines()[-1])
        cells = f"{weights:.0f} | {told:.0f} | {measured:.0f} | {work / 1e9:.2f} | {seconds:.3f}"
        print(f"| {name.rpartition('/')[2]} | {cells} | {work / seconds / 1e9:.0f} |", flush=True)


if __name__ == "__main__":
    main()
