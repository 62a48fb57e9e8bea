"""A heat map as a folder of OME-Zarr."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_webipred.class_colours import rgb
from napari_webipred.errors import OptionError
from napari_webipred.imaging.tiff_levels import INSTALL
from napari_webipred.names import visible
from napari_webipred.results.output import OURS, check_input, unwritable
from napari_webipred.results.output_folder import alone, folder_being_replaced
from napari_webipred.results.record import made

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_webipred.slides.tile_map import TileMap

CHUNK = 512  # cells along a chunk of OME-Zarr
HEAD, MAP, TILES, STATES = "zarr.json", "0", "tiles", "states"
NAMES = {HEAD, MAP, TILES, STATES}  # all that a folder of ours holds


@contextmanager
def claimed_folder(
    path: Path, inputs: Iterable[str | Path], may_replace: Callable[[Path], bool]
) -> Iterator[Callable[[TileMap, dict[str, Any]], None]]:
    """Make sure that a folder may be written, as `napari_webipred.results.output.claimed` does for files.

    Yields
    ------
    callable
        Writes a map, the tiles and their states as OME-Zarr 0.5. What the user has put into the folder since stays; the
        map is then written beside it, and OptionError says where.

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
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    if not target.parent.is_dir():
        raise OptionError(f"{path} cannot be written: there is no folder {target.parent}.", "Make the folder first.")
    with ExitStack() as stack:
        try:
            stack.enter_context(alone(target))
            replaces_all = _has_more(target)
            if replaces_all and not may_replace(path):
                raise OptionError(
                    f"{path} is not replaced: it is no heat map of napari-webipred, or holds something else, too.",
                    "Choose another name.",
                )
        except OSError as error:
            raise unwritable(path, error) from error

        def write(heat: TileMap, facts: dict[str, Any]) -> None:
            with folder_being_replaced(target) as new:
                _fill(new, heat, facts)
                if not replaces_all and _has_more(target):
                    kept = _free(target)
                    new.rename(kept)
                    raise OptionError(
                        f"{path} is not replaced: it has got something else since the run began. The map is in {kept}.",
                        "Choose another name next time.",
                    )

        yield write


def _has_more(path: Path) -> bool:
    """Tell whether something is there that is no map of ours, or whether the folder of one has got more."""
    if not path.is_dir():
        return path.exists()
    names = {each.name for each in path.iterdir()}
    return bool(names) and not (names <= NAMES and OURS in _read_head(path / HEAD).get("attributes", {}))


def _free(path: Path) -> Path:
    """Return a name like another one that nothing has yet."""
    names = (path.with_name(f"{path.stem} ({number}){path.suffix}") for number in count(2))
    return next(name for name in names if not name.exists())


def _read_head(path: Path) -> dict[str, Any]:
    """Return what a small JSON file says; nothing of what is none."""
    try:
        found = json.loads(path.read_bytes()) if path.stat().st_size < 2**23 else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("attributes", {}), dict) else {}


def _fill(path: Path, heat: TileMap, facts: dict[str, Any]) -> None:
    import zarr

    group = zarr.open_group(path, mode="w", zarr_format=3)
    _array(group, MAP, heat.values, ["c", "y", "x"])
    _array(group, TILES, heat.tiles, ["row", "column", "c"])
    _array(group, STATES, heat.states, ["row", "column"])
    scale, translate = heat.world_scale or heat.scale, heat.world_translate or heat.translate
    unit = {"unit": "micrometer"} if heat.world_scale else {}
    axes = [{"name": "c", "type": "channel"}, *({"name": name, "type": "space", **unit} for name in "yx")]
    place = [
        {"type": "scale", "scale": [1.0, *scale]},
        {"type": "translation", "translation": [0.0, *translate]},
    ]
    names = [visible(name) for name in heat.classes]
    colours = [bytes(rgb(i)).hex().upper() for i in range(len(names))]
    channels = [
        {"label": name, "color": colour, "active": i == 0, "window": {"min": 0, "max": 1, "start": 0, "end": 1}}
        for i, (name, colour) in enumerate(zip(names, colours, strict=True))
    ]
    multiscales = [{"name": "heat map", "axes": axes, "datasets": [{"path": MAP, "coordinateTransformations": place}]}]
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
