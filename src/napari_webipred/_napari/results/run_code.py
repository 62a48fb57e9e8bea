"""Copies what a run did as code for Python or a shell."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from napari.layers import Image
from qtpy.QtCore import QObject
from qtpy.QtGui import QGuiApplication

from napari_webipred._napari.images.layer_input import found_again
from napari_webipred._napari.images.layers import image_layers, source_of
from napari_webipred._napari.results.save_menu import SaveMenu
from napari_webipred._napari.task import Task
from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred._napari.widgets.message import Message
from napari_webipred.errors import OptionError, WebIPredError
from napari_webipred.imaging.source import Source
from napari_webipred.results.inputs import ChannelInput, ImageInput, Inputs
from napari_webipred.results.session_table import RunDetails

CHANGED = "Copy the code for the open layers, or save the layer as a file."


class RunCode(QObject):
    """Copies code when an item of the menu is chosen.

    Parameters
    ----------
    run : callable
        Returns the run that the code is to repeat; None if there is none.
    """

    def __init__(
        self,
        viewer: Any,
        session: ViewerSession,
        run: Callable[[], RunDetails | None],
        menu: SaveMenu,
        message: Message,
    ) -> None:
        super().__init__(menu)
        self._viewer = viewer
        self._session = session
        self._run = run
        self._message = message
        self._task: Task | None = None
        menu.python_layers.triggered.connect(self._copy_for_layers)
        menu.python_files.triggered.connect(lambda: self._copy_for_files(shell=False))
        menu.shell_files.triggered.connect(lambda: self._copy_for_files(shell=True))

    def _copy_for_layers(self) -> None:
        if (found := self._inputs()) is None:
            return
        run, inputs = found
        try:
            images = named_now(inputs.images, image_layers(self._viewer))
        except OptionError as error:
            self._message.show_error(error)
            return
        code = for_layers(run, Inputs(inputs.model, images))
        self._start(code, run, "Paste it into napari's console (the button with >_).")

    def _copy_for_files(self, shell: bool) -> None:
        if (found := self._inputs()) is None:
            return
        run, inputs = found
        images = [each for image in inputs.images for each in _with_files(image)]
        layers = found_again(images, image_layers(self._viewer))
        pairs = [(_source(layer), image) for layer, image in zip(layers, images, strict=True)]
        where = "a terminal" if shell else "a script or a notebook"
        hint = f"Paste it into {where}. It names the images by their files."
        self._start(for_files(run, inputs, pairs, shell), run, hint)

    def _inputs(self) -> tuple[RunDetails, Inputs] | None:
        run = self._run()
        if run is not None and run.ensemble:
            joined = "The rows of this run join those of other runs."
            self._message.show_error(OptionError(joined, "Choose a row of one of these, and copy its code."))
            return None
        if run is None or run.inputs is None:
            unknown = "It is not known how this run read its images."
            self._message.show_error(OptionError(unknown, "Classify the images again."))
            return None
        return run, run.inputs

    def _start(self, work: Generator[None, None, str], run: RunDetails, hint: str) -> None:
        self._task = Task(work)
        self._task.done.connect(lambda code: self._on_done(code, run, hint))
        self._task.failed.connect(self._message.show_error)
        self._task.start()

    def _on_done(self, code: str, run: RunDetails, hint: str) -> None:
        QGuiApplication.clipboard().setText(code)
        self._message.show_note(f"Copied the code of run {run.number}.", hint)


def named_now(images: Sequence[ImageInput], layers: Sequence[Image]) -> tuple[ImageInput, ...]:
    """Return images with the names that their layers have now.

    Raises
    ------
    OptionError
        A layer that the code needs is not open.
    """
    named: list[ImageInput] = []
    for image, layer in zip(images, found_again(images, layers), strict=True):
        if image.parts is not None and image.channels:
            of_channels = named_now([channel.image for channel in image.channels], layers)
            channels = map(_with_image, image.channels, of_channels)
            named.append(replace(image, parts=replace(image.parts, channels=tuple(channels))))
        elif image.layer and layer is None and not image.files:
            raise OptionError(f"{image.name} is not open.", "Open the image, or copy the code for the files.")
        else:
            named.append(image if layer is None else replace(image, layer=layer.name))
    return tuple(named)


def _with_image(channel: ChannelInput, image: ImageInput) -> ChannelInput:
    return replace(channel, image=image)


def _with_files(image: ImageInput) -> list[ImageInput]:
    """Return what is read from one file each; a series is read from its own list of files."""
    if image.channels:
        return [each for channel in image.channels for each in _with_files(channel.image)]
    return [] if image.files else [image]


def for_layers(run: RunDetails, inputs: Inputs) -> Generator[None, None, str]:
    """Return code for napari's console; the images have the names that their layers have now."""
    from napari_webipred.results import script

    yield
    return script.python_of_layers(inputs.images, _model(run, inputs), _options(run), _heading(run))


def for_files(
    run: RunDetails,
    inputs: Inputs,
    sources: Sequence[tuple[Source | None, ImageInput]],
    shell: bool,
) -> Generator[None, None, str]:
    """Return code for the files of a run.

    Parameters
    ----------
    sources : sequence of Source or None and ImageInput
        The open layers: a file that does not contain the pixels of its layer is refused. None is not open.

    Raises
    ------
    OptionError
        It cannot be written as code, or would give other numbers.
    """
    from napari_webipred.results import command, script

    model = _model(run, inputs)
    if shell:
        code = command.shell(inputs.images, model, _options(run), os.name)
    else:
        code = script.python_of_files(inputs.images, model, _options(run), _heading(run))
    for source, image in sources:
        if source is not None and image.path is not None:
            yield
            _compare(source, Path(image.path), image.steps != ())
    return code


def _compare(source: Source, path: Path, in_part: bool) -> None:
    """Refuse a file of which the first or the last plane is not that of the layer.

    If the layer was taken in part, the file has to have the same axes, too.
    """
    import numpy as np

    from napari_webipred.imaging.readers import file_source, read

    file = file_source(path)
    ends = [[tuple(end(n) for n in each.shape) for end in (_first, _last)] for each in (file, source)]
    try:
        if len(file) == len(source) and (file.shape == source.shape or not in_part):
            pairs = [(read(file, a), read(source, b)) for a, b in zip(*ends, strict=True)]
            if all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in pairs):
                return
    except WebIPredError as error:
        raise OptionError(f"The file of {source.name} cannot be used: {error.message}", CHANGED) from error
    raise OptionError(f"{source.name} has other pixels than its file: it was changed, or read differently.", CHANGED)


def _first(length: int) -> int:
    return 0


def _last(length: int) -> int:
    return length - 1


def _source(layer: Image | None) -> Source | None:
    return None if layer is None else source_of(layer)


def _model(run: RunDetails, inputs: Inputs) -> Any:
    """Return the model with all settings of the user, also those that are stored in the cache."""
    from msgspec.structs import asdict

    from napari_webipred.cache import overrides

    try:
        stored = asdict(overrides.load(run.checksum))
    except ValueError:  # not a checksum of ours
        stored = {}
    said = {name: value for name, value in stored.items() if value is not None}
    return replace(inputs.model, settings={**said, **inputs.model.settings})


def _options(run: RunDetails) -> dict[str, Any]:
    """Return the options of a run; thresholds that were kept stand there by their name."""
    kept = run.card.thresholds
    return dict(run.options) | ({"threshold": kept} if kept else {})


def _heading(run: RunDetails) -> str:
    return f"Run {run.number} of napari-webipred, {run.begun:%Y-%m-%d %H:%M}, model {run.card.name} ({run.checksum})"
