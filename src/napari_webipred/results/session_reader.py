"""Reads a session from a file, which may come from anybody."""

from __future__ import annotations

import base64
import math
from collections.abc import Generator, Iterator
from datetime import UTC
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from msgspec import Struct, field
from msgspec.structs import replace
from numpy.typing import NDArray
from pydantic import ValidationError

from napari_webipred import file_errors, safe_json
from napari_webipred.errors import OptionError
from napari_webipred.names import unescape, visible
from napari_webipred.results.calibration import Calibration
from napari_webipred.results.columns import measures
from napari_webipred.results.inputs import ChannelInput, ImageInput, ModelInput, Parts, RegionInput, corners
from napari_webipred.results.prediction import as_cell
from napari_webipred.results.probabilities import assigned
from napari_webipred.results.reading import NONE, Reading, in_seconds
from napari_webipred.results.row import Row
from napari_webipred.results.row_list import RowList
from napari_webipred.results.saved_session import (
    BEGIN,
    END,
    FORMAT,
    MOST_BYTES,
    MOST_ROWS,
    MOST_RUNS,
    VERSION,
    SavedRun,
    SavedSession,
)
from napari_webipred.results.session_schema import (
    IMAGES,
    Head,
    Image,
    ImageParts,
    LayerImage,
    LayerParts,
    Region,
    Rows,
    Run,
    Said,
)

ANOTHER = "Choose a file that this program has saved with “Save session…”."

MOST_PARTS = 500_000  # files, channels, regions and corners of all images, which take some hundred bytes each

# Options that were not there from the first, and their usual values, which say nothing.
_LATER = {"views": None, "reference": False, "precision": "float32", "device": "cpu", "difference": None}


def load(path: Path) -> Generator[None, None, SavedSession]:
    """Read a session, step by step. All that stands in it may come from anybody.

    Raises
    ------
    OptionError
        The file cannot be read, or is no session that this version of the program knows.
    """
    try:
        with path.open("rb") as file:
            if path.stat().st_size > MOST_BYTES:
                raise OptionError(f"{path.name} is too large to be a session.", ANOTHER)
            head = _head(file.readline(safe_json.MAX_BYTES), path)
            reader = _Reader()
            for line in _parts(file):
                reader.add(safe_json.parse(line))
                yield
        return SavedSession(reader.finished(), head.form.model_dump(exclude_none=True))
    except OSError as error:
        reason, remedy = file_errors.reading(error)
        raise OptionError(f"{path.name} cannot be read: {reason}.", remedy) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise OptionError(f"The session {path.name} is damaged: {place}: {first['msg']}.", ANOTHER) from error
    except ValueError as error:
        raise OptionError(f"The session {path.name} is damaged: {error}.", ANOTHER) from error


class _Begun(Struct):
    """A run whose rows are still coming."""

    run: Run
    images: list[ImageInput] = field(default_factory=list)
    rows: RowList = field(default_factory=RowList)
    comments: dict[int, str] = field(default_factory=dict)
    readings: dict[int, Reading] = field(default_factory=dict)


class _Reader:
    """Puts the lines of a file together."""

    def __init__(self) -> None:
        self._runs: list[_Begun] = []
        self._rows = self._parts = 0

    def add(self, part: Any) -> None:
        """Take a line."""
        if not isinstance(part, dict) or len(part) != 1:
            raise ValueError("a part of it has no name")
        ((name, content),) = part.items()
        if name == "run":
            if len(self._runs) == MOST_RUNS:
                raise ValueError(f"it has more than {MOST_RUNS} runs")
            self._runs.append(_Begun(Run.model_validate(content)))
        elif not self._runs:
            raise ValueError("it does not begin with a run")
        elif name == "images":
            self._runs[-1].images.extend(map(self._kept, map(_image, IMAGES.validate_python(content))))
        elif name == "rows":
            self._add_rows(Rows.model_validate(content))
        else:
            raise ValueError(f"it has a part called {name!r:.50}")

    def finished(self) -> tuple[SavedRun, ...]:
        """Return the runs."""
        return tuple(map(_finished, self._runs))

    def _kept(self, image: ImageInput) -> ImageInput:
        """Leave out what an image consists of as soon as that is too much of all images together."""
        self._parts += _count(image.parts)
        return image if self._parts <= MOST_PARTS else replace(image, parts=None)

    def _add_rows(self, block: Rows) -> None:
        begun = self._runs[-1]
        run, images, rows = begun.run, begun.images, begun.rows
        count, classes = len(block.source), len(run.card.classes)
        self._rows += count
        if self._rows > MOST_ROWS:
            raise ValueError(f"it has more than {MOST_ROWS} rows")
        if not count == len(block.position) == len(block.intensity_range):
            raise ValueError("its columns have different lengths")
        if any(source >= len(images) for source in block.source):
            raise ValueError("a row is of an image that it does not list")
        numbers = _numbers(block.probabilities, count, classes)
        names = measures(run.card.class_names, dict(run.options))
        measured = _numbers(block.measures, count, len(names)) if names else [None] * count
        begun.comments.update({len(rows) + i: text for i, text in block.comment.items() if i in range(count)})
        for i, said in block.reader.items():
            if i in range(count):
                begun.readings[len(rows) + i] = _reading(said, run)
        for i in range(count):
            row = Row(
                block.source[i],
                images[block.source[i]].name,
                dict(block.position[i]),
                error=visible(block.error.get(i, "")),
                intensity_range=block.intensity_range[i],
                region=visible(block.region.get(i, "")),
                reading=visible(block.reading.get(i, "")),
                remark=visible(block.remark.get(i, "")),
            )
            known = block.assigned.get(i)
            rows.append(row if row.error else _classified(row, numbers[i], measured[i], run, known))


