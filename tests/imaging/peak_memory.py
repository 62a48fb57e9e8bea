"""How much memory reading and preparing an image takes, measured in a process of its own.

    python tests/imaging/peak_memory.py FILE

prints a JSON object: bytes of the decoded ``image``, of the ``peak`` above what the process had before, and what was
``expected`` before the image was read. Linux only.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def measured(path: Path) -> dict[str, int]:
    """Read and prepare the last plane of a file in a process of its own."""
    done = subprocess.run([sys.executable, __file__, str(path)], stdout=subprocess.PIPE, text=True, check=True)
    report: dict[str, int] = json.loads(done.stdout)
    return report


def _peak() -> int:
    """Bytes that this process has had at most; unlike those of `resource`, they do not start with the parent's."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return 1024 * int(line.split()[1])


def main() -> None:
    """Measure in this process."""
    import numpy as np

    from napari_webipred.card import Input, Preprocessing
    from napari_webipred.imaging.preprocess import prepare
    from napari_webipred.imaging.readers import file_source, memory_needed, read

    path = Path(sys.argv[1])
    target = Input(width=224, height=224, channels=3)
    how = Preprocessing(standardize_mode="torch")
    prepare(np.zeros((9, 9, 3), np.float32), target, how)
    source = file_source(path)  # which imports what is needed for it
    before = _peak()
    index = list(source.indices())[-1]
    pixels = read(source, index)
    prepare(pixels, target, how)
    expected = memory_needed(source, index)
    print(json.dumps({"image": pixels.nbytes, "peak": _peak() - before, "expected": expected}))


if __name__ == "__main__":
    main()
