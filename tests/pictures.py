"""Large pictures with one marked spot, as arrays and as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

BACKGROUND = 240


def spotted(shape: tuple[int, int], at: tuple[int, int], radius: int = 60, seed: int = 0) -> np.ndarray:
    """Bare glass with one square of noise around a place; RGB."""
    image = np.full((*shape, 3), BACKGROUND, np.uint8)
    rows, columns = (slice(max(n - radius, 0), n + radius) for n in at)
    part = image[rows, columns]
    image[rows, columns] = np.random.default_rng(seed).integers(0, 256, part.shape, dtype=np.uint8)
    return image


def levels_of(image: np.ndarray, count: int) -> list[np.ndarray]:
    """The image and its halves, each pixel the mean of four."""
    levels = [image]
    while len(levels) < count:
        last = levels[-1]
        rows, columns = (n // 2 * 2 for n in last.shape[:2])
        four = last[:rows, :columns].reshape(rows // 2, 2, columns // 2, 2, -1)
        levels.append(
            four.mean(axis=(1, 3)).round().astype(image.dtype).reshape(rows // 2, columns // 2, *image.shape[2:])
        )
    return levels


def write_ome_zarr(
    path: Path,
    levels: list[np.ndarray],
    *,
    version: int = 3,
    chunk: int = 256,
    shard: int | None = None,
    pixel_size: float | None = 0.5,
    **codecs: Any,
) -> Path:
    """An OME-Zarr of version 0.4 or 0.5 (that of Zarr is given); colours are the axis c."""
    import zarr

    group = zarr.open_group(path, mode="w", zarr_format=version)
    axes = "cyx" if levels[0].ndim == 3 else "yx"
    datasets = []
    for number, level in enumerate(levels):
        pixels = np.moveaxis(level, -1, 0) if level.ndim == 3 else level
        leading = pixels.shape[:-2]
        array = group.create_array(
            str(number),
            shape=pixels.shape,
            dtype=pixels.dtype,
            chunks=(*leading, chunk, chunk),
            shards=None if shard is None else (*leading, shard, shard),
            **codecs,
        )
        array[...] = pixels
        scale = [1.0] * len(leading) + [(pixel_size or 1.0) * 2**number] * 2
        datasets.append({"path": str(number), "coordinateTransformations": [{"type": "scale", "scale": scale}]})
    unit = {"unit": "micrometer"} if pixel_size else {}
    named = [{"name": c, "type": "channel"} if c == "c" else {"name": c, "type": "space", **unit} for c in axes]
    multiscales = [{"axes": named, "datasets": datasets}]
    if version == 3:
        group.attrs["ome"] = {"version": "0.5", "multiscales": multiscales}
    else:
        group.attrs["multiscales"] = [{"version": "0.4", **multiscales[0]}]
    return path


def write_tiff(path: Path, levels: list[np.ndarray], **options: Any) -> Path:
    """A tiled OME-TIFF with the levels below its first page."""
    import tifffile

    how = {"tile": (128, 128), "photometric": "rgb" if levels[0].ndim == 3 else "minisblack", **options}
    with tifffile.TiffWriter(path, bigtiff=True, ome=True) as file:
        axes = {"axes": "YXS" if levels[0].ndim == 3 else "YX"}
        size = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm"}
        file.write(levels[0], subifds=len(levels) - 1, metadata=axes | size, **how)
        for level in levels[1:]:
            file.write(level, subfiletype=1, **how)
    return path


def stored(kind: str, folder: Path, levels: list[np.ndarray]) -> list[np.ndarray] | Path:
    """Give levels as they are (``"arrays"``), or write them into a file (``"zarr"``, ``"tiff"``) and give its path."""
    if kind == "arrays":
        return levels
    return write_ome_zarr(folder / "x.zarr", levels) if kind == "zarr" else write_tiff(folder / "x.tif", levels)
