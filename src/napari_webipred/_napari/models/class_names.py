"""The names of a model's classes, as a value of its settings."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Signal
from qtpy.QtGui import QPainter, QPaintEvent
from qtpy.QtWidgets import QPlainTextEdit

from napari_webipred._napari.widgets.theme import Theme
from napari_webipred.errors import OptionError

PLACEHOLDER = "One name per line or separated by commas, in the order of the model's outputs"
LINES = 4


class ClassNames(QPlainTextEdit):
    """A field for names of classes that looks like the other fields of the panel.

    Signals
    -------
    value_changed : list of str
        The names in the field have changed.
    """

    value_changed = Signal(object)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setTabChangesFocus(True)
        self.setFixedHeight(LINES * self.fontMetrics().lineSpacing() + 12)
        self.setPlaceholderText(PLACEHOLDER)
        self.setAccessibleName("Class names")
        self.setToolTip("Class names in the order of the model's outputs. If empty, the classes are numbered.")
        self.textChanged.connect(lambda: self.value_changed.emit(self.value()))

    def value(self) -> list[str]:
        """Return the names as they are written in the field, a line each or separated by commas."""
        text = self.toPlainText().strip()
        parts = text.splitlines() if "\n" in text else text.split(",")
        return [part.strip() for part in parts if part.strip()]

    def set_value(self, names: Sequence[str]) -> None:
        """Write these names."""
        if isinstance(names, str) or not all(isinstance(name, str) for name in names):
            raise OptionError(f"{names!r} is not a list of class names.", "Give a list of strings.")
        if list(names) != self.value() or not names:  # very many take a second
            self.setPlainText("\n".join(names))

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self.viewport())
        painter.fillRect(self.viewport().rect(), self._theme.colour("foreground"))
        painter.end()
        super().paintEvent(event)
