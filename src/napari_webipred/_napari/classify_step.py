"""Step 3: do it."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_webipred._napari.button import MainButton
from napari_webipred._napari.images_step import ImagesStep
from napari_webipred._napari.label import MutedLabel
from napari_webipred._napari.loading import Loading
from napari_webipred._napari.message import Message
from napari_webipred._napari.progress import ProgressLine
from napari_webipred._napari.result_table import REMARK
from napari_webipred._napari.results_view import ResultsView
from napari_webipred._napari.run import Run
from napari_webipred._napari.theme import Theme
from napari_webipred._napari.viewer_session import Workbench
from napari_webipred.errors import SlowModelError, WebIPredError
from napari_webipred.runtime.outputs import UndecidedOutputError

THRESHOLD = 0.5


class ClassifyStep(QWidget):
    """The button that starts a run, and how far the run is.

    Signals
    -------
    started
        The workbench has a new run.
    """

    started = Signal()

    def __init__(
        self,
        bench: Workbench,
        images: ImagesStep,
        results: ResultsView,
        theme: Theme,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._bench = bench
        self._images = images
        self._results = results
        self.button = MainButton("Classify", theme)
        self.why = MutedLabel()
        self.why.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.threshold = QDoubleSpinBox()
        self.threshold.setRange(0, 1)
        self.threshold.setSingleStep(0.01)
        self.threshold.setValue(THRESHOLD)
        self.threshold.setToolTip("An image is assigned every class whose probability is at least this threshold")
        label = QLabel("&Threshold")
        label.setBuddy(self.threshold)
        self.limit = QWidget()
        row = QHBoxLayout(self.limit)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(label)
        row.addWidget(self.threshold)
        row.addStretch()
        self.progress = ProgressLine("classifying")
        self.message = Message(theme)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        for widget in (self.limit, self.button, self.why, self.progress, self.message):
            layout.addWidget(widget)
        self.button.clicked.connect(self.classify)
        self.progress.cancelled.connect(self._on_cancel)
        images.changed.connect(self.refresh)
        bench.loading.changed.connect(self.refresh)
        self._attend()

    def classify(self) -> None:
        """Start a run, whose rows take the place of those of the last one; ask first if those are not saved.

        If something is missing for a run, this is said in the panel. The answer to the question is not waited for.
        """
        if missing := self._missing():
            self.message.show_note(missing)
        else:
            self._results.discard_rows(self._start)

    def _start(self) -> None:
        from napari_webipred import engine  # the panel opens sooner without it

        model = self._bench.loading.model
        missing = self._missing()  # while the question was open, something may have changed
        if missing or model is None:
            self.message.show_note(missing)
            return
        self.message.clear()
        try:
            layers, sources = self._images.sources()
            options = engine.Options(intensity=self._images.intensity.value(), threshold=self.threshold.value())
            self._bench.run = Run(model, layers, sources, options)
        except WebIPredError as error:
            self.message.show_error(error)
            return
        self._attend()
        self.started.emit()

    def refresh(self) -> None:
        """Say what a click would do, or what is missing for it."""
        loading, running, missing = self._bench.loading, self._running, self._missing()
        self.button.setVisible(not running)
        self.button.setEnabled(not missing)
        self.button.setText(_call(len(self._images.layers.ticked()), self._images.count()))
        self.button.setToolTip(missing or "Classify the selected images on this machine (Ctrl+Return)")
        self.why.setText(missing)
        self.why.setVisible(bool(missing) and not running)
        card = loading.model.card if loading.model else None
        self.limit.setVisible(card is not None and card.task == "multi-label" and not running)

    @property
    def _running(self) -> bool:
        return self._bench.run is not None and self._bench.run.running

    def _missing(self) -> str:
        """Say why no run can be started now; empty when one can."""
        loading = self._bench.loading
        if self._running:
            return "Images are being classified: wait, or cancel first."
        if loading.model is None:
            return _way_to_model(loading)
        if loading.needs_settings:
            return "Fill in the missing settings first."
        return "" if self._images.count() else "Open or select an image first."

    def _attend(self) -> None:
        """Show the progress of the run, also of one that began before this panel was opened."""
        run = self._bench.run
        if run is not None and run.running:
            run.grown.connect(self._on_progress)
            run.ended.connect(self._on_ended)
            self._on_progress()
        self.refresh()

    def _on_progress(self) -> None:
        run = self._bench.run
        if run is not None and run.running:
            done = len(run.rows)
            self.progress.tell(f"{done} of {run.total}", done, run.total, run.seconds_left)

    def _on_cancel(self) -> None:
        if self._bench.run is not None:
            self._bench.run.cancel()

    def _on_ended(self) -> None:
        run = self._bench.run
        if run is None or run.running:
            return
        self.progress.hide()
        self.refresh()
        if run.error is not None:
            self.message.show_error(run.error)
            self._bench.loading.changed.emit()  # the run may have shown that the model lacks a setting
        elif run.cancelled:
            self.message.show_note(f"Cancelled. {len(run.rows)} of {run.total} rows are kept.")
        elif run.failed:
            self.message.show_note(f"{run.failed} of {run.total} could not be classified.", "Select a row to see why.")
        elif run.remarked:
            remarks = f"There is a remark on {run.remarked} of {run.total} rows."
            self.message.show_note(remarks, f"Select a row marked with {REMARK} to read it.")


def _call(images: int, planes: int) -> str:
    """Say what a click does."""
    if planes == 0:
        return "Classify"
    of = f" ({planes} planes)" if planes > images else ""
    return f"Classify {images} image{'s' * (images > 1)}{of}"


def _way_to_model(loading: Loading) -> str:
    if loading.entry is None:
        return "Choose a model first."
    if isinstance(loading.error, SlowModelError):
        return "Decide first whether to use this slow model."
    if isinstance(loading.error, UndecidedOutputError):
        return "Choose the output of the model first."
    if loading.error is not None:
        return "The model cannot be opened."
    if loading.progress is not None or loading.entry.here:
        return "The model is not ready yet."
    return "Download the model first."
