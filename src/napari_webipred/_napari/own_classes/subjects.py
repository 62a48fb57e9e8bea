"""Which layer, file or shape the name of a picture stands for, so that no label passes to another one of that name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import count

from napari_webipred._napari.own_classes.items import Item, Subject
from napari_webipred.fitting.project import Picture

LEAST_OVERLAP = 0.5  # of the boxes of a shape before and after a change, as a share of both together


class Subjects:
    """Remembers what the names of pictures stand for.

    Layers can get other names, and names of those that are gone; shapes without names are numbered anew when one is
    deleted.
    """

    def __init__(self) -> None:
        self._known: dict[Picture, Subject] = {}
        self._listed: set[Picture] = set()

    def look(self, items: Sequence[Item], named: Collection[Picture]) -> dict[Picture, Picture]:
        """See what is listed now, and return the new names of pictures.

        What has another name now goes with it. What is gone, while something else has its name, gets a name that
        nothing has; it is found again under that when it comes back. A shape that was changed a little stays the same.

        Parameters
        ----------
        items : sequence of Item
            What is listed now.
        named : collection of Picture
            Of which there are labels or groups, also some that can be brought back.
        """
        now = {item.picture: item.subject for item in items}
        staying = {picture for picture, subject in now.items() if self._known.get(picture) == subject}
        free: dict[Subject, list[Picture]] = {}
        for picture, subject in reversed(now.items()):
            if picture not in staying:
                free.setdefault(subject, []).append(picture)
        moved: dict[Picture, Picture] = {}
        crowded = []  # something else may have their name
        for picture, subject in self._known.items():
            if picture in staying:
                continue
            if free.get(subject):
                moved[picture] = free[subject].pop()
            elif picture in now:
                crowded.append(picture)
        taken = {*moved.values()}
        crowded += [picture for picture in taken if picture in named and picture not in self._known]
        names = {*now, *named, *self._known}
        for picture in crowded:
            is_changed = picture in self._listed and _is_changed(self._known[picture], now[picture])
            if picture in named and (picture in taken or not is_changed):
                moved[picture] = _set_aside(picture, names)
                names.add(moved[picture])
        kept = {moved.get(picture, picture): subject for picture, subject in self._known.items()}
        kept_names = {*named, *moved.values()}
        self._known = {picture: subject for picture, subject in kept.items() if picture in kept_names} | now
        self._listed = {*now}
        return {picture: name for picture, name in moved.items() if picture in named}

    def are_others(self, items: Sequence[Item], pictures: Collection[Picture]) -> bool:
        """Whether the names of these pictures stand for something else than they did in an earlier list."""
        return any(item.picture in pictures and self._known.get(item.picture) != item.subject for item in items)

    def forget(self, pictures: Iterable[Picture]) -> None:
        """Let the names of what is not listed now stand for whatever will have them: labels from a file say so."""
        for picture in pictures:
            if picture not in self._listed:
                self._known.pop(picture, None)


def _is_changed(before: Subject, now: Subject) -> bool:
    """Whether this is a shape that was changed a little."""
    if before[:-1] != now[:-1] or before[-1] is None or now[-1] is None:
        return False
    (top, left, bottom, right), _ = before[-1]
    (upper, outer, lower, far), _ = now[-1]
    shared = max(min(bottom, lower) - max(top, upper), 0) * max(min(right, far) - max(left, outer), 0)
    both = (bottom - top) * (right - left) + (lower - upper) * (far - outer) - shared
    return bool(shared >= LEAST_OVERLAP * both)


def _set_aside(picture: Picture, others: Collection[Picture]) -> Picture:
    """Return a name that no other picture has."""
    for number in count(1):
        end = " (earlier)" if number == 1 else f" (earlier {number})"
        image, region = (picture.image, picture.region + end) if picture.region else (picture.image + end, "")
        name = Picture(image, picture.place, region)
        if name not in others:
            break
    return name
