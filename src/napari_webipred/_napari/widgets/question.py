"""Questions in a box over the window, with buttons that say what they do; the program goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QInputDialog, QMessageBox, QWidget

from napari_webipred._napari.widgets.button import WITHOUT_ICONS
from napari_webipred.errors import ChangedModelError
from napari_webipred.names import readable


class Answer(Struct, frozen=True):
    """A button of a question.

    Attributes
    ----------
    text : str
        What it does, in a word or two.
    action : callable
        Is called when the button was clicked and the box is closed.
    destroys : bool
        Whether it deletes or discards something.
    """

    text: str
    action: Callable[[], None]
    destroys: bool = False


def ask_to_replace(parent: QWidget, error: ChangedModelError, replace: Callable[[], None]) -> None:
    """Ask whether to replace a model with different files."""
    ask(parent, "Replace model", error.message, error.hint, [Answer("Replace", replace, destroys=True)])


def ask(parent: QWidget, title: str, question: str, explanation: str, answers: Sequence[Answer]) -> None:
    """Ask, unless a question is being asked there already; return at once.

    Names from outside may be in `question` only, which is shown as plain text.
    Return presses the first button that destroys nothing; Escape presses Cancel, which is always there.
    """
    if (open_one := parent.findChild(QMessageBox)) is not None:
        open_one.raise_()
        return
    box = QMessageBox(parent)
    box.setStyleSheet(WITHOUT_ICONS)
    box.ensurePolished()  # or the style sheet would count after the buttons are made
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle(title)
    box.setTextFormat(Qt.TextFormat.PlainText)  # it may hold the name of a model
    box.setText(readable(question))
    box.setInformativeText(explanation)
    roles = {False: QMessageBox.ButtonRole.AcceptRole, True: QMessageBox.ButtonRole.DestructiveRole}
    buttons = [(box.addButton(answer.text, roles[answer.destroys]), answer) for answer in answers]
    cancel = box.addButton(QMessageBox.StandardButton.Cancel)
    box.setDefaultButton(next((button for button, answer in buttons if not answer.destroys), cancel))
    box.setEscapeButton(cancel)

    def on_finished() -> None:
        pressed = box.clickedButton()
        box.setParent(None)  # the next question may be asked
        box.deleteLater()
        for button, answer in buttons:
            if button is pressed:
                answer.action()

    box.finished.connect(on_finished)
    box.open()


def ask_for_text(parent: QWidget, title: str, label: str, action: Callable[[str], None], text: str = "") -> None:
    """Ask for a short text, which may be given already, and return at once; call `action` with what was typed."""
    dialog = QInputDialog(parent)
    dialog.setStyleSheet(WITHOUT_ICONS)
    dialog.setWindowTitle(title)
    dialog.setLabelText(label)
    dialog.setTextValue(text)
    dialog.textValueSelected.connect(action)
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()
