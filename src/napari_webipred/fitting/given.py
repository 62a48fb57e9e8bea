"""Which planes of the given images have which labels, however the labels are given."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from napari_webipred.errors import OptionError
from napari_webipred.evaluation import truth
from napari_webipred.evaluation.cohort import Label
from napari_webipred.evaluation.matching import paired
from napari_webipred.execution.plane import Plane, planes_of
from napari_webipred.fitting.labels import Task, group_name
from napari_webipred.imaging.preprocess import Intensity
from napari_webipred.imaging.source import Source
from napari_webipred.names import without_apostrophe

_SHOWN = 5


class Labelled(Struct, frozen=True, eq=False):
    """Planes that have labels.

    Attributes
    ----------
    planes : tuple of Plane
    labels : tuple of tuple of str
        The classes of each plane.
    groups : tuple of str, or None
        What each plane has in common with others; None if every plane is a group of its own.
    without : int
        How many of the given images have no label, and are left out.
    """

    planes: tuple[Plane, ...]
    labels: tuple[tuple[str, ...], ...]
    groups: tuple[str, ...] | None
    without: int = 0


def labelled(
    sources: Sequence[Source],
    known: Any,
    groups: Any = None,
    *,
    classes: Sequence[str] = (),
    task: Task = "single",
    intensity: Intensity = "auto",
) -> Labelled:
    """Put images and labels together. All planes of an image have its label, and are one group.

    So is an image that was given twice, such as by its folder and by itself: else it would judge a fit to itself.

    Parameters
    ----------
    sources : sequence of Source
    known : sequence of str, or of collections of str; or table, mapping, path, or None
        The label of each source, in their order. Or what `napari_webipred.evaluation.truth.of` takes: a table, a
        mapping or a CSV file that names the images; images that it does not name are left out. None takes the names of
        the folders that the images lie in.
    groups : sequence of str, or str, optional
        What each source has in common with others, such as the name of a patient; or the name of the column of the
        table that says so.
    classes : sequence of str
        If they are known; a table may have a column with 0 and 1 for each of them.
    task : "single" or "multi"
        Whether ``;`` stands between several labels of an image in a table.
    intensity : Intensity
        How the images will be read.

    Raises
    ------
    OptionError
        There are more or fewer labels than images, labels without an image, or no image has a label.
    """
    if known is None or isinstance(known, (str, Mapping)) or hasattr(known, "columns") or hasattr(known, "is_file"):
        found = _by_name(sources, known, groups, classes, task)
    else:
        found = _in_order(sources, list(known), groups)
    kept, each = [source for source, _ in found], [label for _, label in found]
    files = list(map(_file_of, kept))
    sizes: Counter[str] = Counter()
    for file, source in zip(files, kept, strict=True):
        sizes[file] += len(source)
    planes, labels, names = [], [], []
    used: set[Label] = set()
    for plane in planes_of(kept, intensity):
        label = _at(each[plane.number], plane)
        if label is not None:
            planes.append(plane)
            labels.append(label.classes)
            names.append(label.group or (files[plane.number] if sizes[files[plane.number]] > 1 else ""))
            used.add(label)
    if not planes:
        raise OptionError("No image has a label.", "Give images, and a label for each of them.")
    if lost := [given for given in _of_places(each) if given not in used]:
        raise _without_image([" ".join((given.image, *given.place)) for given in lost])
    return Labelled(tuple(planes), tuple(labels), tuple(names) if any(names) else None, len(sources) - len(kept))


def named_images(table: Path) -> list[str]:
    """Return the images that a table of labels names, beside which relative paths begin.

    Raises
    ------
    OptionError
        The table cannot be read, or an image is not there.
    """
    labels, _ = truth.of(table, (), ())
    names = dict.fromkeys(without_apostrophe(label.image) for label in labels)
    if lost := [name for name in names if not (table.parent / name).exists()]:
        raise _without_image(lost)
    return [str(table.parent / name) for name in names]


def _file_of(source: Source) -> str:
    """Return which file an image is, however its path was given; the name of one that is no file."""
    where = source.location
    return os.path.abspath(where) if isinstance(where, (str, Path)) else source.name  # noqa: PTH100 - nothing is looked up


def _without_image(lost: Sequence[str]) -> OptionError:
    shown = ", ".join(lost[:_SHOWN]) + (", ..." if len(lost) > _SHOWN else "")
    return OptionError(
        f"{len(lost):,} of the labels have no image: {shown}.",
        "Check the names, give the missing images, or remove these labels.",
    )


def _of_places(each: Sequence[Label | Mapping[tuple[tuple[str, str], ...], Label]]) -> list[Label]:
    """Return the labels that are of one plane only."""
    return [label for own in each if isinstance(own, Mapping) for place, label in own.items() if place]


def _at(label: Label | Mapping[tuple[tuple[str, str], ...], Label], plane: Plane) -> Label | None:
    """Return the label of a plane: that of its place or, if it has none, that of its image."""
    if isinstance(label, Label):
        return label
    position = {axis: str(place) for axis, place in plane.source.position(plane.index).items()}
    closest = sorted(label.items(), key=lambda item: -len(item[0]))
    return next((found for place, found in closest if all(position.get(a) == p for a, p in place)), None)


def _in_order(
    sources: Sequence[Source], labels: Sequence[Any], groups: Any
) -> list[tuple[Source, Label | Mapping[tuple[tuple[str, str], ...], Label]]]:
    if len(labels) != len(sources):
        raise OptionError(
            f"There are {len(sources):,} images, but {len(labels):,} labels.", "Give a label for each image."
        )
    if isinstance(groups, str):
        raise _no_column(groups, "the labels are no table")
    names = [""] * len(labels) if groups is None else _in_groups(groups, len(sources))
    return [
        (source, Label(source.name, (label,) if isinstance(label, str) else tuple(map(str, label)), (), group))
        for source, label, group in zip(sources, map(_plain, labels), names, strict=True)
    ]


def _plain(label: Any) -> Any:
    """Return a label as a text, or several as they are; numbers are names, too."""
    return label if isinstance(label, (str, list, tuple, set, frozenset)) else str(label)


def _by_name(
    sources: Sequence[Source], known: Any, groups: Any, classes: Sequence[str], task: Task
) -> list[tuple[Source, Label | Mapping[tuple[tuple[str, str], ...], Label]]]:
    if known is None and isinstance(groups, str):
        raise _no_column(groups, "the labels are no table")
    given = None if groups is None or isinstance(groups, str) else _in_groups(groups, len(sources))
    names = [source.name for source in sources]
    axes: tuple[str, ...] = ()
    if known is None:
        labels = truth.from_folders(names)
    else:
        wanted = tuple(dict.fromkeys(axis for source in sources for axis in source.axes))
        column = groups if isinstance(groups, str) else None
        labels, axes = truth.of(known, classes, wanted, column, task == "multi")
        if column and not any(label.group for label in labels):
            raise OptionError(f"There is no column {column} in the labels.", "Check its name.")
    pairs = paired(list(dict.fromkeys(names)), list(dict.fromkeys(label.image for label in labels)))
    of_image: dict[str, dict[tuple[tuple[str, str], ...], Label]] = {}
    for label in labels:
        place = tuple((axis, part) for axis, part in zip(axes, label.place, strict=True) if part)
        said = Label(label.image, tuple(map(without_apostrophe, label.classes)), label.place, label.group)
        before = of_image.setdefault(label.image, {}).setdefault(place, said)
        if {*before.classes} != {*said.classes}:
            raise OptionError(
                f"{label.image} has the labels {', '.join(before.classes)} and {', '.join(said.classes)}.",
                "Correct one of them.",
            )
    used = {pairs.found[name] for name in names if name in pairs.found}
    if lost := [name for name in of_image if name not in used]:
        raise _without_image(lost)
    found: list[tuple[Source, Label | Mapping[tuple[tuple[str, str], ...], Label]]] = []
    for number, source in enumerate(sources):
        if source.name in pairs.found:
            own = of_image[pairs.found[source.name]]
            if given is not None:
                own = {place: replace(label, group=given[number]) for place, label in own.items()}
            found.append((source, own))
    return found


def _in_groups(groups: Sequence[Any], images: int) -> list[str]:
    """Return the group of each image, given in their order."""
    if len(groups) != images:
        raise OptionError(f"There are {images:,} images, but {len(groups):,} groups.", "Give one for each image.")
    return [group_name(group) for group in groups]


def _no_column(name: str, why: str) -> OptionError:
    return OptionError(f"There is no column {name}: {why}.", "Give a group for each image.")
