"""Names of files for maps: safe on every system, and different for different images."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_webipred.execution.plane import Plane

LONGEST, LONGEST_CLASS = 120, 60  # bytes; file systems take 255 for a whole name
ALLOWED = set(" -_.()+,=@")
# Names that Windows gives to devices, whatever follows after a dot.
DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{port}{number}" for port in ("COM", "LPT") for number in range(1, 10))}


class Naming:
    """Gives each plane a name that no other has.

    An image is called as its file, with the folders that not all images share before it: ``p07_scan`` for
    ``cohort/p07/scan.png`` if there is also a ``cohort/p08/scan.png``. Its place in a stack and its region follow.
    What is still the same gets a number.

    Parameters
    ----------
    images : sequence of str
        The names of all images, in order.
    is_taken : callable
        Tells whether a name must not be used for another reason.
    """

    def __init__(self, images: Sequence[str], is_taken: Callable[[str], bool] = lambda name: False) -> None:
        self._paths = [PurePath(name) for name in images]
        parents = [path.parts[:-1] for path in self._paths]
        self._shared = 0
        while parents and all(parts[: self._shared + 1] == parents[0][: self._shared + 1] for parts in parents):
            if self._shared == len(parents[0]):
                break
            self._shared += 1
        self._is_taken = is_taken
        self._given: set[str] = set()

    def name(self, plane: Plane) -> str:
        """Return the name of a plane, without a suffix; to be asked once for each plane, in order."""
        path, source = self._paths[plane.number], plane.source
        parts = ["_".join([*path.parts[self._shared : -1], path.stem])]
        places = source.position(plane.index)
        parts += [f"{axis}{place:0{len(str(max(source.shape)))}}" for axis, place in places.items()]
        if plane.region is not None:
            parts.append(plane.region.name)
        wanted = safe("_".join(parts), LONGEST)
        name, number = wanted, 1
        while key(name) in self._given or self._is_taken(name):
            number += 1
            name = f"{wanted}-{number}"
        self._given.add(key(name))
        return name


def class_parts(classes: Sequence[str]) -> dict[str, str]:
    """Return what stands for each class in the name of a file; without a dot, so that it can be told from the image."""
    parts: dict[str, str] = {}
    given: set[str] = set()
    for each in classes:
        wanted = safe(each.replace(".", "_"), LONGEST_CLASS)
        part, number = wanted, 1
        while key(part) in given:
            number += 1
            part = f"{wanted}-{number}"
        given.add(key(part))
        parts[each] = part
    return parts


def safe(text: str, longest: int) -> str:
    """Return a text with the letters, digits and marks that file systems take, cut at its beginning if it is long."""
    text = unicodedata.normalize("NFC", text)
    kept = "".join(each if unicodedata.category(each)[0] in "LNM" or each in ALLOWED else "_" for each in text)
    kept = kept.encode()[-longest:].decode(errors="ignore").strip(" .") or "_"
    return f"_{kept}" if kept.partition(".")[0].strip().upper() in DEVICES else kept


def key(name: str) -> str:
    """Return what is the same for names that a file system may take for one."""
    return unicodedata.normalize("NFC", name.casefold())
