"""The review: one row after the other, and what the reader says of it."""

from __future__ import annotations

from msgspec.structs import replace
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_webipred import settings
from napari_webipred._napari.results.result_columns import name_of
from napari_webipred._napari.review.keyboard import Keyboard
from napari_webipred._napari.review.review_form import ELSEWHERE, HINT, ReviewForm
from napari_webipred._napari.review.review_row import HIDDEN, answer_of, end_of, progress_of, verdict_of
from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred.card import ModelCard
from napari_webipred.results.history import Read
from napari_webipred.results.reading import NONE, Reading, now
from napari_webipred.results.session_table import Entry
from napari_webipred.results.worklist import Worklist, standing_of


class ReviewView(QWidget):
    """Shows a row and takes the reader's answer; keys work while the keyboard is in here and not in a text.

    Parameters
    ----------
    work : Worklist
        The rows.

    Signals
    -------
    entry_shown : Entry or None
        This row is under review; None at the end of the list.
    left
        The reader wants to go back to the table.
    """

    entry_shown = Signal(object)
    left = Signal()

    def __init__(self, session: ViewerSession, work: Worklist, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.work = work
        self.form = form = ReviewForm(theme)
        self._keyboard = Keyboard(self)
        self._keyboard.pressed.connect(lambda action: getattr(self, action)())
        self._keyboard.digit.connect(self.choose)
        self._keyboard.here.connect(lambda here: form.hint.setText(HINT if here else ELSEWHERE))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(form)
        form.serve(self)
        form.comment.textEdited.connect(self._on_text)
        form.comment.ended.connect(self._on_comment)
        form.again.clicked.connect(self.review_skipped)
        form.leave.clicked.connect(self.leave)
        session.row_read.connect(self._on_read)

    @property
    def entry(self) -> Entry | None:
        """The row under review."""
        return None if self.work.number is None else self._session.table.entry(self.work.number)

    @property
    def hides(self) -> bool:
        """Whether what the model says of the row must not be seen yet."""
        entry = self.entry
        return self._session.review.blind and entry is not None and entry.reading is None

    def show_row(self) -> None:
        """Show the row under review as it is now, and take the keyboard."""
        self._fill()
        self.setFocus(Qt.FocusReason.OtherFocusReason)
        self.entry_shown.emit(self.entry)

    def choose(self, index: int) -> None:
        """Answer with a class; of a multi-label model, tick it or take the tick away."""
        entry, classes = self.entry, self.form.list.classes
        if entry is None or index >= classes.rowCount():
            return
        if not classes.several:
            self._answer((entry.run.classes[index],))
            return
        classes.toggle(index)
        self.form.list.go_to(index)
        self._name_confirm(entry)
        self.setFocus(Qt.FocusReason.OtherFocusReason)

    def confirm(self) -> None:
        """Answer with what is ticked, or agree with the model."""
        entry, classes = self.entry, self.form.list.classes
        if entry is not None and classes.several:
            self._answer(_named(entry.run.card, classes.ticked))
        elif entry is not None and self.form.list.hasFocus() and self.form.list.currentIndex().isValid():
            self.choose(self.form.list.currentIndex().row())
        else:
            self.agree()

    def agree(self) -> None:
        """Answer with the classes that the model has assigned, unless they are hidden."""
        entry = self.entry
        if entry is not None and self._can_agree(entry):
            self._answer(_named(entry.run.card, entry.row.assigned))

    def unsure(self) -> None:
        """Answer that the image does not tell."""
        self._answer(())

    def skip(self) -> None:
        """Go to the next row without an answer; from a row that has one, to the next row."""
        entry = self.entry
        if entry is not None and entry.reading is None:
            self.work.go_on()
        else:
            self.work.move(1)
        self.show_row()

    def back(self) -> None:
        """Go to the row before."""
        self.work.move(-1)
        self.show_row()

    def review_skipped(self) -> None:
        """Go to the first row without an answer."""
        self.work.go_to_open()
        self.show_row()

    def comment_on(self) -> None:
        """Write the comment."""
        self.form.comment.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def find(self) -> None:
        """Find a class by its name."""
        if not self.form.find.isHidden():
            self.form.find.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def undo(self) -> None:
        """Take back the last answer, and go to its row."""
        change = self._session.table.next_undone
        if isinstance(change, Read):
            self._session.undo()
            if change.after is not None and change.before is None:
                self._session.review.drafts[change.number] = change.after.comment
            self.work.go_to(change.number)
            self.show_row()

    def leave(self) -> None:
        """Go back to the table."""
        self.left.emit()

    def close_down(self) -> None:
        """Stop listening."""
        self._session.row_read.disconnect(self._on_read)
        self._keyboard.leave()

    def _answer(self, classes: tuple[str, ...]) -> None:
        number = self.work.number
        if number is None:
            return
        self._session.review.drafts.pop(number, None)
        self._session.read(number, Reading(classes, self.form.comment.text().strip(), now()))
        self.work.go_on()
        self.show_row()

    def _on_read(self, number: int) -> None:
        self.work.note(number)

    def _on_text(self, text: str) -> None:
        if self.work.number is not None and self.entry is not None and self.entry.reading is None:
            self._session.review.drafts[self.work.number] = text

    def _on_comment(self, back: bool) -> None:
        """Keep the comment with the answer that is there already."""
        entry, text = self.entry, self.form.comment.text().strip()
        if entry is not None and entry.reading is not None and text != entry.reading.comment:
            assert self.work.number is not None
            self._session.read(self.work.number, replace(entry.reading, comment=text, time=now()))
        if back:
            self.setFocus(Qt.FocusReason.OtherFocusReason)

    def _fill(self) -> None:
        entry, form, work, blind = self.entry, self.form, self.work, self._session.review.blind
        form.where.setText(f"Row {work.place + 1:,} of {len(work):,}" if entry is not None else "All rows")
        form.progress.setRange(0, max(len(work), 1))
        form.progress.setValue(work.answered)
        form.counts.setText(progress_of(work, blind=blind))
        form.row.setVisible(entry is not None)
        form.skip.setVisible(entry is not None)
        form.end.setVisible(entry is None)
        form.again.setVisible(entry is None and work.answered < len(work))
        form.back.setEnabled(work.place > 0)
        form.undo.setEnabled(isinstance(self._session.table.next_undone, Read))
        form.message.clear()
        if entry is None:
            form.end.setText(end_of(work, blind=blind))
            self.setAccessibleName(form.end.text())
        else:
            self._fill_row(entry)

    def _fill_row(self, entry: Entry) -> None:
        form, hides, decimals = self.form, self.hides, settings.preferred().decimals
        form.name.setText("Name hidden" if hides else name_of(entry))
        form.verdict.setText(HIDDEN if hides else verdict_of(entry, decimals))
        form.answer.setText(answer_of(entry.reading, standing_of(entry)))
        form.find.offer(entry.run.card.classes)
        form.list.classes.show(entry.run.card, self._ticked(entry), None if hides else entry.row, decimals)
        form.find.setVisible(form.list.overflows)
        form.list.clearSelection()
        form.list.setCurrentIndex(form.list.rootIndex())
        number = self.work.number
        draft = "" if number is None else self._session.review.drafts.get(number, "")
        form.comment.setText(draft if entry.reading is None else entry.reading.comment)
        self._name_confirm(entry)
        parts = (form.where.text(), form.name.text(), form.verdict.text(), form.answer.text())
        self.setAccessibleName(", ".join(parts))

    def _ticked(self, entry: Entry) -> frozenset[int]:
        """Return the classes of the answer; before there is one, those of a multi-label model's."""
        names = entry.run.classes
        if entry.reading is not None:
            return frozenset(i for i, name in enumerate(names) if name in entry.reading.classes)
        several = entry.run.card.task == "multi-label" and not self.hides
        return frozenset(entry.row.assigned if several else ())

    def _name_confirm(self, entry: Entry) -> None:
        """Say what Enter does."""
        agree, classes = self.form.agree, self.form.list.classes
        if not classes.several:
            agree.setText("Agree")
            agree.setEnabled(self._can_agree(entry))
            agree.setToolTip("The class of the model is right (Enter, A)")
            return
        same = self._can_agree(entry) and classes.ticked == {*entry.row.assigned}
        count = len(classes.ticked)
        words = f"{count} class{'es' * (count != 1)}" if count else "none"
        agree.setText("Agree" if same else f"Answer: {words}")
        agree.setEnabled(True)
        agree.setToolTip("Answer with the classes that are ticked (Enter)")

    def _can_agree(self, entry: Entry) -> bool:
        return (
            not self.hides
            and not entry.row.failed
            and (bool(entry.row.assigned) or entry.run.card.task == "multi-label")
        )


def _named(card: ModelCard, indices: frozenset[int] | tuple[int, ...]) -> tuple[str, ...]:
    """Name classes in the order of the model; no class of a multi-label model has a name of its own."""
    return tuple(card.classes[index].name for index in sorted(indices)) or (NONE,)
