"""What is kept of a session in a file: all runs with their rows, what they were given, and the settings of the form.

The file is one JSON object in which each part stands in a line of its own: that of a run, and those of its images and
rows, some hundreds at a time. So it is written and read line by line, however large it is, and each line stays within
the bounds of `napari_webipred.safe_json`. It contains no pixels, and no checksum of pixels: to compute one, all of a
lazy stack would have to be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct, field

from napari_webipred.card import ModelCard
from napari_webipred.results.calibration import Calibration
from napari_webipred.results.inputs import ImageInput, ModelInput
from napari_webipred.results.reading import Reading
from napari_webipred.results.row_list import RowList

SUFFIX = ".webipred.json"
FORMAT = "napari-webipred session"
VERSION = 1
MOST_BYTES = 2**28
MOST_ROWS = 1_000_000
MOST_RUNS = 1000
# How the first line ends, each line but the last part, and what the last line is.
BEGIN, BETWEEN, END = b', "parts": [\n', b",\n", b"]}\n"


class SavedRun(Struct, frozen=True):
    """A run with its rows.

    Attributes
    ----------
    begun, card, checksum, options, axes, total
        As those of `napari_webipred.results.session_table.RunDetails`.
    model : ModelInput
    images : tuple of ImageInput
        Of all rows; `Row.source` counts them.
    rows : RowList
    comments : dict of int to str
        Comments on rows, by their place in `rows`.
    readings : dict of int to Reading
        What a reader has said of rows, by their place in `rows`.
    calibration : Calibration, optional
        What gives the rows calibrated probabilities.
    ensemble : Mapping, optional
        How the rows were made of those of other runs.
    """

    begun: datetime
    card: ModelCard
    checksum: str
    options: Mapping[str, Any]
    axes: tuple[str, ...]
    total: int
    model: ModelInput
    images: tuple[ImageInput, ...]
    rows: RowList = field(default_factory=RowList)
    comments: dict[int, str] = field(default_factory=dict)
    readings: dict[int, Reading] = field(default_factory=dict)
    calibration: Calibration | None = None
    ensemble: Mapping[str, Any] | None = None


class SavedSession(Struct, frozen=True):
    """The runs, and the settings of the form as plain JSON values."""

    runs: tuple[SavedRun, ...]
    form: Mapping[str, Any] = field(default_factory=dict)
