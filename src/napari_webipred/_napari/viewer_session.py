"""What is kept when the panel is closed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from msgspec import Struct
from qtpy.QtCore import QObject, Signal

from napari_webipred import settings
from napari_webipred._napari.charts.display import Display
from napari_webipred._napari.explanations.maps import Maps
from napari_webipred._napari.images.images import Images
from napari_webipred._napari.models.catalogue import Catalogue
from napari_webipred._napari.models.kept import Kept
from napari_webipred._napari.models.loading import Loading
from napari_webipred._napari.notice import EndNotice
from napari_webipred._napari.proxy import unwrapped as unwrapped
from napari_webipred._napari.regions.region_finder import UsedRegions
from napari_webipred._napari.regions.region_results import RegionResults
from napari_webipred._napari.results.result_columns import ColumnChoice
from napari_webipred._napari.results.row_places import RowPlaces
from napari_webipred._napari.results.run import Run
from napari_webipred._napari.review.review_choice import ReviewChoice
from napari_webipred.results.autosave import Destination
from napari_webipred.results.calibration import Calibration
from napari_webipred.results.history import Change, Read
from napari_webipred.results.inputs import ImageInput, Inputs, ModelInput
from napari_webipred.results.reading import Reading
from napari_webipred.results.session_table import Numbers, RunDetails, SessionTable

if TYPE_CHECKING:
    from napari_webipred._napari.evaluation.ensemble_run import EnsembleRun
    from napari_webipred._napari.images.place import Target
    from napari_webipred._napari.own_classes.own_classes import OwnClasses
    from napari_webipred._napari.slides.heat_maps import HeatMaps
    from napari_webipred.imaging.source import Source
    from napari_webipred.model_overrides import Thresholds
    from napari_webipred.options import Options
    from napari_webipred.results.row_list import RowList
    from napari_webipred.results.saved_session import SavedRun
else:
    Options = Source = Target = Thresholds = Any  # imported when first needed, and `help` asks for the types of fields


class Request(Struct):
    """A run that starts when the model is ready, and whether the model is being downloaded for it."""

    targets: Sequence[Target]
    sources: Sequence[Source]
    options: Options
    images: Sequence[ImageInput] = ()
    regions: UsedRegions | None = None
    thresholds: Thresholds | None = None
    downloading: bool = False


class ViewerSession(QObject):
    """Model, catalogue and run of one viewer; the panel shows them and listens to the signals.

    Attributes
    ----------
    loading : Loading
        The chosen model.
    kept : Kept
        What the user has kept for it: thresholds and reference images.
    catalogue : Catalogue
        The models to choose from.
    table : SessionTable
        The rows of all runs. Whoever changes it does so through the session, which tells everybody.
    display : Display
        How results are drawn.
    images : Images
        What the user has chosen about the images.
    places : RowPlaces
        Of which layer and plane each row is.
    columns : ColumnChoice
        What the user has chosen about the columns of the table.
    maps : Maps
        What explains rows.
    regions : RegionResults
        What is written to the layers with regions.
    run : Run or None
        The latest run, for its progress.
    stopped : dict of int to str
        Why a run, by its number, has ended before its last row.
    form : ClassifyForm or None
        The form of the panel, while it is open.
    destination : Destination
        The file for rows as they come, if the user wants that.
    review : ReviewChoice
        What the user has chosen about the review of rows.

    Signals
    -------
    model_changed
        Another model is chosen, or opening the chosen one has progressed.
    run_changed
        There is another run.
    rows_added : int, int
        The table has new rows; numbers of the first and the last one.
    rows_changed
        Rows were deleted, restored or commented on, or have other classes now.
    row_read : int
        A reader has answered about the row with this number, or an answer was taken back.
    run_ended
        The run has ended: done, cancelled or failed.
    form_changed
        Something else is chosen in the form, or the panel is opened or closed.
    rows_wanted : sequence of int
        These rows are to be selected in the table of results.
    """

    model_changed = Signal()
    run_changed = Signal()
    rows_added = Signal(int, int)
    rows_changed = Signal()
    row_read = Signal(int)
    run_ended = Signal()
    form_changed = Signal()
    rows_wanted = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.run: Run | None = None
        self.table = SessionTable()
        self.regions = RegionResults(self)
        self.maps = Maps(self.table)
        self.rows_changed.connect(self.maps.keep)
        self.stopped: dict[int, str] = {}
        self.destination = Destination()
        self.review = ReviewChoice()
        self.display = Display(order=settings.preferred().chart_order)
        self.form: Any | None = None
        self.places = RowPlaces()
        self.columns = ColumnChoice()
        self.loading = Loading()
        self.kept = Kept(self.loading)
        self.catalogue = Catalogue(self.loading)
        self.images = Images()
        self._request: Request | None = None
        self._notice = EndNotice()
        self.loading.changed.connect(self.model_changed)
        self.loading.changed.connect(self._begin_when_ready)
        self.catalogue.changed.connect(self._begin_when_ready)

    @cached_property
    def own_classes(self) -> OwnClasses:
        """The user's own classes and labels, made when the user first asks for them."""
        from napari_webipred._napari.own_classes.own_classes import OwnClasses

        return OwnClasses(self)

    @cached_property
    def heat_maps(self) -> HeatMaps:
        """The heat maps of large pictures, made when the user first asks for them."""
        from napari_webipred._napari.slides.heat_maps import HeatMaps

        return HeatMaps()

    @property
    def running(self) -> bool:
        """Whether images are being classified."""
        return self.run is not None and self.run.running

    @property
    def waiting(self) -> bool:
        """Whether a run is to begin as soon as the chosen model is ready."""
        return self._request is not None

    def classify(
        self,
        targets: Sequence[Target],
        sources: Sequence[Source],
        options: Options,
        images: Sequence[ImageInput] = (),
        regions: UsedRegions | None = None,
        thresholds: Thresholds | None = None,
    ) -> None:
        """Begin a run, as soon as the chosen model is ready; one that is not on this machine is downloaded.

        Classes are assigned by these thresholds, if some are given, in place of those of the card and the options.
        Nothing begins if the model cannot be opened, lacks settings, or another one is chosen meanwhile.
        """
        self._request = Request(targets, sources, options, images, regions, thresholds)
        self._begin_when_ready()
        if self.waiting:
            self.model_changed.emit()

    def _begin_when_ready(self) -> None:
        loading, request = self.loading, self._request
        if request is None or self.catalogue.resolving or loading.progress is not None:
            return
        if loading.model is not None and not loading.needs_settings and not self.running:
            self._request = None
            kept = request.thresholds
            run = Run(
                loading.model if kept is None else loading.model.with_thresholds(kept, request.options.as_dict()),
                request.targets,
                request.sources,
                request.options,
                self.table,
                destination=self.destination,
                inputs=Inputs(loading.model_input(), tuple(request.images)),
                regions=request.regions,
            )
            self.places.begin(run.details.number, run.targets)
            self.maps.sources.begin(run.details.number, loading.model, run.targets, request.sources, request.images)
            self._show(run)
        elif loading.entry is not None and not loading.entry.here and loading.error is None and not request.downloading:
            request.downloading = True
            loading.start()
        else:
            self._request = None
            self.model_changed.emit()

    def show_form(self, form: Any | None) -> None:
        """Let others see what is chosen in the panel; None when it is closed."""
        self.form = form
        self.form_changed.emit()

    def delete(self, numbers: Sequence[int] | Numbers) -> None:
        """Delete rows of the table; `undo` restores them."""
        if self.table.delete(numbers):
            self.rows_changed.emit()

    def comment(self, number: int, text: str) -> None:
        """Comment on a row of the table."""
        if self.table.comment(number, text):
            self.rows_changed.emit()

    def read(self, number: int, reading: Reading | None) -> None:
        """Note what a reader says of a row of the table; None takes the answer back."""
        if self.table.read(number, reading):
            self.row_read.emit(number)

    def undo(self) -> None:
        """Take back the last deletion, comment or answer of a reader."""
        change = self.table.next_undone
        self.table.undo()
        self._tell(change)

    def redo(self) -> None:
        """Do again what was taken back last."""
        change = self.table.next_redone
        self.table.redo()
        self._tell(change)

    def _tell(self, change: Change | None) -> None:
        if isinstance(change, Read):
            self.row_read.emit(change.number)
        elif change is not None:
            self.rows_changed.emit()

    def set_threshold(self, run: RunDetails, threshold: float) -> None:
        """Assign the classes of all rows of a multi-label run with another threshold."""
        self.table.set_threshold(run, threshold)
        self.regions.assign(run.number, threshold)
        self.rows_changed.emit()

    def calibrate(self, run: RunDetails, calibration: Calibration) -> None:
        """Put calibrated probabilities beside the raw ones of a run."""
        self.table.calibrate(run, calibration)
        self.rows_changed.emit()

    def mark_saved(self, numbers: Sequence[int] | Numbers) -> None:
        """Note that these rows are in a file."""
        self.table.mark_saved(numbers)

    def mark_unchanged_saved(self, run: RunDetails) -> None:
        """Note that the rows of a run are in a file as they came; those that the user has changed are not."""
        now = self.table.runs[run.number - 1]
        if now.options == run.options and now.calibration is run.calibration:
            changed = {*self.table.comments, *self.table.readings}
            self.table.mark_saved([number for number in self.table.rows_of(run).tolist() if number not in changed])

    def restore(self, saved: SavedRun, targets: Sequence[Target]) -> RunDetails:
        """Add a run that was saved, still without its rows."""
        run = self.table.begin(
            saved.card,
            saved.checksum,
            saved.options,
            saved.axes,
            saved.total,
            begun=saved.begun,
            inputs=Inputs(saved.model, saved.images, saved.ensemble),
            calibration=saved.calibration,
        )
        self.places.begin(run.number, targets)
        self.maps.sources.restore(run.number, targets, saved.images)
        self.run_changed.emit()
        return run

    def restore_rows(self, saved: SavedRun, run: RunDetails, part: range) -> None:
        """Add these rows of a run that was saved; they are in its file."""
        numbers = self.table.append(run, saved.rows[part.start : part.stop])
        for place, number in zip(part, numbers, strict=True):
            if text := saved.comments.get(place):
                self.table.comments[number] = text
            if reading := saved.readings.get(place):
                self.table.readings[number] = reading
        self.table.mark_saved(numbers)
        self._on_rows(numbers[0], numbers[-1])

    def add_ensemble(self, made: EnsembleRun) -> RunDetails:
        """Add a run whose rows join those of others, still without its rows."""
        first = made.first
        images = first.inputs.images if first.inputs else ()
        run = self.table.begin(
            made.card,
            made.checksum,
            made.options,
            first.axes,
            len(made.rows),
            inputs=Inputs(ModelInput(""), images, made.made),
        )
        targets = self.places.targets(first.number)
        self.places.begin(run.number, targets)
        self.maps.sources.restore(run.number, targets, images)
        self.run_changed.emit()
        return run

    def add_rows(self, run: RunDetails, rows: RowList) -> None:
        """Add rows of a run that is not computed now."""
        numbers = self.table.append(run, rows)
        self._on_rows(numbers[0], numbers[-1])

    def _show(self, run: Run) -> None:
        self.run = run  # the last one has ended and emits nothing more
        run.rows_added.connect(self._on_rows)
        run.ended.connect(self._on_ended)
        self._notice.begin()
        self.run_changed.emit()

    def _on_rows(self, first: int, last: int) -> None:
        number = int(self.table.run_numbers[first])
        self.places.add(number, self.table.rows[first : last + 1], first)
        self.rows_added.emit(first, last)

    def _on_ended(self) -> None:
        if self.run is not None and (self.run.error is not None or self.run.cancelled):
            self.stopped[self.run.details.number] = str(self.run.error or "cancelled")
        if self.run is not None:
            self.regions.write(self.run)
            self._notice.end(self.run)
        self.run_ended.emit()
        if self.run is not None and self.run.error is not None:
            self.model_changed.emit()  # the run may have shown that the model lacks a setting


_sessions: WeakKeyDictionary[Any, ViewerSession] = WeakKeyDictionary()


def session_of(viewer: Any) -> ViewerSession:
    """Return the session of a viewer; it lives as long as the viewer."""
    viewer = unwrapped(viewer)
    if viewer not in _sessions:
        _sessions[viewer] = ViewerSession()
    return _sessions[viewer]
