"""Which classes of several models are the same, where their names differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QGridLayout, QVBoxLayout, QWidget

from napari_webipred._napari.widgets.choice import choice
from napari_webipred._napari.widgets.label import ElidedLabel, MutedLabel
from napari_webipred.names import plain, readable
from napari_webipred.results.session_table import RunDetails

MOST = 40  # classes that can be mapped here
HOW = "The models call their classes differently. Say which class is the same as one of run {}: {}."
OF_RUN = "Classes of run {}: {}"
TOO_MANY = "{:,} classes have different names, too many to choose here. In Python, ensemble() takes a mapping."


class Differing(Struct, frozen=True, eq=False):
    """Classes of a run that another one does not have.

    Attributes
    ----------
    run, other : RunDetails
        The run whose classes get other names, and the one whose names they get.
    names : tuple of str
        Those of its classes that the other one does not have.
    """

    run: RunDetails
    other: RunDetails
    names: tuple[str, ...]


def differing(runs: Sequence[RunDetails]) -> list[Differing]:
    """Return which classes of runs have to be mapped to those of the run with the fewest; of equal ones, the first."""
    if not runs:
        return []
    other = min(runs, key=lambda run: len(run.classes))
    found = (Differing(run, other, tuple(name for name in run.classes if name not in other.classes)) for run in runs)
    return [each for each in found if each.names]


def likely(name: str, names: tuple[str, ...]) -> str:
    """Return which of the names is the same but for capitals, spaces, hyphens and underscores; empty if none is."""
    return next((other for other in names if plain(other) == plain(name)), "")


class ClassMapping(QWidget):
    """Asks which classes of several models are the same. Hidden if their names are.

    Signals
    -------
    changed
        Another class is chosen.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: list[tuple[int, int, tuple[str, ...]]] = []
        self._too_many = False
        self.how = MutedLabel()
        self.choices: dict[int, dict[str, QComboBox]] = {}
        self._rows = QWidget()
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(4)
        self._layout.addWidget(self.how)
        self._layout.addWidget(self._rows)
        self.hide()

    def show_runs(self, runs: Sequence[RunDetails]) -> None:
        """Ask about the classes that differ between runs."""
        found = differing(runs)
        shown = [(each.run.number, each.other.number, each.names) for each in found]
        if shown == self._shown:
            return
        self._shown = shown
        names = sum(len(each.names) for each in found)
        self._too_many = names > MOST
        self.setVisible(bool(found))
        if found:
            other = found[0].other
            self.how.setText(
                TOO_MANY.format(names) if self._too_many else HOW.format(other.number, readable(other.card.name))
            )
        self._make_rows([] if self._too_many else found)

    def _make_rows(self, found: Sequence[Differing]) -> None:
        self._layout.removeWidget(self._rows)
        self._rows.hide()  # it is painted until it is gone
        self._rows.deleteLater()
        self._rows = QWidget()
        self._layout.addWidget(self._rows)
        grid = QGridLayout(self._rows)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(4)
        for column, share in enumerate((2, 3)):
            grid.setColumnStretch(column, share)
        self.choices = {}
        for each in found:
            if len(found) > 1:
                whose = MutedLabel(OF_RUN.format(each.run.number, readable(each.run.card.name)))
                grid.addWidget(whose, grid.rowCount(), 0, 1, 2)
            self.choices[each.run.number] = own = {}
            for name in each.names:
                own[name] = self._choice(name, tuple(each.other.classes))
                row = grid.rowCount()
                grid.addWidget(ElidedLabel(readable(name)), row, 0)
                grid.addWidget(own[name], row, 1)

    def _choice(self, name: str, targets: tuple[str, ...]) -> QComboBox:
        box = choice(f"Class that is the same as {name}")
        box.addItem("choose…", "")
        for target in targets:
            box.addItem(readable(target), target)
        box.setCurrentIndex(max(box.findData(likely(name, targets)), 0))
        box.currentIndexChanged.connect(self.changed)
        return box

    @property
    def ready(self) -> bool:
        """Whether every class that differs is mapped."""
        return not self._too_many and all(box.currentData() for own in self.choices.values() for box in own.values())

    @property
    def mapping(self) -> Mapping[int, Mapping[str, str]]:
        """For each run, by its number: the chosen names, by the names of the classes that they stand for."""
        return {run: {name: str(box.currentData()) for name, box in own.items()} for run, own in self.choices.items()}
