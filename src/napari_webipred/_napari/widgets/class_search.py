"""A field that finds one of many classes."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QModelIndex, QStringListModel, Signal
from qtpy.QtWidgets import QCompleter, QLineEdit, QWidget

from napari_webipred.card import ClassEntry
from napari_webipred.names import readable

MOST_FOUND = 50


class ClassSearch(QLineEdit):
    """Type a part of a name or label, and choose one of the classes that have it. Return takes the first.

    Signals
    -------
    found : int
        The user has chosen the class with this index.
    """

    found = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._classes: Sequence[ClassEntry] = ()
        self._texts: list[str] | None = None  # in small letters; made when first needed
        self._indices: list[int] = []
        self.setPlaceholderText("Add a class…")
        self.setClearButtonEnabled(True)
        self.setAccessibleName("Add a class to the chart")
        self.setToolTip("Type a part of a class name to add the class to the chart and the plot.")
        self._model = QStringListModel(self)
        completer = QCompleter(self._model, self)
        completer.setCompletionMode(QCompleter.CompletionMode.UnfilteredPopupCompletion)
        completer.activated[QModelIndex].connect(lambda index: self._choose(index.row()))
        self._completer = completer
        self.setCompleter(completer)
        self.textEdited.connect(self._search)
        self.returnPressed.connect(lambda: self._choose(0))

    def offer(self, classes: Sequence[ClassEntry]) -> None:
        """Search these classes from now on."""
        if classes is not self._classes:
            self._classes, self._texts = classes, None
            self.clear()

    def _search(self, text: str) -> None:
        if self._texts is None:
            self._texts = [f"{entry.name} {entry.label or ''}".casefold() for entry in self._classes]
        self._indices = matching(self._texts, text)
        self._model.setStringList([_words(self._classes[index]) for index in self._indices])
        self._completer.complete()

    def _choose(self, number: int) -> None:
        if number < len(self._indices) and self.text():
            index = self._indices[number]
            self._indices = []
            self._completer.popup().hide()
            self.found.emit(index)
        self.clear()


def matching(texts: Sequence[str], wanted: str, most: int = MOST_FOUND) -> list[int]:
    """Return the indices of texts in small letters that contain all wanted words; those that begin with them first."""
    words = wanted.casefold().split()
    if not words:
        return []
    found = [index for index, text in enumerate(texts) if all(word in text for word in words)]
    return sorted(found, key=lambda index: not texts[index].startswith(words[0]))[:most]


def _words(entry: ClassEntry) -> str:
    return readable(f"{entry.name} · {entry.label}" if entry.is_named and entry.label else entry.label or entry.name)
