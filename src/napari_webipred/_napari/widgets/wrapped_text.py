"""Words that are broken into lines where there is no space for one, as those of check boxes."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QCheckBox, QSizePolicy, QStyle


def broken(words: str, room: int, width_of: Callable[[str], int]) -> str:
    """Break a text between words, so that lines are no wider than the room, as far as that is possible.

    Parameters
    ----------
    words : str
    room : int
        Pixels.
    width_of : callable
        Returns how wide a text is.
    """
    lines: list[str] = []
    for word in words.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width_of(longer) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return "\n".join(lines)


def beside_words(box: QCheckBox) -> int:
    """Return how many pixels a check box needs beside its words."""
    style = box.style()
    indicator = style.pixelMetric(QStyle.PixelMetric.PM_IndicatorWidth, None, box)
    return int(indicator + 2 * style.pixelMetric(QStyle.PixelMetric.PM_CheckBoxLabelSpacing, None, box))


class WrappedText(QObject):
    """Breaks the text of a check box whenever its width changes."""

    def __init__(self, box: QCheckBox) -> None:
        super().__init__(box)
        self._box = box
        self.words = box.text()
        box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        box.installEventFilter(self)

    def set_words(self, words: str) -> None:
        """Show another text."""
        if words != self.words:
            self.words = words
            self._box.setAccessibleName(words.replace("&", ""))
            self._break()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        if event is not None and event.type() in (QEvent.Type.Resize, QEvent.Type.FontChange):
            self._break()
        return False

    def _break(self) -> None:
        room = self._box.width() - beside_words(self._box)
        text = broken(self.words, room, self._box.fontMetrics().horizontalAdvance)
        if text != self._box.text():
            self._box.setText(text)
