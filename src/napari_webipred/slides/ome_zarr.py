"""A heat map as a folder of OME-Zarr."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_webipred.errors import OptionError
from napari_webipred.imaging.tiff_levels import INSTALL
from napari_webipred.names import visible
from napari_webipred.results.output import OURS, check_input
from napari_webipred.results.record import made
from napari_webipred.slides.colours import COLOURS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_webipred.slides.tile_map import TileMap

CHUNK = 512  # cells along a chunk of OME-Zarr


def check_folder(path: Path, inputs: Iterable[str | Path], may_replace: Callable[[Path], bool]) -> None:
    """Make sure that a folder may be written, as `napari_webipred.results.output.claimed` does for files.

    Raises
    ------
    OptionError
        It must not or cannot be written.
    """
    check_input(path, inputs)
    try:
        import zarr  # noqa: F401
    except ImportError as error:
        raise OptionError("What writes OME-Zarr is not installed.", INSTALL) from error
    if not path.parent.is_dir():
        raise OptionError(f"{path} cannot be written: there is no folder {path.parent}.", "Make the folder first.")
    if path.exists() and not (path.is_dir() and _is_our_folder(path)) and not may_replace(path):
        raise OptionError(f"{path} is not replaced: it is no heat map of napari-webipred.", "Choose another name.")


def _is_our_folder(path: Path) -> bool:
    head = _read_head(path / "zarr.json")
    return OURS in head.get("attributes", {}) or not any(path.iterdir())


def _read_head(path: Path) -> dict[str, Any]:
    """Return what a small JSON file says; nothing of what is none."""
    try:
        found = json.loads(path.read_bytes()) if path.stat().st_size < 2**23 else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("attributes", {}), dict) else {}


def write_folder(path: Path, heat: TileMap, facts: dict[str, Any]) -> None:
    """Write an OME-Zarr 0.5 beside its place, with the map, the tiles and their states, and move it there."""
    temporary = path.with_name(f".{path.name}.{OURS}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        _fill(temporary, heat, facts)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.exists():
            path.unlink()
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _fill(path: Path, heat: TileMap, facts: dict[str, Any]) -> None:
    import zarr

    group = zarr.open_group(path, mode="w", zarr_format=3)
    _array(group, "0", heat.values, ["c", "y", "x"])
    _array(group, "tiles", heat.tiles, ["row", "column", "c"])
    _array(group, "states", heat.states, ["row", "column"])
    scale, translate = heat.world_scale or heat.scale, heat.world_translate or heat.translate
    unit = {"unit": "micrometer"} if heat.world_scale else {}
    axes = [{"name": "c", "type": "channel"}, *({"name": name, "type": "space", **unit} for name in "yx")]
    place = [
        {"type": "scale", "scale": [1.0, *scale]},
        {"type": "translation", "translation": [0.0, *translate]},
    ]
    names = [visible(name) for name in heat.classes]
    colours = ["{:02X}{:02X}{:02X}".format(*COLOURS[i % len(COLOURS)]) for i in range(len(names))]
    channels = [
        {"label": name, "color": colour, "active": i == 0, "window": {"min": 0, "max": 1, "start": 0, "end": 1}}
        for i, (name, colour) in enumerate(zip(names, colours, strict=True))
    ]
    multiscales = [{"name": "heat map", "axes": axes, "datasets": [{"path": "0", "coordinateTransformations": place}]}]
    group.attrs.update(
        {
            "ome": {"version": "0.5", "multiscales": multiscales, "omero": {"channels": channels}},
            OURS: {**made(None), **facts},
        }
    )


def _array(group: Any, name: str, values: NDArray[Any], axes: list[str]) -> None:
    first = axes[0]
    chunks = tuple(1 if axis == first == "c" else min(CHUNK, n) for n, axis in zip(values.shape, axes, strict=True))
    array = group.create_array(
        name,
        shape=values.shape,
        dtype=values.dtype,
        chunks=chunks,
        fill_value=np.nan if values.dtype.kind == "f" else 0,
        dimension_names=axes,
    )
    array[...] = values
