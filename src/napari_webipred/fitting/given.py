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
from napari_webipred.names import listed, without_apostrophe

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
        the folders that the images lie in. An image with an empty label is left out, unless it can have several.
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
            used.add(label)
        if label is not None and (label.classes or task == "multi"):
            planes.append(plane)
            labels.append(label.classes)
            names.append(label.group or (files[plane.number] if sizes[files[plane.number]] > 1 else ""))
    if not planes:
        raise OptionError("No image has a label.", "Give images, and a label for each of them.")
    if lost := [given for given in _of_places(each) if given not in used]:
        raise _without_image([" ".join((given.image, *given.place)) for given in lost])
    without = len(sources) - len({plane.number for plane in planes})
    return Labelled(tuple(planes), tuple(labels), tuple(names) if any(names) else None, without)


def named_images(table: Path, task: Task = "single") -> list[str]:
    """Return the images that a table of labels names, beside which relative paths begin.

    Images with an empty label are left out, unless they can have several.

    Raises
    ------
    OptionError
        The table cannot be read, or an image is not there.
    """
    labels, _ = truth.of(table, (), ())
    if task == "single":
        labels = [label for label in labels if label.classes] or labels  # without a column of that name, all are empty
    names = dict.fromkeys(without_apostrophe(label.image) for label in labels)
    if lost := [name for name in names if not (table.parent / name).exists()]:
        raise _without_image(lost)
    return [str(table.parent / name) for name in names]


def _file_of(source: Source) -> str:
    """Return which file an image is, however its path was given; the name of one that is no file."""
    where = source.location
    return os.path.abspath(where) if isinstance(where, (str, Path)) else source.name  # noqa: PTH100 - nothing is looked up


def _words(label: Label) -> str:
    return ", ".join(label.classes) or "none"


def _without_image(lost: Sequence[str]) -> OptionError:
    remedy = "Check the names, give the missing images, or remove these labels."
    if os.name != "nt" and "\\" in lost[0]:
        remedy = "These are paths of Windows: give the images or their folder, too, or write / in place of \\."
    return OptionError(f"{len(lost):,} of the labels have no image: {listed(lost, _SHOWN)}.", remedy)


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
        (source, Label(source.name, said, (), group))
        for source, said, group in zip(sources, map(_said, labels), names, strict=True)
    ]


def _said(label: Any) -> tuple[str, ...]:
    """Return the classes that a label names; numbers are names, too, but what stands for a missing value is none."""
    if isinstance(label, (list, tuple, set, frozenset)):
        return tuple(map(str, label))
    name = group_name(label)
    return (name,) if name.strip() else ()


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
        every = tuple(dict.fromkeys(axis for source in sources for axis in source.axes))
        column = groups if isinstance(groups, str) else None
        labels, axes = truth.of(known, classes, every, column, task == "multi")
        if column and not any(label.group for label in labels):
            raise OptionError(f"There is no column {column} in the labels.", "Check its name.")
        if labels and not any(label.classes for label in labels):
            raise OptionError(
                "The labels name no class.", "Call the column with the classes label, and write a class into each line."
            )
    pairs = paired(list(dict.fromkeys(names)), list(dict.fromkeys(label.image for label in labels)))
    of_image = _of_image(labels, axes)
    used = {pairs.found[name] for name in names if name in pairs.found}
    wanted = {label.image for label in labels if label.classes or task == "multi"}
    if lost := [name for name in of_image if name in wanted and name not in used]:
        raise _without_image(lost)
    found: list[tuple[Source, Label | Mapping[tuple[tuple[str, str], ...], Label]]] = []
    for number, source in enumerate(sources):
        if source.name in pairs.found:
            own = of_image[pairs.found[source.name]]
            if given is not None:
                own = {place: replace(label, group=given[number]) for place, label in own.items()}
            found.append((source, own))
    return found


def _of_image(labels: Sequence[Label], axes: Sequence[str]) -> dict[str, dict[tuple[tuple[str, str], ...], Label]]:
    """Return the label of each place of each image.

    Raises
    ------
    OptionError
        A place has several.
    """
    found: dict[str, dict[tuple[tuple[str, str], ...], Label]] = {}
    for label in labels:
        place = tuple((axis, part) for axis, part in zip(axes, label.place, strict=True) if part)
        said = Label(label.image, tuple(map(without_apostrophe, label.classes)), label.place, label.group)
        before = found.setdefault(label.image, {}).setdefault(place, said)
        if {*before.classes} != {*said.classes}:
            raise OptionError(
                f"{label.image} has the labels {_words(before)} and {_words(said)}.", "Correct one of them."
            )
    return found


def _in_groups(groups: Sequence[Any], images: int) -> list[str]:
    """Return the group of each image, given in their order."""
    if len(groups) != images:
        raise OptionError(f"There are {images:,} images, but {len(groups):,} groups.", "Give one for each image.")
    return [group_name(group) for group in groups]


def _no_column(name: str, why: str) -> OptionError:
    return OptionError(f"There is no column {name}: {why}.", "Give a group for each image.")
