"""Which rows of a session are about the plane that the viewer shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from napari_webipred._napari.images.place import Target, leading_lengths
from napari_webipred.results.row_list import RowList
from napari_webipred.results.session_table import Entry


class _Planes:
    """The rows of each plane of a target, by its place along the target's axes."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._first: dict[tuple[int, ...], int] = {}  # most planes have one row, and 100,000 lists take time
        self._further: dict[tuple[int, ...], list[int]] = {}
        self.named = [(_path(layer), layer.name) for layer in target.layers]

    def add(self, place: tuple[int, ...], number: int) -> None:
        """Note a row."""
        if self._first.setdefault(place, number) != number:
            self._further.setdefault(place, []).append(number)

    def rows_at(self, place: tuple[int, ...]) -> list[int]:
        """Return the numbers of the rows at a place."""
        return [self._first[place], *self._further.get(place, [])] if place in self._first else []

    def is_of_the_same_file(self, layer: Any) -> bool:
        """Tell whether a layer shows the file of the one layer of this target, which is gone, again."""
        path = _path(layer)
        return path is not None and not self.target.layers and self.named == [(path, layer.name)]


class RowPlaces:
    """Finds the rows of a plane without going through all rows.

    Layers are held weakly and known by themselves, whatever they are called; a file that is opened again takes the
    place of its layer that is gone.
    """

    def __init__(self) -> None:
        self._runs: dict[int, list[_Planes]] = {}
        self._of_layer: WeakKeyDictionary[Any, list[_Planes]] = WeakKeyDictionary()

    def begin(self, run: int, targets: Iterable[Target]) -> None:
        """Note what the rows of a run will be about."""
        self._runs[run] = [_Planes(target) for target in targets]
        for planes in self._runs[run]:
            for layer in planes.target.layers:
                self._of_layer.setdefault(layer, self._known(layer)).append(planes)

    def targets(self, run: int) -> list[Target]:
        """Return what the rows of a run are about."""
        return [planes.target for planes in self._runs[run]]

    def add(self, run: int, rows: RowList, first: int) -> None:
        """Note new rows of a run; the first one has this number."""
        planes = self._runs[run]
        for number, (source, place) in enumerate(rows.positions(), first):
            planes[source].add(place, number)

    def open(self, path: Path, layer: Any) -> None:
        """Note in which layer a file is open that was classified without one."""
        opened = [planes for run in self._runs.values() for planes in run if planes.target.path == path]
        for planes in opened:
            planes.target.take(layer)
        self._of_layer[layer] = opened

    def knows(self, layer: Any) -> bool:
        """Tell whether a layer was classified."""
        return bool(self._known(layer))

    def rows_at(self, layer: Any, shown: tuple[int, ...]) -> list[int]:
        """Return the numbers of the rows of a layer that are about a place along its leading axes."""
        numbers: list[int] = []
        for planes in self._known(layer):
            axes, source = planes.target.axes, planes.target.source
            if source is not None and leading_lengths(layer) != source.shape:
                continue  # napari gives the planes of the file other axes
            if all(axis < len(shown) for axis in axes):
                numbers += planes.rows_at(tuple(shown[axis] for axis in axes))
        return numbers

    def target(self, entry: Entry, layers: Iterable[Any]) -> Target:
        """Return what a row is about; its layers, which are looked for among these, may be gone."""
        target = self._runs[entry.run.number][entry.row.source].target
        for layer in layers if not target.layers else ():
            self._known(layer)  # may take the place of the one that is gone
        return target

    def layers(self) -> list[Any]:
        """Return the layers that were classified and are still there."""
        return list(self._of_layer)

    def take(self, run: int, layers: Iterable[Sequence[Any]]) -> None:
        """Let these layers be what the rows of a run are about, as far as their own ones are gone; some per source."""
        for planes, found in zip(self._runs[run], layers, strict=True):
            for layer in () if planes.target.layers else found:
                self._known(layer)  # may take the place of the one that is gone
            if found and not planes.target.layers:
                planes.target.take(*found)
                for layer in found:
                    self._of_layer.setdefault(layer, []).append(planes)

    def _known(self, layer: Any) -> list[_Planes]:
        if layer in self._of_layer:
            return self._of_layer[layer]
        gone = [planes for run in self._runs.values() for planes in run if planes.is_of_the_same_file(layer)]
        for planes in gone:
            planes.target.take(layer)
        if gone:
            self._of_layer[layer] = gone
        return gone


def _path(layer: Any) -> str | None:
    path = layer.source.path
    return None if path is None else str(path)