def _finished(begun: _Begun) -> SavedRun:
    run = begun.run
    model, settings = run.model, run.model.settings.model_dump(exclude_none=True)
    return SavedRun(
        run.begun if run.begun.tzinfo else run.begun.replace(tzinfo=UTC),
        run.card,
        visible(run.checksum),
        {name: value for name, value in run.options if name not in _LATER or value != _LATER[name]},
        run.axes,
        run.total,
        ModelInput(unescape(model.reference), model.is_path, settings),
        tuple(begun.images),
        begun.rows,
        begun.comments,
        begun.readings,
        _calibration(run),
        run.ensemble.model_dump(mode="json", exclude_none=True) if run.ensemble else None,
    )


def _reading(said: Said, run: Run) -> Reading:
    if not {*said.classes} <= {*run.card.class_names, NONE}:
        raise ValueError("a reader has given a class that its model does not have")
    return Reading(said.classes, said.comment, in_seconds(said.time))


def _head(line: bytes, path: Path) -> Head:
    try:
        found = safe_json.parse(line.removesuffix(BEGIN) + b"}") if line.endswith(BEGIN) else None
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise OptionError(f"{path.name} is not a session of napari-webipred.", ANOTHER)
    if found.get("version") != VERSION:
        raise OptionError(
            f"{path.name} was saved by another version of napari-webipred ({found.get('program')!s:.50}).",
            "Install that version, or a newer one, to open it.",
        )
    return Head.model_validate(found)


def _parts(file: BinaryIO) -> Iterator[bytes]:
    """Yield each part, without the comma behind it."""
    line = file.readline(safe_json.MAX_BYTES)
    while line and line != END:
        yield line.rstrip().removesuffix(b",")
        line = file.readline(safe_json.MAX_BYTES)
    if not line:
        raise ValueError("its end is missing")


def _calibration(run: Run) -> Calibration | None:
    found = run.calibration
    if found is None:
        return None
    said = found.model_dump(exclude={"temperature"})
    temperature = math.nan if found.temperature is None else found.temperature
    return Calibration(classes=tuple(run.card.class_names), temperature=temperature, **said)


def _image(found: Image | LayerImage) -> ImageInput:
    """Make an image of what stands in the file."""
    return ImageInput(
        visible(found.name),
        unescape(found.layer),
        None if found.path is None else unescape(found.path),
        found.shape,
        found.dtype,
        found.rgb,
        found.axes,
        found.colours,
        found.scale,
        found.intensity_range,
        found.steps,
        None if found.parts is None else _of_parts(found.parts),
        found.instances,
    )


def _of_parts(found: LayerParts) -> Parts:
    files = tuple(map(unescape, found.files))
    if not isinstance(found, ImageParts):
        return Parts(found.steps, files=files)
    channels = (ChannelInput(_image(each.image), each.colour, each.range) for each in found.channels)
    regions = None if found.regions is None else tuple(map(_region, found.regions))
    return Parts(found.steps, tuple(channels), files, regions, found.left_out)


def _count(parts: Parts | None) -> int:
    """Count what an image consists of."""
    if parts is None:
        return 0
    of_channels = sum(1 + _count(channel.image.parts) for channel in parts.channels)
    return len(parts.files) + corners(parts.regions or ()) + of_channels


def _region(found: Region) -> RegionInput:
    return RegionInput(visible(found.name), found.box, found.index, found.outline, found.masked)


def _numbers(text: str, rows: int, classes: int) -> NDArray[np.float32]:
    try:
        content = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise ValueError("its probabilities cannot be read") from error
    if len(content) != rows * classes * 4:
        raise ValueError("it has another number of probabilities than of classes")
    numbers = np.frombuffer(content, "<f4").astype(np.float32).reshape(rows, classes)
    if not np.isfinite(numbers).all():
        raise ValueError("some of its probabilities are not finite")
    return numbers


def _classified(
    row: Row,
    probabilities: NDArray[np.float32],
    measured: NDArray[np.float32] | None,
    run: Run,
    known: tuple[int, ...] | None,
) -> Row:
    """Add the probabilities, and the classes: those of an ensemble that are known, or what follows from the numbers."""
    if known is not None and not all(index < len(run.card.classes) for index in known):
        raise ValueError("a row has a class that its model does not have")
    classes = assigned(probabilities, run.card, run.options.threshold) if known is None else known
    names = as_cell(run.card.classes[index].name for index in classes)
    return replace(row, probabilities=probabilities, assigned=classes, prediction=names, measures=measured)
