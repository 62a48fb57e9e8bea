"""What has become of a heat map: how far it is, which class it shows, and what can be done with it."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QFormLayout, QVBoxLayout, QWidget

from napari_webipred._napari.images.layer_input import path_of
from napari_webipred._napari.slides.heat_maps import HeatMaps
from napari_webipred._napari.slides.map_file import FILTER, KINDS, save_map
from napari_webipred._napari.slides.map_run import MapRun
from napari_webipred._napari.task import Task
from napari_webipred._napari.widgets.button import Button
from napari_webipred._napari.widgets.choice import choice
from napari_webipred._napari.widgets.label import MutedLabel
from napari_webipred._napari.widgets.message import Message
from napari_webipred._napari.widgets.progress import ProgressLine
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred._napari.widgets.wrapping_row import WrappingRow
from napari_webipred.names import readable


class MapView(QWidget):
    """Shows the map of one picture; hidden while there is none."""

    def __init__(self, maps: HeatMaps, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._maps = maps
        self._run: MapRun | None = None
        self._saving: Task | None = None
        self.progress = ProgressLine("computing the heat map")
        self.classes = choice("Class")
        self.classes.setToolTip("The class whose probabilities are shown: the slider below the picture")
        self.state = MutedLabel()
        self.message = Message(theme)
        self.resume, self.show_again, self.save = Button("Continue"), Button("Show map"), Button("Save map…")
        self.show_again.setToolTip("Put the map over the picture again")
        self.save.setToolTip("Save the map as OME-Zarr, TIFF, CSV of tiles or GeoJSON for QuPath")
        row = QFormLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.addRow("&Class", self.classes)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        layout.addWidget(self.progress)
        layout.addLayout(row)
        self._row = row
        for widget in (self.state, self.message):
            layout.addWidget(widget)
        layout.addLayout(WrappingRow([self.resume, self.show_again, self.save], last_at_end=False))
        self.progress.cancelled.connect(self._on_cancel)
        self.classes.activated.connect(self._on_class)
        self.resume.clicked.connect(self._on_resume)
        self.show_again.clicked.connect(self._on_show)
        self.save.clicked.connect(self._on_save)
        self.hide()

    @property
    def run(self) -> MapRun | None:
        """The map that is shown."""
        return self._run

    def align(self, width: int) -> None:
        """Let the field begin where those of a form above begin, whose labels are so wide."""
        self._row.labelForField(self.classes).setMinimumWidth(width)

    def show_run(self, run: MapRun | None) -> None:
        """Be about this map."""
        if run is not self._run:
            self.message.clear()
        self._run = run
        self.refresh()

    def refresh(self) -> None:
        """Show how far the map is, and what can be done with it."""
        run = self._run
        self.setVisible(run is not None)
        if run is None:
            return
        heat = run.heat
        self._list_classes()
        self.grow()
        self._row.setRowVisible(self.classes, run.shown is not None)
        self.state.setVisible(heat is not None and not run.running)
        self.state.setText(_words(run))
        self.resume.setVisible(run.can_continue)
        only_failed = run.failed > 0 and run.done == run.total
        self.resume.setText("Try failed tiles again" if only_failed else "Continue")
        self.resume.setEnabled(self._maps.running is None)
        self.resume.setToolTip("Compute the tiles that are left; those that are done are kept")
        self.show_again.setVisible(heat is not None and run.shown is None and run.layer is not None and not run.running)
        self.save.setVisible(heat is not None and not run.running)
        self.save.setEnabled(self._saving is None)

    def end(self) -> None:
        """Say what has become of the map that has just ended."""
        run = self._run
        if run is None or run.running:
            return
        if run.error is not None:
            self.message.show_error(run.error)
        elif run.failed:
            heat = run.heat
            assert heat is not None
            count = f"{run.failed:,} tile{'s' * (run.failed != 1)} could not be read."
            self.message.show_note(count, next(iter(heat.errors.values())))

    def grow(self) -> None:
        """Show how far the map is."""
        run = self._run
        if run is None or not run.running:
            self.progress.hide()
        elif run.heat is None:
            self.progress.report("Finding the intensities of the picture")
        else:
            words = f"{run.done:,} of {run.total:,} tiles"
            self.progress.report(words, run.done, run.total, run.seconds_left)

    def show_class(self) -> None:
        """Show which class the viewer shows."""
        if self._run is not None and self._run.shown is not None:
            self.classes.setCurrentIndex(self._maps.class_shown(self._run))

    def _list_classes(self) -> None:
        assert self._run is not None
        heat = self._run.heat
        names = [] if heat is None else [readable(name) for name in heat.classes]
        if names != [self.classes.itemText(i) for i in range(self.classes.count())]:
            self.classes.clear()
            self.classes.addItems(names)
        self.show_class()

    def _on_class(self, number: int) -> None:
        if self._run is not None:
            self._maps.show_class(self._run, number)

    def _on_cancel(self) -> None:
        if self._run is not None:
            self._run.cancel()

    def _on_resume(self) -> None:
        if self._run is not None and self._maps.running is None:
            self.message.clear()
            self._maps.resume(self._run)

    def _on_show(self) -> None:
        if self._run is not None:
            self._maps.show(self._run)

    def _on_save(self) -> None:
        """Ask for a file, and write the map in a background thread."""
        run = self._run
        if run is None or self._saving is not None or run.running:
            return
        name, kind = QFileDialog.getSaveFileName(self, "Save heat map", "heat-map.zarr", FILTER, next(iter(KINDS)))
        if not name:
            return
        path = None if run.layer is None else path_of(run.layer)
        self._saving = Task(save_map(run, Path(name), kind, () if path is None else (path,)))
        self._saving.done.connect(self._on_saved)
        self._saving.failed.connect(self._on_unsaved)
        self._saving.cancelled.connect(self._on_stopped)
        self._saving.start()
        self.message.clear()
        self.save.setEnabled(False)

    def _on_saved(self, path: Path) -> None:
        self._on_stopped()
        self.message.show_note(f"Saved the heat map to {path.name}.", "How it was made is stored with it.")

    def _on_unsaved(self, error: Exception) -> None:
        self._on_stopped()
        self.message.show_error(error)

    def _on_stopped(self) -> None:
        self._saving = None
        self.save.setEnabled(True)


def _words(run: MapRun) -> str:
    """Say how many tiles were classified, were blank, and are left."""
    if run.heat is None:
        return ""
    classified = run.done - run.skipped - run.failed
    left = run.total - run.done
    parts = [f"{classified:,} tile{'s' * (classified != 1)} classified"]
    parts += [f"{run.skipped:,} blank"] if run.skipped else []
    parts += [f"{left:,} left"] if left else []
    return ("Cancelled: " if run.cancelled and left else "") + ", ".join(parts) + "."
