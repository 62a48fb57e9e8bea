"""OME-Zarr and plain Zarr folders: what they say of themselves is checked before Zarr opens them."""

from __future__ import annotations

import math
import stat
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct

from napari_webipred import limits, safe_json
from napari_webipred.atomic_file import read_small
from napari_webipred.errors import ImageError
from napari_webipred.imaging.planes import colour_axis
from napari_webipred.imaging.pyramid import Pyramid, check_block, levels_of
from napari_webipred.imaging.source import Index
from napari_webipred.imaging.stored import Box, Stored
from napari_webipred.imaging.tiff_levels import INSTALL
from napari_webipred.imaging.zarr_metadata import ArrayFacts, array_facts

if TYPE_CHECKING:
    from numpy.typing import NDArray

HEADS = ("zarr.json", ".zarray", ".zgroup")
LEVELS_AT_MOST = 32
MICROMETRES = {
    "micrometer": 1.0,
    "micrometre": 1.0,
    "nanometer": 1e-3,
    "millimeter": 1e3,
    "centimeter": 1e4,
    "meter": 1e6,
    "um": 1.0,
    "\u00b5m": 1.0,
}


class Places(Struct, frozen=True):
    """Where the arrays are.

    Attributes
    ----------
    paths : tuple of str
        Of the array of each level, below the folder; empty if the folder itself is one.
    colours : int, optional
        Which of the axes before the height holds red, green and blue.
    """

    paths: tuple[str, ...]
    colours: int | None


def is_zarr(path: Path) -> bool:
    """Tell whether a folder is a group or an array of Zarr."""
    return any((path / name).is_file() for name in HEADS)


def describe(path: Path, name: str) -> Pyramid:
    """Describe an image of a folder: of OME-Zarr (0.1 to 0.5) the first with all its levels, or one array of Zarr.

    Only metadata are read. Levels that have fewer planes than the full size are left out.

    Raises
    ------
    ImageError
        The metadata contradict each other, or say what cannot be read.
    """
    _check_installed()
    attributes, is_array = _node(path)
    below = ""
    if not is_array and "bioformats2raw.layout" in attributes and "multiscales" not in attributes:
        below = "0"
        attributes, is_array = _node(path / below)
    if is_array:
        return _pyramid(path, name, [below], None, attributes)
    if "plate" in attributes or "well" in attributes:
        raise ImageError("The folder is a plate of many images.", "Give the folder of one field of view.")
    multiscales = attributes.get("multiscales")
    first = multiscales[0] if isinstance(multiscales, list) and multiscales else None
    datasets = first.get("datasets") if isinstance(first, dict) else None
    if not isinstance(datasets, list) or not datasets or not all(isinstance(each, dict) for each in datasets):
        raise ImageError("The folder holds no image of OME-Zarr.", "Give the folder of one image or array.")
    if len(datasets) > LEVELS_AT_MOST:
        raise ImageError(f"The picture claims to have {len(datasets)} levels; {LEVELS_AT_MOST} are the most.")
    paths = [_inside(below, each.get("path")) for each in datasets]
    return _pyramid(path, name, paths, first, attributes)


def _pyramid(
    path: Path, name: str, paths: list[str], multiscale: dict[str, Any] | None, attributes: dict[str, Any]
) -> Pyramid:
    facts = [array_facts(path / below, _json) for below in paths]
    full = facts[0]
    names = _axis_names(multiscale, full, attributes)
    count = len(full.shape)
    channels_last = multiscale is None and count > 2 and full.shape[-1] in {3, 4}
    before = count - 2 - channels_last
    if before < 0:
        raise ImageError(f"The array has the shape {full.shape}, so it is not an image.")
    place = None if channels_last else colour_axis(names[:before], full.shape[:before])
    kept = [
        (each, below)
        for each, below in zip(facts, paths, strict=True)
        if each.dtype == full.dtype and len(each.shape) == count and each.shape[:before] == full.shape[:before]
    ]
    shapes = [each.shape[before : before + 2] for each, _ in kept]
    blocks = [each.chunks[before : before + 2] for each, _ in kept]
    leading = tuple(n for i, n in enumerate(full.shape[:before]) if i != place)
    if (planes := math.prod(leading)) > limits.PLANES_AT_MOST:
        raise ImageError(
            f"The array has {planes:,} planes; {limits.PLANES_AT_MOST:,} are the most.", "Save it as several folders."
        )
    pyramid = Pyramid(
        name,
        "zarr",
        path.absolute(),
        levels_of(shapes, blocks),  # type: ignore[arg-type]
        full.dtype,
        3 if place is not None else (full.shape[-1] if channels_last else 0),
        tuple(n for i, n in enumerate(names[:before]) if i != place),
        leading,
        _pixel_size(multiscale, before),
        _stamp(path),
        details=Places(tuple(below for _, below in kept), place),
    )
    return check_block(pyramid)


def _check_installed() -> None:
    try:
        import zarr  # noqa: F401
    except ImportError as error:
        raise ImageError("What reads OME-Zarr is not installed.", INSTALL) from error


