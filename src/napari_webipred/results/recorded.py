"""Records that are read back: what may stand in them, and what is wrong with one that was changed or cut short."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from napari_webipred import file_errors
from napari_webipred.card import Profile, Task, Views
from napari_webipred.errors import OptionError
from napari_webipred.names import readable
from napari_webipred.results.record import LARGEST_RECORD, is_record, record_path

# What readers of a record rely on. More may stand there: a newer program may have written it.
Number = Annotated[float, Meta(ge=-1e300, le=1e300)]
Count = Annotated[int, Meta(ge=0, lt=2**53)]
Values = dict[str, Any]


class Class(Struct):
    """A class, as a card has it."""

    name: str
    label: str | None = None
    threshold: Annotated[float, Meta(ge=0, le=1)] | None = None
    unit: str | None = None
    codes: list[Any] | None = None  # see `napari_webipred.reports.coding`


class Citation(Struct):
    """What to cite."""

    text: str
    doi: str | None = None
    url: str | None = None


class Remarks(Struct):
    """What should be known of a card."""

    labels: str | None = None
    assumed: list[str] = []
    notes: list[str] = []
    self_test: str | None = None
    origin: str | None = None


class Model(Struct):
    """The model of a run."""

    name: str
    checksum: str
    task: Task
    classes: list[Class]
    id: str | None = None
    version: str | None = None
    doi: str | None = None
    license: str | None = None
    description: str | None = None
    intended_use: str | None = None
    limitations: str | None = None
    authors: list[str] = []
    citations: list[Citation] = []
    thresholds: str | None = None
    output: Values | None = None
    remarks: Remarks | None = None
    reference: str = ""
    is_path: bool = False
    settings: Values = {}


class Options(Struct):
    """The options of a run, and which planes of its images were taken."""

    intensity: str | tuple[Number, Number] = "auto"
    threshold: Number = 0.5
    profile: Profile | None = None
    views: Views | None = None
    identify: bool = False
    reference: bool | Values = False
    precision: str = ""
    device: str = ""
    difference: Values | None = None
    axes: list[str] | None = None
    planes: dict[str, str] = {}
    channels: list[Count] = []
    colours: list[str] = []
    projection: dict[str, str] = {}
    outside: str = ""
    regions: str | None = None


class Planes(Struct):
    """How many planes there were."""

    asked: Count
    done: Count
    failed: Count


class Images(Struct):
    """How many images were given, and the checksum of their names."""

    count: Count
    sha256: str


class Input(Struct):
    """What is said of an image."""

    image: str
    bytes: Count | None = None
    sha256: str | None = None
    instances: str | None = None
    remarks: list[Any] = []
    reading: str = ""
    readings: list[Any] = []


class Listed(Struct):
    """The file that lists the images."""

    file: str
    sha256: str


class Ensemble(Struct):
    """How rows were made of those of other models."""

    method: str
    weights: dict[str, Number] | None = None


class Run(Struct):
    """A run."""

    model: Model
    options: Options
    planes: Planes
    complete: bool
    stopped: str | None = None
    input: Values | None = None
    preprocessing: Values | None = None
    provider: str | None = None
    calibration: Values | None = None
    ensemble: Ensemble | None = None
    notes: list[str] = []
    images: Images | None = None
    inputs: list[Input] = []
    inputs_file: Listed | None = None


class HeatMap(Struct):
    """What is about a heat map, which has a record, too."""

    model: Model


class Made(Struct):
    """What is about the program and the table."""

    made: str
    versions: dict[str, str | None]
    table_checksum: str | None = None
    python: str | None = None
    platform: str | None = None


class Several(Struct):
    """What is about a table with the rows of several runs."""

    runs: Annotated[list[Run], Meta(min_length=1)]
    complete: bool
    mapping: dict[str, dict[str, str]] | None = None
    ensemble: Ensemble | None = None


_OURS = "Put it back as it was written, or classify the images again."
_KINDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "named values",
    "null": "nothing",
}


def recorded(table: Path) -> dict[str, Any] | None:
    """Read the record beside a table.

    Returns
    -------
    dict, or None
        None if there is none.

    Raises
    ------
    OptionError
        It cannot be read, is no record, or something in it is not what it should be.
    """
    path = record_path(table)
    return read(path) if path.exists() else None


def read(path: Path) -> dict[str, Any]:
    """Read a record; see `recorded`."""
    try:
        if path.stat().st_size > LARGEST_RECORD:
            raise OptionError(f"{path} is too large to be the record of a run.", _OURS)
        content = path.read_bytes()
    except OSError as error:
        reason, remedy = file_errors.reading(error)
        raise OptionError(f"The record {path} cannot be read: {reason}.", remedy) from error
    try:
        found = json.loads(content)
        if b"\\ud" in content.lower():
            json.dumps(found, ensure_ascii=False).encode()  # half a character can be written like a whole one
    except (ValueError, RecursionError) as error:
        why = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "it is no text in UTF-8"
        raise OptionError(f"The record {path} is damaged or cut short: {why}.", _OURS) from error
    if not is_record(found):
        raise OptionError(f"{path} is no record of a run.", _OURS)
    try:
        msgspec.convert(found, Made)
        msgspec.convert(found, HeatMap if "heat_map" in found else Several if "runs" in found else Run)
    except msgspec.ValidationError as error:
        raise OptionError(f"The record {path} is damaged: {_in_words(str(error))}.", _OURS) from error
    return dict(found)


def _in_words(message: str) -> str:
    """Say what is wrong, and where: ``model.classes[1].name is a number, and should be text``."""
    what, _, place = message.partition(" - at `$")
    place = readable(place.strip("`.") or "all of it", 100)
    if lacking := re.fullmatch(r"Object missing required field `(\w+)`", what):
        return f"{place} lacks {lacking[1]}" if place != "all of it" else f"it lacks {lacking[1]}"
    if other := re.fullmatch(r"Expected `(.+)`, got `(.+)`", what):
        wanted, got = (" or ".join(_KINDS.get(kind, kind) for kind in each.split(" | ")) for each in other.groups())
        return f"{place} is {got}, and should be {wanted}"
    return f"{place}: {readable(what, 200)}"
