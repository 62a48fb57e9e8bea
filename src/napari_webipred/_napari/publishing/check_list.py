"""The list of what a model has and what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_webipred._napari.publishing.fields import KINDS
from napari_webipred._napari.widgets.label import in_pieces, rich_text_label
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred.names import readable
from napari_webipred.publishing.checklist import Item, State

# The sign before each line, and the colour of the theme that it has.
SIGNS = {"there": ("✓", "current"), "missing": ("✗", "error"), "advised": ("○", "text"), "look": ("!", "warning")}
TOGETHER: dict[State, str] = {"advised": "Would help", "there": "There"}
RANKED: tuple[State, ...] = ("missing", "look", "advised", "there")
WORDS = {"there": "there", "missing": "missing", "advised": "would help", "look": "look at it"}


class CheckList(QWidget):
    """A line for each item: a sign, what it is, and what there is or why it is needed."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._items: Sequence[Item] = ()
        self.label = rich_text_label()
        self.label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)  # Tab passes by
        self.label.setAccessibleName("What there is and what is missing")
        self.label.show()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.label)

    def show_items(self, items: Sequence[Item]) -> None:
        """Show a list; what is missing stands first."""
        self._items = sorted(items, key=lambda item: RANKED.index(item.state))
        self._draw()

    @property
    def text(self) -> str:
        """What is shown, as plain text: a line for each item."""
        return "\n".join(f"{item.title}: {WORDS[item.state]}. {item.text}" for item in self._items)

    def _draw(self) -> None:
        lines = [(item.state, item.title, item.text) for item in self._items if item not in self._together()]
        lines += [
            (state, words, ", ".join(item.title for item in self._together() if item.state == state))
            for state, words in TOGETHER.items()
        ]
        rows = []
        for state, title, text in sorted(lines, key=lambda line: RANKED.index(line[0])):
            sign, colour = SIGNS[state]
            shown = self._theme.readable(colour, "background").name()
            if text:
                rows.append(
                    f"<tr><td style='color:{shown}; padding-right:6px'><b>{sign}</b></td>"
                    f"<td><b>{escape(title)}</b>: {escape(in_pieces(readable(text)))}</td></tr>"
                )
        self.label.setText(f"<table cellspacing='1'>{''.join(rows)}</table>")
        self.label.setAccessibleDescription(self.text)

    def _together(self) -> list[Item]:
        """Return what has a field in the form that says enough: it shares a line."""
        return [item for item in self._items if item.field in KINDS and item.state in TOGETHER]

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.StyleChange and self._items:
            self._draw()  # another theme
