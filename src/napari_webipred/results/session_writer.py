"""Writes a session to a file."""

from __future__ import annotations

import base64
import json
from collections.abc import Generator, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import asdict, replace
from numpy.typing import NDArray

from napari_webipred import safe_json
from napari_webipred.errors import OptionError
from napari_webipred.names import escape
from napari_webipred.results.columns import measures
from napari_webipred.results.inputs import ImageInput, Parts
from napari_webipred.results.output import Kind, being_replaced, claimed, unwritable
from napari_webipred.results.reading import Reading, written
from napari_webipred.results.row import Row
from napari_webipred.results.saved_session import (
    BEGIN,
    BETWEEN,
    END,
    FORMAT,
    MOST_BYTES,
    MOST_ROWS,
    MOST_RUNS,
    SUFFIX,
    VERSION,
    SavedRun,
    SavedSession,
)
from napari_webipred.results.session_schema import LONGEST

_BLOCK = 500  # rows or images in a line
_NUMBERS = 2**19  # probabilities in a line
# Of the rows or images in a line: the reader takes no more, and the rest is for what stands around them.
_BYTES, _VALUES = safe_json.MAX_BYTES - 100, safe_json.MAX_VALUES - 100
_PARTS = MOST_BYTES // 4  # bytes of images with their parts in a file, so that space is left for the rows


def _is_ours(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(100).startswith(_json({"format": FORMAT})[:-1])


KIND = Kind(f"a session is a file that ends in {SUFFIX}", (".json",), _is_ours)


def save(path: Path, session: SavedSession) -> Generator[None, None, None]:
    """Write a session, step by step; a file that is there already is replaced when all is written.

    Raises
    ------
    OptionError
        The file cannot be written, or is no session and must not be replaced; or there are too many rows.
    """
    if sum(len(run.rows) for run in session.runs) > MOST_ROWS or len(session.runs) > MOST_RUNS:
        raise OptionError(
            f"A session file has space for {MOST_ROWS:,} rows and {MOST_RUNS:,} runs.", "Save the rows as a CSV file."
        )
    with claimed(path, KIND, lambda there: there == path) as target:
        try:
            with being_replaced(target) as file:
                head = {"format": FORMAT, "version": VERSION, "made": datetime.now(UTC).isoformat(timespec="seconds")}
                head |= {"program": version("napari-webipred"), "form": dict(session.form)}
                file.write(_json(head)[:-1] + BEGIN)
                between = b""
                for part in _parts(session.runs):
                    file.write(between + part)
                    between = BETWEEN
                    yield
                file.write((b"\n" if between else b"") + END)
                if file.tell() > MOST_BYTES:
                    raise OptionError("The session is too large for a file.", "Save the rows as a CSV file.")
        except OSError as error:
            raise unwritable(path, error) from error


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=True, allow_nan=False).encode()


def _parts(runs: Iterable[SavedRun]) -> Iterator[bytes]:
    space = _PARTS
    for run in runs:
        said = {
            "begun": run.begun.isoformat(),
            "card": run.card.model_dump(mode="json", exclude_defaults=True),
            "checksum": run.checksum,
            "options": dict(run.options),
            "axes": run.axes,
            "total": run.total,
            "model": {**asdict(run.model), "reference": escape(run.model.reference)},
            **({"calibration": run.calibration.as_dict()} if run.calibration else {}),
            **({"ensemble": dict(run.ensemble)} if run.ensemble else {}),
        }
        yield _json({"run": said})
        for images in _images(run.images, space):
            space -= len(images)
            yield b'{"images": [' + images + b"]}"
        block = max(1, min(_BLOCK, _NUMBERS // max(1, len(run.card.classes))))
        for first in range(0, len(run.rows), block):
            yield from _rows(run, first, run.rows[first : first + block])


def _image(image: ImageInput) -> dict[str, Any]:
    path = None if image.path is None else escape(image.path)
    said = {**asdict(image), "layer": escape(image.layer), "path": path}
    parts = said.pop("parts")
    return said if parts is None else {**said, "parts": _of_parts(parts)}


def _of_parts(parts: Parts) -> dict[str, Any]:
    return {
        "steps": parts.steps,
        "files": list(map(escape, parts.files)),
        "channels": [{**asdict(channel), "image": _image(channel.image)} for channel in parts.channels],
        "regions": None if parts.regions is None else list(map(asdict, parts.regions)),
        "left_out": parts.left_out,
    }


def _images(images: Sequence[ImageInput], space: int) -> Iterator[bytes]:
    """Yield the images of each line; those without their parts that the line, or the space, is too small for."""
    block: list[bytes] = []
    length = values = 0
    for image in images:
        text = _json(_image(image))
        if image.parts is not None and not (len(text) <= space and _fits(text)):
            text = _json(_image(replace(image, parts=None)))
        of_it = safe_json.values(text) + 1
        if block and (len(block) == _BLOCK or length + len(text) > _BYTES or values + of_it > _VALUES):
            yield b",".join(block)
            block, length, values = [], 0, 0
        block.append(text)
        length, values, space = length + len(text) + 1, values + of_it, space - len(text)
    if block:
        yield b",".join(block)


def _fits(text: bytes) -> bool:
    """Tell whether the reader takes a line with this text."""
    return len(text) <= _BYTES and safe_json.values(text) <= _VALUES


def _rows(run: SavedRun, first: int, rows: Sequence[Row]) -> Iterator[bytes]:
    """Yield rows in a line, or in several if the texts and classes of some are long."""
    text = _json({"rows": _block(run, first, rows)})
    half = len(rows) // 2
    if half and not _fits(text):
        yield from _rows(run, first, rows[:half])
        yield from _rows(run, first + half, rows[half:])
    else:
        yield text


def _block(run: SavedRun, first: int, rows: Sequence[Row]) -> dict[str, Any]:
    measured = len(measures(run.card.class_names, run.options))
    texts = {
        name: {str(i): text[:LONGEST] for i, row in enumerate(rows) if (text := getattr(row, name))}
        for name in ("error", "region", "reading", "remark")
    }
    comments = {str(i): text[:LONGEST] for i in range(len(rows)) if (text := run.comments.get(first + i))}
    readings = {str(i): _said(said) for i in range(len(rows)) if (said := run.readings.get(first + i))}
    return {
        "source": [row.source for row in rows],
        "position": [list(row.position.items()) for row in rows],
        "intensity_range": [row.intensity_range for row in rows],
        "probabilities": _numbers([row.probabilities for row in rows], len(run.card.classes)),
        **({"measures": _numbers([row.measures for row in rows], measured)} if measured else {}),
        **texts,
        "comment": comments,
        **({"reader": readings} if readings else {}),
        **({"assigned": _assigned(rows)} if run.ensemble else {}),
    }


def _assigned(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the classes of each row, which do not follow from the numbers of a majority."""
    return {str(i): row.assigned for i, row in enumerate(rows) if row.probabilities is not None}


def _said(reading: Reading) -> dict[str, Any]:
    return {"classes": reading.classes, "comment": reading.comment[:LONGEST], "time": written(reading.time)}


def _numbers(rows: Sequence[NDArray[np.float32] | None], width: int) -> str:
    """Write numbers as float32, little endian, row by row; zeros for a row that has none."""
    numbers = np.zeros((len(rows), width), "<f4")
    for i, row in enumerate(rows):
        if row is not None:
            numbers[i] = row
    return base64.b64encode(numbers.tobytes()).decode()
