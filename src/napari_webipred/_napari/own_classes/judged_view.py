"""How good the head is, told by pictures that it has not seen, and whether more labels would help."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_webipred._napari.own_classes.curve_view import CurveView
from napari_webipred._napari.own_classes.own_classes import OwnClasses
from napari_webipred._napari.widgets.label import MutedLabel
from napari_webipred._napari.widgets.message import Message
from napari_webipred._napari.widgets.theme import Theme

if TYPE_CHECKING:
    from napari_webipred.fitting.honest import Honest

FIGURE = "balanced_accuracy"
STOP = "You can stop here."
COMPUTING = "Computing how good the model is…"


class JudgedView(QWidget):
    """A figure with its interval, the learning curve, a sentence about it, and warnings."""

    def __init__(self, own: OwnClasses, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._own = own
        self.figure = QLabel()
        self.figure.setWordWrap(True)
        self.figure.setIndent(0)
        self.how = MutedLabel()
        self.curve = CurveView(theme)
        self.advice = QLabel()
        self.advice.setWordWrap(True)
        self.advice.setIndent(0)
        self.state = MutedLabel()
        self.message = Message(theme)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        for widget in (self.figure, self.how, self.curve, self.advice, self.message, self.state):
            layout.addWidget(widget)

    def refresh(self) -> None:
        """Show what is known now."""
        learning = self._own.learning
        judged, learned = learning.judged, learning.learned
        for widget in (self.figure, self.how, self.curve, self.advice):
            widget.setVisible(judged is not None)
        waits = learned.given.fault if learned is not None else "" if self._own.features.busy else "Label some images."
        self.state.setText(COMPUTING if learning.judging else waits)
        self.state.setVisible(bool(self.state.text()))
        self.message.clear()
        if learning.fault is not None:
            self.message.show_error(learning.fault)
        if judged is None:
            return
        self.figure.setText(figure_of(judged))
        self.how.setText(how_of(judged))
        points = list(zip(judged.curve.sizes, judged.curve.scores, strict=True))
        self.curve.show_points(points)
        self.curve.setVisible(len(points) > 1)
        self.advice.setText(advice_of(judged))
        if judged.warnings:
            self.message.show_note(judged.warnings[0], " ".join(judged.warnings[1:]))


def figure_of(judged: Honest) -> str:
    """Say how good a head is, with an interval."""
    metrics = judged.evaluation.metrics
    found = next((each for each in metrics if each.name == FIGURE and not each.class_name), None)
    if found is None or math.isnan(found.value):
        return "No figure can be computed yet."
    interval = "" if math.isnan(found.low) else f" (95% interval {found.low:.0%} to {found.high:.0%})"
    return f"Balanced accuracy {found.value:.0%}{interval}"


def how_of(judged: Honest) -> str:
    """Say how the figure came about."""
    cohort = judged.evaluation.cohort
    groups = "" if cohort.groups is None else f" of {int(cohort.groups.max()) + 1:,} groups"
    words = f"Nested cross-validation of {len(cohort):,} labelled images{groups}: each was judged without its label."
    return f"{words} Below: by how many images were learned from."


def advice_of(judged: Honest) -> str:
    """Say whether more labels would help; in one sentence that the user can stop, if not."""
    words = judged.curve.words
    return f"{STOP} {words}" if judged.curve.helps is False else words
