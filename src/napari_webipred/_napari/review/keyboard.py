"""The keys of a view in which somebody says what images show, one after the other."""

from __future__ import annotations

from collections.abc import Container

from qtpy.QtCore import QEvent, QObject, Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QAbstractButton, QApplication, QLineEdit, QWidget

from napari_webipred._napari.review.review_keys import KEYS, digit_of, key_of

ALL = frozenset(key.action for key in KEYS)
REPEATED = ("skip", "back")


class Keyboard(QObject):
    """Takes keys while the keyboard is in a view and not in a text, whatever shortcuts the window has.

    Parameters
    ----------
    view : QWidget
    actions : container of str
        Which keys of `KEYS` mean something here.

    Signals
    -------
    pressed : str
        The key of this action was pressed.
    digit : int
        The key of the class with this index was pressed.
    here : bool
        Whether the keyboard is in the view; emitted whenever it goes elsewhere in the window.
    """

    pressed = Signal(str)
    digit = Signal(int)
    here = Signal(bool)

    def __init__(self, view: QWidget, actions: Container[str] = ALL) -> None:
        super().__init__(view)
        self._view: QWidget = view
        self._actions = actions
        view.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        view.installEventFilter(self)
        self.follow()

    def follow(self) -> None:
        """Listen where the keyboard is."""
        QApplication.instance().focusChanged.connect(self._on_focus)

    def leave(self) -> None:
        """Stop listening."""
        QApplication.instance().focusChanged.disconnect(self._on_focus)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        if event is None or not isinstance(watched, QWidget):
            return False
        if event.type() == QEvent.Type.MouseButtonPress:
            watched.setFocus(Qt.FocusReason.MouseFocusReason)  # take the keyboard back
            return True
        if not isinstance(event, QKeyEvent) or not self._means(event):
            return False
        if event.type() == QEvent.Type.ShortcutOverride:  # texts have taken theirs before
            event.accept()
            return True
        if event.type() == QEvent.Type.KeyPress:
            event.accept()
            self._take(event)
            return True
        return False

    def _take(self, event: QKeyEvent) -> None:
        action, number, focused = self._action(event), digit_of(event), QApplication.focusWidget()
        if event.isAutoRepeat() and action not in REPEATED:
            return  # a key that is held too long must not answer for the next image
        if action == "confirm" and isinstance(focused, QAbstractButton):
            focused.click()
        elif action is not None:
            self.pressed.emit(action)
        elif number is not None:
            self.digit.emit(number)

    def _action(self, event: QKeyEvent) -> str | None:
        key = key_of(event)
        return key.action if key is not None and key.action in self._actions else None

    def _means(self, event: QKeyEvent) -> bool:
        in_text = isinstance(QApplication.focusWidget(), QLineEdit)
        return not in_text and (self._action(event) is not None or digit_of(event) is not None)

    def _on_focus(self, before: QWidget | None, now: QWidget | None) -> None:
        self.here.emit(now is not None and (now is self._view or self._view.isAncestorOf(now)))
