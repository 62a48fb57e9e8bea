"""Parts of `bench.py` in a process of their own: `python benchmarks/parts.py lazy|csv|sizes... ROUNDS QUICK`.

Each prints a list of JSON as its last line.
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

SIDE = 256


def seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def block(planes: int, number: int) -> np.ndarray:
    """Compute a chunk, as a microscope's filter might: about 5 ms a plane."""
    random = np.random.default_rng(number)
    pixels = random.integers(0, 256, (planes, SIDE, SIDE)).astype(np.float64)
    for _ in range(4):
        pixels = (np.roll(pixels, 1, 1) + np.roll(pixels, 1, 2) + pixels) / 3
    return pixels.astype(np.uint8)


def lazy_array(planes: int, chunk: int) -> tuple[Any, list[tuple[int, int]]]:
    """Return an array of which chunks are computed when they are read, and planes and number of each chunk."""
    import dask.array as da
    from dask import delayed

    chunks = [(min(chunk, planes - first), first) for first in range(0, planes, chunk)]
    parts = [da.from_delayed(delayed(block)(*each), (each[0], SIDE, SIDE), np.uint8) for each in chunks]
    return da.concatenate(parts), chunks


def per_plane(planes: int, chunk: int) -> tuple[float, float]:
    """Return seconds to classify a lazy array, and to compute each chunk once and classify what came out."""
    import napari_webipred as wp
    from napari_webipred import engine

    model = wp.open_model("demo")
    array, chunks = lazy_array(planes, chunk)

    def once() -> None:
        for each in chunks:
            list(engine.classify(model, block(*each)))

    return seconds(lambda: list(engine.classify(model, array))), seconds(once)


def lazy(rounds: int, quick: bool) -> list[float]:
    per_plane(50, 50)
    found = [per_plane(100, 50) for _ in range(3 * rounds)]  # each takes a second, and ratios range from 1 to 3
    return [ours / once for ours, once in found]


def rows_of(classes: int, count: int) -> tuple[list[Any], list[str]]:
    from napari_webipred.results.row import Row

    random, names = np.random.default_rng(0), [f"class {number}" for number in range(classes)]
    numbers = random.dirichlet(np.ones(classes), count).astype(np.float32)
    return [
        Row(0, f"{n}.png", probabilities=numbers[n], prediction=names[0], assigned=(0,)) for n in range(count)
    ], names


def row_costs(classes: int, count: int) -> tuple[float, float]:
    """Return seconds per row as CSV and in a table."""
    from napari_webipred.results.export import CsvWriter
    from napari_webipred.results.table import to_frame

    rows, names = rows_of(classes, count)

    def write() -> None:
        writer = CsvWriter(io.StringIO(newline=""), names)
        for row in rows:
            writer.write(row)

    table = median(seconds(lambda: to_frame(rows, names)) for _ in range(5))
    return seconds(write) / count, table / count


def csv(rounds: int, quick: bool) -> list[float]:
    row_costs(1000, 200)
    found = [row_costs(1000, 2000) for _ in range(rounds)]
    return [written / shown for written, shown in found]


def large_images(folder: str, side: str, count: str) -> None:
    """Write JPEG files that are large, without much in them."""
    from PIL import Image

    Path(folder).mkdir()
    y, x = np.mgrid[0 : int(side), 0 : int(side)].astype(np.float32)
    for number in range(int(count)):
        channels = [128 + 100 * np.sin(x * 0.01 * (c + 1) + number) * np.cos(y * 0.013) for c in range(3)]
        Image.fromarray(np.stack([each.astype(np.uint8) for each in channels], -1)).save(Path(folder, f"{number}.jpg"))


def demo_graph(path: str) -> None:
    """Store the graph of the demo model, which has five classes."""
    import onnx

    import napari_webipred as wp

    classes = len(wp.open_model("demo").classes)
    for each in Path(os.environ["NAPARI_WEBIPRED_CACHE"]).rglob("*.onnx"):
        graph = onnx.load(each, load_external_data=False).graph
        sizes = [size.dim_value for size in graph.output[0].type.tensor_type.shape.dim]
        if sizes[-1:] == [classes] and not any(node.domain for node in graph.node):
            Path(path).write_bytes(each.read_bytes())
            return
    raise SystemExit("The graph of the demo model is not in the cache.")


def planes(rounds: int, quick: bool) -> list[tuple[int, float, float]]:
    """Milliseconds a plane, lazy and with each chunk once, by planes a chunk."""
    found = []
    per_plane(10, 10)
    for chunk in (1, 10, 50, 100) if quick else (1, 5, 20, 50, 100, 200, 500):
        count = max(50, chunk)
        ours, once = per_plane(count, chunk)
        found.append((chunk, 1000 * ours / count, 1000 * once / count))
    return found


def classes(rounds: int, quick: bool) -> list[tuple[int, float, float]]:
    """Microseconds a row, as CSV and in a table, by classes."""
    found = []
    for count in (2, 10, 100, 1000) if quick else (2, 5, 20, 100, 300, 1000):
        written, shown = row_costs(count, 3000)
        found.append((count, 1e6 * written, 1e6 * shown))
    return found


def pixels(rounds: int, quick: bool) -> list[tuple[int, float, float]]:
    """Milliseconds for one grey tiled TIFF file and one JPEG file, by pixels a side; NaN where it is refused."""
    import tempfile

    import tifffile
    from PIL import Image

    import napari_webipred as wp
    from napari_webipred import engine

    model, found = wp.open_model("demo"), []
    with tempfile.TemporaryDirectory() as folder:
        for side in (1000, 2000, 4000, 8000) if quick else (1000, 2000, 4000, 8000, 16000, 20000):
            row = np.arange(side, dtype=np.uint16)
            image = ((row[:, None] // 7 + row) % 251).astype(np.uint8)
            tiff, jpeg = (Path(folder, f"{side}.{suffix}") for suffix in ("tif", "jpg"))
            tifffile.imwrite(tiff, image, tile=(256, 256), compression="zlib")
            Image.fromarray(image).save(jpeg)
            times = []
            for path in (tiff, jpeg):
                events: list[Any] = []
                took = median(seconds(lambda p=path, e=events: e.extend(engine.classify(model, p))) for _ in range(3))
                failed = any(getattr(getattr(event, "row", None), "error", "") for event in events)
                times.append(float("nan") if failed else 1000 * took)
            found.append((side, *times))
            tiff.unlink()
            jpeg.unlink()
    return found


PARTS: dict[str, Callable[[int, bool], object]] = {
    "lazy": lazy,
    "csv": csv,
    "planes": planes,
    "classes": classes,
    "pixels": pixels,
}


def main() -> None:
    what, *rest = sys.argv[1:]
    if what == "large-images":
        large_images(*rest)
    elif what == "demo-graph":
        demo_graph(*rest)
    else:
        print(json.dumps(PARTS[what](int(rest[0]), rest[1] == "1")))


if __name__ == "__main__":
    main()
