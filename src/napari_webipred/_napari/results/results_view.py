"""The results: the table, the chosen row, and what can be done with the rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QModelIndex, QPoint, Qt, QTimer, Signal
from qtpy.QtGui import QAction, QKeySequence, QResizeEvent
from qtpy.QtWidgets import QBoxLayout, QHBoxLayout, QLayout, QSizePolicy, QSpacerItem, QVBoxLayout, QWidget

from napari_webipred._napari.intensity.ranges_note import RangesNote
from napari_webipred._napari.results.column_menu import column_menu
from napari_webipred._napari.results.result_actions import ResultActions
from napari_webipred._napari.results.result_filter import ResultFilter
from napari_webipred._napari.results.result_table import ResultTable
from napari_webipred._napari.results.result_table_view import MOST_RANGES, ResultTableView
from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred._napari.widgets.button import Button
from napari_webipred._napari.widgets.label import ElidedLabel
from napari_webipred._napari.widgets.section import FIRST
from napari_webipred._napari.widgets.tab_order import tab_in_place
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred._napari.widgets.wheel import WheelGuard
from napari_webipred.preferences import Order
from napari_webipred.results.session_table import Entries, Entry, Numbers
from napari_webipred.results.table_columns import Column
from napari_webipred.results.table_filter import Filter

if TYPE_CHECKING:
    from napari_webipred._napari.results.result_detail import ResultDetail

WIDE = 700  # pixels, from which on the chart is beside the table
MILLISECONDS_UNTIL_SORTED = 1000  # rows that come meanwhile stand at the end


class ResultsView(QWidget):
    """The table of the rows of all runs, and the chosen row.

    Parameters
    ----------
    length_of, is_open : callable
        See `ResultDetail`.
    autosave : QAction
        See `SaveMenu`.

    Signals
    -------
    chosen : Entry
        The user has chosen this row.
    """

    chosen = Signal(object)

    def __init__(
        self,
        session: ViewerSession,
        theme: Theme,
        length_of: Callable[[Entry, str], int],
        is_open: Callable[[Entry], bool],
        *,
        autosave: QAction,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._places = length_of, is_open
        self._when_made: list[Callable[[ResultDetail], object]] = []
        self._theme = theme
        self._silent = False
        self._chosen: int | None = None
        self._cover: QWidget | None = None
        self._kept: tuple[Numbers, Numbers, int | None] | None = None
        self._across = 0
        self.model = ResultTable(session, session.columns, theme, self)
        self.table = ResultTableView(self.model)
        self.filter = ResultFilter(self.model)
        self.ranges = RangesNote(session, theme)
        self.deleted = DeletedNote(session)
        self.buttons = ResultActions(session, self.visible_entries, self.selected_entries, autosave, theme)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(MILLISECONDS_UNTIL_SORTED)
        self._later.timeout.connect(self._arrange_new)
        self._lay_out()
        self._add_actions()
        self._connect()
        self._after_reset()

    def _lay_out(self) -> None:
        self._side = side = QWidget()
        self._left = left = QVBoxLayout(side)
        left.setContentsMargins(0, 0, 0, 0)
        left.setSpacing(4)
        left.setSizeConstraint(QLayout.SizeConstraint.SetMinAndMaxSize)  # not higher than all rows
        left.addWidget(self.filter)
        left.addWidget(self.table, 1)
        left.addWidget(self.deleted)
        self._below = QSpacerItem(0, 0, QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)
        left.addItem(self._below)
        self._body = QWidget()
        self._sides = QBoxLayout(QBoxLayout.Direction.TopToBottom, self._body)
        self._sides.setContentsMargins(0, 0, 0, 0)
        self._sides.setSpacing(6)
        self._sides.addWidget(side, FIRST)
        self._sides.addStretch(1)  # so that a table without a chosen row begins at the top
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        layout.addWidget(self._body, FIRST)
        layout.addWidget(self.ranges)
        layout.addWidget(self.buttons)
        layout.addStretch(1)

    def _add_actions(self) -> None:
        """Fill the context menu of the table; more can be added with ``table.addAction``."""
        keys = QKeySequence.StandardKey
        self._action("Comment…", self.table.edit_comment, [QKeySequence("Return"), QKeySequence("F2")])
        self._action("Copy", self.buttons.copy_rows, [QKeySequence(keys.Copy)])
        self._action("Explain", lambda: self.detail.explain.explain_selected(), [])
        self._action("Explain all rows of the run", lambda: self.detail.explain.explain_run(), [])
        self._action("Delete", self._delete, [QKeySequence("Delete")])
        self._action("Undo", self._session.undo, [QKeySequence(keys.Undo)])
        self._action("Redo", self._session.redo, QKeySequence.keyBindings(keys.Redo))

    def _action(self, words: str, do: Callable[[], None], shortcuts: list[QKeySequence]) -> None:
        action = QAction(words, self.table)
        action.setShortcuts(shortcuts)
        action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        action.triggered.connect(lambda: do())
        self.table.addAction(action)

    def _connect(self) -> None:
        session, header = self._session, self.table.horizontalHeader()
        self.model.modelAboutToBeReset.connect(self._before_reset)
        self.model.modelReset.connect(self._after_reset)
        self.table.selectionModel().currentRowChanged.connect(self._on_current)
        self.table.clicked.connect(self._on_clicked)
        self.table.columns_moved.connect(self._on_moved)
        header.customContextMenuRequested.connect(self._on_header_menu)
        self.filter.changed.connect(self._on_filter)
        session.rows_added.connect(self._on_rows_added)
        session.rows_changed.connect(self.model.arrange)
        session.row_read.connect(self._on_read)
        self.deleted.undo.clicked.connect(self._on_undo)
        self.buttons.clear.clicked.connect(self._on_clear)
        session.run_ended.connect(self._arrange_new)

    @cached_property
    def detail(self) -> ResultDetail:
        """The chosen row, made with the first one."""
        from napari_webipred._napari.results.result_detail import ResultDetail

        length_of, is_open = self._places
        visible, selected = (lambda: self.model.numbers), self.table.selected_numbers
        detail = ResultDetail(self._session, visible, selected, self._theme, length_of=length_of, is_open=is_open)
        self.__dict__["detail"] = detail  # those who are told below look for it here
        self._sides.insertWidget(1, detail, 0, Qt.AlignmentFlag.AlignTop)
        self._stretch_sides()
        tab_in_place(detail)
        WheelGuard(detail)
        detail.moved.connect(self._on_marker)
        for then in self._when_made:
            then(detail)
        return detail

    def when_made(self, then: Callable[[ResultDetail], object]) -> None:
        """Call a function once there is a chosen row, before it is shown."""
        if "detail" in vars(self):
            then(self.detail)
        else:
            self._when_made.append(then)

    @property
    def chosen_entry(self) -> Entry | None:
        """The row that the chart shows."""
        return None if self._chosen is None else self._session.table.entry(self._chosen)

    def selected_entries(self) -> Entries:
        """Return the selected rows in the order in which they are shown."""
        return Entries(self._session.table, self.table.selected_numbers())

    def visible_entries(self) -> Entries:
        """Return the rows that the filter lets through, in the order in which they are shown."""
        return Entries(self._session.table, self.model.numbers)

    def cover(self, widget: QWidget) -> None:
        """Show a widget in place of the table, the row and the buttons."""
        self.uncover()
        self._cover = widget
        for each in (self._body, self.buttons):
            each.setEnabled(False)  # keys of the panel must not reach it
            each.hide()
        self.layout().insertWidget(0, widget)
        tab_in_place(widget)
        widget.show()  # the layout would do so later, and what is not shown cannot take the keyboard

    def uncover(self) -> None:
        """Show the table, the row and the buttons again, as they are now."""
        if self._cover is None:
            return
        self._cover.hide()
        self.layout().removeWidget(self._cover)
        self._cover = None
        for each in (self._body, self.buttons):
            each.setEnabled(True)
            each.show()
        self.model.arrange()

    def show_order(self, order: Order) -> None:
        """Show the bars of the chosen row in another order."""
        if "detail" in vars(self):
            self.detail.order.setCurrentIndex(self.detail.order.findData(order))

    def refresh(self) -> None:
        """Show numbers as it is preferred now."""
        self.table.fit_columns()
        if "detail" in vars(self):
            self.detail.refresh()

    def show_open(self) -> None:
        """Say whether the image of the chosen row is open; layers have come or gone."""
        if "detail" in vars(self):
            self.detail.show_name()

    def choose(self, numbers: Sequence[int]) -> None:
        """Choose one of these rows, which the viewer shows already: of the latest run that is shown, the first."""
        if self._chosen in numbers:
            return
        runs = self._session.table.run_numbers
        for number in sorted(numbers, key=lambda number: (-runs[number], number)):
            place = self.model.place(number)
            if place is not None:
                self._silent = True
                self.table.setCurrentIndex(self.model.index(place, 0))
                self.table.make_visible(place)
                self._silent = False
                return

    def select_rows(self, numbers: Sequence[int] | Numbers) -> None:
        """Select rows and go to the first one; rows that are too scattered are shown alone."""
        wanted = np.asarray(numbers, np.intp)
        if not len(wanted):
            return
        if not np.isin(wanted, self.model.numbers).all():
            self.filter.clear()
        places = np.flatnonzero(np.isin(self.model.numbers, wanted))
        if np.count_nonzero(np.diff(places) > 1) >= MOST_RANGES:
            self._on_filter(Filter(among=frozenset(wanted.tolist())))
            places = np.arange(len(self.model.numbers))
        if len(places):
            self.table.select(wanted, int(self.model.numbers[places[0]]))
            self.table.make_visible(int(places[0]))

    def _before_reset(self) -> None:
        if len(self.model.numbers):  # after a search that finds nothing, the rows from before it
            self._kept = (self.model.numbers, self.table.selected_numbers(), self._chosen)
        self._across = self.table.horizontalScrollBar().value()
        self._silent = True

    def _after_reset(self) -> None:
        """Choose and select the same rows again, wherever they are now."""
        model, none = self.model, self.model.numbers[:0]
        before, selected, chosen = self._kept or (none, none, None)
        header = self.table.horizontalHeader()
        header.blockSignals(True)
        at = model.columns.index(model.sorted_by) if model.sorted_by in model.columns else -1
        header.setSortIndicator(at, Qt.SortOrder.DescendingOrder if model.descending else Qt.SortOrder.AscendingOrder)
        header.blockSignals(False)
        self.table.fit_columns()
        self.table.show_height()
        self._silent = True
        if len(model.numbers):
            if chosen is None or model.place(chosen) is None:
                chosen, selected = _nearest(chosen, before, model.numbers), none
            self.table.select(selected, chosen)
            self.table.make_visible(self.table.currentIndex().row())
        self.table.horizontalScrollBar().setValue(self._across)  # a comment that was typed stays in sight
        self._silent = False
        self._show_chosen()
        self.filter.refresh()

    def _on_read(self, number: int) -> None:
        if self._cover is None:  # else all rows are arranged once, at the end
            self.model.arrange()

    def _on_rows_added(self, first: int, last: int) -> None:
        if not self.model.append(first, last):
            self.model.arrange()
            return
        self.table.show_height()
        self.filter.refresh()
        if "detail" in vars(self):
            self.detail.extend()
        if self._chosen is None:
            self._after_reset()
        if self.model.sorted_by is not None and not self._later.isActive():
            self._later.start()

    def _arrange_new(self) -> None:
        """Put the new rows where they belong, unless the user is writing."""
        if self.table.editing:
            self._later.start()
        else:
            self.model.arrange()

    def _on_filter(self, chosen: Filter) -> None:
        self.model.filter = chosen
        self.model.arrange()

    def _on_current(self, index: QModelIndex) -> None:
        if not self._silent:
            self._show_chosen()
            if self.chosen_entry is not None:
                self.chosen.emit(self.chosen_entry)
        else:
            self._show_chosen()

    def _on_clicked(self, index: QModelIndex) -> None:
        if self.chosen_entry is not None:
            self.chosen.emit(self.chosen_entry)

    def _on_marker(self, number: int, entry: Entry) -> None:
        """Go where the marker of the plot is; -1: to a plane without a row."""
        if number >= 0:
            self.choose([number])
        self.chosen.emit(entry)

    def _show_chosen(self) -> None:
        index = self.table.currentIndex()
        self._chosen = int(self.model.numbers[index.row()]) if index.isValid() else None
        if self._chosen is not None or "detail" in vars(self):
            self.detail.show_entry(self.chosen_entry, -1 if self._chosen is None else self._chosen)

    def _on_moved(self, order: list[Column]) -> None:
        self.model.choice.order = order
        QTimer.singleShot(0, self.model.arrange)  # Qt is still moving the heading

    def _on_header_menu(self, at: QPoint) -> None:
        header = self.table.horizontalHeader()
        menu = column_menu(self.model, header.logicalIndexAt(at), self.table.sortByColumn, self.table)
        menu.popup(header.mapToGlobal(at))

    def _on_undo(self) -> None:
        self.table.setFocus()  # the button goes, and Qt would give the keyboard to what comes next
        self._session.undo()

    def _on_clear(self) -> None:
        self._session.delete(self._session.table.numbers)
        self.deleted.undo.setFocus()

    def _delete(self) -> None:
        self._session.delete(self.table.selected_numbers())

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        wide = self.width() >= WIDE
        direction = QBoxLayout.Direction.LeftToRight if wide else QBoxLayout.Direction.TopToBottom
        if self._sides.direction() != direction:
            self._sides.setDirection(direction)
            policy = QSizePolicy.Policy.Expanding if wide else QSizePolicy.Policy.Fixed
            self._below.changeSize(0, 0, QSizePolicy.Policy.Minimum, policy)  # beside a high chart, begin at the top
            self._left.invalidate()
            self._stretch_sides()

    def _stretch_sides(self) -> None:
        wide = self._sides.direction() == QBoxLayout.Direction.LeftToRight
        for place, share in enumerate((3, 2, 0) if wide else (FIRST, 0, 1)):
            self._sides.setStretch(place, share)


def _nearest(chosen: int | None, before: Numbers, now: Numbers) -> int:
    """Return the row that is still shown and came after the chosen one, or else before it."""
    left = np.isin(before, now)
    place = int(np.flatnonzero(before == chosen)[0]) if chosen in before else 0
    after, earlier = before[place:][left[place:]], before[:place][left[:place]]
    return int(after[0] if len(after) else earlier[-1] if len(earlier) else now[0])


class DeletedNote(QWidget):
    """Says that rows were deleted, and restores them."""

    def __init__(self, session: ViewerSession, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._session = session
        self.text = ElidedLabel()
        self.undo = Button("Undo")
        self.undo.setToolTip("Restore these rows (Ctrl+Z in the table)")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text, 1)
        layout.addWidget(self.undo)
        session.rows_changed.connect(self._refresh)
        session.run_changed.connect(self.hide)
        self._refresh()

    def _refresh(self) -> None:
        count = self._session.table.last_deleted
        self.text.setText(f"{count:,} row{'s' * (count != 1)} deleted.")
        self.setVisible(count > 0)
