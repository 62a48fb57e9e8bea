"""The sources of many files: DICOM files of one series become one stack, in the order in which they lie."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from napari_webipred.errors import ImageError
from napari_webipred.imaging import unreadable
from napari_webipred.imaging.dicom.content import is_dicom_file
from napari_webipred.imaging.dicom.reader import READER, Slice, stack_source
from napari_webipred.imaging.readers import file_source
from napari_webipred.imaging.source import Source
from napari_webipred.names import escape
from napari_webipred.steps import result_of

if TYPE_CHECKING:
    from napari_webipred.imaging.dicom.instance import Instance

SLICED = {"CT", "MR", "PT", "NM"}  # modalities of which images are slices, also where they do not say where they lie
SAME_PLACE = 1e-3  # mm
SAME_DIRECTION = 5e-3  # of each part of the directions of rows and columns
GAP = 1.5  # times the usual distance
SERIES = " series "  # in the name of each, between its modality and its number
NOT_APPLIED = "A presentation state, which says how the image is to be displayed, is not applied."


Orientation: TypeAlias = tuple[float, ...]  # directions of rows and columns


class Collected(Struct, frozen=True):
    """What files contain.

    Attributes
    ----------
    sources : tuple of (Path, Source)
        With the file, or of a series the first one.
    left_out : tuple of str
        DICOM files that hold no image.
    """

    sources: tuple[tuple[Path, Source], ...]
    left_out: tuple[str, ...]


def spelled(path: Path) -> str:
    """Call a file by its path as it was given."""
    return escape(str(path))


def collected(files: Iterable[str], called: Callable[[Path], str] = spelled) -> Generator[int, None, Collected]:
    """Make the sources of the files of a folder; only headers are read.

    Parameters
    ----------
    files : iterable of path
    called : callable
        Gives the name of a file or folder.

    Yields
    ------
    int
        How many files are read.
    """
    found: list[tuple[Path, Source]] = []
    left_out: list[str] = []
    presented: set[str] = set()
    for number, file in enumerate(files, start=1):
        path = Path(file)
        source = replace(file_source(file), name=called(path))
        states = _states_of(path) if source.reader == unreadable.READER.id and is_dicom_file(path) else None
        if states is None:
            found.append((path, source))
        else:
            presented |= states
            left_out.append(file)
        yield number
    return Collected(tuple(_in_series(found, called, presented)), tuple(left_out))


def _states_of(path: Path) -> set[str] | None:
    from napari_webipred.imaging.dicom.other import presentation_of

    return presentation_of(path)


def series_source(files: Iterable[str]) -> Source:
    """Make one stack of the files of a DICOM series.

    Raises
    ------
    ImageError
        One is missing or damaged, or they are not the slices of one stack.
    """
    sources = result_of(collected(files)).sources
    for _, source in sources:
        unreadable.check(source)
    if len(sources) != 1:
        raise ImageError("The files are not the slices of one series.", "Classify their folder instead.")
    return sources[0][1]


def _in_series(
    found: list[tuple[Path, Source]], called: Callable[[Path], str], presented: set[str]
) -> list[tuple[Path, Source]]:
    """Put the slices of each series together, at the place of the first."""
    groups: dict[Any, list[tuple[Path, Source]]] = {}
    directions: dict[Any, list[Orientation | None]] = {}
    for number, (path, source) in enumerate(found):
        series = _series(source)
        key = number if series is None else (series, _direction(source, directions.setdefault(series, [])))
        groups.setdefault(key, []).append((path, source))
    result: list[tuple[Path, Source]] = []
    names: dict[str, int] = {}
    for group in groups.values():
        noted = [(path, _with_notes(source, presented)) for path, source in group]
        slices = [source.details[0] for _, source in noted] if len(noted) > 1 else []
        if not _is_stack(slices):
            result += noted
            continue
        folder, first = group[0][0].parent, slices[0].instance
        name = called(folder / f"{first.modality or 'DICOM'}{SERIES}{first.series_number}")
        names[name] = names.get(name, 0) + 1
        name = f"{name} ({names[name]})" if names[name] > 1 else name
        ordered, axes, shape = _in_order(slices)
        result.append((ordered[0].instance.path, stack_source(tuple(ordered), name, folder, axes, shape)))
    return result


def _series(source: Source) -> tuple[Any, ...] | None:
    """Return what the slices of a stack have in common; None of what is no slice."""
    if source.reader != READER.id or len(source.details) > 1:
        return None
    instance: Instance = source.details[0].instance
    if not instance.series:
        return None
    size = (instance.layout.rows, instance.layout.columns, instance.layout.is_colour)
    return instance.series, instance.kind, instance.localizer, size


def _direction(source: Source, known: list[Orientation | None]) -> int:
    """Return which of the known orientations a slice has, up to rounding; a new one becomes known."""
    orientation = source.details[0].instance.frames[0].orientation
    for number, each in enumerate(known):
        if orientation == each or (
            orientation and each and np.allclose(orientation, each, rtol=0, atol=SAME_DIRECTION)
        ):
            return number
    known.append(orientation)
    return len(known) - 1


def _is_stack(slices: list[Slice]) -> bool:
    """Tell whether these images of one series are slices of something, rather than several views of it."""
    return len(slices) > 1 and (
        places_of(slices) is not None or all(each.instance.modality in SLICED for each in slices)
    )


def places_of(slices: Sequence[Slice]) -> list[float] | None:
    """Return where slices lie along the normal of the first one, in mm; None if that is not known of one of them."""
    frames = [each.instance.frames[0] for each in slices]
    orientation, positions = frames[0].orientation, [frame.position for frame in frames]
    if orientation is None or None in positions:
        return None
    places: list[float] = (np.array(positions) @ np.cross(orientation[:3], orientation[3:])).tolist()
    return places


Ordered: TypeAlias = tuple[list[Slice], tuple[str, ...], tuple[int, ...]]  # slices, axes and shape


def _in_order(slices: list[Slice]) -> Ordered:
    """Sort slices by where they lie, or else as the machine has counted them; never by their names."""
    places = places_of(slices)
    if places is None:
        return sorted(slices, key=lambda each: each.instance.number), ("slice",), (len(slices),)
    here: list[list[tuple[float, Slice]]] = []
    for pair in sorted(zip(places, slices, strict=True), key=lambda pair: pair[0]):
        if here and pair[0] - here[-1][-1][0] <= SAME_PLACE:
            here[-1].append(pair)
        else:
            here.append([pair])
    for together in here:
        together.sort(key=lambda pair: _turn(pair[1]))
    pairs = [pair for together in here for pair in together]
    times = len(here[0])
    is_repeated = {len(each) for each in here} == {times} and len(set(map(_identity, slices))) == len(slices)
    if times == 1 or not is_repeated:
        return _remarked(pairs), ("z",), (len(slices),)
    turns = [_remarked([each[turn] for each in here]) for turn in range(times)]
    is_time = all(len({each.instance.moment for _, each in together}) == times for together in here)
    axes, shape = ("t" if is_time else "repeat", "z"), (times, len(here))
    return [each for turn in turns for each in turn], axes, shape


def _turn(each: Slice) -> tuple[tuple[int, int], int]:
    """Return when a slice was taken, among those at its place."""
    return each.instance.moment, each.instance.number


def _identity(each: Slice) -> str:
    return each.instance.identifier


def _remarked(pairs: list[tuple[float, Slice]]) -> list[Slice]:
    """Remark gaps, and slices at the same place, in slices that are sorted by their places."""
    steps = [after - before for (before, _), (after, _) in pairwise(pairs)]
    usual = np.median([step for step in steps if step > SAME_PLACE] or [0.0])
    ordered = [pairs[0][1]]
    for step, (_, each) in zip(steps, pairs[1:], strict=True):
        remark = ""
        if step <= SAME_PLACE:
            remark = "The slice lies at the same place as the one before it."
        elif step > GAP * usual:
            remark = f"Slices are missing before this one: the distance is {step:.4g} mm, elsewhere {usual:.4g} mm."
        ordered.append(replace(each, remarks=(*each.remarks, remark)) if remark else each)
    return ordered


def _with_notes(source: Source, presented: set[str]) -> Source:
    if source.reader != READER.id:
        return source
    if source.details[0].instance.series not in presented:
        return source
    return replace(source, details=tuple(replace(each, remarks=(NOT_APPLIED,)) for each in source.details))
