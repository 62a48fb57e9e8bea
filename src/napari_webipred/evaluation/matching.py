"""Which label belongs to which image: by path, then by the end of the path where that is unambiguous."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence

from msgspec import Struct

from napari_webipred.names import unescape

_QUOTED = ("'=", "'+", "'-", "'@")  # how a CSV file of ours writes what a spreadsheet would run as a formula


class Names(Struct, frozen=True):
    """Which name of one list each name of another list is.

    Attributes
    ----------
    found : dict of str to str
        The label's name for each image that has one.
    ambiguous : frozenset of str
        Images whose names fit several labels, or that share a label with others of the same end.
    """

    found: dict[str, str]
    ambiguous: frozenset[str]


def paired(images: Sequence[str], labels: Sequence[str]) -> Names:
    """Find the label of each image.

    The same path comes first. Then counts the longest end that a path has in common with exactly one label:
    ``/data/test/a/1.png`` is ``a/1.png``, or ``1.png`` if only one label ends so. If several images fit the same label
    in that way, that with the longest end has it; if their ends are equally long, none has.

    Where each of two paths has folders that the other has not, as after a move, the end must fit no other label at all,
    also none that is the same path as an image: of ``p1/ct.png`` and ``p3/ct.png``, none is ``p2/ct.png``. Letters with
    accents are the same however they are composed: macOS takes them apart.

    Parameters
    ----------
    images, labels : sequences of str
        Each name stands once.
    """
    same = {*labels}
    found = {image: image for image in images if image in same}
    if len(found) < len(images):
        by_path: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for name in labels:
            by_path[_parts(name)].append(name)
        same_path = {image: by_path[parts] for image in images if (parts := _parts(image)) in by_path}
        found = {image: names[0] for image, names in same_path.items() if len(names) == 1} | found
    if len(found) == len(images):
        return Names(found, frozenset())
    taken = set(found.values())
    every = _by_end(labels)
    ends = _by_end([name for name in labels if name not in taken])
    ambiguous: set[str] = set()
    claims: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for image in images:
        parts = _parts(image)
        end = () if image in found else next((end for end in _ends(parts) if end in ends), ())
        if end and len(ends[end]) == 1 and (end in (parts, _parts(ends[end][0])) or len(every[end]) == 1):
            claims[ends[end][0]].append((len(end), image))
        elif end:
            ambiguous.add(image)
    for label, claim in claims.items():
        longest = max(claim)[0]
        best = [image for length, image in claim if length == longest]
        if len(best) == 1:
            found[best[0]] = label
        else:
            ambiguous.update(best)
    return Names(found, frozenset(ambiguous))


def _by_end(labels: Sequence[str]) -> dict[tuple[str, ...], list[str]]:
    """Return the labels whose paths have each end."""
    ends: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name in labels:
        for end in _ends(_parts(name)):
            ends[end].append(name)
    return ends


def _parts(name: str) -> tuple[str, ...]:
    """Split a path, as any system and our own files write it."""
    text = unicodedata.normalize("NFC", name[1:] if name.startswith(_QUOTED) else name)
    if "\\" in text:
        text = unescape(text).replace("\\", "/")
    return tuple([part for part in text.strip().split("/") if part and part != "."])


def _ends(parts: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the ends of a path, the longest first."""
    return (parts[first:] for first in range(len(parts)))
