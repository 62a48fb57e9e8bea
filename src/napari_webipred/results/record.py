"""The record beside a result: how it was made, so that somebody else can make it again."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from napari_webipred import file_errors
from napari_webipred.card import ModelCard
from napari_webipred.checksums import sha256_of
from napari_webipred.hardware import PROVIDERS, Device
from napari_webipred.installed import version_of
from napari_webipred.names import escape, visible
from napari_webipred.results.calibration import Calibration
from napari_webipred.results.input_entries import InputEntries
from napari_webipred.results.inputs import ModelInput
from napari_webipred.results.output import replacing, unwritable, write_all
from napari_webipred.results.ranges import Ranges, note
from napari_webipred.results.row import Row

LIBRARIES = ("napari-webipred", "numpy", "onnxruntime", "onnx", "pillow", "pydicom", "tifffile")
# What of a card's provenance bears on its numbers, or on whose they are.
REMARKS = {"labels", "assumed", "notes", "self_test", "origin"}
RUNNING = "still running, or ended without giving a reason"
# By so many bytes the end of a run may change its record, without the images; they are there from the beginning.
_SPARE = 4096
LARGEST_RECORD = 2**28  # bytes
LARGEST_SUMMED = 2**30  # bytes of an image file; reading more only for a checksum takes too long


class Written:
    """What is written beside a table, as JSON.

    Attributes
    ----------
    stopped : str
        Why a run that did not come to its end has stopped.
    failures : int
        How many rows have no probabilities.
    """

    stopped: str
    failures: int

    @property
    def complete(self) -> bool:
        """Whether all rows have come."""
        raise NotImplementedError

    def note_journal(self, facts: Mapping[str, Any]) -> bool:
        """Note what is known of the journal if the record is too small for its inputs; return whether it is needed."""
        raise NotImplementedError

    def as_dict(self, table_checksum: str | None = None) -> dict[str, Any]:
        """Return it as plain JSON values; the checksum of the table (``sha256:<hex>``) is known at its end."""
        raise NotImplementedError

    def add(self, row: Row) -> None:
        """Note a row."""
        raise NotImplementedError

    def beginning(self) -> bytes:
        """Return the record as it stands beside a table that is being written."""
        content = as_json({**self.as_dict(), "stopped": RUNNING})
        return content.ljust(len(content) + _SPARE)

    def write(self, csv_path: Path, table_checksum: str | None = None) -> Path:
        """Write the record beside a CSV file, as ``out.csv.json``, and return its path.

        On a full disk a record that is there already, see `beginning`, is made to say so; it does not list the images.

        Raises
        ------
        OptionError
            It cannot be written.
        """
        path = record_path(csv_path)
        found = self.as_dict(table_checksum)
        try:
            with replacing(path, as_json(found)):
                pass
        except OSError as error:
            if file_errors.out_of_space(error):
                with suppress(OSError):  # some file systems need space for that, too; then it says that the run is on
                    _write_in_place(path, as_json(_without_images(found)))
            raise unwritable(path, error) from error
        return path


class Record(Written):
    """How a result was made; grows with each row and is written beside the CSV file.

    Parameters
    ----------
    card : ModelCard
        Card of the model, complete with what the user told.
    checksum : str
        Checksum of the model's files.
    options : mapping
        Options of the run, in plain JSON values; a ``profile`` among them stands before the card's.
    total : int
        How many planes were to be classified; fewer rows say that the run did not come to its end.
    given : ModelInput, optional
        What opens the model again.
    calibration : Calibration, optional
        What gave the rows calibrated probabilities.
    ensemble : mapping, optional
        How the rows were made of those of other runs.

    Attributes
    ----------
    done, failures, total : int
        How many planes have rows, how many of these have no probabilities, and how many were to have rows.
    images : mapping, optional
        How many images were given, and the checksum of their names.
    entries : InputEntries
        What is said of each image.
    inputs_file : mapping, optional
        The file that lists the images if they are too many for the record; see `napari_webipred.results.journal`.
    """

    def __init__(
        self,
        card: ModelCard,
        checksum: str,
        options: Mapping[str, Any],
        total: int,
        given: ModelInput | None = None,
        calibration: Calibration | None = None,
        *,
        ensemble: Mapping[str, Any] | None = None,
    ) -> None:
        self._ensemble = ensemble
        self.stopped = "cancelled"
        self._calibration = calibration
        self._card = card
        self._checksum = checksum
        self._options = dict(options)
        self.total = total
        self._given = given
        self.done = self.failures = 0
        self.images: Mapping[str, Any] | None = None
        self.inputs_file: Mapping[str, Any] | None = None
        self.entries = InputEntries()
        self._ranges = Ranges()

    def add(self, row: Row) -> None:
        """Note a row, and what is to be said of its image."""
        self.done += 1
        self.failures += row.failed
        self._ranges.add(row)
        self.entries.add(row)

    @property
    def complete(self) -> bool:
        """Whether all rows have come."""
        return self.done == self.total

    def note_journal(self, facts: Mapping[str, Any]) -> bool:
        """Note what is known of the journal if the record is too small for its inputs; return whether it is needed."""
        if self.entries.too_many:
            self.inputs_file = facts
        return self.entries.too_many or self.failures > 0 or not self.complete

    def add_file(self, image: str, facts: Mapping[str, Any]) -> None:
        """Note what `file_facts` says of the file of an image that has a row."""
        self.entries.add_file(image, facts)

    def as_dict(self, table_checksum: str | None = None) -> dict[str, Any]:
        """Return the record as plain JSON values; the checksum of the table (``sha256:<hex>``) is known at its end."""
        return {**made(table_checksum), **self.of_run()}

    def of_run(self) -> dict[str, Any]:
        """Return what is about this run, and not about the program and the table."""
        card = self._card
        preprocessing = card.preprocessing_under(self._options.get("profile"))
        complete = self.complete
        differing = note(self._ranges.varying())
        return {
            "model": {
                "id": card.id,
                "name": card.name,
                "version": card.version,
                "doi": card.record_doi,
                "license": card.license,
                **_about(card),
                "checksum": self._checksum,
                "task": card.task,
                "classes": [entry.model_dump() for entry in card.classes],
                "thresholds": card.thresholds,
                "output": card.output.model_dump(),
                "remarks": card.provenance.model_dump(mode="json", include=REMARKS, exclude_none=True),
                **(_reference(self._given) if self._given else {}),
            },
            "input": card.input.model_dump() if card.input else None,
            "preprocessing": preprocessing.model_dump() if preprocessing else None,
            "options": self._options,
            "provider": PROVIDERS[_device(self._options)],
            **({"calibration": self._calibration.as_dict()} if self._calibration else {}),
            **({"ensemble": dict(self._ensemble)} if self._ensemble else {}),
            "complete": complete,
            "stopped": None if complete else self.stopped,
            "planes": {"asked": self.total, "done": self.done, "failed": self.failures},
            "notes": [*([differing] if differing else []), *card.remarks_on(self._options.get("views"))],
            **({"images": dict(self.images)} if self.images else {}),
            "inputs": self.entries.as_list(),
            **({"inputs_file": dict(self.inputs_file)} if self.inputs_file else {}),
        }


def _device(options: Mapping[str, Any]) -> Device:
    """Return the device that computed: the one whose difference was measured, or else the processor."""
    device: Device = options.get("difference", {}).get("device", "cpu")
    return device


def _about(card: ModelCard) -> dict[str, Any]:
    """Return what a reader of the results should know of a model, and what to cite."""
    texts = {name: getattr(card, name) for name in ("description", "intended_use", "limitations")}
    people = {"authors": [author.name for author in card.authors]}
    cited = {"citations": [{"text": each.text, "doi": each.doi, "url": each.url} for each in card.citations]}
    return {name: value for name, value in {**texts, **people, **cited}.items() if value}


def of_runs(records: Mapping[int, Record], table_checksum: str) -> dict[str, Any]:
    """Return the record of a table with the rows of these runs, whose numbers stand in its column ``run``.

    That of a single run is what `Record.as_dict` returns; several stand one after the other in ``runs``.
    """
    if len(records) == 1:
        return next(iter(records.values())).as_dict(table_checksum)
    runs = [{"run": number, **record.of_run()} for number, record in records.items()]
    return {**made(table_checksum), "complete": all(run["complete"] for run in runs), "runs": runs}


def file_facts(path: Path) -> dict[str, Any]:
    """Return the size of a file and, unless it is very large, its checksum; nothing of what cannot be read."""
    try:
        size = path.stat().st_size
        return {"bytes": size, **({"sha256": sha256_of(path)} if size <= LARGEST_SUMMED and path.is_file() else {})}
    except OSError:
        return {}


@contextmanager
def kept_unless_written(record: Path) -> Iterator[None]:
    """Put a record back as it was if the block, which replaces it and its table, ends with an OSError."""
    before = record.read_bytes() if record.exists() else None
    try:
        yield
    except OSError:  # such as a table that a spreadsheet has open on Windows
        with suppress(OSError):
            if before is None:
                record.unlink(missing_ok=True)
            else:
                with replacing(record, before):
                    pass
        raise


def record_path(csv_path: Path) -> Path:
    """Return where the record of a CSV file lies."""
    return csv_path.with_name(csv_path.name + ".json")


def read_record(path: Path) -> dict[str, Any] | None:
    """Read the record of a table, to know whether it is ours; None if there is none, or if it is not.

    What it says is to be read with `napari_webipred.results.recorded.read`.
    """
    try:
        if path.stat().st_size > LARGEST_RECORD:
            return None
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return found if is_record(found) else None


def is_record(found: object) -> bool:
    """Tell whether JSON values that were read are a record that this program has written."""
    return isinstance(found, dict) and isinstance(found.get("versions"), dict) and LIBRARIES[0] in found["versions"]


def _reference(given: ModelInput) -> dict[str, Any]:
    """Return what opens a model again."""
    return {
        "reference": escape(given.reference),
        "is_path": given.is_path,
        "settings": {name: value for name, value in given.settings.items() if value},
    }


def plain(value: Any) -> Any:
    """Return a value as it is after it was written as JSON and read again."""
    return json.loads(json.dumps(_visible(value)))


def as_json(value: dict[str, Any]) -> bytes:
    """Write a record as JSON."""
    return (json.dumps(_visible(value), indent=2, ensure_ascii=False) + "\n").encode()


def made(table_checksum: str | None) -> dict[str, Any]:
    """Return what is about the program and the table."""
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "table_checksum": table_checksum,
        "versions": {name: version_of(name) for name in LIBRARIES},
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def _visible(value: Any) -> Any:
    """Escape in all strings what could not be seen, or could not be written at all."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {_visible(key): _visible(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_visible(part) for part in value]
    return value


def _without_images(record: dict[str, Any]) -> dict[str, Any]:
    runs = {"runs": [_without_images(run) for run in record["runs"]]} if "runs" in record else {"inputs": []}
    return {**record, **runs}


def _write_in_place(path: Path, content: bytes) -> None:
    """Write over a file without making it larger."""
    with path.open("r+b", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        if len(content) <= size:
            write_all(file.fileno(), content.ljust(size))
