"""Very many rows, kept so that they do not slow Python down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, overload

from napari_webipred.results.row import Row

Field = Literal["image", "probabilities", "prediction", "assigned", "error", "region", "remark", "measures"]
_SOURCE, _AXES, _PLACES = 0, 1, 2
_AT = {
    "image": 3,
    "probabilities": 4,
    "prediction": 5,
    "assigned": 6,
    "error": 7,
    "region": 9,
    "remark": 11,
    "measures": 12,
}


class RowList(Sequence[Row]):
    """Keeps rows as tuples and makes each `Row` when it is looked at.

    Python's garbage collector stops all threads while it goes through all objects, which it does again whenever their
    number has grown by a quarter. It leaves out tuples of texts and numbers, but no objects of classes.

    Parameters
    ----------
    rows : iterable of Row
        The first rows.
    """

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._kept: list[tuple[Any, ...]] = []
        self.extend(rows)

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[Row]:
        return map(_row, self._kept)

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> RowList: ...
    def __getitem__(self, place: int | slice) -> Row | RowList:
        if isinstance(place, slice):
            part = RowList()
            part._kept = self._kept[place]
            return part
        return _row(self._kept[place])

    def append(self, row: Row) -> None:
        """Put a row at the end."""
        self._kept.append(_kept(row))

    def extend(self, rows: Iterable[Row]) -> None:
        """Put these rows at the end."""
        self._kept += rows._kept if isinstance(rows, RowList) else map(_kept, rows)

    def values(self, field: Field) -> list[Any]:
        """Return what each row has in this field."""
        at = _AT[field]
        return [kept[at] for kept in self._kept]

    def positions(self) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Give the number of the image of each row, and the row's place along each axis."""
        return ((kept[_SOURCE], kept[_PLACES]) for kept in self._kept)

    def places(self, axis: str, without: int) -> list[int]:
        """Return where each row lies along an axis, and `without` for rows of images without this axis."""
        return [kept[_PLACES][kept[_AXES].index(axis)] if axis in kept[_AXES] else without for kept in self._kept]


def _kept(row: Row) -> tuple[Any, ...]:
    return (
        row.source,
        tuple(row.position),
        tuple(row.position.values()),
        row.image,
        row.probabilities,
        row.prediction,
        row.assigned,
        row.error,
        row.intensity_range,
        row.region,
        row.reading,
        row.remark,
        row.measures,
        row.identity,
    )


def _row(kept: tuple[Any, ...]) -> Row:
    source, axes, places, image, *rest = kept
    return Row(source, image, dict(zip(axes, places, strict=True)), *rest)
