"""Opening the chosen model."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_webipred._napari.models.entry import Entry
from napari_webipred._napari.task import Task
from napari_webipred.errors import ModelError, OptionError, WebIPredError
from napari_webipred.results.inputs import ModelInput

if TYPE_CHECKING:
    from napari_webipred.model import Model
    from napari_webipred.opening import Progress
    from napari_webipred.runtime.outputs import ModelOutput


class Loading(QObject):
    """Opens and warms up the chosen model in a background thread.

    Attributes
    ----------
    entry : Entry or None
        The chosen model.
    model : Model or None
        The model once it is ready.
    progress : Progress or None
        The progress while it is being opened.
    error : Exception or None
        Why it could not be opened.
    tried : dict
        The settings that the user has just made. They become those of the entry when the model opens with them; if it
        does not, others take their place.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.entry: Entry | None = None
        self.model: Model | None = None
        self.progress: Progress | None = None
        self.error: Exception | None = None
        self.tried: dict[str, Any] = {}
        self._allow_slow = False
        self._task: Task | None = None

    def choose(self, entry: Entry | None) -> None:
        """Choose a model; it is opened at once if no network is needed for that."""
        self.cancel()
        self.entry, self.model, self.error, self.tried, self._allow_slow = entry, None, None, {}, False
        if entry is not None and entry.here:
            self.start()
        else:
            self.changed.emit()

    def start_anyway(self) -> None:
        """Open the chosen model although it is very slow."""
        self._allow_slow = True
        self.start()

    def start_with(self, overrides: dict[str, Any]) -> None:
        """Open the chosen model with the user's settings."""
        self.tried = overrides
        self.start()

    def start(self, *, replace: bool = False) -> None:
        """Open the chosen model; one that is not on this machine is downloaded.

        Files that differ from those on this machine are used only if `replace` is true.
        """
        from napari_webipred.opening import Progress  # the panel opens sooner without it

        assert self.entry is not None
        self.model, self.error = None, None
        self.progress = Progress("load" if self.entry.here and not replace else "download")
        self._task = Task(_open(self.entry.reference, self.entry.overrides | self.tried, self._allow_slow, replace))
        self._task.events.connect(self._on_events)
        self._task.done.connect(self._on_done)
        self._task.failed.connect(self._on_failed)
        self._task.start()
        self.changed.emit()

    def cancel(self) -> None:
        """Stop opening the model."""
        if self._task is not None:
            self._task.cancel()
            self._end()
            self.changed.emit()

    @property
    def seconds_left(self) -> float | None:
        """Estimated seconds until the download is complete; None if unknown."""
        return self.progress.seconds_left if self.progress else None

    @property
    def undecided(self) -> Sequence[ModelOutput]:
        """The outputs of the model, if it could not be opened because nothing decides which of them gives the classes.

        Otherwise there are none.
        """
        if self.error is None:
            return ()
        from napari_webipred.runtime.outputs import UndecidedOutputError  # the panel opens sooner without it

        return self.error.outputs if isinstance(self.error, UndecidedOutputError) else ()

    @property
    def needs_settings(self) -> bool:
        """Whether settings are missing, or those of the user are wrong."""
        if self.model is None:
            return isinstance(self.error, OptionError) or (bool(self.tried) and type(self.error) is ModelError)
        return self.model.needs_settings

    @property
    def fault(self) -> WebIPredError | None:
        """Why the model cannot be used, and what to do next; None if it can be, or is being opened."""
        if self.progress is not None:
            return None
        if self.entry is None:
            return OptionError("No model is chosen.", "Choose one in step 1 of the panel: Plugins > Classify images.")
        if self.needs_settings:
            return OptionError("Some settings of the model are missing.", "Complete them in step 1 of the panel.")
        if isinstance(self.error, WebIPredError):
            return self.error
        if self.error is not None:
            return OptionError(f"{self.entry.name} cannot be used: {self.error}", "Choose another model.")
        if self.model is None:
            return OptionError(f"{self.entry.name} is not on this machine.", "Download it in step 1 of the panel.")
        return None

    def model_input(self) -> ModelInput:
        """Return what opens the chosen model again, as plain data."""
        assert self.entry is not None
        reference = self.entry.reference
        is_path = isinstance(reference, Path)
        settings = dict(self.entry.overrides) | ({"allow_slow": True} if self._allow_slow else {})
        # Links are not followed, and nothing is looked up.
        return ModelInput(os.path.abspath(reference) if is_path else str(reference), is_path, settings)  # noqa: PTH100

    def _end(self) -> None:
        self._task = self.progress = None

    def _on_events(self, events: list[Progress]) -> None:
        self.progress = events[-1]
        self.changed.emit()

    def _on_done(self, model: Model) -> None:
        assert self.entry is not None
        self._end()
        self.entry.overrides |= self.tried
        self.tried = {}
        self.model, self.entry.card, self.entry.here = model, model.card, True
        self.changed.emit()

    def _on_failed(self, error: Exception) -> None:
        self._end()
        self.error = error
        self.changed.emit()


def _open(
    reference: str | Path, settings: dict[str, Any], allow_slow: bool, replace: bool
) -> Generator[Progress, None, Model]:
    from napari_webipred.opening import Progress, opening

    wanted: dict[str, Any] = {"allow_slow": allow_slow, "replace": replace}
    model = yield from opening(reference, **settings, **{name: yes for name, yes in wanted.items() if yes})
    yield Progress("load")
    if not allow_slow:  # otherwise the first image would take twice as long
        model.warm_up()
    return model
