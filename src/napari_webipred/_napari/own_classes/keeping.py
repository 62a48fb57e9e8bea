"""The file that labels are written to whenever one changes."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import suppress
from functools import partial
from pathlib import Path

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QApplication

from napari_webipred._napari.latest import Latest
from napari_webipred.errors import OptionError
from napari_webipred.fitting import project_file
from napari_webipred.fitting.project import Contents


class Keeping(QObject):
    """Writes labels beside the window, the latest ones at the end of the program at the latest.

    Parameters
    ----------
    contents : callable
        Returns what is to be written.

    Attributes
    ----------
    path : Path or None
        The file; None if the user has named none.
    error : OptionError or None
        Why the latest labels are not in it.

    Signals
    -------
    changed
        There is another file, or the labels are in it now, or cannot be written.
    """

    changed = Signal()

    def __init__(self, contents: Callable[[], Contents], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._contents = contents
        self.path: Path | None = None
        self.error: Exception | None = None
        self._waits = False
        self._latest = Latest(self)
        self._latest.done.connect(self._on_done)
        self._latest.failed.connect(self._on_failed)
        QApplication.instance().aboutToQuit.connect(self.finish)

    @property
    def waits(self) -> bool:
        """Whether the latest labels are not in the file yet."""
        return self._waits

    def choose(self, path: Path, *, written: bool = False) -> None:
        """Write to this file from now on; it may hold all labels already."""
        self.finish()
        self.path, self.error = path, None
        self.changed.emit()
        if not written:
            self.write()

    def write(self) -> None:
        """Write, if there is a file."""
        if self.path is None:
            return
        path, contents = self.path, self._contents()
        self._waits = True
        self._latest.ask(lambda: _writing(path, contents))

    def finish(self) -> None:
        """Write what is not written yet, and wait for it."""
        if self._waits and self.path is not None:
            with suppress(RuntimeError):  # when a process ends, Qt may have deleted its timer already
                self._latest.stop()
            tell: Callable[[], None] = self._on_done
            try:
                project_file.write(self.path, self._contents())
            except OptionError as error:
                tell = partial(self._on_failed, error)
            with suppress(RuntimeError):  # or its signal
                tell()

    def _on_done(self, _: object = None) -> None:
        self._waits, self.error = False, None
        self.changed.emit()

    def _on_failed(self, error: Exception) -> None:
        self.error = error  # they still wait: the next change, or another file, tries again
        self.changed.emit()


def _writing(path: Path, contents: Contents) -> Generator[None, None, None]:
    yield
    project_file.write(path, contents)
