"""An evaluation as files in a folder."""

from __future__ import annotations

import csv
import io
import json
import math
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import asdict

from napari_webipred import file_errors
from napari_webipred.atomic_file import write_whole
from napari_webipred.errors import OptionError
from napari_webipred.evaluation import drawings, webipred
from napari_webipred.evaluation.cohort import REASONS, Cohort
from napari_webipred.evaluation.confusion import confusion
from napari_webipred.evaluation.intervals import LEVEL
from napari_webipred.evaluation.metric import Metric
from napari_webipred.evaluation.thresholds import Thresholds
from napari_webipred.names import harmless, visible
from napari_webipred.results.calibration import Calibration
from napari_webipred.results.columns import calibrated as named_calibrated
from napari_webipred.results.prediction import as_cell

RECORD = "evaluation.json"
THRESHOLDS, CALIBRATED = "thresholds.csv", "calibrated.csv"
METRICS, CONFUSION, UNMATCHED, ROWS = "metrics.csv", "confusion.csv", "unmatched.csv", "rows.csv"
WEBIPRED_JSON, WEBIPRED_CSV = "metrics-webipred.json", "model-evaluation.csv"
SOURCE = "napari-webipred"
LIBRARIES = ("napari-webipred", "numpy")
Cell = str | int | float | None


class Fitted(Struct, frozen=True):
    """What was fitted to the labels; see `napari_webipred.evaluation.evaluation.Evaluation`."""

    thresholds: Thresholds | None = None
    calibration: Calibration | None = None
    calibrated: Cohort | None = None


NOTHING_FITTED = Fitted()


def save(
    folder: Path,
    cohort: Cohort,
    metrics: Sequence[Metric],
    made: Mapping[str, Any],
    fitted: Fitted = NOTHING_FITTED,
    may_replace: Callable[[Path], bool] = lambda folder: False,
    *,
    figures: bool = True,
) -> list[Path]:
    """Write the tables and figures of an evaluation, and how it was made.

    Parameters
    ----------
    folder : Path
        Made if it is not there. Files of an earlier evaluation in it are replaced.
    cohort : Cohort
    metrics : sequence of Metric
    made : mapping
        How they were made, in plain JSON values: draws and seed, the files that were read, the model.
    fitted : Fitted
    may_replace : callable
        Asked about a folder that has other files and no evaluation.
    figures : bool
        Whether figures are drawn, too.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    OptionError
        The folder must not or cannot be written.
    """
    claim(folder, may_replace)
    tables: dict[str, Sequence[Sequence[Cell]]] = {
        METRICS: metrics_table(metrics),
        UNMATCHED: unmatched_table(cohort),
        ROWS: rows_table(cohort),
        WEBIPRED_CSV: webipred.as_csv(cohort, metrics),
    }
    if cohort.is_exclusive:
        counts, names = confusion(cohort)
        classes = cohort.classes
        tables[CONFUSION] = [
            ["true", *names],
            *([name, *row] for name, row in zip(classes, counts.tolist(), strict=True)),
        ]
    if fitted.thresholds:
        tables[THRESHOLDS] = thresholds_table(fitted.thresholds)
    if fitted.calibrated:
        tables[CALIBRATED] = calibrated_table(cohort, fitted.calibrated)
    contents = {name: as_csv(lines) for name, lines in tables.items()}
    contents[WEBIPRED_JSON] = as_json(webipred.as_json(cohort, metrics, SOURCE))
    if figures:
        contents |= drawings.drawn(cohort, metrics, made["seed"], fitted.calibrated)
    found = {"thresholds": fitted.thresholds, "calibration": fitted.calibration}
    parts = {name: each.as_dict() if each else None for name, each in found.items()}
    contents[RECORD] = as_json({**record(cohort, made), **parts})
    _remove_earlier(folder, contents)
    return write(folder, contents)


def _remove_earlier(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Remove what only an earlier evaluation has in this folder: it would be taken for part of the new one."""
    pictures = {f"{name}.{suffix}" for name in drawings.NAMES for suffix in drawings.SUFFIXES}
    earlier = ({THRESHOLDS, CALIBRATED, CONFUSION} | pictures) - contents.keys() if (folder / RECORD).exists() else ()
    try:
        for name in earlier:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        reason, remedy = file_errors.writing(error)
        raise OptionError(f"The evaluation cannot be written to {folder}: {reason}.", remedy) from error


def claim(folder: Path, may_replace: Callable[[Path], bool]) -> None:
    """Make a folder, or make sure that files may be written into it.

    Raises
    ------
    OptionError
        It is a file, holds other files and no evaluation, or cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()) and not (folder / RECORD).exists() and not may_replace(folder):
            raise OptionError(f"The folder {folder} holds other files.", "Choose an empty or a new folder.")
    except OSError as error:
        reason, remedy = file_errors.writing(error)
        raise OptionError(f"The folder {folder} cannot be written: {reason}.", remedy) from error


