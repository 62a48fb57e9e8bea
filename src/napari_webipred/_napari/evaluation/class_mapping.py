"""Which classes of two models are the same, where their names differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QVBoxLayout, QWidget

from napari_webipred._napari.widgets.choice import choice
from napari_webipred._napari.widgets.label import ElidedLabel, MutedLabel
from napari_webipred.names import readable
from napari_webipred.results.session_table import RunDetails

MOST = 40  # classes that can be mapped here
HOW = "The models call their classes differently. Say which class is the same as"
TOO_MANY = "{:,} classes have different names, too many to choose here. In Python, ensemble() takes a mapping."


@dataclass(frozen=True, slots=True, eq=False)
class Differing:
    """Classes of one of two runs that the other one does not have.

    Attributes
    ----------
    run, other : RunDetails
        The run whose classes get other names, which has at least as many, and the one whose names they get.
    names : tuple of str
        Those of its classes that the other one does not have.
    """

    run: RunDetails
    other: RunDetails
    names: tuple[str, ...]


def differing(first: RunDetails, second: RunDetails) -> Differing:
    """Return which classes of two runs have to be mapped; none if they have the same names."""
    run, other = (first, second) if len(first.classes) > len(second.classes) else (second, first)
    return Differing(run, other, tuple(name for name in run.classes if name not in other.classes))


def likely(name: str, names: tuple[str, ...]) -> str:
    """Return which of the names is the same but for capitals, spaces, hyphens and underscores; empty if none is."""
    from napari_webipred.evaluation.truth import plain

    return next((other for other in names if plain(other) == plain(name)), "")


class ClassMapping(QWidget):
    """Asks which classes of two models are the same. Hidden if their names are.

    Signals
    -------
    changed
        Another class is chosen.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
        self._too_many = False
        self.how = MutedLabel()
        self.choices: dict[str, QComboBox] = {}
        self._rows = QWidget()
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(4)
        self._layout.addWidget(self.how)
        self._layout.addWidget(self._rows)
        self.hide()

    def show_runs(self, first: RunDetails | None, second: RunDetails | None) -> None:
        """Ask about the classes that differ between two runs. Ask nothing unless there are two."""
        found = differing(first, second) if first is not None and second is not None else None
        shown = (found.names, tuple(found.other.classes)) if found else ((), ())
        if shown == self._shown:
            return
        self._shown = shown
        self._too_many = len(shown[0]) > MOST
        self.setVisible(bool(shown[0]))
        if found:
            whose = f"{HOW} one of run {found.other.number}: {readable(found.other.card.name)}."
            self.how.setText(TOO_MANY.format(len(found.names)) if self._too_many else whose)
        self._make_rows(() if self._too_many else shown[0], shown[1])

    def _make_rows(self, names: tuple[str, ...], targets: tuple[str, ...]) -> None:
        self._layout.removeWidget(self._rows)
        self._rows.deleteLater()
        self._rows = QWidget()
        self._layout.addWidget(self._rows)
        form = QFormLayout(self._rows)
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(4)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.choices = {}
        for name in names:
            box = choice(f"Class that is the same as {name}")
            box.addItem("choose…", "")
            for target in targets:
                box.addItem(readable(target), target)
            box.setCurrentIndex(max(box.findData(likely(name, targets)), 0))
            box.currentIndexChanged.connect(self.changed)
            self.choices[name] = box
            label = ElidedLabel(readable(name))
            label.setMinimumWidth(90)
            form.addRow(label, box)

    @property
    def ready(self) -> bool:
        """Whether every class that differs is mapped."""
        return not self._too_many and all(box.currentData() for box in self.choices.values())

    @property
    def mapping(self) -> Mapping[str, str]:
        """The chosen names, by the names of the classes that they stand for."""
        return {name: str(box.currentData()) for name, box in self.choices.items()}
