"""Error messages, warnings and notes in the panel."""

from __future__ import annotations

import traceback
from functools import partial

from qtpy.QtCore import QRectF, Qt, Signal
from qtpy.QtGui import QGuiApplication, QPainter, QPaintEvent
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_webipred._napari import links
from napari_webipred._napari.remedies import hint_of
from napari_webipred._napari.widgets.button import Button
from napari_webipred._napari.widgets.tab_order import tab_in_place
from napari_webipred._napari.widgets.theme import SHAPE_CONTRAST, Theme
from napari_webipred.errors import WebIPredError
from napari_webipred.names import readable

STRIPE = 4
ANYWAY = "Use it anyway"
WITH_LINKS = Qt.TextInteractionFlag.TextBrowserInteraction
WITHOUT = Qt.TextInteractionFlag.TextSelectableByMouse  # Tab passes by where there is nothing to open


class Message(QFrame):
    """A text with a coloured stripe and buttons; hidden while there is no message, and empty before the first one.

    Signals
    -------
    retried
        The user wants to try again.
    accepted
        The user wants to continue despite the warning, or what a note offers.
    """

    retried = Signal()
    accepted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._colour = "error"
        self._details = ""
        self.hide()

    def _fill(self) -> None:
        self._text = QLabel()
        self._text.setTextFormat(Qt.TextFormat.RichText)
        self._text.setWordWrap(True)
        self._text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self._text.linkActivated.connect(partial(links.ask_to_open, self))
        self._retry = Button("Try again")
        self.accept = Button(ANYWAY)
        self._copy = Button("Copy details")
        self._copy.setToolTip("Copy the technical details for a bug report")
        self._retry.clicked.connect(self.retried)
        self.accept.clicked.connect(self.accepted)
        self._copy.clicked.connect(self._copy_details)
        buttons = QHBoxLayout()
        buttons.addWidget(self._retry)
        buttons.addWidget(self.accept)
        buttons.addWidget(self._copy)
        buttons.addStretch()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(STRIPE + 8, 4, 4, 4)
        layout.addWidget(self._text)
        layout.addLayout(buttons)
        tab_in_place(self)

    @property
    def text(self) -> str:
        """The text that is shown, as HTML; empty when nothing is."""
        return "" if self.isHidden() else self._text.text()

    def clear(self) -> None:
        """Hide the message."""
        self.hide()

    def show_note(self, text: str, hint: str = "", offer: str = "") -> None:
        """Show a message that is not an error; its button, if it offers something, is that of a warning."""
        self._show(text, hint, "warning", "", False)
        self.accept.setText(offer)
        self.accept.setVisible(bool(offer))

    def show_warning(self, error: WebIPredError) -> None:
        """Show a warning, and let the user continue."""
        self._show(error.message, hint_of(error), "warning", "", False)
        self.accept.setText(ANYWAY)
        self.accept.show()

    def show_error(self, error: Exception, retry: bool = False) -> None:
        """Show an error and what to do next; of an unexpected error the details can be copied."""
        if isinstance(error, WebIPredError):
            self._show(error.message, hint_of(error), "error", "", retry)
            return
        details = "".join(traceback.format_exception(error))
        text = f"Unexpected error: {type(error).__name__}: {error}"
        self._show(text, "Please report it with the text that “Copy details” copies.", "error", details, retry)

    def _show(self, text: str, hint: str, colour: str, details: str, retry: bool) -> None:
        if self.layout() is None:
            self._fill()
        self._colour, self._details = colour, details
        text, hint = readable(text), readable(hint)
        body = f"<b>{links.linked(text)}</b><br>{links.linked(hint)}" if hint else f"<b>{links.linked(text)}</b>"
        linked = "<a " in body
        self._text.setText(f"{links.style(self._theme)}{body}" if linked else body)
        self._text.setTextInteractionFlags(WITH_LINKS if linked else WITHOUT)
        for widget in (self, self._text):
            widget.setAccessibleName(f"{text} {hint}".strip())
        self._retry.setVisible(retry)
        self.accept.hide()
        self._copy.setVisible(bool(details))
        self.show()
        self.update()

    def _copy_details(self) -> None:
        QGuiApplication.clipboard().setText(self._details)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        area = QRectF(self.rect())
        painter.setBrush(self._theme.colour(self._colour, 0.15))
        painter.drawRoundedRect(area, 3, 3)
        painter.setBrush(self._theme.readable(self._colour, "background", ratio=SHAPE_CONTRAST))
        painter.drawRoundedRect(QRectF(0, 0, STRIPE, area.height()), 2, 2)
