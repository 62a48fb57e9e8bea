"""The keys of the panel: one table that binds them and that the list of keys shows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec import Struct
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QAbstractButton, QLabel, QWidget

from napari_webipred._napari.key_list import KeyList, Line
from napari_webipred._napari.review.review_keys import LINES as REVIEW
from napari_webipred._napari.widgets.column import Column

NATIVE = QKeySequence.SequenceFormat.NativeText


class Key(Struct, frozen=True):
    """Keys that work wherever the keyboard is in the panel.

    Attributes
    ----------
    keys : tuple of str
        Each of them does it.
    words : str
        What it does.
    find : callable
        Takes the panel, and returns the widget that is clicked, or else gets the keyboard.
    clicks : bool
        Whether the widget is clicked.
    of_row : bool
        Whether the widget is made with the first row.
    of_results : bool
        Whether it is made with the first run.
    """

    keys: tuple[str, ...]
    words: str
    find: Callable[[Any], QWidget]
    clicks: bool = False
    of_row: bool = False
    of_results: bool = False


# No letter is that of a menu of napari: F, V, L, P, W, H, D; nor that of a label: I, R, T, G.
KEYS = (
    Key(("Ctrl+Return",), "Classify", lambda panel: panel.classify.button, clicks=True),
    Key(("Alt+1",), "Go to the models", lambda panel: panel.model.choice.search),
    Key(("Alt+2",), "Go to the images", lambda panel: _images(panel)),
    Key(("Alt+3",), "Go to the button that classifies", lambda panel: panel.classify.button),
    Key(("Alt+4",), "Go to the table of results", lambda panel: panel.results.table, of_results=True),
    Key(("Alt+N",), "Search rows of the table", lambda panel: panel.results.filter.search, of_results=True),
    Key(("Alt+M",), "Add a model", lambda panel: panel.model.choice.add, clicks=True),
    Key(("Alt+C",), "Label images with classes of your own", lambda panel: panel.model.own, clicks=True),
    Key(("Alt+B",), "Show or hide what the model is for", lambda panel: panel.model.more, clicks=True),
    Key(("Alt+A",), "Select all images, or none", lambda panel: panel.images.choice.all, clicks=True),
    Key(("Alt+K",), "Show what the model sees", lambda panel: panel.images.preview, clicks=True),
    Key(("Alt+O",), "Show or hide more options", lambda panel: panel.classify.more, clicks=True),
    Key(("Alt+E",), "Explain the selected row", lambda panel: panel.results.detail.explain.button, True, True),
    Key(
        ("Alt+U",), "Review the rows that are shown", lambda panel: panel.results.buttons.review, True, of_results=True
    ),
    Key(("Alt+S",), "Save rows", lambda panel: panel.results.buttons.save, True, of_results=True),
    Key(("Alt+Y",), "Copy the rows that are shown", lambda panel: panel.results.buttons.copy, True, of_results=True),
    Key(("F1", "Shift+?"), "Show this list", lambda panel: panel.foot.keyboard, clicks=True),
)
WITHIN = (
    Line("Tab, Shift+Tab", "Go to the next or previous control"),
    Line("Up, Down", "Go through models, images, rows and bars"),
    Line("Space", "Click a button; tick an image"),
    Line("F2", "Models: rename your own. Images: edit how an image is read"),
    Line("Delete", "Models, images: remove from the list"),
    Line("Left, Right", "Plot, histogram, slider: move the marker, black or white, the threshold"),
)


def bind(panel: Any) -> None:
    """Let the keys work in the panel, name them in tool tips, and show their list on request."""
    for key in KEYS:
        for sequence in key.keys:
            shortcut = QShortcut(QKeySequence(sequence), panel)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(partial(_do, panel, key))
        if key.clicks and not key.of_row and not key.of_results:
            _name(key, key.find(panel))
    panel.foot.keyboard.clicked.connect(lambda: _show(panel))


def name_results(panel: Any) -> None:
    """Name the keys of the results in their tool tips, when these are made."""
    for key in KEYS:
        if key.clicks and key.of_results:
            _name(key, key.find(panel))
        elif key.clicks and key.of_row:
            panel.results.when_made(lambda detail, key=key: _name(key, key.find(panel)))


def _name(key: Key, widget: QWidget) -> None:
    """Name the key in the tool tip of its widget."""
    tip = widget.toolTip()
    if tip and key.keys[0] not in tip:
        widget.setToolTip(f"{tip} ({_native(key.keys[0])})")


def lines(panel: Any) -> list[Line]:
    """Return all keys and what they do, as the panel has bound them."""
    found = [Line(" or ".join(map(_native, key.keys)), key.words) for key in KEYS]
    for column in panel.findChildren(Column):
        column.place_all()
    for label in panel.findChildren(QLabel):
        mnemonic = QKeySequence.mnemonic(label.text()).toString(NATIVE) if label.buddy() is not None else ""
        if mnemonic:
            found.append(Line(mnemonic, f"Go to “{label.text().replace('&', '')}”"))
    for action in panel.results.table.actions():
        keys = " or ".join(sequence.toString(NATIVE) for sequence in action.shortcuts())
        if keys:
            found.append(Line(keys, f"Table: {action.text().rstrip('…').lower()}"))
    return [*found, *WITHIN, *REVIEW]


def _do(panel: Any, key: Key) -> None:
    widget = key.find(panel)
    if key.clicks:
        if isinstance(widget, QAbstractButton) and not widget.isHidden():
            widget.click()
        return
    for section in panel.sections:
        if section.isAncestorOf(widget):
            section.header.setChecked(True)
    widget.setFocus(Qt.FocusReason.ShortcutFocusReason)
    panel.scroll.ensureWidgetVisible(widget)


def _images(panel: Any) -> QWidget:
    """Return the list of images, or what adds some while there is none."""
    choice = panel.images.choice
    widget: QWidget = choice.file_buttons.files if choice.list.isHidden() else choice.list
    return widget


def _show(panel: QWidget) -> None:
    dialog = KeyList(lines(panel), panel)
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()


def _native(keys: str) -> str:
    return str(QKeySequence(keys).toString(NATIVE))
