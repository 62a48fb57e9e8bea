"""The journal beside a table that grows: a line for each row, from which a run that was ended by force goes on.

Of very many images it stays as the list of inputs, which would make the record too large.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from napari_webipred.checksums import sha256_of
from napari_webipred.errors import OptionError
from napari_webipred.results.input_entries import InputEntries
from napari_webipred.results.output import replacing, to_disk, write_all
from napari_webipred.results.row import Row

HEAD = "run"
LISTED_AT_MOST = 5000  # images in the record itself
_LONGEST_LINE = 2**20
_ENCODER = json.JSONEncoder(separators=(",", ":"))
_NO_NUMBERS = np.empty(0, np.float32)


def journal_path(table: Path) -> Path:
    """Return where the journal of a table lies."""
    return table.with_name(f"{table.name}.inputs.jsonl")


class Journal:
    """Notes each row of a table, at once.

    Parameters
    ----------
    path : Path
    head : mapping
        What must be the same when the run goes on, as plain JSON values.
    """

    def __init__(self, path: Path, head: Mapping[str, Any]) -> None:
        self.path = path
        self._head = dict(head)
        self._digest = hashlib.sha256()
        self._file: io.FileIO | None = None
        self._size = 0

    def begin(self, axes: Sequence[str], others: int) -> None:
        """Begin anew, for a table that has columns for these axes and so many others.

        Raises
        ------
        OSError
            It cannot be written.
        """
        content = _as_line({HEAD: self._head, "axes": list(axes), "others": others})
        with replacing(self.path, content):
            pass
        self.go_on(len(content))

    def go_on(self, size: int) -> None:
        """Go on behind so many bytes."""
        self._file = self.path.open("r+b", buffering=0)
        self._file.truncate(size)
        self._file.seek(0)
        self._digest = hashlib.file_digest(self._file, "sha256")
        self._size = size

    def add(self, row: Row, facts: Mapping[str, Any], check: int) -> None:
        """Note a row.

        Parameters
        ----------
        row : Row
        facts : mapping
            What is known of its file, as plain JSON values.
        check : int
            Checksum of its line in the table.

        Raises
        ------
        OSError
            It cannot be written; nothing of it is.
        """
        assert self._file is not None
        content = _as_line(_entry(row, facts, check))
        try:
            write_all(self._file.fileno(), content)
        except OSError:
            self._file.truncate(self._size)
            self._file.seek(self._size)
            raise
        self._size += len(content)
        self._digest.update(content)

    def close(self, *, keep: bool) -> None:
        """End it; it is deleted if nobody needs it any more."""
        if self._file is None:
            return
        with self._file:
            if keep:
                to_disk(self._file.fileno())
        self._file = None
        if not keep:
            with suppress(OSError):  # it does no harm
                self.path.unlink()

    @property
    def facts(self) -> dict[str, str]:
        """What a record says of it."""
        return {"file": self.path.name, "sha256": self._digest.hexdigest()}


def head_and_rows(path: Path) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield the head of a journal, then what it says of each row, and where that ends, up to a line that is cut off.

    Raises
    ------
    OSError
        It cannot be read.
    """
    end = 0
    with path.open("rb") as file:
        while (line := file.readline(_LONGEST_LINE)).endswith(b"\n"):
            try:
                found = json.loads(line)
            except (ValueError, RecursionError):
                return
            if not isinstance(found, dict):
                return
            end += len(line)
            yield found, end


def is_journal(path: Path) -> bool:
    """Tell whether a file is a journal of this program."""
    try:
        head, _ = next(head_and_rows(path), ({}, 0))
    except OSError:
        return False
    return HEAD in head


def row_of(entry: Mapping[str, Any]) -> tuple[Row, dict[str, Any]]:
    """Return the row that a line is about, without its numbers, and what is known of its file.

    Raises
    ------
    LookupError, TypeError, ValueError
        It is no such line.
    """
    used = entry.get("range")
    row = Row(
        int(entry["source"]),
        str(entry["image"]),
        {str(axis): int(place) for axis, place in entry.get("position", {}).items()},
        None if "error" in entry else _NO_NUMBERS,
        assigned=tuple(map(int, entry.get("assigned", ()))),
        error=str(entry.get("error", "")),
        intensity_range=None if used is None else (float(used[0]), float(used[1])),
        region=str(entry.get("region", "")),
        reading=str(entry.get("reading", "")),
        remark=str(entry.get("remark", "")),
    )
    return row, {name: entry[name] for name in ("bytes", "sha256") if name in entry}


def inputs_of(record: Mapping[str, Any], folder: Path) -> Iterator[dict[str, Any]]:
    """Yield what a record says of each image, also if the list of them is a file in this folder.

    Raises
    ------
    OSError
        It cannot be read.
    OptionError
        It is not the one that the record is about.
    """
    listed = record.get("inputs_file")
    if listed is None:
        yield from record.get("inputs", ())
        return
    path = folder / Path(listed["file"]).name
    if sha256_of(path) != listed["sha256"]:
        raise OptionError(
            f"{path}, which lists the images of the run, was changed or cut short.",
            "Put it back as it was written, or classify the images again.",
        )
    lines = (entry for entry, _ in head_and_rows(path) if HEAD not in entry)
    for _, entries in groupby(map(row_of, lines), key=lambda each: (each[0].source, each[0].image)):
        found = InputEntries()
        for row, facts in entries:
            found.add(row)
            found.add_file(row.image, facts)
        yield from found.as_list()


def _entry(row: Row, facts: Mapping[str, Any], check: int) -> dict[str, Any]:
    """Return what is noted of a row; what is empty is left out."""
    told: dict[str, Any] = {
        "position": dict(row.position),
        "region": row.region,
        "range": row.intensity_range,
        "assigned": row.assigned,
        "reading": row.reading,
        "remark": row.remark,
    }
    known = {name: value for name, value in told.items() if value}
    failed = {"error": row.error} if row.failed else {}
    return {"source": row.source, "image": row.image, **facts, **known, **failed, "check": check}


def _as_line(value: Mapping[str, Any]) -> bytes:
    return f"{_ENCODER.encode(value)}\n".encode()


def remove(path: Path) -> None:
    """Delete the journal of an earlier run, if there is one."""
    if is_journal(path):
        path.unlink()
