"""The fields of what can be said about a model that is published."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct
from qtpy.QtCore import QEvent, Qt, Signal
from qtpy.QtWidgets import QCompleter, QFormLayout, QLineEdit, QPlainTextEdit, QWidget

from napari_webipred import licences
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred.card import ModelCard
from napari_webipred.publishing.said import author_of

LINES = 3  # that a field for a longer text shows


class Kind(Struct, frozen=True):
    """What a field is called, an example of what stands in it, and whether that can be longer than a line."""

    label: str
    example: str
    long: bool = False


KINDS = {
    "name": Kind("&Name", "Leaves: three diseases"),
    "authors": Kind("&Authors, a line for each", "Family, Given; affiliation; ORCID", long=True),
    "license": Kind("&Licence", "CC-BY-4.0"),
    "description": Kind("&Description", "What it tells apart, and how it was made", long=True),
    "intended_use": Kind("&Intended use", "Which images it is for, and what for", long=True),
    "limitations": Kind("Li&mitations", "Where it fails, or has not been tried", long=True),
    "citations": Kind("Please ci&te, a line for each", "Roe (2026). Leaves. 10.5555/12345678", long=True),
    "discipline": Kind("Di&scipline", "Histopathology"),
    "procedure": Kind("&Procedure", "Microscopy"),
    "version": Kind("&Version", "1"),
}


class Fields(QWidget):
    """A field for each thing that can be said; their labels stand above them, so that they fit into a narrow window.

    Signals
    -------
    changed
        The user has changed something.
    """

    changed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapAllRows)
        self._form.setVerticalSpacing(4)
        self.each: dict[str, QLineEdit | QPlainTextEdit] = {}
        for field, kind in KINDS.items():
            widget = self.each[field] = _long() if kind.long else QLineEdit()
            widget.setPlaceholderText(kind.example)
            widget.setAccessibleName(kind.label.replace("&", ""))
            widget.textChanged.connect(lambda *_: self.changed.emit())
            self._form.addRow(f"{kind.label}:", widget)
        completer = QCompleter(list(licences.COMMON), self)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        licence = self.each["license"]
        assert isinstance(licence, QLineEdit)
        licence.setCompleter(completer)
        self._colour()

    def _colour(self) -> None:
        """Give longer fields the background of the others, which napari leaves out."""
        style = f"QPlainTextEdit {{ background-color: {self._theme.colour('foreground').name()}; border-radius: 2px; }}"
        for widget in self.each.values():
            if isinstance(widget, QPlainTextEdit) and widget.styleSheet() != style:
                widget.setStyleSheet(style)

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.StyleChange:
            self._colour()  # another theme

    def fill(self, texts: Mapping[str, str]) -> None:
        """Show what is known."""
        for field, widget in self.each.items():
            _write(widget, texts.get(field, ""))

    def show_only(self, wanted: Callable[[str], bool]) -> None:
        """Show the wanted fields."""
        for field, widget in self.each.items():
            self._form.setRowVisible(widget, wanted(field))

    def texts(self) -> dict[str, str]:
        """Return what stands in the fields."""
        return {field: _text(widget).strip() for field, widget in self.each.items()}

    def values(self, before: Mapping[str, str]) -> dict[str, Any]:
        """Return what the user has said, as a card says it: what is not as it was before.

        Raises
        ------
        OptionError
            An author cannot be read.
        """
        said: dict[str, Any] = {}
        for field, text in self.texts().items():
            if not text or text == before.get(field, ""):
                continue
            lines = [line.strip() for line in text.splitlines() if line.strip()]
            if field == "authors":
                said[field] = [author_of(line) for line in lines]
            elif field == "citations":
                said[field] = [{"text": line} for line in lines]
            else:
                said[field] = text
        return said


def texts_of(card: ModelCard, name: str) -> dict[str, str]:
    """Return what a card says, as it stands in the fields; `name` is what the model is called."""
    authors = (
        "; ".join(filter(None, (each.name, *(str(getattr(each, key, "") or "") for key in ("affiliation", "orcid")))))
        for each in card.authors
    )
    citations = (" ".join(filter(None, (each.text, each.doi or each.url))) for each in card.citations)
    plain = ("license", "description", "intended_use", "limitations", "discipline", "procedure", "version")
    return {
        "name": name,
        "authors": "\n".join(authors),
        "citations": "\n".join(citations),
        **{field: getattr(card, field) or "" for field in plain},
    }


def _long() -> QPlainTextEdit:
    widget = QPlainTextEdit()
    widget.setTabChangesFocus(True)
    widget.setFixedHeight(widget.fontMetrics().lineSpacing() * LINES + 14)
    return widget


def _text(widget: QLineEdit | QPlainTextEdit) -> str:
    return str(widget.toPlainText() if isinstance(widget, QPlainTextEdit) else widget.text())


def _write(widget: QLineEdit | QPlainTextEdit, text: str) -> None:
    if isinstance(widget, QPlainTextEdit):
        widget.setPlainText(text)
    else:
        widget.setText(text)
        widget.setCursorPosition(0)
