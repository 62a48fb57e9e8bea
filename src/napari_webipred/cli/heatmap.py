"""The command that classifies a large picture tile by tile."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from napari_webipred.cli import arguments, terminal
from napari_webipred.cli.classify import OVERWRITE
from napari_webipred.cli.cluster import DASK, on_cluster
from napari_webipred.cli.interruption import uninterrupted
from napari_webipred.cli.parser import Parser, number, whole_number
from napari_webipred.cli.selection import by_axis
from napari_webipred.cli.status import DONE as DONE_STATUS
from napari_webipred.cli.status import SOME_FAILED
from napari_webipred.errors import OptionError
from napari_webipred.hardware import Device, Precision

if TYPE_CHECKING:
    from napari_webipred.slides.mapping import Started
    from napari_webipred.slides.tile_map import TileMap

SHOWN = 3  # reasons of failure


def add_heatmap(parser: Parser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("image", metavar="IMAGE", help="OME-Zarr, tiled or pyramidal TIFF, slide, or any other image")
    arguments.add_model(parser)
    arguments.add_reading(parser)
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        action="append",
        required=True,
        help="file to write: .zarr (OME-Zarr), .tif (OME-TIFF), .csv (a row for each tile) or .geojson (for QuPath); "
        "may be repeated",
    )
    parser.add_argument("--overwrite", action="store_true", help=OVERWRITE)
    tiles = parser.add_argument_group("tiles")
    tiles.add_argument("--tile", type=whole_number, default=512, metavar="N", help="pixels along a tile (default: 512)")
    tiles.add_argument(
        "--stride", type=whole_number, default=256, metavar="N", help="pixels from one tile to the next (default: 256)"
    )
    tiles.add_argument(
        "--level",
        type=whole_number,
        metavar="N",
        help="level of the picture that is read, 0 is the full size; tile and stride are in its pixels (default: the "
        "coarsest in which a tile has as many pixels as the model sees; tile and stride are in full-size pixels)",
    )
    tiles.add_argument(
        "--microns-per-pixel",
        type=number,
        metavar="M",
        help="resolution at which tiles are cut; tile and stride are in its pixels",
    )
    tiles.add_argument(
        "--region",
        action="append",
        metavar="TOP,LEFT,BOTTOM,RIGHT",
        help="part of the picture in full-size pixels: a box, or a polygon as ROW,COLUMN ROW,COLUMN ...; "
        "may be repeated",
    )
    tiles.add_argument(
        "--background",
        choices=("skip", "keep"),
        default="skip",
        help="whether tiles that show nothing are left out (default: skip)",
    )
    tiles.add_argument(
        "--plane",
        action="append",
        default=[],
        metavar="AXIS=N,...",
        help="which plane of a stack, counted from 0, for example t=0,z=12; may be repeated",
    )
    parser.add_argument("--device", choices=get_args(Device), help="what computes the model; as for classify")
    parser.add_argument("--precision", choices=get_args(Precision), help="as for classify")
    parser.add_argument("--dask", metavar="CLUSTER", help=DASK)
    parser.set_defaults(run=_heatmap)


def _heatmap(options: argparse.Namespace) -> int:
    from napari_webipred import engine
    from napari_webipred.execution.threads import classify_planes
    from napari_webipred.slides.mapping import Started, TileDone, mapping
    from napari_webipred.slides.picture import picture_of
    from napari_webipred.slides.request import Request
    from napari_webipred.slides.saving import claimed_output, facts_of
    from napari_webipred.slides.tile_map import TileMap

    hardware = arguments.hardware(options)
    how = engine.Options(
        intensity=arguments.intensity(options.range),
        profile=options.profile,
        memory=options.memory,
        precision=hardware.precision,
        device=hardware.device,
    )
    request = Request(
        options.tile,
        options.stride,
        options.level,
        options.microns_per_pixel,
        _region(options.region),
        options.background,
    )
    with ExitStack() as stack:
        writes = [
            stack.enter_context(
                claimed_output(path, lambda there: terminal.may_replace(there, options.overwrite), [options.image])
            )
            for path in options.output
        ]
        model = arguments.model(options)
        (given,) = arguments.given_models(options)
        executor = stack.enter_context(on_cluster(options.dask)) or classify_planes
        picture, plane = picture_of(options.image, place=_place(options.plane), intensity=how.intensity)
        notes = [apart.sentence(model.card.name) for apart in engine.differences([model], how) if apart is not None]
        events = stack.enter_context(closing(mapping(model, picture, request, how, plane=plane, executor=executor)))
        started = next(events)
        assert isinstance(started, Started)
        heat = TileMap(started)
        heat.notes = notes
        for sentence in (*notes, _words(started), started.remark):
            if sentence:
                terminal.message(sentence)

        def write() -> None:
            facts = facts_of(model, request, how, heat, picture, given)
            with ExitStack() as outputs:  # one that cannot be written costs no other
                for each in reversed(writes):
                    outputs.callback(each, heat, facts)

        progress = terminal.ProgressLine("tiles")
        try:
            for event in events:
                if isinstance(event, TileDone):
                    heat.add(event)
                    progress.show(f"Tile {event.done} of {event.total}", event.done, event.total)
        finally:  # also of a run that is interrupted: what is there stays
            progress.clear()
            if heat.done or heat.is_finished:  # one that has no tile yet replaces no map
                with uninterrupted():
                    write()
    return _end(heat, options.output)


def _words(started: Started) -> str:
    rows, columns = started.tiling.shape
    height, width = started.tiling.size
    level = f" in {started.reading}" if started.reading else ""
    low, high = started.intensity_range
    return (
        f"{_tiles(started.total)} ({rows} x {columns}) of {width}x{height} pixels{level}; "
        f"black is {low:g}, white is {high:g}."
    )


def _tiles(count: int) -> str:
    return f"{count:,} tile{'' if count == 1 else 's'}"


def _end(heat: TileMap, paths: Sequence[Path]) -> int:
    """Tell what has come of it, and return the exit status."""
    import numpy as np

    from napari_webipred.slides.tile_map import DONE, FAILED, SKIPPED

    done, skipped, failed = (int(np.count_nonzero(heat.states == state)) for state in (DONE, SKIPPED, FAILED))
    for why, count in Counter(heat.errors.values()).most_common(SHOWN):
        terminal.message(f"{count} of the tiles: {why}")
    parts = [f"{_tiles(done)} classified", *([f"{skipped} skipped, which show nothing"] if skipped else [])]
    parts += [f"{failed} failed"] if failed else []
    terminal.message(f"{', '.join(parts)}; written to {', '.join(map(str, paths))}.")
    return SOME_FAILED if failed else DONE_STATUS


def _region(given: list[str] | None) -> list[Any] | None:
    """Read boxes and polygons."""
    if not given:
        return None
    found: list[Any] = []
    for text in given:
        try:
            points = [tuple(map(float, point.split(","))) for point in text.split()]
        except ValueError:
            points = []
        if len(points) == 1 and len(points[0]) == 4:
            found.append(points[0])
        elif len(points) > 2 and all(len(point) == 2 for point in points):
            found.append(points)
        else:
            raise OptionError(
                f"--region {text} is no region.",
                "Write a box as TOP,LEFT,BOTTOM,RIGHT, or a polygon as 'ROW,COLUMN ROW,COLUMN ROW,COLUMN'.",
            )
    return found


def _place(texts: Sequence[str]) -> dict[str, int] | None:
    parts = [part for text in texts for part in text.split(",")]
    try:
        return {axis: int(place) for axis, place in by_axis("--plane", parts, "t=0,z=12").items()} or None
    except ValueError:
        raise OptionError(f"--plane {' '.join(texts)} is no place.", "Write it as t=0,z=12.") from None
