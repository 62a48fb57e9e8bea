"""The dock with the evaluation of a run by the user's own labels."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QSize
from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from napari_webipred._napari.evaluation.fit_choices import FitChoices
from napari_webipred._napari.evaluation.fits import fit_plots
from napari_webipred._napari.evaluation.joining import Joining
from napari_webipred._napari.evaluation.label_source import RUN, LabelSource
from napari_webipred._napari.evaluation.outcome_files import OutcomeFiles
from napari_webipred._napari.evaluation.outcome_words import summary_of
from napari_webipred._napari.evaluation.plot_pane import PlotPane
from napari_webipred._napari.evaluation.run_choice import list_runs, others
from napari_webipred._napari.task import Task
from napari_webipred._napari.viewer_session import ViewerSession, session_of
from napari_webipred._napari.widgets.appearance import appearance
from napari_webipred._napari.widgets.button import MainButton
from napari_webipred._napari.widgets.choice import choice
from napari_webipred._napari.widgets.dock import InDock, set_connected
from napari_webipred._napari.widgets.focus import focus_sheet
from napari_webipred._napari.widgets.label import MutedLabel
from napari_webipred._napari.widgets.message import Message
from napari_webipred._napari.widgets.progress import ProgressLine
from napari_webipred._napari.widgets.scrolling_column import scrolling_column
from napari_webipred._napari.widgets.section import Section
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred._napari.widgets.wheel import WheelGuard
from napari_webipred._napari.widgets.wrapped_text import WrappedText

if TYPE_CHECKING:
    from napari_webipred._napari.evaluation.comparison import Comparison
    from napari_webipred._napari.evaluation.run_predictions import Outcome
    from napari_webipred.results.session_table import RunDetails

WIDTH, HEIGHT = 380, 500
SHARE = 0.55  # of the height of the window
NO_RUN = "Classify images first. Their rows can then be compared with their labels."


class EvaluationWidget(QWidget):
    """Compares the rows of a run with labels: metrics with intervals, and figures.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer whose results are evaluated.

    Attributes
    ----------
    outcome : Outcome or None
        The evaluation that is shown.
    """

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = napari_viewer
        self._session: ViewerSession = session_of(napari_viewer)
        self._theme = theme = Theme(napari_viewer)
        self.outcome: Outcome | None = None
        self._task: Task | None = None
        self.no_run = MutedLabel(NO_RUN)
        self.run = choice("Run to evaluate")
        self.labels = LabelSource(napari_viewer, self._session)
        self.ordinal = QCheckBox("The classes have an order, such as grades")
        WrappedText(self.ordinal)
        self.fits = FitChoices()
        self.evaluate = MainButton("Evaluate", theme)
        self.evaluate.setToolTip("Compare the rows of this run with the labels")
        self.progress = ProgressLine("the evaluation")
        self.message = Message(theme)
        self.outdated = Message(theme)
        self.summary = MutedLabel()
        self.pane = PlotPane(theme)
        self.files = OutcomeFiles(self._session, self.pane)
        self.compared = Joining(self._session, self.message)
        self._lay_out()
        self.run.currentIndexChanged.connect(self._on_run)
        self.labels.changed.connect(self._on_labels)
        self.labels.failed.connect(self.message.show_error)
        self.evaluate.clicked.connect(self.start)
        self.progress.cancelled.connect(self._on_cancel)
        self.pane.rows_chosen.connect(self._on_rows)
        InDock(self, self._listen, SHARE).listen(True)
        self._list_runs()

    def _lay_out(self) -> None:
        self.scroll, layout = scrolling_column(self, "Evaluation", 6)
        self.labels.form.insertRow(0, "Run", self.run)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(5)
        for widget in (self.labels, self.ordinal, self.fits, self.evaluate):
            column.addWidget(widget)
        self.section = Section("", "Labels", inside, self._theme)
        QWidget.setTabOrder(self.section.header, self.run)
        for widget in (
            self.no_run,
            self.section,
            self.progress,
            self.message,
            self.outdated,
            self.summary,
            self.compared,
            self.pane,
        ):
            layout.addWidget(widget)
        layout.addStretch(1)
        self.pane.hide()
        self.summary.hide()
        self._wheel = WheelGuard(self.scroll.widget())

    def sizeHint(self) -> QSize:
        return QSize(WIDTH, HEIGHT)

    def _listen(self, listening: bool) -> None:
        session, layers = self._session, self._viewer.layers.events
        pairs: list[tuple[Any, Any]] = [
            (session.run_changed, self._list_runs),
            (session.run_ended, self._list_runs),
            (session.rows_changed, self._list_runs),
            (session.rows_changed, self._show_threshold),
            (session.row_read, self.labels.typed.show_read),
            (self._viewer.events.theme, self._on_theme),
            (appearance().events.font_size, self._on_theme),
            (layers.inserted, self._on_layers),
            (layers.removed, self._on_layers),
        ]
        set_connected(pairs, listening)
        if listening:
            self._on_theme()
        else:
            self.pane.latest.stop()
            self._on_cancel()

    def _show_threshold(self) -> None:
        """Say that the threshold of the run was moved after its figures were made, as long as it is another one."""
        self.outdated.clear()
        if self.outcome is None:
            return
        then = self.outcome.run.options.get("threshold")
        now = self._session.table.runs[self.outcome.run.number - 1].options.get("threshold")
        if now != then:
            self.outdated.show_note(
                f"The threshold is {now:g} now, and these figures are of {then:g}.", "Evaluate again."
            )

    def _on_theme(self, event: Any = None) -> None:
        self.setStyleSheet(focus_sheet(self._theme))
        self.pane.draw()

    def _on_layers(self, event: Any = None) -> None:
        self.labels.features.list_layers()

    def _list_runs(self) -> None:
        list_runs(self.run, self._session.table)
        self._on_run()

    @property
    def details(self) -> RunDetails | None:
        """The chosen run."""
        number = self.run.currentData()
        return None if number is None else self._session.table.runs[number - 1]

    def _on_run(self) -> None:
        run = self.details
        self.labels.others.offer(others(self.run))
        self.no_run.setVisible(run is None)
        self.labels.setEnabled(run is not None)
        self._on_labels()

    def _on_labels(self) -> None:
        run = self.details
        ordered = run is not None and run.card.task == "multi-class" and len(run.classes) > 2
        self.ordinal.setVisible(ordered and self.labels.kind != RUN)
        self.fits.setVisible(self.labels.kind != RUN)
        self.evaluate.setText("Compare" if self.labels.kind == RUN else "Evaluate")
        self.labels.show_run(run)
        self.evaluate.setEnabled(self.details is not None and self.labels.ready and self._task is None)

    def start(self) -> None:
        """Evaluate."""
        run = self.details
        if run is None or self._task is not None:
            return
        self.message.clear()
        self.progress.report("Comparing with the labels")
        self._task = Task(self._work(run))
        self._task.events.connect(self._on_events)
        self._task.done.connect(self._on_done)
        self._task.failed.connect(self._on_failed)
        self._task.cancelled.connect(self._on_end)
        self._task.start()
        self._on_labels()

    def _work(self, run: RunDetails) -> Generator[tuple[int, int], None, Outcome | Comparison]:
        from napari_webipred._napari.evaluation.comparison import comparing
        from napari_webipred._napari.evaluation.run_predictions import evaluating_run

        table = self._session.table
        if self.labels.kind == RUN:
            return comparing(table, self.labels.compared(run), self.labels.mapping.mapping)
        ordinal = self.ordinal.isVisibleTo(self) and self.ordinal.isChecked()
        rule, calibrate = self.fits.rule.currentData() or None, self.fits.calibrate.isChecked()
        known, group = self.labels.known(run), self.labels.group
        return evaluating_run(table, run, known, group, ordinal, rule=rule, calibrate=calibrate)

    def _on_events(self, events: list[tuple[int, int]]) -> None:
        done, total = events[-1]
        self.progress.report("Resampling for the intervals" if total else "Comparing with the labels", done, total)

    def _on_done(self, found: Outcome | Comparison) -> None:
        from napari_webipred._napari.evaluation.comparison import Comparison
        from napari_webipred._napari.evaluation.comparison_plots import comparison_plots
        from napari_webipred._napari.evaluation.plots import plots_of
        from napari_webipred._napari.evaluation.run_predictions import Outcome

        self._on_end()
        self.outcome = None if isinstance(found, Comparison) else found
        self._show_threshold()
        self.compared.show_outcome(found)
        self.summary.setText(found.summary if isinstance(found, Comparison) else summary_of(found))
        self.summary.show()
        if isinstance(found, Outcome) and found.evaluation.calibration is not None:
            self._session.calibrate(found.run, found.evaluation.calibration)
        self.files.show_outcome(self.outcome)
        self.section.header.summarise(f"{self.run.currentText()}, {self.labels.words}", complete=True)
        self.section.header.setChecked(False)
        self.pane.show()
        if isinstance(found, Comparison):
            self.pane.show_plots(comparison_plots(found), "comparison")
        else:
            plots = plots_of(found.evaluation, found.published, found.numbers)
            self.pane.show_plots([*plots, *fit_plots(found.evaluation)], found.run.card.id)

    def _on_failed(self, error: Exception) -> None:
        self._on_end()
        self.section.header.setChecked(True)
        self.message.show_error(error)

    def _on_end(self) -> None:
        self._task = None
        self.progress.hide()
        self._on_labels()

    def _on_cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _on_rows(self, numbers: Any) -> None:
        """Select rows in the table of results."""
        numbers = np.asarray(numbers, np.intp)
        kept = numbers[np.isin(numbers, self._session.table.numbers)]
        if self._session.form is None:  # the panel is closed
            self._viewer.window.add_plugin_dock_widget("napari-webipred", "Classify images")
        self._session.rows_wanted.emit(kept)
