"""What the list shows of an entry, and what is classified of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from napari_webipred._napari.images.image_files import ImageFiles
from napari_webipred._napari.images.images import Images, Item
from napari_webipred._napari.images.layers import axes_of, describe, name_of, row_axes, shape_of, source_of, why
from napari_webipred._napari.images.merged_layers import MergedLayers
from napari_webipred._napari.images.place import Target
from napari_webipred._napari.images.understanding import Axis, Planes
from napari_webipred._napari.widgets.two_line_list import Lines
from napari_webipred.imaging.source import Source
from napari_webipred.names import escape, readable, unescape


def lines_of(item: Item, images: Images, planes: Planes) -> Lines:
    """Show an entry and how it is read."""
    name, words = readable(called(item)), description(item, images, planes)[0]
    parts = [f"{name}: {words}", reason(item, images)]
    return Lines(name, words, tip="\n".join(part for part in parts if part))


def called(item: Item) -> str:
    """Return the name of an entry so that every character of it can be seen."""
    return item.name if isinstance(item, (MergedLayers, ImageFiles)) else name_of(item)


def description(item: Item, images: Images, planes: Planes) -> tuple[str, bool]:
    """Describe how an entry is read, or why it cannot be classified; and return whether it can."""
    if isinstance(item, MergedLayers):
        return item.describe(images.understanding(item), planes)
    if isinstance(item, ImageFiles):
        return item.summary(planes)
    return describe(item, images.understanding(item), planes)


def reason(item: Item, images: Images) -> str:
    """Say why an entry is read as it is; empty where there is nothing to say."""
    if isinstance(item, ImageFiles):
        return ""
    return item.why() if isinstance(item, MergedLayers) else why(item, images.understanding(item))


def axes_of_item(item: Item, images: Images) -> list[Axis]:
    """Return how the leading axes of an entry are understood; those of files are always planes."""
    if isinstance(item, ImageFiles):
        return []
    understanding = images.understanding(item)
    return item.axes(understanding) if isinstance(item, MergedLayers) else axes_of(item, understanding)


def stacked_axes(item: Item, images: Images) -> list[Axis]:
    """Return the leading axes of an entry, of which some may follow the choice for all stacks."""
    return item.longest_axes if isinstance(item, ImageFiles) else axes_of_item(item, images)


def shape_of_item(item: Item) -> tuple[int, ...]:
    """Return the lengths of all axes of an entry; entries with the same can be edited together."""
    if isinstance(item, ImageFiles):
        return ()
    return shape_of(item.layers[0] if isinstance(item, MergedLayers) else item)


def counts_of(item: Item, images: Images, planes: Planes, dims: Any) -> tuple[int, int]:
    """Count the images and the planes that are classified of an entry."""
    if isinstance(item, ImageFiles):
        return item.counts(planes)
    ((_, source),) = sources_of(item, images, planes, dims)
    return 1, len(source)


def sources_of(item: Item, images: Images, planes: Planes, dims: Any) -> list[tuple[Target, Source]]:
    """Return what is classified of an entry, and what the rows are about; no pixel is touched.

    Raises
    ------
    WebIPredError
        The entry cannot be classified.
    """
    if isinstance(item, ImageFiles):
        return [
            (Target(images.opened(path), tuple(range(len(source.axes))), path, source), source)
            for path, source in zip(item.paths, item.taken(planes), strict=True)
        ]
    understanding = images.understanding(item)
    if isinstance(item, MergedLayers):
        axes = tuple(i for i, axis in enumerate(item.axes(understanding)) if axis.in_rows)
        return [(Target(item.layers, axes), item.source(understanding, planes, dims))]
    return [(Target([item], row_axes(item, understanding)), source_of(item, understanding, planes, dims))]


def told_apart(pairs: Sequence[tuple[Target, Source]]) -> list[tuple[Target, Source]]:
    """Name files that are called like another image by as many of the folders above them as tell them apart.

    Results are read, saved, compared and labelled by these names.
    """
    before: list[str] = []
    names = [source.name for _, source in pairs]
    while names != before:  # with folders, a file may be called as another one is already
        before, names = names, _longer([target.path for target, _ in pairs], names)
    return [
        (target, source if source.name == name else replace(source, name=name))
        for (target, source), name in zip(pairs, names, strict=True)
    ]


def _longer(paths: Sequence[Path | None], names: Sequence[str]) -> list[str]:
    """Put folders before the names that several images have; the name of one without a path stays."""
    alike: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        alike.setdefault(name, []).append(number)
    longer = list(names)
    for name, numbers in alike.items():
        known = {number: path for number in numbers if (path := paths[number]) is not None}
        above = {number: path.absolute().parent.parts for number, path in known.items()} if len(numbers) > 1 else {}
        counts = _counts(set(above.values()))
        *folders_now, last = Path(unescape(name)).parts
        at_least = len(folders_now) + (len(known) < len(numbers))
        for number, folders in above.items():
            longer[number] = escape(str(Path(*folders[-max(counts[folders], at_least) :], last)))
    return longer


def _counts(folders: set[tuple[str, ...]]) -> dict[tuple[str, ...], int]:
    """Return how many of the last parts of these absolute paths tell each from the others; there may be thousands."""
    counts: dict[tuple[str, ...], int] = {}
    count = 1
    while len(counts) < len(folders):
        ends = Counter(each[-count:] for each in folders)
        counts |= {each: count for each in folders - counts.keys() if ends[each[-count:]] == 1}
        count += 1
    return counts
