"""Writes the results of runs about regions to the layers that hold the regions."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from msgspec import Struct
from msgspec.structs import replace
from napari.layers import Labels, Shapes
from qtpy.QtCore import QObject, QTimer, Signal

from napari_webipred._napari.regions.region_features import Owned, write_features
from napari_webipred._napari.regions.region_finder import UsedRegions
from napari_webipred._napari.regions.region_layer import Drawing, drawing_of, drawn
from napari_webipred._napari.regions.region_look import (
    MOST_DRESSED,
    TOO_MANY,
    Step,
    dress,
    former_look,
    is_bright,
    label_colours,
    text_colour,
    undress,
)
from napari_webipred._napari.regions.region_search import search
from napari_webipred._napari.regions.region_table import Verdict, columns_of, reassigned, verdicts
from napari_webipred._napari.task import Task
from napari_webipred.card import ModelCard
from napari_webipred.errors import WebIPredError

if TYPE_CHECKING:
    from napari_webipred._napari.results.run import Run

PATIENCE = 150  # milliseconds without another threshold until layers show it: a slider that is dragged gives many
CHANGED = "{:,} region{} changed or removed after the start, so the layer does not show that result; the table does."


class Shown(Struct, frozen=True, eq=False):
    """What was last written to a layer: a verdict for each shape or label, by its name at that time.

    ``run`` is the number of the run, and ``threshold`` the one by which its classes are assigned.
    """

    used: UsedRegions
    card: ModelCard
    verdicts: dict[str, Verdict]
    bright: bool
    run: int
    threshold: float


class RegionResults(QObject):
    """Adds columns to the features of Shapes and Labels layers, and shows classes on them if the user wants it.

    A region that was changed, moved or removed since the run began gets nothing.

    Signals
    -------
    told
        There is another remark on a layer.
    """

    told = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._owned: WeakKeyDictionary[Any, Owned] = WeakKeyDictionary()
        self._shown: WeakKeyDictionary[Any, Shown] = WeakKeyDictionary()
        self._wanted: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()
        self._former: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
        self._remarks: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
        self._thresholds: dict[int, float] = {}
        self._canvas: bool | None = None
        self._steps: list[Step] = []
        self._tasks: list[Task] = []
        self._timer = QTimer(self)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._next)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(PATIENCE)
        self._later.timeout.connect(self._assign)

    @property
    def busy(self) -> bool:
        """Whether something is still to be written."""
        return bool(self._steps or self._tasks or self._later.isActive())

    def shows(self, layer: Any) -> bool:
        """Tell whether a layer is to show classes: Shapes do unless the user says no, Labels if the user says yes."""
        return self._wanted.get(layer, isinstance(layer, Shapes))

    def remark(self, layer: Any) -> str:
        """Return what the user should know about what was written to a layer; mostly empty."""
        return self._remarks.get(layer, "")

    def coloured(self) -> list[Any]:
        """Return the layers whose regions look like their classes now."""
        return list(self._former)

    def show_classes(self, layer: Any, show: bool) -> None:
        """Show classes on a layer, or let it look as before."""
        self._wanted[layer] = show
        if layer not in self._shown:
            return
        if show:
            self._check(layer, self._show)
        elif layer in self._former:
            former = self._former.pop(layer)
            if isinstance(layer, Labels):
                layer.colormap = former
            else:
                self._do(undress(layer, former, drawing_of(layer)))

    def lie_on(self, canvas: bool | None) -> None:
        """Let the texts of shapes be readable where they lie.

        Parameters
        ----------
        canvas : bool or None
            Whether the canvas is bright, if shapes lie on it and not on their images, as in grid view.
        """
        if canvas == self._canvas:
            return
        self._canvas = canvas
        for layer in self._former:
            if isinstance(layer, Shapes):
                layer.text.color = text_colour(self._is_on_bright(layer))

    def _is_on_bright(self, layer: Any) -> bool:
        return self._shown[layer].bright if self._canvas is None else self._canvas

    def write(self, run: Run) -> None:
        """Write what a run has found, once it has ended."""
        layer = None if run.regions is None else run.regions.layer()
        if run.regions is None or layer is None or not run.rows:
            return
        number, card = run.details.number, run.details.card
        threshold = self._thresholds.get(number, run.details.options["threshold"])
        used, bright = run.regions, is_bright(run.layers())

        def go_on(found: dict[str, Verdict]) -> None:
            self._shown[layer] = Shown(used, card, found, bright, number, threshold)
            self._check(layer, self._write)
            self._assign()

        self._in_background(layer, verdicts(run.rows[:], card, threshold), go_on)

    def assign(self, run: int, threshold: float) -> None:
        """Assign the classes of the regions of a run, by its number, with another threshold, a little later."""
        self._thresholds[run] = threshold
        self._later.start()

    def _assign(self) -> None:
        for layer, shown in list(self._shown.items()):
            threshold = self._thresholds.get(shown.run, shown.threshold)
            if threshold != shown.threshold:
                work = reassigned(shown.verdicts, shown.card, threshold)
                self._in_background(layer, work, partial(self._on_assigned, layer, shown.run, threshold))

    def _on_assigned(self, layer: Any, run: int, threshold: float, found: dict[str, Verdict]) -> None:
        shown = self._shown[layer]
        if shown.run == run and self._thresholds[run] == threshold:  # else there is another one meanwhile
            self._shown[layer] = replace(shown, verdicts=found, threshold=threshold)
            self._check(layer, self._write)

    def _check(self, layer: Any, then: Any) -> None:
        """Find out where the regions of the last run are now, and go on with that."""
        used = self._shown[layer].used
        if isinstance(used.drawn, Drawing):
            then(layer, places_now(used.drawn, drawing_of(layer)))
        else:
            work = _unchanged(drawn(layer), used)
            self._in_background(layer, work, lambda names: then(layer, {name: int(name) for name in names}))

    def _in_background(self, layer: Any, work: Generator[Any, None, Any], then: Any) -> None:
        task = Task(work, self)
        self._tasks.append(task)

        def done(result: Any) -> None:
            self._tasks.remove(task)
            then(result)

        task.done.connect(done)

        def failed(error: Exception) -> None:
            self._tasks.remove(task)
            self._tell(layer, f"Nothing was written to the layer: its labels cannot be read any more ({error}).")

        task.failed.connect(failed)
        task.cancelled.connect(lambda: self._tasks.remove(task))
        task.start()

    def _write(self, layer: Any, places: dict[str, int]) -> None:
        shown = self._shown[layer]
        axes = dict.fromkeys(axis for verdict in shown.verdicts.values() for axis in verdict.position)
        found = {place: shown.verdicts[name] for name, place in places.items() if name in shown.verdicts}
        if isinstance(layer, Labels):
            labels = sorted(found)
            rows = {row: found[label] for row, label in enumerate(labels)}
        else:
            labels, rows = None, found
        count = layer.nshapes if labels is None else len(labels)

        def write(columns: dict[str, Any]) -> None:
            if labels is None and layer.nshapes != count:
                self._check(layer, self._write)  # shapes came or went meanwhile
                return
            self._owned[layer] = write_features(layer, columns, self._owned.get(layer, {}), labels)

        self._in_background(layer, _columns(rows, count, shown.card, list(axes)), write)
        lost = len(shown.verdicts) - len(found)
        self._tell(layer, CHANGED.format(lost, "s were" if lost > 1 else " was") if lost else "")
        if self.shows(layer):
            self._show(layer, places)

    def _show(self, layer: Any, places: dict[str, int]) -> None:
        shown = self._shown[layer]
        found = {place: shown.verdicts[name] for name, place in places.items() if name in shown.verdicts}
        classes = {place: verdict.assigned[0] if verdict.assigned else None for place, verdict in found.items()}
        if isinstance(layer, Labels):
            self._former.setdefault(layer, layer.colormap)
            self._in_background(layer, label_colours(classes), lambda colormap: self._colour(layer, colormap))
            return
        if layer.nshapes > MOST_DRESSED:
            if layer in self._former:  # it had fewer shapes before, and shows classes of another run
                self._do(undress(layer, self._former.pop(layer), drawing_of(layer)))
            if TOO_MANY not in self.remark(layer):
                self._tell(layer, f"{self.remark(layer)} {TOO_MANY}".strip())
            return
        self._former.setdefault(layer, former_look(layer, drawing_of(layer)))
        everywhere = range(layer.nshapes)
        texts = [_text(found[place], shown.card) if place in found else "" for place in everywhere]
        self._do(dress(layer, [classes.get(place) for place in everywhere], texts, self._is_on_bright(layer)))

    def _tell(self, layer: Any, remark: str) -> None:
        self._remarks[layer] = remark
        self.told.emit()

    def _colour(self, layer: Any, colormap: Any) -> None:
        if self.shows(layer):  # it may have been unticked meanwhile
            layer.colormap = colormap

    def _do(self, steps: Iterable[Step]) -> None:
        """Do one thing after the other, and let the window live in between."""
        self._steps.extend(steps)
        self._timer.start()

    def _next(self) -> None:
        if len(self._steps) <= 1:  # before the step, which may be the last that a viewer does while it is closed
            self._timer.stop()
        if self._steps:
            self._steps.pop(0)()


def _columns(
    rows: dict[int, Verdict], count: int, card: ModelCard, axes: list[str]
) -> Generator[None, None, dict[str, Any]]:
    yield
    return columns_of(rows, count, card, axes)


def places_now(then: Drawing, now: Drawing) -> dict[str, int]:
    """Return the numbers, from 0, that shapes have now which are still as they were, by their names then."""
    if then.matrix.tobytes() != now.matrix.tobytes():
        return {}  # the whole layer was moved
    names: dict[tuple[str, bytes], list[str]] = {}
    for name, shape in zip(then.names, then.shapes(), strict=True):
        names.setdefault(shape, []).append(name)
    return {names[shape].pop(0): place for place, shape in enumerate(now.shapes()) if names.get(shape)}


def _unchanged(now: Any, used: UsedRegions) -> Generator[None, None, list[str]]:
    """Find the labels that have the same pixels as before on all planes."""
    names: dict[str, None] = {}
    changed: set[str] = set()
    checked: set[Any] = set()
    for grid, before in zip(used.grids, used.searches, strict=True):
        if grid.key in checked:
            continue
        checked.add(grid.key)
        try:
            after = (yield from search(now, grid, False)).marks
        except WebIPredError:
            return []  # the layer has other axes now, or too many labels
        for key in before.marks.keys() | after.keys():
            names[key[0]] = None
            if before.marks.get(key) != after.get(key):
                changed.add(key[0])
    return [name for name in names if name not in changed]


def _text(verdict: Verdict, card: ModelCard) -> str:
    if card.task == "regression":
        return f"{verdict.probabilities[0]:.3g}"
    return f"{verdict.words(card)} {verdict.probability:.2f}" if verdict.assigned else "none"
