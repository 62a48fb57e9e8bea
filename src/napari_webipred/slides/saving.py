"""A heat map as a file: OME-Zarr, TIFF, a table of tiles, or outlines for QuPath; with a record of how it was made."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_webipred.checksums import sha256_of
from napari_webipred.class_colours import rgb
from napari_webipred.difference import measured
from napari_webipred.errors import OptionError
from napari_webipred.names import harmless, visible
from napari_webipred.results.output import (
    Kind,
    being_replaced,
    claimed,
    replacing,
    unwritable,
)
from napari_webipred.results.record import (
    Record,
    as_json,
    file_facts,
    kept_unless_written,
    made,
    plain,
    read_record,
    record_path,
)
from napari_webipred.slides.ome_zarr import claimed_folder
from napari_webipred.slides.tile_map import DONE, FAILED, SKIPPED, TileMap

if TYPE_CHECKING:
    from napari_webipred.imaging.pyramid import Pyramid
    from napari_webipred.model import Model
    from napari_webipred.options import Options
    from napari_webipred.results.inputs import ModelInput
    from napari_webipred.slides.request import Request

ZARR = ".zarr"
TIFF = (".tif", ".tiff")
QUPATH = (".geojson",)
TABLE = (".csv",)
SUFFIXES = (ZARR, *TIFF, *TABLE, *QUPATH)
STATES = {DONE: "classified", SKIPPED: "skipped", FAILED: "failed"}


def facts_of(
    model: Model,
    request: Request,
    options: Options,
    heat: TileMap,
    picture: Pyramid,
    given: ModelInput | None = None,
) -> dict[str, Any]:
    """Return how a map was made, as plain JSON values.

    Parameters
    ----------
    model, request, options
        Of the run.
    heat : TileMap
    picture : Pyramid
    given : ModelInput, optional
        What opens the model again.
    """
    noted = {**options.as_dict(), **measured(model, options.hardware)}
    record = Record(model.card, model.checksum, noted, heat.started.total, given)
    of_run = record.of_run()
    started = heat.started
    counts = {words: int(np.count_nonzero(heat.states == state)) for state, words in STATES.items()}
    region = request.region
    found = {
        **{name: of_run[name] for name in ("model", "input", "preprocessing", "options", "provider")},
        "complete": heat.is_finished,
        "tiles": {"asked": started.total, **counts},
        "heat_map": {
            "tile": request.tile,
            "stride": request.stride,
            "asked_level": request.level,
            "microns_per_pixel": request.microns_per_pixel,
            "region": region.tolist() if isinstance(region, np.ndarray) else region,
            "background": request.background,
            "level": started.level,
            "reading": started.reading,
            "factor": started.factor,
            "tile_in_level": started.tiling.size,
            "stride_in_level": (started.tiling.down.step, started.tiling.across.step),
            "intensity_range": started.intensity_range,
            "picture": started.picture,
            "pixel_size": started.pixel_size,
            "scale": heat.scale,
            "translate": heat.translate,
        },
        "inputs": [{"image": picture.name, **_file_facts(picture)}],
        "notes": [note for note in (started.remark, *heat.notes) if note],
    }
    return dict(plain(json.loads(json.dumps(found, default=_as_list))))


def _file_facts(picture: Pyramid) -> dict[str, Any]:
    return file_facts(picture.location) if isinstance(picture.location, Path) and picture.location.is_file() else {}


def _as_list(value: Any) -> Any:
    """Make a list of what JSON does not know, such as arrays within a list of polygons."""
    return np.asarray(value).tolist()


@contextmanager
def claimed_output(
    path: Path, may_replace: Callable[[Path], bool], inputs: Iterable[str | Path] = ()
) -> Iterator[Callable[[TileMap, dict[str, Any]], None]]:
    """Make sure that a map may be written to a file, before it is computed.

    Parameters
    ----------
    path : Path
        Its suffix says what is written; see `SUFFIXES`.
    may_replace : callable
        See `napari_webipred.results.output.claimed`.
    inputs : iterable of path
        What the same run reads.

    Yields
    ------
    callable
        Writes a map with what `facts_of` says of it. It may be called again.

    Raises
    ------
    OptionError
        It must not or cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise OptionError(
            f"{path} cannot be written: a heat map is saved as OME-Zarr, TIFF, CSV or GeoJSON.",
            f"Choose a name that ends in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}.",
        )
    with ExitStack() as stack:
        if suffix == ZARR:
            put = stack.enter_context(claimed_folder(path, inputs, may_replace))
        else:
            kind = Kind("a heat map is saved in a file of its own", (suffix,), _is_ours)
            put = partial(_write_file, stack.enter_context(claimed(path, kind, may_replace, inputs)))

        def write(heat: TileMap, facts: dict[str, Any]) -> None:
            try:
                put(heat, facts)
            except OSError as error:
                raise unwritable(path, error) from error

        yield write


