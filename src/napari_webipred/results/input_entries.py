"""What the record of a run says of each image: its file, and what was special about its planes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_webipred.results.ranges import BLACK_AND_WHITE
from napari_webipred.results.row import Row


class InputEntries:
    """An entry for each image, made of its rows.

    Parameters
    ----------
    at_most : int, optional
        How many entries are kept; of more images, none are.
    """

    def __init__(self, at_most: int | None = None) -> None:
        self.at_most = at_most
        self._entries: dict[str, dict[str, Any]] = {}
        self._readings: dict[str, str] = {}
        self._too_many = False

    @property
    def too_many(self) -> bool:
        """Whether there are more images than entries may be kept."""
        return self._too_many

    def as_list(self) -> list[dict[str, Any]]:
        """Return the entries, as plain JSON values."""
        return list(self._entries.values())

    def add(self, row: Row) -> None:
        """Note which image a row is of, which of its intensities became black and white, and the remark on it."""
        if row.image not in self._entries:
            self._make_room()
        if self._too_many:
            return
        entry = self._entries.setdefault(row.image, {"image": row.image})
        place = [*row.position.values(), *([row.region] if row.region else [])]
        if row.reading:
            self._add_reading(entry, place, row.reading)
        if row.remark:
            entry.setdefault("remarks", []).append([*place, row.remark])
        if row.failed:
            entry["failed"] = entry.get("failed", 0) + 1
        elif row.intensity_range not in (None, BLACK_AND_WHITE):
            ranges = entry.setdefault("intensity_ranges", [])
            ranges.append([*place, *(row.intensity_range or ())])

    def add_file(self, image: str, facts: Mapping[str, Any]) -> None:
        """Note what is known of the file of an image that has a row."""
        if not self._too_many:
            self._entries[image].update(facts)

    def _make_room(self) -> None:
        if self.at_most is not None and len(self._entries) >= self.at_most:
            self._too_many = True
            self._entries.clear()
            self._readings.clear()

    def _add_reading(self, entry: dict[str, Any], place: list[Any], reading: str) -> None:
        """Note how a plane came about, and of the others of its image only those that came about in another way."""
        latest = self._readings.get(entry["image"])
        self._readings[entry["image"]] = reading
        if latest is None:
            entry["reading"] = reading
        elif latest != reading:
            entry.setdefault("readings", []).append([*place, reading])