def write(folder: Path, contents: Mapping[str, bytes]) -> list[Path]:
    """Write files, each of them whole or not at all."""
    try:
        for name, content in contents.items():
            write_whole(folder / name, content)
    except OSError as error:
        reason, remedy = file_errors.writing(error)
        raise OptionError(f"The evaluation cannot be written to {folder}: {reason}.", remedy) from error
    return [folder / name for name in contents]


def record(cohort: Cohort, made: Mapping[str, Any]) -> dict[str, Any]:
    """Return how an evaluation was made, as plain JSON values."""
    reasons = [each.reason for each in cohort.unmatched]
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {name: version(name) for name in LIBRARIES},
        "python": platform.python_version(),
        **made,
        "classes": list(cohort.classes),
        "task": cohort.task,
        "ordinal": cohort.ordinal,
        "rows": len(cohort),
        "not_counted": {REASONS[reason]: reasons.count(reason) for reason in dict.fromkeys(reasons)},
        "grouped_by": cohort.grouped_by or None,
        "groups": None if cohort.groups is None else int(cohort.groups.max()) + 1,
        "interval": LEVEL,
    }


def metrics_table(metrics: Sequence[Metric]) -> list[list[Cell]]:
    """Return all metrics as lines, the names of the columns first."""
    header: list[Cell] = ["metric", "class", "value", "low", "high", "n", "interval", "note"]
    return [header, *(list(asdict(metric).values()) for metric in metrics)]


def unmatched_table(cohort: Cohort) -> list[list[Cell]]:
    """Return the rows and labels that do not count, as lines."""
    header: list[Cell] = ["image", "reason", "detail", "row"]
    lines = ((each.image, REASONS[each.reason], each.detail, each.row) for each in cohort.unmatched)
    return [header, *(list[Cell](line) for line in lines)]


def rows_table(cohort: Cohort) -> list[list[Cell]]:
    """Return the rows that count: image, true and assigned class, and whether both are the same."""
    header: list[Cell] = ["row", "image", "true", "predicted", "right"]
    right = (cohort.truth == cohort.assigned).all(1).tolist()
    names = [_names(cohort.classes, chosen) for chosen in (cohort.truth, cohort.assigned)]
    lines = zip(cohort.rows.tolist(), cohort.images, *names, map(int, right), strict=True)
    return [header, *(list(line) for line in lines)]


def thresholds_table(found: Thresholds) -> list[list[Cell]]:
    """Return the threshold of each class and what it gives, as lines."""
    numbers = ("value", "low", "high")
    both = ("sensitivity", "specificity")
    header: list[Cell] = ["class", "threshold"]
    header += [name if number == "value" else f"{name}_{number}" for name in both for number in numbers]
    lines: list[list[Cell]] = [[*header, "fitted_sensitivity", "fitted_specificity", "note"]]
    for each in found.each:
        cross = [getattr(getattr(each, name), number) for name in both for number in numbers]
        fitted = each.fitted_sensitivity, each.fitted_specificity
        lines.append([each.class_name, each.value, *cross, *fitted, each.note])
    return lines


def calibrated_table(cohort: Cohort, calibrated: Cohort) -> list[list[Cell]]:
    """Return raw and calibrated probabilities of the rows that count, as lines."""
    header: list[Cell] = ["row", "image", *cohort.classes, *named_calibrated(cohort.classes)]
    numbers = np.concatenate([cohort.probabilities, calibrated.probabilities], axis=1).tolist()
    lines = zip(cohort.rows.tolist(), cohort.images, numbers, strict=True)
    return [header, *([row, image, *both] for row, image, both in lines)]


def _names(classes: Sequence[str], chosen: Any) -> list[str]:
    return [as_cell(classes[index] for index in row.nonzero()[0]) for row in chosen]


def as_csv(lines: Iterable[Sequence[Cell]]) -> bytes:
    """Write lines as CSV: UTF-8, RFC 4180; no text runs as a formula, and what is not defined is empty."""
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([_cell(cell) for cell in line] for line in lines)
    return stream.getvalue().encode()


def _cell(cell: Cell) -> str:
    if isinstance(cell, float):
        return "" if math.isnan(cell) else repr(cell)
    return harmless(cell) if isinstance(cell, str) else "" if cell is None else str(cell)


def as_json(value: Any) -> bytes:
    """Write plain values as JSON in which every character can be seen."""
    return (json.dumps(_visible(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _visible(value: Any) -> Any:
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {_visible(key): _visible(part) for key, part in value.items()}
    return [_visible(part) for part in value] if isinstance(value, (list, tuple)) else value
