"""What does a heat map of a huge picture cost? `python benchmarks/slides.py [FOLDER]` prints tables. Linux only.

Writes a picture of 40,000 x 40,000 pixels (and one of 4,000 x 4,000) as OME-Zarr and as a tiled TIFF in JPEG, with
their levels. Each is mapped with the demo model in a process of its own, whose peak memory is taken. Speed is compared
within one process, in turns: the same tiles through `mapping`, and through the bare session of ONNX Runtime when they
are prepared already.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from process import peak

LARGE, SMALL, TILE, BLOCK = 40_000, 4_000, 512, 512
PERIOD = 4_096  # pixels after which the picture repeats itself
ROUNDS, PART = 5, 6_144  # pixels along the part that is timed


@cache
def texture(factor: int) -> np.ndarray:
    """Make a square of waves and grain that repeats itself all over a level, as it is seen there."""
    length = PERIOD // factor
    rows, columns = (
        (np.arange(length) * factor * 2 * np.pi / PERIOD)[:, None],
        np.arange(length) * factor * 2 * np.pi / PERIOD,
    )
    waves = np.sin(rows * 17) * np.cos(columns * 11) + np.sin(rows * 3 + columns * 5)
    grain = np.random.default_rng(0).integers(0, 24, (length, length)) if factor == 1 else 12
    level = np.clip(140 + 40 * waves + grain, 0, 255)
    level[: 600 // factor] = 244  # bare glass
    return np.stack([level, level * 0.7, level * 0.9], axis=-1).astype(np.uint8)


def pixels_of(top: int, left: int, height: int, width: int, factor: int) -> np.ndarray:
    """Return a part of a level."""
    rows = np.arange(top, top + height) % (PERIOD // factor)
    columns = np.arange(left, left + width) % (PERIOD // factor)
    return texture(factor)[rows[:, None], columns]


def blocks(size: int, factor: int) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield the stored blocks of a level."""
    length = size // factor
    for top in range(0, length, BLOCK):
        for left in range(0, length, BLOCK):
            height, width = min(BLOCK, length - top), min(BLOCK, length - left)
            yield top, left, pixels_of(top, left, height, width, factor)


def factors(size: int) -> list[int]:
    """Return how many times smaller the levels are."""
    return [factor for factor in (1, 4, 16, 64) if size // factor >= BLOCK or factor == 1]


def write_zarr(path: Path, size: int) -> None:
    """Write an OME-Zarr 0.5 block by block."""
    import zarr

    group = zarr.open_group(path, mode="w", zarr_format=3)
    datasets = []
    for number, factor in enumerate(factors(size)):
        length = size // factor
        array = group.create_array(str(number), shape=(3, length, length), dtype="u1", chunks=(3, BLOCK, BLOCK))
        for top, left, pixels in blocks(size, factor):
            array[:, top : top + len(pixels), left : left + pixels.shape[1]] = np.moveaxis(pixels, -1, 0)
        scale = [{"type": "scale", "scale": [1, factor / 2, factor / 2]}]
        datasets.append({"path": str(number), "coordinateTransformations": scale})
    axes = [{"name": "c", "type": "channel"}, *({"name": n, "type": "space", "unit": "micrometer"} for n in "yx")]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}