def _write_file(path: Path, heat: TileMap, facts: dict[str, Any]) -> None:
    suffix = path.suffix.lower()
    with kept_unless_written(record_path(path)), being_replaced(path) as file:
        if suffix in TIFF:
            _write_tiff(file, heat)
        else:
            for line in _table(heat) if suffix in TABLE else _outlines(heat):
                file.write(line.encode())
        file.flush()
        checksum = f"sha256:{sha256_of(Path(file.name))}"
        with replacing(record_path(path), as_json({**made(checksum), **facts})):
            pass


def _is_ours(path: Path) -> bool:
    """Tell whether a file is a heat map that nobody has changed since."""
    record = read_record(record_path(path)) or {}
    try:
        return "heat_map" in record and record.get("table_checksum") == f"sha256:{sha256_of(path)}"
    except OSError:
        return False


def _table(heat: TileMap) -> Iterator[str]:
    """Yield the lines of a table with a row for each tile, in full-size pixels, with the columns of WSInfer first."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)

    def line(cells: Iterable[Any]) -> str:
        writer.writerow(cells)
        text = stream.getvalue()
        stream.seek(0)
        stream.truncate()
        return text

    names = [harmless(f"prob_{name}") for name in heat.classes]
    yield line(["minx", "miny", "width", "height", *names, "state", "error"])
    for row, column in np.argwhere(heat.states != 0).tolist():
        top, left, bottom, right = heat.box((row, column))
        numbers = heat.tiles[row, column]
        cells = ["" if np.isnan(number) else str(number) for number in numbers]
        state = STATES[int(heat.states[row, column])]
        place = [f"{number:.10g}" for number in (left, top, right - left, bottom - top)]
        yield line([*place, *cells, state, harmless(heat.errors.get((row, column), ""))])


def _outlines(heat: TileMap) -> Iterator[str]:
    """Yield the text of a collection of squares as QuPath opens it: a detection for each cell that has a value."""
    yield '{"type": "FeatureCollection", "features": ['
    before = "\n"
    names = [visible(name) for name in heat.classes]
    for row, column in np.argwhere(~np.isnan(heat.values[0])).tolist():
        values = heat.values[:, row, column]
        best = int(values.argmax())
        top, left, bottom, right = heat.cell_box((row, column))
        corners = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
        feature = {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [corners]},
            "properties": {
                "objectType": "detection",
                "classification": {"name": names[best], "color": list(rgb(best))},
                "measurements": {name: float(str(value)) for name, value in zip(names, values, strict=True)},
            },
        }
        yield before + json.dumps(feature, ensure_ascii=False)
        before = ",\n"
    yield "\n]}\n"


def _write_tiff(file: Any, heat: TileMap) -> None:
    """Write an OME-TIFF of 32-bit floats with a channel for each class; its pixel size is that of a cell."""
    import tifffile

    scale = heat.world_scale or heat.scale
    unit = "µm" if heat.world_scale else "pixel"
    metadata = {
        "axes": "CYX",
        "Channel": {"Name": [visible(name) for name in heat.classes]},
        "PhysicalSizeX": scale[1],
        "PhysicalSizeXUnit": unit,
        "PhysicalSizeY": scale[0],
        "PhysicalSizeYUnit": unit,
    }
    with tifffile.TiffWriter(file, ome=True, bigtiff=heat.values.nbytes > 2**31) as writer:
        writer.write(
            heat.values, photometric="minisblack", metadata=metadata, compression="zlib", compressionargs={"level": 6}
        )
