"""The dock with the evaluation of a run by the user's own labels."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QEvent, QSize, QTimer
from qtpy.QtWidgets import QCheckBox, QFileDialog, QFormLayout, QInputDialog, QVBoxLayout, QWidget

from napari_webipred._napari.evaluation.fits import RULES, fit_plots
from napari_webipred._napari.evaluation.label_source import RUN, LabelSource
from napari_webipred._napari.evaluation.plot_pane import PlotPane
from napari_webipred._napari.task import Task
from napari_webipred._napari.viewer_session import ViewerSession, session_of
from napari_webipred._napari.widgets.appearance import appearance
from napari_webipred._napari.widgets.button import MainButton
from napari_webipred._napari.widgets.choice import choice
from napari_webipred._napari.widgets.dock_height import share_height
from napari_webipred._napari.widgets.focus import focus_sheet
from napari_webipred._napari.widgets.label import MutedLabel
from napari_webipred._napari.widgets.message import Message
from napari_webipred._napari.widgets.progress import ProgressLine
from napari_webipred._napari.widgets.scrolling_column import scrolling_column
from napari_webipred._napari.widgets.section import Section
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred._napari.widgets.wheel import WheelGuard
from napari_webipred.names import readable

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
        self.rule = choice("Thresholds")
        for rule, words in RULES.items():
            self.rule.addItem(words, rule)
        self.rule.setToolTip("Choose from which probability on a class is assigned, by these labels")
        self.calibrate = QCheckBox("Calibrate the probabilities")
        self.calibrate.setToolTip("Fit probabilities that mean what they say. The raw ones stay as they are")
        self.evaluate = MainButton("Evaluate", theme)
        self.evaluate.setToolTip("Compare the rows of this run with the labels")
        self.progress = ProgressLine("the evaluation")
        self.message = Message(theme)
        self.summary = MutedLabel()
        self.pane = PlotPane(theme)
        self.folder = self.pane.menu.addAction("Save everything to a folder…")
        self.folder.setToolTip("Tables, figures, how they were made, and the formats of WebIPred")
        self.keep = self.pane.menu.addAction("Keep thresholds for this model…")
        self.json = self.pane.menu.addAction("Save metrics as JSON of WebIPred…")
        self._lay_out()
        self._listening = self._placed = False
        self._connect()
        self._listen(True)
        self._list_runs()

    def _lay_out(self) -> None:
        self.scroll, layout = scrolling_column(self, "Evaluation", 6)
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Run", self.run)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(5)
        column.addLayout(form)
        self._fits = QWidget()
        fits = QFormLayout(self._fits)
        fits.setContentsMargins(0, 0, 0, 0)
        fits.setVerticalSpacing(5)
        fits.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        fits.addRow("Thresholds", self.rule)
        fits.addRow(self.calibrate)
        for widget in (self.labels, self.ordinal, self._fits, self.evaluate):
            column.addWidget(widget)
        self.section = Section("", "Labels", inside, self._theme)
        for widget in (self.no_run, self.section, self.progress, self.message, self.summary, self.pane):
            layout.addWidget(widget)
        layout.addStretch(1)
        self.pane.hide()
        self.summary.hide()
        self._wheel = WheelGuard(self.scroll.widget())

    def _connect(self) -> None:
        self.run.currentIndexChanged.connect(self._on_run)
        self.labels.changed.connect(self._on_labels)
        self.labels.failed.connect(self.message.show_error)
        self.evaluate.clicked.connect(self.start)
        self.progress.cancelled.connect(self._on_cancel)
        self.pane.rows_chosen.connect(self._on_rows)
        self.folder.triggered.connect(self._on_save_all)
        self.json.triggered.connect(self._on_save_json)
        self.keep.triggered.connect(self._on_keep)

    def sizeHint(self) -> QSize:
        return QSize(WIDTH, HEIGHT)

    def event(self, event: QEvent | None) -> bool:
        """Stop following the viewer when the view leaves its dock, and start again when it returns."""
        if event is not None and event.type() == QEvent.Type.ParentChange:
            self._listen(self.parent() is not None)
        if event is not None and event.type() == QEvent.Type.Show and not self._placed:
            self._placed = True
            QTimer.singleShot(0, lambda: share_height(self, SHARE))
        return bool(super().event(event))

    def _listen(self, listening: bool) -> None:
        if listening == self._listening:
            return
        self._listening = listening
        session, layers = self._session, self._viewer.layers.events
        pairs: list[tuple[Any, Any]] = [
            (session.run_changed, self._list_runs),
            (session.run_ended, self._list_runs),
            (session.rows_changed, self._list_runs),
            (self._viewer.events.theme, self._on_theme),
            (appearance().events.font_size, self._on_theme),
            (layers.inserted, self._on_layers),
            (layers.removed, self._on_layers),
        ]
        for signal, slot in pairs:
            (signal.connect if listening else signal.disconnect)(slot)
        if listening:
            self._on_theme()
        else:
            self.pane.latest.stop()
            self._on_cancel()

    def _on_theme(self, event: Any = None) -> None:
        self.setStyleSheet(focus_sheet(self._theme))
        self.pane.draw()

    def _on_layers(self, event: Any = None) -> None:
        self.labels.list_layers()

    def _list_runs(self) -> None:
        """Offer the runs that have rows, the last one first."""
        table, before = self._session.table, self.run.currentData()
        kept = Counter(table.run_numbers[table.numbers].tolist())
        self.run.blockSignals(True)
        self.run.clear()
        for run in reversed(table.runs):
            if count := kept[run.number]:
                rows = f"{count:,} row{'s' * (count != 1)}"
                self.run.addItem(f"{run.number}: {readable(run.card.name)} · {rows}", run.number)
        self.run.setCurrentIndex(max(self.run.findData(before), 0) if self.run.count() else -1)
        self.run.blockSignals(False)
        self._on_run()

    @property
    def details(self) -> RunDetails | None:
        """The chosen run."""
        number = self.run.currentData()
        return None if number is None else self._session.table.runs[number - 1]

    def _on_run(self) -> None:
        run = self.details
        every = [(self.run.itemText(place), self.run.itemData(place)) for place in range(self.run.count())]
        self.labels.list_others([each for each in every if run is not None and each[1] != run.number])
        self.no_run.setVisible(run is None)
        self.labels.setEnabled(run is not None)
        self._on_labels()

    def _on_labels(self) -> None:
        run = self.details
        ordered = run is not None and run.card.task == "multi-class" and len(run.classes) > 2
        self.ordinal.setVisible(ordered and self.labels.kind != RUN)
        self._fits.setVisible(self.labels.kind != RUN)
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
            return comparing(table, run, table.runs[self.labels.other.currentData() - 1])
        ordinal = self.ordinal.isVisibleTo(self) and self.ordinal.isChecked()
        fits: dict[str, Any] = {"rule": self.rule.currentData() or None, "calibrate": self.calibrate.isChecked()}
        return evaluating_run(table, run, self.labels.known(), self.labels.group, ordinal, **fits)

    def _on_events(self, events: list[tuple[int, int]]) -> None:
        done, total = events[-1]
        self.progress.report("Resampling for the intervals" if total else "Comparing with the labels", done, total)

    def _on_done(self, found: Outcome | Comparison) -> None:
        from napari_webipred._napari.evaluation.comparison import Comparison, comparison_plots
        from napari_webipred._napari.evaluation.plots import plots_of
        from napari_webipred._napari.evaluation.run_predictions import Outcome

        self._on_end()
        compared = isinstance(found, Comparison)
        self.outcome = None if isinstance(found, Comparison) else found
        self.summary.setText(found.summary if isinstance(found, Comparison) else summary_of(found))
        self.summary.show()
        if isinstance(found, Outcome) and found.evaluation.calibration is not None:
            self._session.calibrate(found.run, found.evaluation.calibration)
        for action in (self.folder, self.json):
            action.setVisible(not compared)
        self.keep.setVisible(isinstance(found, Outcome) and found.evaluation.thresholds is not None)
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

    def _on_save_all(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Save the evaluation to an empty folder")
        if folder and self.outcome is not None:
            self.pane.do(_saving(Path(folder), self.outcome))

    def _on_keep(self) -> None:
        """Ask for a name, and keep the thresholds under it."""
        outcome = self.outcome
        if outcome is None:
            return
        dialog = QInputDialog(self)
        dialog.setWindowTitle("Keep thresholds")
        dialog.setLabelText("Name of the thresholds, such as screening:")
        dialog.textValueSelected.connect(
            lambda name: (
                self.pane.do(_keeping(name.strip(), outcome), self._session.kept.look) if name.strip() else None
            )
        )
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _on_save_json(self) -> None:
        if self.outcome is None:
            return
        suggested = f"{self.outcome.run.card.id}-metrics.json"
        name, _ = QFileDialog.getSaveFileName(self, "Save metrics", suggested, "JSON (*.json)")
        if name:
            self.pane.do(_saving_json(Path(name), self.outcome))


def summary_of(outcome: Outcome) -> str:
    """Say in a line how many rows count, and how many of them are right."""
    cohort = outcome.evaluation.cohort
    accuracy = outcome.evaluation.metric("accuracy")
    groups = f" in {int(cohort.groups.max()) + 1:,} groups by {cohort.grouped_by}" if cohort.groups is not None else ""
    n = len(cohort)
    words = f"{n:,} row{'s' * (n != 1)} with a label{groups}. Right: {accuracy.value:.1%}"
    if accuracy.low == accuracy.low:  # there is an interval
        words += f" (95 %: {accuracy.low:.1%} to {accuracy.high:.1%})"
    left = len(cohort.unmatched)
    return f"{words}. Not counted: {left:,}." if left else f"{words}."


def _keeping(name: str, outcome: Outcome) -> Generator[None, None, str]:
    yield
    outcome.evaluation.keep(name)
    return f"Kept as {name}. Choose it in the step Classify. Python and the command line take the name as threshold."


def _saving(folder: Path, outcome: Outcome) -> Any:
    yield
    files = outcome.evaluation.save(folder)
    return f"{len(files)} files written to {folder.name}."


def _saving_json(path: Path, outcome: Outcome) -> Any:
    from napari_webipred._napari.evaluation.plot_files import write
    from napari_webipred.evaluation import files, webipred

    yield
    found = outcome.evaluation
    document = webipred.as_json(found.cohort, found.metrics, files.SOURCE)
    return write(path, "JSON", json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False).encode())
