"""A menu with the least and the greatest number of a column."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QMenu, QWidget, QWidgetAction


class BoundsMenu(QMenu):
    """Two numbers, side by side.

    Parameters
    ----------
    words : str
        What the numbers are.
    most : float
        The greatest one that there can be. At the ends every number is let through.

    Signals
    -------
    changed
        One of them is another.
    """

    changed = Signal()

    def __init__(self, words: str, most: float, parent: QWidget) -> None:
        super().__init__(words, parent)
        self.end = most
        self.least, self.most = self._box(0.0, f"Lowest {words}"), self._box(most, f"Highest {words}")
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(8, 4, 8, 4)
        layout.addWidget(QLabel("from"), alignment=Qt.AlignmentFlag.AlignRight)
        layout.addWidget(self.least)
        layout.addWidget(QLabel("to"))
        layout.addWidget(self.most)
        action = QWidgetAction(self)
        action.setDefaultWidget(row)
        self.addAction(action)

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The least and the greatest number; None if every number is let through."""
        found = round(self.least.value(), 4), round(self.most.value(), 4)
        return None if found == (0, self.end) else found

    def clear_bounds(self) -> None:
        """Let every number through."""
        self.least.setValue(0.0)
        self.most.setValue(self.end)

    def _box(self, value: float, name: str) -> QDoubleSpinBox:
        box = QDoubleSpinBox()
        box.setRange(0, self.end)
        box.setSingleStep(0.05 if self.end == 1 else 1)
        box.setValue(value)
        box.setAccessibleName(name)
        box.valueChanged.connect(self.changed)
        return box
