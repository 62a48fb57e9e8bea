"""One picture after the other, and the class that somebody gives it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_webipred import settings
from napari_webipred._napari.own_classes.items import Item
from napari_webipred._napari.own_classes.learning import assigned
from napari_webipred._napari.own_classes.own_classes import OwnClasses
from napari_webipred._napari.results import result_columns
from napari_webipred._napari.review.keyboard import Keyboard
from napari_webipred._napari.review.review_form import ELSEWHERE, ReviewForm
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred.card import ModelCard
from napari_webipred.fitting.project import UNSURE, Answer, Project
from napari_webipred.names import readable
from napari_webipred.results.prediction import as_cell
from napari_webipred.results.reading import NONE
from napari_webipred.results.row import Row

ACTIONS = frozenset({"confirm", "agree", "unsure", "skip", "back", "find", "undo"})
HINT = "Keys: 1 to 9 class, Enter or A agree, U unsure, S skip, Left back, F find, Ctrl+Z undo"
AWAY = ELSEWHERE.replace("review", "label")


class LabelView(QWidget):
    """Shows a picture and takes its label, as the review does; keys work while the keyboard is in here.

    Signals
    -------
    shown : Item or None
        This picture gets its label now; None at the end.
    """

    shown = Signal(object)

    def __init__(self, own: OwnClasses, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._own = own
        self._card: ModelCard | None = None
        self._item: Item | None = None
        self.form = form = ReviewForm(theme)
        for widget in (form.comment, form.leave):  # labels have no comments, and the dock stays
            widget.hide()
        form.hint.setText(AWAY)
        form.progress.setAccessibleName("Share of images with a label")
        form.unsure.setToolTip("Nobody could say; this image is not asked about again (U)")
        form.skip.setToolTip("Go to the next image without a label (S, right arrow)")
        form.back.setToolTip("Go back to the image before (left arrow)")
        form.undo.setToolTip("Take back the last change (Ctrl+Z)")
        form.again.setText("Label skipped images")
        form.again.setToolTip("Go to the first image that was skipped")
        self._keyboard = Keyboard(self, ACTIONS)
        self._keyboard.pressed.connect(lambda action: getattr(self, action)())
        self._keyboard.digit.connect(self.choose)
        self._keyboard.here.connect(lambda here: form.hint.setText(HINT if here else AWAY))
        self._keyboard.leave()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(form)
        form.serve(self)
        form.again.clicked.connect(partial(self._and_stay, own.go_to_skipped))

    def choose(self, index: int) -> None:
        """Label with a class; where a picture can have several, tick it or take the tick away."""
        classes = self.form.list.classes
        if self._item is None or index >= classes.rowCount():
            return
        if not classes.several:
            self._answer((self._own.project.classes[index],))
            return
        classes.toggle(index)
        self.form.list.go_to(index)
        self._name_confirm(self._said())
        self._take_keyboard()

    def confirm(self) -> None:
        """Label with what is ticked, or with what the head says."""
        classes = self.form.list.classes
        if self._item is not None and classes.several:
            names = self._own.project.classes
            self._answer(tuple(names[index] for index in sorted(classes.ticked)) or (NONE,))
        elif self.form.list.hasFocus() and self.form.list.currentIndex().isValid():
            self.choose(self.form.list.currentIndex().row())
        else:
            self.agree()

    def agree(self) -> None:
        """Label with what the head says."""
        row = self._said()
        if row is None or self._item is None:
            return
        names = tuple(self._own.project.classes[index] for index in row.assigned)
        if names or self._own.project.several:
            self._answer(names or (NONE,))

    def unsure(self) -> None:
        """Note that nobody could say."""
        self._answer(UNSURE)

    def skip(self) -> None:
        """Go to the next picture without a label."""
        self._and_stay(self._own.skip)

    def back(self) -> None:
        """Go to the picture before."""
        self._and_stay(self._own.back)

    def undo(self) -> None:
        """Take back the last change."""
        self._and_stay(self._own.undo)

    def find(self) -> None:
        """Find a class by its name."""
        if not self.form.find.isHidden():
            self.form.find.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def listen(self, listening: bool) -> None:
        """Follow where the keyboard is, or stop that."""
        (self._keyboard.follow if listening else self._keyboard.leave)()

    def _answer(self, answer: Answer) -> None:
        if self._item is not None:
            self._and_stay(partial(self._own.label, answer))

    def _and_stay(self, do: Callable[[], object]) -> None:
        do()
        self._take_keyboard()

    def _take_keyboard(self) -> None:
        self.setFocus(Qt.FocusReason.OtherFocusReason)

    def refresh(self) -> None:
        """Show what is known of the picture now."""
        own, form = self._own, self.form
        total, decided = len(own.items), own.decided
        usable = bool(own.project.classes and own.items)
        item = own.item if usable else None  # nothing is shown before there is a class that it could have
        self.setVisible(usable)
        moved, self._item = item is not self._item, item
        form.where.setText("Every image has a label" if item is None else item.name)
        form.progress.setRange(0, max(total, 1))
        form.progress.setValue(decided)
        form.counts.setText(f"{decided:,} of {total:,} labelled")
        form.row.setVisible(item is not None)
        form.skip.setVisible(item is not None)
        form.end.setVisible(item is None)
        skipped = own.walk.skipped
        form.again.setVisible(item is None and skipped > 0)
        form.back.setEnabled(own.walk.can_go_back)
        form.undo.setEnabled(own.project.can_undo)
        if item is None:
            if skipped:
                form.where.setText("This is the end")
            form.end.setText(f"{skipped:,} skipped." if skipped else "Use the model, or add more images in step 2.")
        else:
            self._fill(item, moved)
        if moved and usable:
            form.message.clear()
        self.setAccessibleName(", ".join((form.where.text(), form.verdict.text(), form.answer.text())))
        if moved:
            self.shown.emit(item)

    def _fill(self, item: Item, moved: bool) -> None:
        form, project, said = self.form, self._own.project, self._said()
        answer = project.labels.get(item.picture)
        form.name.hide()
        form.verdict.setText(self._verdict(said))
        label = "no label yet" if answer is None else as_cell(answer) or result_columns.UNSURE
        form.answer.setText(f"You: {label}")
        before, self._card = self._card, card_of(project, self._card)
        if self._card is not before:
            form.find.offer(self._card.classes)
        ticked = form.list.classes.ticked
        if moved or not project.several or self._card is not before:
            ticked = frozenset(i for i, name in enumerate(project.classes) if name in (answer or ()))
            if answer is None and project.several and said is not None:
                ticked = frozenset(said.assigned)
        form.list.classes.show(self._card, ticked, said, settings.preferred().decimals)
        form.find.setVisible(form.list.overflows)
        if moved:
            form.list.clearSelection()
            form.list.setCurrentIndex(form.list.rootIndex())
        self._name_confirm(said)

    def _verdict(self, said: Row | None) -> str:
        if said is not None and said.probabilities is not None:
            number = float(np.nanmax(said.probabilities))
            names = as_cell(readable(self._own.project.classes[index]) for index in said.assigned)
            return f"Model: {names or NONE}" + (f" {number:.2f}" if said.assigned else "")
        learned = self._own.learning.learned
        if learned is not None and learned.given.fault:
            return f"Model: none yet. {learned.given.fault}"
        return "Model: looks at the image…" if self._own.features.busy else "Model: nothing yet"

    def _said(self) -> Row | None:
        """Return what the head says of the picture, one number for each class; NaN for a class without pictures."""
        learned, item = self._own.learning.learned, self._item
        if learned is None or learned.head is None or item is None:
            return None
        numbers = learned.probabilities[self._own.rows[item.picture]]
        if np.isnan(numbers).any():
            return None
        return said_of(numbers, learned.head.classes, self._own.project, item.name)

    def _name_confirm(self, said: Row | None) -> None:
        """Say what Enter does."""
        agree, classes = self.form.agree, self.form.list.classes
        if classes.several:
            count = len(classes.ticked)
            agree.setText(f"Label: {count} class{'es' * (count != 1)}" if count else "Label: none")
            agree.setEnabled(True)
            agree.setToolTip("Label with the classes that are ticked (Enter)")
            return
        agree.setText("Agree")
        agree.setEnabled(said is not None and bool(said.assigned))
        agree.setToolTip("The class of the model is right (Enter, A)")


def card_of(project: Project, before: ModelCard | None) -> ModelCard:
    """Return the classes as the list of the review shows them; the same object while they are the same."""
    task = "multi-label" if project.several else "multi-class"
    if before is not None and (tuple(before.class_names), before.task) == (project.classes, task):
        return before
    classes = [{"index": index, "name": name} for index, name in enumerate(project.classes)]
    return ModelCard.model_validate({"id": "own-classes", "name": "own", "task": task, "classes": classes})


def said_of(numbers: NDArray[np.float32], names: tuple[str, ...], project: Project, image: str) -> Row | None:
    """Return what a head says as a row; None where its classes have other names now."""
    if not {*names} <= {*project.classes}:
        return None
    places = [project.classes.index(name) for name in names]
    probabilities = np.full(len(project.classes), np.nan, np.float32)
    probabilities[places] = numbers
    chosen = tuple(sorted(places[index] for index in assigned(numbers, project.several)))
    return Row(0, image, probabilities=probabilities, assigned=chosen)
