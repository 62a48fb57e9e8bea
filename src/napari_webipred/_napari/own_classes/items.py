"""The pictures that can get a label: what is chosen in step 2 of the panel."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from napari_webipred._napari.images.place import Target
from napari_webipred._napari.proxy import unwrapped
from napari_webipred.fitting.project import Picture, place_of
from napari_webipred.imaging.planes import ArrayLayout
from napari_webipred.imaging.region import Region
from napari_webipred.imaging.selection import Projection
from napari_webipred.imaging.source import Index, Source
from napari_webipred.names import readable

MOST = 10_000
Subject: TypeAlias = tuple[Any, ...]


class Item(Struct, frozen=True, eq=False):
    """A picture, and where it is.

    Attributes
    ----------
    picture : Picture
    target : Target
        The layers or the file that it is part of.
    source : Source
    index : tuple of int
        The plane along the axes of the source.
    region : Region or None
    name : str
        A short name for people.
    subject : Subject
        What a label is given to, whatever it is called: the path or the layers, the plane, the layer of regions, and
        the box and outline of the region. Layers are held weakly.
    """

    picture: Picture
    target: Target
    source: Source
    index: Index
    region: Region | None
    name: str = ""
    subject: Subject = ()


class Mark:
    """Tells whether a picture still has the same pixels, and holds none of them.

    Parameters
    ----------
    item : Item
    """

    __slots__ = ("_held", "_index", "_region")

    def __init__(self, item: Item) -> None:
        self._held = _held(item.source)
        self._index = item.index
        self._region = item.region

    def fits(self, item: Item) -> bool:
        """Whether this is the picture, as far as can be told without reading pixels."""
        return self._index == item.index and _same(self._held, _held(item.source)) and _alike(self._region, item.region)


def items_of(form: Any) -> tuple[list[Item], bool]:
    """Return the pictures that are chosen in the form of the panel, and whether there are more than can be labelled."""
    targets, sources = form.sources()
    parts = (
        _item(target, source, index, region, form.regions.value)
        for target, source in zip(targets, sources, strict=True)
        for index, region in source.parts()
    )
    found = list(islice(parts, MOST + 1))
    unique = {item.picture: item for item in reversed(found[:MOST])}
    return _named(list(reversed(unique.values()))), len(found) > MOST


def unchanged(before: Sequence[Item], now: Sequence[Item]) -> bool:
    """Whether there are the same pictures as before, in the same order."""
    if len(before) != len(now):
        return False
    known: dict[tuple[int, int], bool] = {}  # the planes of a stack have the same source
    for one, other in zip(before, now, strict=True):
        pair = id(one.source), id(other.source)
        if pair not in known:
            known[pair] = _same(_held(one.source), _held(other.source))
        if not (known[pair] and one.picture == other.picture and one.index == other.index):
            return False
        if one.subject != other.subject:
            return False
        if not _alike(one.region, other.region):
            return False
    return True


def _named(items: Sequence[Item]) -> list[Item]:
    """Give pictures short names: that of the file, and of its folder where several files are called so."""
    images = {item.picture.image: item.target.path for item in items}
    counts = Counter(path.name for path in images.values() if path is not None)
    shown = {
        image: image if path is None else str(Path(*path.parts[-2:])) if counts[path.name] > 1 else path.name
        for image, path in images.items()
    }
    named = []
    for item in items:
        places = (f"{axis} {place}" for axis, place in zip(item.source.axes, item.index, strict=True))
        parts = (shown[item.picture.image], *places, item.picture.region)
        name = readable(" · ".join(part for part in parts if part))
        named.append(replace(item, name=name))
    return named


def _item(target: Target, source: Source, index: Index, region: Region | None, drawing: Any) -> Item:
    image = source.name if target.path is None else str(target.path)
    picture = Picture(image, place_of(source.position(index)), "" if region is None else region.name)
    where = image if target.path is not None else tuple(map(_weakly, target.layers))
    what = None if region is None else (region.box, None if region.outline is None else region.outline.tobytes())
    layer = None if drawing is None else _weakly(drawing)
    return Item(picture, target, source, index, region, subject=(where, picture.place, layer, what))


def _weakly(layer: Any) -> weakref.ref[Any]:
    reference = weakref.ref(unwrapped(layer))
    hash(reference)  # which it remembers when the layer is gone
    return reference


def _held(source: Source) -> tuple[Any, ...]:
    """Return what tells where pixels come from; arrays are held weakly."""
    place = _place_held(source.location)
    return source.reader, source.shape, source.intensity_range, source.scaled, _made(source), place


def _made(source: Source) -> Any:
    """Return how planes are made of what is held, such as by a projection, and which axis holds colours."""
    if isinstance(source.details, ArrayLayout):
        return source.details.colours
    return source.details if isinstance(source.location, (Source, tuple)) else None


def _place_held(place: Any) -> Any:
    if isinstance(place, Source):  # sources that are made of others are made anew each time
        return _held(place)
    if isinstance(place, tuple):
        return tuple(map(_place_held, place))
    if place is None or isinstance(place, (str, Path, int, float)):
        return place
    try:
        return weakref.ref(place)
    except TypeError:  # an array of some other library
        return place


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, tuple):
        return isinstance(other, tuple) and len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, weakref.ref):
        return isinstance(other, weakref.ref) and one() is not None and one() is other()
    return one is other or (isinstance(one, (str, Path, int, float, Projection)) and bool(one == other))


def _alike(one: Region | None, other: Region | None) -> bool:
    if one is None or other is None:
        return one is other
    if (one.box, one.label, one.plane) != (other.box, other.label, other.plane):
        return False
    pairs = ((one.outline, other.outline), (one.inside, other.inside))
    return all(a is b or (a is not None and b is not None and np.array_equal(a, b)) for a, b in pairs)