def _node(path: Path) -> tuple[dict[str, Any], bool]:
    """Return the attributes of a group or array, and whether it is an array."""
    if (path / "zarr.json").exists():
        head = _json(path / "zarr.json")
        attributes = head.get("attributes")
        attributes = attributes if isinstance(attributes, dict) else {}
        ome = attributes.get("ome")
        return {**attributes, **(ome if isinstance(ome, dict) else {})}, head.get("node_type") == "array"
    found = _json(path / ".zattrs") if (path / ".zattrs").exists() else {}
    return found, (path / ".zarray").exists()


def _json(path: Path) -> dict[str, Any]:
    """Read an object of JSON from a file that may be anything.

    Raises
    ------
    ImageError
        It is none, or too large.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(f"{path.name} is not a file.")
        if status.st_size > safe_json.MAX_BYTES:
            raise ImageError(f"{path.name} has {status.st_size} bytes, far more than metadata need.")
        found = safe_json.parse(read_small(path))
    except FileNotFoundError:
        raise ImageError(f"The folder is incomplete: there is no {path.name}.", "Copy it again.") from None
    except ValueError as error:
        raise ImageError(f"{path.name} cannot be read: {error}.") from error
    if not isinstance(found, dict):
        raise ImageError(f"{path.name} holds no metadata of Zarr.")
    return found


def _inside(below: str, path: Any) -> str:
    """Return the path of an array below the folder; ImageError if it leads out of it."""
    parts = PurePosixPath(path).parts if isinstance(path, str) and "\0" not in path and "\\" not in path else ("..",)
    if not parts or ".." in parts or parts[0].startswith("/") or any(":" in part for part in parts):
        raise ImageError(f"The path of a level, {path!r}, leads out of the folder.")
    return "/".join((below, *parts) if below else parts)


def _axis_names(multiscale: dict[str, Any] | None, full: ArrayFacts, attributes: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of all axes."""
    count = len(full.shape)
    given = (multiscale or {}).get("axes") if multiscale is not None else full.names
    names = [each.get("name") if isinstance(each, dict) else each for each in given] if isinstance(given, list) else []
    if multiscale is not None and not names:  # before version 0.3
        names = list("tczyx"[-count:])
    if not names:
        names = [f"axis_{i}" for i in range(count)]
    if len(names) != count or len(set(names)) < count or not all(isinstance(each, str) and each for each in names):
        raise ImageError(f"The array has {count} axes, and {len(names)} of them are named.")
    if multiscale is not None and [str(each).casefold() for each in names[-2:]] != ["y", "x"]:
        raise ImageError(f"The last axes of the picture are {names[-2]} and {names[-1]}, not y and x.")
    return tuple(map(str, names))


def _pixel_size(multiscale: dict[str, Any] | None, before: int) -> tuple[float, float] | None:
    """Return the micrometres along a full-size pixel, down and across, if they are told."""
    axes = (multiscale or {}).get("axes")
    if multiscale is None or not isinstance(axes, list) or len(axes) != before + 2:
        return None
    sizes = [1.0, 1.0]
    found = False
    for transforms in (
        multiscale["datasets"][0].get("coordinateTransformations"),
        multiscale.get("coordinateTransformations"),
    ):
        for each in transforms if isinstance(transforms, list) else []:
            scale = each.get("scale") if isinstance(each, dict) and each.get("type") == "scale" else None
            if isinstance(scale, list) and len(scale) == before + 2 and all(_is_size(n) for n in scale[-2:]):
                sizes = [size * n for size, n in zip(sizes, scale[-2:], strict=True)]
                found = True
    units = [MICROMETRES.get(str(each.get("unit"))) if isinstance(each, dict) else None for each in axes[-2:]]
    if not found or None in units:
        return None
    down, across = (size * float(unit or 0) for size, unit in zip(sizes, units, strict=True))
    return down, across


def _is_size(number: Any) -> bool:
    return isinstance(number, (int, float)) and not isinstance(number, bool) and 0 < number < math.inf


def _stamp(path: Path) -> tuple[int, ...]:
    found = [(path / name).stat() for name in (*HEADS, ".zattrs") if (path / name).exists()]
    return tuple(number for status in found for number in (status.st_size, status.st_mtime_ns))


def opened(pyramid: Pyramid, level: int, plane: Index) -> Stored:
    """Open a plane of a level; see `napari_webipred.imaging.stored.Stored`.

    Raises
    ------
    ImageError
        The folder has changed since it was described, or Zarr is not installed.
    """
    path, places = pyramid.location, pyramid.details
    if _stamp(path) != pyramid.stamp:
        raise ImageError(f"{pyramid.name} has changed since it was opened.", "Start again.")
    import zarr

    from napari_webipred.imaging.zarr_store import CheckedStore

    below = places.paths[level]
    facts = array_facts(path / below, _json)
    array = zarr.open_array(CheckedStore(path / below, facts), mode="r")
    colours = places.colours

    def read(box: Box, place: tuple[int, int]) -> NDArray[Any]:
        rows, columns = slice(box[0], box[2]), slice(box[1], box[3])
        if colours is None:
            return np.asarray(array[(*plane, rows, columns)])
        return np.moveaxis(np.asarray(array[(*plane[:colours], slice(None), *plane[colours:], rows, columns)]), 0, -1)

    rows, columns = pyramid.levels[level].shape
    down, across = pyramid.levels[level].block
    return Stored((rows, columns), (range(0, rows, down), range(0, columns, across)), read)
