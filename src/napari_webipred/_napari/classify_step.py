"""Step 3: classify."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QAction
from qtpy.QtWidgets import QCheckBox, QLabel, QSizePolicy, QWidget

from napari_webipred._napari.form import NO_PLANE, NO_REGION, VIEWS, ClassifyForm
from napari_webipred._napari.hardware_note import HardwareNote
from napari_webipred._napari.models.loading import Loading
from napari_webipred._napari.reference_row import ReferenceRow
from napari_webipred._napari.results.result_columns import REMARK
from napari_webipred._napari.slides.picture_layer import is_large
from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred._napari.widgets.button import Button, MainButton
from napari_webipred._napari.widgets.column import Column
from napari_webipred._napari.widgets.label import MutedLabel
from napari_webipred._napari.widgets.message import Message
from napari_webipred._napari.widgets.progress import ProgressLine
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred._napari.widgets.wrapping_row import WrappingRow
from napari_webipred.card import ModelCard
from napari_webipred.errors import OptionError, SlowModelError, WebIPredError
from napari_webipred.options import DEFAULTS


class ClassifyStep(QWidget):
    """The button that starts a run, and how far the run is.

    Parameters
    ----------
    autosave : QAction
        Turns autosave on and off; a check box among the options does so, too.
    """

    def __init__(
        self,
        session: ViewerSession,
        form: ClassifyForm,
        autosave: QAction,
        theme: Theme,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._form = form
        self.button = MainButton("Classify", theme)
        self.why = MutedLabel()
        self.why.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.more = Button()
        self.heat_map = Button("Heat map…")
        self.heat_map.setToolTip("Classify a large image tile by tile, and show where which class is probable")
        self.progress = ProgressLine("classifying")
        self.message = Message(theme)
        form.thresholds.native.setAccessibleName("Kept thresholds")
        self.threshold = _row("&Threshold", form.threshold.native, form.thresholds.native)
        self._options_shown = False
        self.profile = _row("Preprocessin&g", form.profile.native)
        self.views = _row("Views", form.views.native)
        self.device = _row("Device", form.device.native)
        self.precision = _row("Precision", form.precision.native)
        self.hardware = HardwareNote(session, form, theme)
        self.reference = ReferenceRow(session, form, theme)
        self.autosave = QCheckBox()
        self._rows = [self.threshold, self.profile, self.views, self.device, self.precision]
        self._column = Column(self, [*self._rows, self.reference, self.autosave], at_left=[self.autosave])
        for widget in (self.hardware, self.button, self.why, self.progress, self.message):
            self._column.addWidget(widget)
        self._column.addLayout(WrappingRow([self.more, self.heat_map]))
        self._autosave = autosave
        autosave.changed.connect(self._show_autosave)
        self.autosave.clicked.connect(autosave.trigger)
        self._show_autosave()
        self.button.clicked.connect(self._on_click)
        self.more.clicked.connect(self._on_more)
        self.progress.cancelled.connect(self._on_cancel)
        form.changed.connect(self.refresh)
        form.finder.changed.connect(self.refresh)
        session.model_changed.connect(self.refresh)
        session.kept.changed.connect(self._on_kept)
        self.hardware.changed.connect(self.refresh)
        session.run_changed.connect(self._on_run)
        session.rows_added.connect(self._show_progress)
        session.run_ended.connect(self._on_ended)
        self.refresh()

    def _on_click(self) -> None:
        """Classify; if something is missing, which may have changed since the button was painted, say so."""
        try:
            self._form()
        except WebIPredError as error:
            self.message.show_error(error)

    def _show_autosave(self) -> None:
        self.autosave.setText(self._autosave.text())
        self.autosave.setToolTip(self._autosave.toolTip())
        self.autosave.setChecked(self._autosave.isChecked())

    def _on_more(self) -> None:
        self._options_shown = not self._options_shown
        for row in self._rows:
            self._column.show(row)  # only then the style tells how wide its words are
        _align(self._rows)
        self.refresh()

    def refresh(self) -> None:
        """Show what a click would do, or what is missing."""
        running, missing = self._session.running, self._missing()
        self.button.setVisible(not running)
        self.button.setEnabled(not missing)
        self.button.setText(_button_text(*self._form.counts(), self._form.regions.value))
        self.button.setToolTip(missing or "Classify the selected images on this machine (Ctrl+Return)")
        self.why.setText(missing)
        self.why.setVisible(bool(missing) and not running)
        model = self._session.loading.model
        self._show_threshold(model is not None and model.card.task == "multi-label", running)
        for widget in (self.profile, self.views, self.reference, self.autosave):
            self._column.show(widget, self._options_shown and not running)
        for row, choice in ((self.device, self._form.device), (self.precision, self._form.precision)):
            self._column.show(row, self.hardware.offers(choice) and self._options_shown and not running)
        self._mark_views(None if model is None else model.card)
        self.reference.refresh()
        self.more.setVisible(not running)
        self.heat_map.setVisible(any(map(is_large, self._form.images.value)))
        chosen = "".join(f" ({words})" for words in self._chosen())
        self.more.setText("Fewer options" if self._options_shown else f"More options…{chosen}")
        self._show_progress()

    def _chosen(self) -> list[str]:
        """Name the options that differ from what they are at first; they count also while they are folded away."""
        form = self._form
        return [
            *([] if form.profile.value is None else [form.profile.current_choice]),
            *([] if form.views.value is None else ["views"]),
            *(["reference"] if form.reference.value else []),
            *([] if form.device.value == DEFAULTS.device else [form.device.current_choice]),
            *([] if form.precision.value == DEFAULTS.precision else [str(form.precision.value)]),
        ]

    def _mark_views(self, card: ModelCard | None) -> None:
        """Mark the views that the card does not list; without a card, all."""
        for place, views in enumerate(self._form.views.choices):
            known = views is None or (card is not None and card.allows(views))
            self._form.views.native.setItemText(place, VIEWS[views] if known else f"{VIEWS[views]} (not in the card)")

    def _show_threshold(self, by_number: bool, running: bool) -> None:
        """Show the number where it counts, and beside it the thresholds that are kept, if there are some."""
        kept, native = bool(self._session.kept.thresholds), self._form.threshold.native
        native.setVisible(by_number)
        native.setEnabled(self._form.thresholds.value is None)
        self._form.thresholds.native.setVisible(kept)
        self._column.show(self.threshold, (by_number or kept) and not running)

    def _on_kept(self) -> None:
        self._form.offer_kept()
        self.refresh()

    def _missing(self) -> str:
        """Say why no run can be started now; empty when one can."""
        loading = self._session.loading
        if self._session.running:
            return "Classification is running. Wait, or cancel it."
        if self._session.waiting:
            return "Starts when the model is ready."
        if loading.model is None:
            return _missing_model(loading)
        if self.hardware.measuring:
            return "Measuring how far the numbers will be from the usual ones…"
        if loading.needs_settings:
            return "Fill in the missing settings first."
        return self._unfit_thresholds() or self._missing_images()

    def _unfit_thresholds(self) -> str:
        try:
            self._form.check_thresholds()
        except OptionError as error:
            return str(error)
        return ""

    def _missing_images(self) -> str:
        if not self._form.images.value:
            return "Open or select an image first."
        if self._form.regions.value is not None:
            if self._form.finder.searching:
                return "Looking for the regions…"
            return "" if self._form.plane_count() else NO_REGION
        return "" if self._form.plane_count() else NO_PLANE

    def _on_run(self) -> None:
        self.message.clear()
        self.refresh()

    def _show_progress(self) -> None:
        run = self._session.run
        if run is not None and run.running:
            done = len(run.rows)
            self.progress.report(f"{done} of {run.details.total}", done, run.details.total, run.seconds_left)
            self.progress.words.setToolTip(run.pace)
        else:
            self.progress.hide()

    def _on_cancel(self) -> None:
        if self._session.run is not None:
            self._session.run.cancel()

    def _on_ended(self) -> None:
        self.refresh()
        run = self._session.run
        if run is None:
            return
        if run.error is not None:
            self.message.show_error(run.error)
        elif run.cancelled:
            self.message.show_note(f"Cancelled. {len(run.rows)} of {run.details.total} rows are kept.")
        elif run.failed:
            failed = f"{run.failed} of {run.details.total} could not be classified."
            self.message.show_note(failed, "Select a row to see why.")
        elif run.remarked:
            remarks = f"Remarks on {run.remarked} of {run.details.total} rows."
            self.message.show_note(remarks, f"Select a row marked with {REMARK} to read it.")


def _button_text(images: int, planes: int, regions: Any | None) -> str:
    """Say what a click does."""
    if planes == 0:
        return "Classify"
    if regions is not None:
        return f"Classify {planes:,} region{'s' * (planes > 1)}"
    of = f" ({planes} planes)" if planes > images else ""
    return f"Classify {images} image{'s' * (images > 1)}{of}"


def _missing_model(loading: Loading) -> str:
    if loading.entry is None:
        return "Choose a model first."
    if isinstance(loading.error, SlowModelError):
        return "This model is slow. Click “Use it anyway” to use it."
    if loading.undecided:
        return "Choose the output of the model first."
    if loading.error is not None:
        return "The model cannot be opened."
    if loading.progress is not None or loading.entry.here:
        return "The model is not ready yet."
    return "Download the model first."


def _align(rows: Sequence[QWidget]) -> None:
    """Let the controls of rows begin at the same place."""
    labels = [label for row in rows if (label := row.findChild(QLabel)) is not None]
    width = max(label.sizeHint().width() for label in labels)
    for label in labels:
        label.setMinimumWidth(width)


def _row(words: str, control: QWidget, *more: QWidget) -> QWidget:
    row = QWidget()
    label = QLabel(words)
    label.setBuddy(control)
    control.setAccessibleName(words.replace("&", ""))
    for each in (control, *more):
        each.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    layout = WrappingRow([label, control, *more], last_at_end=False)
    layout.setContentsMargins(0, 0, 0, 0)
    row.setLayout(layout)
    return row