def write_tiff(path: Path, size: int) -> None:
    """Write an OME-TIFF in JPEG tile by tile."""
    import tifffile

    def tiles(factor: int) -> Iterator[np.ndarray]:
        for _, _, pixels in blocks(size, factor):
            height, width = pixels.shape[:2]
            yield np.pad(pixels, ((0, BLOCK - height), (0, BLOCK - width), (0, 0)))

    how: dict[str, Any] = {"tile": (BLOCK, BLOCK), "photometric": "rgb", "compression": "jpeg", "dtype": np.uint8}
    levels = factors(size)
    with tifffile.TiffWriter(path, bigtiff=True, ome=True) as file:
        for number, factor in enumerate(levels):
            shape = (size // factor, size // factor, 3)
            more = {"metadata": {"axes": "YXS"}, "subifds": len(levels) - 1} if number == 0 else {"subfiletype": 1}
            file.write(tiles(factor), shape=shape, **how, **more)


WRITERS = {"OME-Zarr": (".zarr", write_zarr), "TIFF in JPEG": (".tif", write_tiff)}


def mapped(path: str, stride: int) -> None:
    """Map a picture in this process, and print what it has cost."""
    import napari_webipred as wp

    model = wp.open_model("demo")
    wp.heatmap(np.full((600, 600, 3), 200, np.uint8), model, background="keep")  # all is imported, the model is warm
    before, begin = peak(), time.process_time()
    found = wp.heatmap(path, model, tile=TILE, stride=stride, level=0)
    classified = int((found.states == 1).sum())
    report = {"peak": peak(), "before": before, "map": found.values.nbytes / 2**20}
    report |= {"tiles": classified, "skipped": int((found.states == 2).sum()), "cpu": time.process_time() - begin}
    print(json.dumps(report))


def timed(path: str, model_reference: str) -> None:
    """Compare `mapping` with the bare session on prepared tiles, in turns, and print the ratios of processor time."""
    from concurrent.futures import ThreadPoolExecutor

    import napari_webipred as wp
    from napari_webipred.engine import Options
    from napari_webipred.execution.plane import Plane, prepared_plane
    from napari_webipred.imaging.planes import array_source
    from napari_webipred.limits import available_cores
    from napari_webipred.slides.mapping import TileDone, mapping
    from napari_webipred.slides.picture import picture_of
    from napari_webipred.slides.request import Request

    model = wp.open_model(model_reference)
    picture, plane = picture_of(path)
    request = Request(TILE, TILE, 0, region=(0, 0, PART, PART), background="keep")
    tiles = [event for event in mapping(model, picture, request, plane=plane) if isinstance(event, TileDone)]
    sources = []
    for tile in tiles:
        top, left, bottom, right = map(int, tile.box)
        sources.append(array_source(pixels_of(top, left, bottom - top, right - left, 1), "tile"))
    batches = [prepared_plane(Plane(0, source, ()), model.card, Options()).tensor[None] for source in sources]
    session, cores = model.session(1), available_cores()
    ratios, seconds = [], []
    for _ in range(ROUNDS):
        begin = time.process_time()
        with ThreadPoolExecutor(cores) as pool:
            list(pool.map(session.predict, batches))
        bare = time.process_time() - begin
        begin = time.process_time()
        for _event in mapping(model, picture, request, plane=plane):
            pass
        whole = time.process_time() - begin
        ratios.append(bare / whole)
        seconds.append(whole / len(tiles))
    print(json.dumps({"ratio": median(ratios), "low": min(ratios), "high": max(ratios), "ms": 1000 * median(seconds)}))


def measured(*arguments: str) -> dict[str, float]:
    """Run a part in a process of its own."""
    given = [sys.executable, __file__, *arguments]
    done = subprocess.run(given, capture_output=True, text=True, check=True, env=os.environ)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Write the pictures where they are not yet, measure and print."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.gettempdir()) / "slides"
    folder.mkdir(exist_ok=True)
    print("| picture | pixels | tiles | skipped | peak, MB | before, MB | map, MB | processor, s |")
    print("|---|---|---|---|---|---|---|---|")
    for name, (suffix, write) in WRITERS.items():
        for size, stride in ((SMALL, 256), (LARGE, 1024)):
            path = folder / f"{size}{suffix}"
            if not path.exists():
                write(path, size)
            cost = measured("map", str(path), str(stride))
            numbers = [cost[key] for key in ("tiles", "skipped", "peak", "before", "map", "cpu")]
            print(f"| {name} | {size} x {size} | " + " | ".join(f"{number:.0f}" for number in numbers) + " |")
    print("\n| picture | model | prepared tiles / heat map | ms of processor a tile |\n|---|---|---|---|")
    for name, (suffix, _) in WRITERS.items():
        for reference in ("demo", *sys.argv[2:]):
            cost = measured("time", str(folder / f"{LARGE}{suffix}"), reference)
            spread = f"{cost['ratio']:.2f} ({cost['low']:.2f} to {cost['high']:.2f})"
            print(f"| {name} | {Path(reference).name} | {spread} | {cost['ms']:.1f} |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["map"]:
        mapped(sys.argv[2], int(sys.argv[3]))
    elif sys.argv[1:2] == ["time"]:
        timed(sys.argv[2], sys.argv[3])
    else:
        main()
