"""The keys of the review: one table that the review obeys and that the list of keys shows."""

from __future__ import annotations

from msgspec import Struct
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeyEvent

from napari_webipred._napari.key_list import Line

MOST_DIGITS = 9


class ReviewKey(Struct, frozen=True):
    """Keys that work while the keyboard is in the review and not in a text.

    Attributes
    ----------
    action : str
        Name of the method of the review that is called.
    keys : tuple of Qt.Key
    written : str
        The keys in words.
    words : str
        What they do.
    control : bool
        Whether Ctrl is held.
    """

    action: str
    keys: tuple[Qt.Key, ...]
    written: str
    words: str
    control: bool = False


KEYS = (
    ReviewKey("confirm", (Qt.Key.Key_Return, Qt.Key.Key_Enter), "Enter", "agree, or answer with what is ticked"),
    ReviewKey("agree", (Qt.Key.Key_A,), "A", "agree with the model"),
    ReviewKey("unsure", (Qt.Key.Key_U,), "U", "unsure"),
    ReviewKey("skip", (Qt.Key.Key_S, Qt.Key.Key_Right), "S or Right", "skip: go to the next row without an answer"),
    ReviewKey("back", (Qt.Key.Key_Left,), "Left", "go back to the row before"),
    ReviewKey("comment_on", (Qt.Key.Key_C,), "C", "write a comment; Enter ends it"),
    ReviewKey("find", (Qt.Key.Key_F,), "F", "find a class by its name"),
    ReviewKey("undo", (Qt.Key.Key_Z,), "Ctrl+Z", "take back the last answer", control=True),
    ReviewKey("leave", (Qt.Key.Key_Escape,), "Esc", "back to the table"),
)
LINES = (
    Line("1 to 9", "Review: answer with this class; of a multi-label model, tick it"),
    *(Line(key.written, f"Review: {key.words}") for key in KEYS),
    Line("1 to 9, Enter, U, S, Left, F, Ctrl+Z", "My own classes: label an image, as in the review"),
)


def key_of(event: QKeyEvent) -> ReviewKey | None:
    """Return what an event means, if it means something."""
    plain, control = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier
    held = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    for key in KEYS:
        if event.key() in key.keys and held == (control if key.control else plain):
            return key
    return None


def digit_of(event: QKeyEvent) -> int | None:
    """Return which class, from 0, an event means."""
    held = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    number = event.key() - Qt.Key.Key_1
    return int(number) if held == Qt.KeyboardModifier.NoModifier and 0 <= number < MOST_DIGITS else None
