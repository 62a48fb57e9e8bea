"""The features of pictures, computed once, beside the window, and kept while the viewer lives."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_webipred._napari.latest import Latest
from napari_webipred._napari.own_classes.items import Item, Mark
from napari_webipred.fitting.project import Picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_webipred.imaging.source import Source
    from napari_webipred.model import Model
    from napari_webipred.options import Options

    Features = NDArray[np.float32]


class PictureFeatures(QObject):
    """Knows the features of the pictures that are listed.

    Attributes
    ----------
    values : ndarray of float32, shape (pictures, channels)
        Without channels until the first are known. Rows that are not known are 0.
    known : ndarray of bool, shape (pictures,)
    faults : dict of int to str
        Why a picture cannot be read, by its row.
    error : Exception or None
        Why the model has no features.

    Signals
    -------
    changed
        More are known.
    failed
        The model has no features.
    """

    changed = Signal()
    failed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.values: Features = np.zeros((0, 0), np.float32)
        self.known: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self.faults: dict[int, str] = {}
        self.error: Exception | None = None
        self._kept: dict[str, dict[Picture, tuple[Mark, Features | str]]] = {}
        self._items: Sequence[Item] = ()
        self._space = ""
        self._latest = Latest(self)
        self._latest.events.connect(self._on_events)
        self._latest.done.connect(lambda _: self.changed.emit())
        self._latest.failed.connect(self._on_failed)

    @property
    def busy(self) -> bool:
        """Whether more are to come."""
        return self._latest.busy

    @property
    def done(self) -> int:
        """How many pictures are known, or known to be unreadable."""
        return int(self.known.sum()) + len(self.faults)

    def look(self, model: Model | None, options: Options, items: Sequence[Item]) -> None:
        """Compute the features of these pictures that are not kept."""
        self._latest.stop()
        self._items, self.error = items, None
        self.values, self.known, self.faults = np.zeros((0, 0), np.float32), np.zeros(len(items), np.bool_), {}
        if model is not None:
            from napari_webipred.references.fitting import reading

            self._space = f"{model.checksum} {reading(model, options)}"
            kept = self._kept.setdefault(self._space, {})
            wanted = []
            for row, item in enumerate(items):
                before = kept.get(item.picture)
                if before is not None and before[0].fits(item):
                    self._put(row, before[1])
                else:
                    wanted.append(row)
            if wanted:
                self._latest.ask(lambda: _featuring(model, items, wanted, options))
        self.changed.emit()

    def rest(self) -> None:
        """Compute no more."""
        self._latest.stop()

    def again(self, model: Model, options: Options) -> None:
        """Try those again that could not be read."""
        for row in self.faults:
            self._kept[self._space].pop(self._items[row].picture, None)
        self.look(model, options, self._items)

    def _put(self, row: int, found: Features | str) -> None:
        if isinstance(found, str):
            self.faults[row] = found
            return
        if self.values.shape[1] != len(found):
            self.values = np.zeros((len(self._items), len(found)), np.float32)
        self.values[row] = found
        self.known[row] = True

    def _on_events(self, events: list[tuple[int, Features | str]]) -> None:
        kept = self._kept[self._space]
        for row, found in events:
            kept[self._items[row].picture] = (Mark(self._items[row]), found)
            self._put(row, found)
        self.changed.emit()

    def _on_failed(self, error: Exception) -> None:
        self.error = error
        self.failed.emit()
        self.changed.emit()


def _featuring(
    model: Model, items: Sequence[Item], rows: Sequence[int], options: Options
) -> Generator[tuple[int, Features | str], None, None]:
    from napari_webipred.execution.features import features_of_planes
    from napari_webipred.execution.plane import Plane, ranged

    ranges: dict[int, Source] = {}  # black and white of a whole stack are looked for once

    def planes() -> Generator[Plane, None, None]:
        for row in rows:
            item = items[row]
            source = item.source
            if options.intensity == "stack":
                if id(source) not in ranges:
                    ranges[id(source)] = ranged(source)
                source = ranges[id(source)]
            yield Plane(row, source, item.index, item.region)

    with closing(features_of_planes(model, planes(), len(rows), options)) as each:
        yield from zip(rows, each, strict=True)
