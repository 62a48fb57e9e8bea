"""Saves a session, opens one, and finds its images again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_webipred._napari.chosen_file import named_briefly
from napari_webipred._napari.form import ClassifyForm
from napari_webipred._napari.form_settings import apply, plain_settings
from napari_webipred._napari.images.layer_input import found_again, layers_again, row_axes_of
from napari_webipred._napari.images.layers import image_layers
from napari_webipred._napari.images.place import Target
from napari_webipred._napari.task import Task
from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred._napari.widgets.message import Message
from napari_webipred._napari.widgets.question import Answer, ask
from napari_webipred._napari.widgets.slices import in_slices
from napari_webipred.errors import OptionError
from napari_webipred.results.inputs import ImageInput
from napari_webipred.results.session_table import Entries, RunDetails

if TYPE_CHECKING:
    from napari_webipred.results.saved_session import SavedRun, SavedSession

FILTER = "Session (*.webipred.json)"
ROWS_AT_ONCE = 1000  # so many are added before the window may do something else
MOST_FOLDERS = 3


class SessionFiles(QObject):
    """Saves sessions and opens them.

    Parameters
    ----------
    message : callable
        Returns where to say what has become of the session.
    """

    def __init__(
        self, viewer: Any, session: ViewerSession, form: ClassifyForm, message: Callable[[], Message], window: QWidget
    ) -> None:
        super().__init__(window)
        self._viewer = viewer
        self._session = session
        self._form = form
        self._message = message
        self._window = window
        self._task: Task | None = None
        self._changed_since = False
        session.rows_changed.connect(self._on_rows_changed)
        session.row_read.connect(self._on_rows_changed)

    def _on_rows_changed(self) -> None:
        self._changed_since = True

    def save(self) -> None:
        """Ask for a file, and write the session in a background thread."""
        suggested = f"session-{datetime.now():%Y-%m-%d}.webipred.json"
        name, _ = QFileDialog.getSaveFileName(self._window, "Save session", suggested, FILTER)
        if not name:
            return
        table = self._session.table
        entries = Entries(table, table.numbers)
        self._changed_since = False
        self._start(
            write(Path(name), list(table.runs), entries, plain_settings(self._form)), partial(self._on_saved, entries)
        )

    def _on_saved(self, entries: Entries, path: Path) -> None:
        count = f"{len(entries)} row{'s' * (len(entries) != 1)}"
        if self._changed_since:
            self._message().show_note(f"Saved {count} to {path.name}.", "Rows were changed meanwhile. Save them again.")
            return
        self._session.mark_saved(entries.numbers)
        self._message().show_note(f"Saved {count} to {path.name}.", "“Open session…” continues from there.")

    def open(self) -> None:
        """Ask for a file, read it in a background thread, and add its runs to the table."""
        name, _ = QFileDialog.getOpenFileName(self._window, "Open session", "", f"{FILTER};;All files (*)")
        if name:
            self._start(read(Path(name)), partial(self._on_read, Path(name).name))

    def _start(self, work: Generator[Any, None, Any], then: Any) -> None:
        self._task = Task(work)
        self._task.done.connect(then)
        self._task.failed.connect(lambda error: self._message().show_error(error))
        self._task.start()

    def _on_read(self, name: str, saved: SavedSession) -> None:
        apply(self._form, self._session, saved.form)
        runs: list[RunDetails] = []
        in_slices(self._restored(saved.runs, runs), self, partial(self._on_restored, name, runs))

    def _restored(self, saved: Sequence[SavedRun], runs: list[RunDetails]) -> Iterator[None]:
        """Add runs to the table, some rows at a time."""
        for each in saved:
            run = self._session.restore(each, self._targets(each.images))
            runs.append(run)
            for first in range(0, len(each.rows), ROWS_AT_ONCE):
                self._session.restore_rows(each, run, range(first, min(first + ROWS_AT_ONCE, len(each.rows))))
                yield

    def _targets(self, images: Sequence[ImageInput]) -> list[Target]:
        layers = layers_again(images, image_layers(self._viewer))
        return [Target(some, row_axes_of(image), _path(image)) for image, some in zip(images, layers, strict=True)]

    def _on_restored(self, name: str, runs: list[RunDetails]) -> None:
        rows = sum(len(self._session.table.rows_of(run)) for run in runs)
        missing = self._missing(runs)
        words = f"Opened {name}: {len(runs)} run{'s' * (len(runs) != 1)}, {rows} row{'s' * (rows != 1)}."
        self._message().show_note(words, _of_missing(missing))
        self._ask(runs, missing)

    def _ask(self, runs: list[RunDetails], missing: Sequence[ImageInput]) -> None:
        """Ask whether files may be opened and read that a session names."""
        images = [image for run in runs for image in (run.inputs.images if run.inputs else ())]
        opened = dict.fromkeys(image.path for image in missing if image.path is not None)
        if not opened and not any(image.own_files for image in images if not image.layer):
            return
        # Those of layers that are open, too: they may be closed later.
        read = dict.fromkeys(path for image in images for path in image.own_files)
        words = [f"Open {_files(opened)} of the session"] if opened else []
        if read:
            which = f"and read {_files(read)}" if opened else f"Read {_files(read)} of the session"
            words.append(f"{which} when you explain, open or report their rows")
        folders = list(dict.fromkeys(str(Path(path).parent) for path in (*opened, *read)))
        where = ", ".join(folders[:MOST_FOLDERS]) + (", …" if len(folders) > MOST_FOLDERS else "")
        question = f"{', '.join(words)}?\nFrom {where}"  # of a question, only this is shown as plain text

        def allow() -> None:
            for run in runs:
                self._session.maps.sources.allow_files(run.number)
            if opened:
                self._open_files(list(opened), runs)

        ask(self._window, "Images of the session", question, "", [Answer("Open" if opened else "Allow", allow)])

    def _missing(self, runs: Sequence[RunDetails]) -> list[ImageInput]:
        """Return the images that are not open; files that were classified themselves need not be."""
        given = [image for run in runs for image in (run.inputs.images if run.inputs else ()) if image.layer]
        images = [each for image in given for each in ([channel.image for channel in image.channels] or [image])]
        layers = found_again(images, image_layers(self._viewer))
        return [image for image, layer in zip(images, layers, strict=True) if layer is None]

    def _open_files(self, paths: list[str], runs: list[RunDetails]) -> None:
        failed: list[str] = []
        in_slices(self._opened(paths, failed), self, partial(self._on_opened, runs, failed))

    def _opened(self, paths: list[str], failed: list[str]) -> Iterator[None]:
        for path in paths:
            try:
                self._viewer.open(path)
            except Exception:  # readers of other plugins may fail in any way
                failed.append(Path(path).name)
            yield

    def _on_opened(self, runs: list[RunDetails], failed: list[str]) -> None:
        for run in runs:
            if run.inputs is not None:
                self._session.places.take(run.number, layers_again(run.inputs.images, image_layers(self._viewer)))
        if failed:
            error = OptionError(
                f"{failed[0]} could not be opened.", "Check that the file is there. Its rows stay in the table."
            )
            self._message().show_error(error)
        else:
            missing = self._missing(runs)
            self._message().show_note("The images are open.", _of_missing(missing))


def write(
    path: Path, runs: Sequence[RunDetails], entries: Entries, form: dict[str, Any]
) -> Generator[None, None, Path]:
    """Write a session; return the path of its file."""
    from napari_webipred.results import session_writer
    from napari_webipred.results.saved_session import SUFFIX, SavedRun, SavedSession

    may_replace = path.name.endswith(SUFFIX)  # else the dialog has not asked about the completed name
    path = path if may_replace else path.with_name(path.name + SUFFIX)
    if not may_replace and path.exists():
        raise OptionError(f"{path.name} already exists.", "To replace it, type its full name.")
    saved: dict[int, SavedRun] = {}
    for run in runs:
        if run.inputs is not None:
            facts = (run.begun, run.card, run.checksum, run.options, run.axes, run.total)
            saved[run.number] = SavedRun(
                *facts, run.inputs.model, run.inputs.images, calibration=run.calibration, ensemble=run.ensemble
            )
    for entry in entries:
        run_saved = saved.get(entry.run.number)
        if run_saved is not None:
            if entry.comment:
                run_saved.comments[len(run_saved.rows)] = entry.comment
            if entry.reading:
                run_saved.readings[len(run_saved.rows)] = entry.reading
            run_saved.rows.append(entry.row)
        yield
    try:
        yield from session_writer.save(path, SavedSession(tuple(saved.values()), form))
    except OptionError as error:
        raise named_briefly(error, path) from error
    return path


def read(path: Path) -> Generator[None, None, SavedSession]:
    """Read a session."""
    from napari_webipred.results import session_reader

    return (yield from session_reader.load(path))


def _path(image: ImageInput) -> Path | None:
    return None if image.layer or image.path is None else Path(image.path)


def _files(paths: Collection[str]) -> str:
    return f"{len(paths)} file{'s' * (len(paths) != 1)}"


def _of_missing(images: Sequence[ImageInput]) -> str:
    """Say which images are not open."""
    if not images:
        return ""
    more = f" and {len(images) - 1} more" if len(images) > 1 else ""
    return f"Not open: {images[0].name}{more}. The rows stay."
