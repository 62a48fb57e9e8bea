"""Smallest value, mean and largest value of the channels of a model's input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

from napari_webipred._napari.widgets.label import ElidedLabel, MutedLabel

if TYPE_CHECKING:
    from napari_webipred.execution.preview import Values

HEADINGS = ("Channel", "Smallest", "Mean", "Largest")


class ValueTable(QWidget):
    """A line of numbers for each channel, as they can be copied."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._cells = [[_cell(line, column) for column in range(len(HEADINGS))] for line in range(4)]
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setHorizontalSpacing(10)
        layout.setVerticalSpacing(2)
        for line, cells in enumerate(self._cells):
            for column, cell in enumerate(cells):
                layout.addWidget(cell, line, column)
        for cell, words in zip(self._cells[0], HEADINGS, strict=True):
            cell.setText(words)
        self.setAccessibleName("Values of the model's input")

    def show_values(self, channels: Sequence[Values]) -> None:
        """Show one to three channels."""
        for line, cells in enumerate(self._cells[1:]):
            there = line < len(channels)
            for cell in cells:
                cell.setVisible(there)
            if there:
                values = channels[line]
                texts = (values.name, *(f"{number:.5g}" for number in (values.low, values.mean, values.high)))
                for cell, text in zip(cells, texts, strict=True):
                    cell.setText(text)
        words = "; ".join(f"{v.name}: {v.low:.5g} to {v.high:.5g}, mean {v.mean:.5g}" for v in channels)
        self.setAccessibleDescription(words)


def _cell(line: int, column: int) -> QLabel:
    cell = ElidedLabel() if line else MutedLabel()
    if line:
        cell.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
    cell.setIndent(0)
    side = Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft
    cell.setAlignment(side | Qt.AlignmentFlag.AlignVCenter)
    return cell
