"""The record beside a result: how it was made, so that somebody else can make it again."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from napari_webipred.catalogue.card import ModelCard
from napari_webipred.results.row import Row

LIBRARIES = ("napari-webipred", "numpy", "onnxruntime", "onnx", "pillow", "tifffile")
# What of a card's provenance bears on its numbers.
REMARKS = ("labels", "assumed", "notes", "self_test")
BLACK_AND_WHITE = (0.0, 255.0)


class Record:
    """How a result was made; grows with each row and is written beside the CSV file at the end.

    Parameters
    ----------
    card : ModelCard
        Card of the model, complete with what the user told.
    checksum : str
        Checksum of the model's files.
    options : dict
        Options of the run, in plain JSON values; a ``profile`` among them stands before the card's.
    total : int
        How many planes were to be classified; fewer rows say that the run was cancelled.
    """

    def __init__(self, card: ModelCard, checksum: str, options: dict[str, Any], total: int) -> None:
        self._card = card
        self._checksum = checksum
        self._options = options
        self._total = total
        self._done = self._failed = 0
        self._inputs: dict[str, dict[str, Any]] = {}

    def add(self, row: Row) -> None:
        """Note which picture a row is of, and which of its intensities became black and white."""
        entry = self._inputs.setdefault(row.image, {"image": row.image})
        self._done += 1
        self._failed += row.failed
        if row.failed:
            entry["failed"] = entry.get("failed", 0) + 1
        elif row.intensity_range not in (None, BLACK_AND_WHITE):
            ranges = entry.setdefault("intensity_ranges", [])
            ranges.append([*row.position.values(), *(row.intensity_range or ())])

    def as_dict(self) -> dict[str, Any]:
        """Return the record as plain JSON values."""
        card = self._card
        preprocessing = card.preprocessing_under(self._options.get("profile"))
        return {
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "model": {
                "id": card.id,
                "name": card.name,
                "version": card.version,
                "doi": card.record_doi,
                "license": card.license,
                "checksum": self._checksum,
                "task": card.task,
                "classes": [entry.model_dump() for entry in card.classes],
                "output": card.output.model_dump(),
                "remarks": {key: card.provenance[key] for key in REMARKS if key in card.provenance},
            },
            "input": card.input.model_dump() if card.input else None,
            "preprocessing": preprocessing.model_dump() if preprocessing else None,
            "options": self._options,
            "complete": self._done == self._total,
            "planes": {"asked": self._total, "done": self._done, "failed": self._failed},
            "versions": {name: _version(name) for name in LIBRARIES},
            "python": platform.python_version(),
            "platform": platform.platform(),
            "provider": "CPUExecutionProvider",
            "inputs": list(self._inputs.values()),
        }

    def write(self, csv_path: Path) -> Path:
        """Write the record beside a CSV file, as ``out.csv.json``, and return its path."""
        path = csv_path.with_name(csv_path.name + ".json")
        path.write_text(json.dumps(self.as_dict(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return path


def record_of(rows: Iterable[Row], card: ModelCard, checksum: str, options: dict[str, Any], total: int) -> Record:
    """Make the record of rows that are already there."""
    record = Record(card, checksum, options, total)
    for row in rows:
        record.add(row)
    return record


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
