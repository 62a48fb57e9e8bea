"""The panel: three steps and a result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QSize
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QWidget

from napari_webipred import settings
from napari_webipred._napari import keys
from napari_webipred._napari.beginning import Beginning
from napari_webipred._napari.classify_step import ClassifyStep
from napari_webipred._napari.closing import ClosingWindow
from napari_webipred._napari.explanations.map_layers import MapLayers
from napari_webipred._napari.explanations.run_sources import AGREE
from napari_webipred._napari.first_use import FirstUse
from napari_webipred._napari.foot import Foot
from napari_webipred._napari.form import ClassifyForm
from napari_webipred._napari.images.file_drop import FileDrop
from napari_webipred._napari.images.images_step import ImagesStep
from napari_webipred._napari.images.opened_files import OpenedFiles
from napari_webipred._napari.images.place import grid, length_along, place_shown, position_along, show
from napari_webipred._napari.intensity.intensity_statistics import IntensityStatistics
from napari_webipred._napari.memory import Memory
from napari_webipred._napari.models.model_step import ModelStep
from napari_webipred._napari.preferences import page
from napari_webipred._napari.proxy import unwrapped
from napari_webipred._napari.regions.region_view import RegionView, canvas_below
from napari_webipred._napari.results.autosaving import Autosaving
from napari_webipred._napari.viewer_session import session_of
from napari_webipred._napari.widgets.appearance import appearance
from napari_webipred._napari.widgets.dock import set_connected
from napari_webipred._napari.widgets.focus import focus_sheet
from napari_webipred._napari.widgets.message import Message
from napari_webipred._napari.widgets.scrolling_column import scrolling_column
from napari_webipred._napari.widgets.section import FIRST, Section
from napari_webipred._napari.widgets.tab_order import tab_in_place
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred._napari.widgets.two_line_delegate import show_rows
from napari_webipred._napari.widgets.wheel import WheelGuard
from napari_webipred.names import readable
from napari_webipred.options import preferred_intensity
from napari_webipred.preferences import ASK, Preferences
from napari_webipred.results.session_table import Entry, RunDetails

if TYPE_CHECKING:
    from napari_webipred._napari.results.result_detail import ResultDetail
    from napari_webipred._napari.results.results_view import ResultsView
    from napari_webipred._napari.results.session_files import SessionFiles
    from napari_webipred._napari.review.review_mode import ReviewMode

WIDTH, HEIGHT = 380, 800
HEIGHT_PER_ITEM = 120  # pixels of the panel for each model and image more
FEWEST_ITEMS = 3


class ClassifyPanel(QWidget):
    """Choose a model, choose images, classify, read the results.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer whose layers are classified. Model and results are kept when the panel is closed.
    """

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        page().follow()
        self._viewer = napari_viewer
        self._session = session = session_of(napari_viewer)
        self._navigating = False
        self._regions = RegionView(napari_viewer, session.places, self._follow)
        self._theme = theme = Theme(napari_viewer)
        self.form = ClassifyForm(napari_viewer, session, theme)
        self.model = ModelStep(session, self.form.model.native, theme)
        statistics = IntensityStatistics(napari_viewer, session, self.form.intensity, theme)
        self.images = ImagesStep(session, self.form, statistics)
        self.autosaving = Autosaving(session, lambda: self._message, self)
        self.classify = ClassifyStep(session, self.form, self.autosaving.action, theme)
        self.images.open_session.clicked.connect(lambda: self.session_files.open())
        self.sections = [
            Section("1", "Model", self.model, theme),
            Section("2", "Images", self.images, theme),
            Section("3", "Classify", self.classify, theme),
            Section("", "Results", None, theme),
        ]
        self._lay_out()
        self._prefer(None, settings.preferred())
        self.memory = Memory(self.form, session, self)
        self.first_use = FirstUse(napari_viewer, session, self.form, self.memory, self.classify.message)
        beside = self.images.choice.layout()
        beside.insertWidget(beside.indexOf(self.images.choice.file_buttons), self.first_use)
        tab_in_place(self.first_use)
        page().changed.connect(self._prefer)
        session.model_changed.connect(self._on_model)
        session.run_changed.connect(self._on_run)
        session.rows_added.connect(self._summarise_rows)
        session.rows_changed.connect(self._summarise_rows)
        session.run_ended.connect(self._summarise)
        self.form.changed.connect(self._summarise)
        self.form.changed.connect(lambda: session.form_changed.emit())
        self.form.finder.changed.connect(session.form_changed)
        session.show_form(self.form)
        self.images.statistics.listen(True)
        self._join_docks()
        self._regions.follow(session.run)
        self.maps = MapLayers(napari_viewer, session.maps, session.places, self)
        self._take_files()
        self._closing = ClosingWindow(self, self._has_unsaved_rows, self._discard_rows)
        self._listening = True
        for emitter, callback in self._emitters():
            emitter.connect(callback)
        keys.bind(self)
        self._show_texts()
        self._summarise()
        self._beginning = Beginning(self, self.memory, session.catalogue, self._make_results)

    def _join_docks(self) -> None:
        """Open the other docks, and select the rows that they want."""
        self.images.preview.clicked.connect(partial(self._show_dock, "What the model sees"))
        self.model.own.clicked.connect(partial(self._show_dock, "My own classes"))
        self.classify.heat_map.clicked.connect(partial(self._show_dock, "Heat map"))
        self._session.rows_wanted.connect(self._on_rows_wanted)

    @cached_property
    def results(self) -> ResultsView:
        """The table and what belongs to it, made with the first run: nothing of it is seen before."""
        from napari_webipred._napari.results.results_view import ResultsView
        from napari_webipred._napari.results.run_code import RunCode

        results = ResultsView(
            self._session, self._theme, self._length_along, self._is_open, autosave=self.autosaving.action
        )
        self.__dict__["results"] = results  # those who are told below look for it here
        section, menu = self.sections[-1], results.buttons.menu
        section.fill(results)
        tab_in_place(results)
        WheelGuard(results)
        RunCode(self._viewer, self._session, self._run, menu, results.buttons.message)
        menu.save_session.triggered.connect(lambda: self.session_files.save())
        menu.open_session.triggered.connect(lambda: self.session_files.open())
        results.chosen.connect(self._go_to)
        results.buttons.review.clicked.connect(lambda: self.review.ask())
        results.buttons.evaluate.clicked.connect(partial(self._show_dock, "Evaluation"))
        results.table.doubleClicked.connect(self._open_file)
        results.when_made(self._connect_detail)
        self._session.rows_added.connect(self._follow)  # after the table has got them
        keys.name_results(self)
        return results

    @cached_property
    def review(self) -> ReviewMode:
        """The review, made at its first use."""
        from napari_webipred._napari.review.review_mode import ReviewMode

        return ReviewMode(self._viewer, self._session, self.results, self._go_to, self._regions, self._theme)

    def _make_results(self) -> Iterator[None]:
        results = self.results
        yield
        _ = results.detail

    @property
    def _results_made(self) -> bool:
        return "results" in vars(self)

    @cached_property
    def session_files(self) -> SessionFiles:
        """Saves sessions and opens them."""
        from napari_webipred._napari.results.session_files import SessionFiles

        return SessionFiles(self._viewer, self._session, self.form, lambda: self._message, self)

    @property
    def _message(self) -> Message:
        """Where something is said about rows: below the table, while there is one."""
        return self.results.buttons.message if self.sections[-1].isVisibleTo(self) else self.classify.message

    def _connect_detail(self, detail: ResultDetail) -> None:
        explain = detail.explain
        self.maps.failed.connect(explain.message.show_error)
        detail.shown.connect(self.maps.choose)
        explain.asked.connect(self._on_explain)
        explain.menu.keep.triggered.connect(self.maps.keep)

    def _take_files(self) -> None:
        """Take files that are dropped, and open them when they are double-clicked."""
        self._opened = OpenedFiles(self._viewer, self._session.images, self._session.places, self)
        self._opened.failed.connect(self.images.choice.message.show_error)
        self.images.choice.open_requested.connect(self._opened.show)
        self._drop = FileDrop(self, self._theme)
        self._drop.dropped.connect(self._on_dropped)
        self._drop.refused.connect(self._on_refused)

    def _lay_out(self) -> None:
        self.scroll, layout = scrolling_column(self, "Classify images", 10)
        self.form.lay_out(self.sections[:3])
        layout.addWidget(self.form.native)
        layout.addWidget(self.sections[3], FIRST)
        layout.addStretch(1)
        self.sections[3].header.toggled.connect(lambda shown: layout.setStretchFactor(self.sections[3], FIRST * shown))
        self.foot = Foot()
        layout.addWidget(self.foot)
        self._wheel = WheelGuard(self.model)  # the other steps guard what they show

    def sizeHint(self) -> QSize:
        return QSize(WIDTH, HEIGHT)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Show more models and images in a high panel."""
        super().resizeEvent(event)
        more = max(0, self.height() - HEIGHT) // HEIGHT_PER_ITEM
        self.images.choice.show_rows(FEWEST_ITEMS + more)
        show_rows(self.model.choice.list, FEWEST_ITEMS + more)

    def reset_choices(self, *_: Any) -> None:
        """List the layers again; napari calls it when some come, go or are renamed, even after the panel was closed."""
        if self._listening:
            self.form.reset_choices()
            if self._results_made:
                self.results.show_open()

    def event(self, event: QEvent | None) -> bool:
        """Stop following the viewer when the panel leaves its dock, and start again when it returns."""
        kind = None if event is None else event.type()
        if kind == QEvent.Type.Polish:
            self._show_focus()  # earlier, Qt would look up the styles of all controls twice
        elif kind == QEvent.Type.ParentChange:
            self._listen(self.parent() is not None)
        if kind in (QEvent.Type.ParentChange, QEvent.Type.Show):
            self._closing.follow()  # a dock is put into its window after the panel into the dock
        return bool(super().event(event))

    def _listen(self, listening: bool) -> None:
        if listening == self._listening:
            return
        self._listening = listening
        if not listening and "review" in vars(self):
            self.review.leave()
        set_connected(self._emitters(), listening)
        layers = self.images.choice.layers
        (layers.follow if listening else layers.leave)()
        self._session.show_form(self.form if listening else None)
        (self.form.finder.follow if listening else self.form.finder.leave)()
        (self.maps.follow if listening else self.maps.leave)()
        self._regions.follow(self._session.run if listening else None)
        self.images.statistics.listen(listening)

    def _emitters(self) -> list[tuple[Any, Callable[..., None]]]:
        return [
            (self._viewer.dims.events.current_step, self._follow),
            (self._viewer.dims.events.current_step, self._count_regions),
            (self._viewer.dims.events.order, self.images.show_hidden),
            (self._viewer.dims.events.ndisplay, self.images.show_hidden),
            (self._viewer.layers.selection.events.active, self._follow),
            (self._viewer.events.theme, self._show_focus),
            (appearance().events.font_size, self._show_focus),
            (self._viewer.events.theme, self._show_links),
            (self._viewer.events.theme, self._show_texts),
            (grid(self._viewer).events.enabled, self._show_texts),
        ]

    def _show_focus(self, event: Any = None) -> None:
        self.setStyleSheet(focus_sheet(self._theme))

    def _show_links(self, event: Any = None) -> None:
        self.model.show_colours()

    def _show_texts(self, event: Any = None) -> None:
        self._session.regions.lie_on(canvas_below(self._viewer, self._theme))

    def _on_run(self) -> None:
        self._summarise()
        self._regions.follow(self._session.run if self._listening else None)
        if self._session.run is not None:
            # The header shows the chosen model, and the results need the space.
            self.sections[0].header.setChecked(False)
            self.sections[-1].header.setChecked(True)

    def _on_model(self) -> None:
        if self._session.loading.needs_settings:  # the form must not stay folded
            self.sections[0].header.setChecked(True)
        self._summarise()

    def _prefer(self, before: Preferences | None, now: Preferences) -> None:
        """Show what is preferred, unless something else was chosen."""
        if before is not None and before.chart_order != now.chart_order:
            self._session.display.order = now.chart_order
            if self._results_made:
                self.results.show_order(now.chart_order)
        intensity = self.form.intensity
        if before is None or intensity.value == before.intensity:
            intensity.value = preferred_intensity(layers=True)
        self.classify.hardware.prefer(before, now)
        if self._results_made:
            self.results.refresh()
        if before is not None and before.offline != now.offline:
            self._session.catalogue.changed.emit()
        if before is not None and before.private_session != now.private_session:
            self._session.catalogue.read_again()

    def _run(self) -> RunDetails | None:
        """Return the run of the chosen row, or else the last one."""
        entry, runs = self.results.chosen_entry, self._session.table.runs
        return entry.run if entry is not None else runs[-1] if runs else None

    def _has_unsaved_rows(self) -> bool:
        asked = settings.preferred().closing == ASK
        saving = self._results_made and self.results.buttons.is_saving
        return saving or (asked and self._session.table.unsaved > 0)

    def _discard_rows(self, then: Callable[[], None]) -> None:
        self.results.buttons.discard_rows(then)

    def _summarise(self) -> None:
        loading = self._session.loading
        model, images, *_ = (section.header for section in self.sections)
        model.summarise(self.model.summary, loading.model is not None and not loading.needs_settings)
        images.summarise(self.images.summary, bool(self.form.images.value))
        self._summarise_rows()

    def _summarise_rows(self) -> None:
        """Say how many rows there are; looking at all images as well costs more than showing the rows."""
        run = self._session.run
        *_, classify, results = (section.header for section in self.sections)
        done = run is not None and not run.running and bool(run.rows)
        classify.summarise("" if run is None else f"{len(run.rows)} of {run.details.total} done", done)
        count = len(self._session.table.numbers)
        results.summarise(f"{count} row{'s' * (count != 1)}", done)
        has_results = count > 0 or self._session.running or self._session.table.next_undone is not None
        if has_results and not self._results_made:
            _ = self.results
        self.sections[-1].setVisible(has_results)
        self.images.open_session.setVisible(not has_results)

    def _go_to(self, entry: Entry) -> None:
        """Show the layers and the plane of a row; if they are gone, only the table shows the row."""
        places = self._session.places
        target = places.target(entry, map(unwrapped, self._viewer.layers))
        self._navigating = True
        with self.maps.noting_hidden(target) as others:
            show(self._viewer, target, entry.row.position, [*places.layers(), *others])
        self._regions.show(entry)
        self._navigating = False

    def _on_rows_wanted(self, numbers: Any) -> None:
        self.sections[-1].header.setChecked(True)
        self.results.select_rows(numbers)
        self.scroll.ensureWidgetVisible(self.results.table)

    def _show_dock(self, name: str, checked: bool = False) -> None:
        dock, _ = self._viewer.window.add_plugin_dock_widget("napari-webipred", name)
        dock.show()
        dock.raise_()

    def _length_along(self, entry: Entry, axis: str) -> int:
        """Return how many planes the layer of a row has along an axis; 0 if it is gone."""
        target = self._session.places.target(entry, map(unwrapped, self._viewer.layers))
        return length_along(target, entry.row.position, axis)

    def _is_open(self, entry: Entry) -> bool:
        """Whether a layer of a row is in the viewer, or a file of it can be opened."""
        layers = list(map(unwrapped, self._viewer.layers))
        target = self._session.places.target(entry, layers)
        return target.path is not None or any(layer in layers for layer in target.layers)

    def _open_file(self) -> None:
        """Open the file of the chosen row in napari; layers are open already."""
        entry = self.results.chosen_entry
        if entry is None or (target := self._session.places.target(entry, [])).path is None:
            return
        image = self._session.maps.sources.file(entry.run.number, entry.row.source)
        if target.source is None and image is None:
            self._message.show_note(f"You have not agreed that {readable(entry.row.image)} is read.", AGREE)
            return
        self._navigating = True
        self._opened.show(target, tuple(entry.row.position.values()), image)
        self._navigating = False

    def _on_explain(self) -> None:
        """Show the map of the chosen row, over its file if that is not open yet."""
        entry = self.results.chosen_entry
        if entry is not None:
            target = self._session.places.target(entry, map(unwrapped, self._viewer.layers))
            image = self._session.maps.sources.file(entry.run.number, entry.row.source)
            if not target.layers and (target.source is not None or image is not None):
                self._open_file()
        self.maps.uncover()

    def _on_dropped(self, paths: list[Path]) -> None:
        self.sections[1].header.setChecked(True)
        self.images.choice.add(paths)

    def _on_refused(self, message: str, hint: str) -> None:
        self.sections[1].header.setChecked(True)
        self.images.choice.message.show_note(message, hint)

    def _count_regions(self, event: Any = None) -> None:
        """Say how many regions the plane has that the viewer shows now, if only that one is classified."""
        if self.form.regions.value is not None and self.form.follows_slider():
            self.images.regions.refresh()
            self.classify.refresh()

    def _follow(self, event: Any = None) -> None:
        """Choose the row of the layer and plane that the viewer shows now, if there is one."""
        if not self._results_made or ("review" in vars(self) and self.review.active):
            return
        layer = self.maps.under(unwrapped(self._viewer.layers.selection.active))
        places, run = self._session.places, self._session.run
        if run is not None and layer is not None and layer is self._regions.layer() and not self._navigating:
            number = self._regions.selected_row()
            self.results.choose([] if number is None else [int(self._session.table.rows_of(run.details)[number])])
        if self._navigating or layer is None or not places.knows(layer):
            return
        shown = place_shown(layer, self._viewer.dims)
        self.results.choose(places.rows_at(layer, shown))
        chosen = self.results.chosen_entry
        if chosen is not None and layer in (target := places.target(chosen, [layer])).layers:
            self.results.detail.show_position(position_along(target, chosen.row.position, shown))
