"""Labels that wrap or end in an ellipsis."""

from __future__ import annotations

import re
from html import escape

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QPainter, QPaintEvent, QPalette
from qtpy.QtWidgets import QLabel, QSizePolicy, QWidget

from napari_webipred._napari.widgets.theme import blended
from napari_webipred._napari.widgets.theme import readable as readable_on
from napari_webipred.names import readable

MUTED = 0.66
LONGEST = 240
# Qt breaks lines of HTML between words only, so that a path or a long name would make a tooltip as wide as the screen.
_LONG_WORD = re.compile(r"(?<=\S{40})(?=\S)")
BREAK = "\u200b"


def tip(text: str) -> str:
    """Make a tooltip of plain text: it wraps, also within a word that is longer than a line; markup stays text."""
    return f"<qt>{escape(in_pieces(readable(text)))}</qt>" if text else ""


def in_pieces(text: str) -> str:
    """Let long words break across lines."""
    return _LONG_WORD.sub(BREAK, text)


def first_sentence(text: str) -> str:
    """Cut a description after its first sentence, and a very long sentence where it gets too long."""
    sentence, stop, _ = text.strip().partition(". ")
    sentence += "." if stop else ""
    return sentence if len(sentence) <= LONGEST else sentence[:LONGEST].rsplit(" ", 1)[0] + " …"


class MutedLabel(QLabel):
    """Plain text in a fainter colour; wraps."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setMinimumWidth(40)
        self.setText(text)

    def setText(self, text: str | None) -> None:
        if (shown := readable(text or "")) != self.text():
            super().setText(shown)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        background = self.palette().color(QPalette.ColorRole.Window)
        faint = blended(self.palette().color(QPalette.ColorRole.WindowText), background, MUTED)
        palette = QPalette(self.palette())
        palette.setColor(QPalette.ColorRole.WindowText, readable_on(faint, background))
        flags = self.alignment().value | Qt.TextFlag.TextWordWrap.value
        self.style().drawItemText(
            painter, self.contentsRect(), flags, palette, True, self.text(), QPalette.ColorRole.WindowText
        )


class ElidedLabel(QLabel):
    """One line of plain text that ends in an ellipsis where space is short; the tool tip has all of it."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setText(text)

    def setText(self, text: str | None) -> None:
        if (shown := readable(text or "")) != self.text():
            super().setText(shown)
            self.setToolTip(tip(text or ""))

    def minimumSizeHint(self) -> QSize:
        return QSize(40, super().minimumSizeHint().height())

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.contentsRect().width())
        self.style().drawItemText(
            painter,
            self.contentsRect(),
            self.alignment().value,
            self.palette(),
            True,
            text,
            QPalette.ColorRole.WindowText,
        )


def rich_text_label() -> QLabel:
    """Make a hidden label for HTML in which all text from outside is escaped; it opens no link by itself."""
    label = QLabel()
    label.setTextFormat(Qt.TextFormat.RichText)
    label.setWordWrap(True)
    label.setOpenExternalLinks(False)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
    label.hide()
    return label
