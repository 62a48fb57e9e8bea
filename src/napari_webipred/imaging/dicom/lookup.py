"""Tables of a DICOM file that give a number for each stored value (LUT)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred.imaging.dicom.attribute import order, text, value
from napari_webipred.imaging.display import Table

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

MOST = 2**16


class Lookup(Struct, frozen=True, eq=False):
    """A table as it is stored.

    Attributes
    ----------
    first : int
        The value that its first entry is of.
    entries : ndarray of int32
    bits : int
        Of an entry.
    name : str
    """

    first: int
    entries: NDArray[np.int32]
    bits: int
    name: str = ""

    def of(self, values: NDArray[Any]) -> NDArray[np.int32]:
        """Look values up; those outside the table have its first or last entry."""
        return self.entries[np.clip(values.astype(np.int64) - self.first, 0, len(self.entries) - 1)]

    def levels(self) -> Table:
        """Take the entries for levels from black to white."""
        return Table(self.first, np.clip(self.entries / (2**self.bits - 1), 0, 1), self.name)


def lookup(item: Dataset, signed: bool) -> Lookup | None:
    """Read the table of an item of a sequence; None if it has none that makes sense.

    Parameters
    ----------
    item : Dataset
    signed : bool
        Whether the values that are looked up may be negative.
    """
    kind = "<u2" if order(item) == "little" else ">u2"
    descriptor, data = described(value(item, "LUTDescriptor"), kind, signed), value(item, "LUTData")
    if descriptor is None or data is None:
        return None
    count, first, bits = descriptor
    entries = entries_in(data, count, kind)
    if entries is None or not 1 <= bits <= 16:
        return None
    return Lookup(first, entries, bits, text(item, "LUTExplanation"))


def is_given(item: Dataset) -> bool:
    """Tell whether an item of a sequence has a table, or what is left of one."""
    return value(item, "LUTData") is not None or value(item, "LUTDescriptor") is not None


def described(descriptor: Any, kind: str, signed: bool) -> tuple[int, int, int] | None:
    """Return how many entries a table has, the value that the first is of, and their bits; None of odd descriptors.

    Parameters
    ----------
    descriptor : bytes or sequence of int, optional
    kind : str
        How words are stored.
    signed : bool
        Whether the values that are looked up may be negative.
    """
    try:
        count, first, bits = map(int, np.frombuffer(descriptor, kind) if isinstance(descriptor, bytes) else descriptor)
    except (TypeError, ValueError):
        return None
    if signed and first > 32767:
        first -= MOST
    return count & 0xFFFF or MOST, first, bits


def entries_in(data: Any, count: int, kind: str) -> NDArray[np.int32] | None:
    """Return the entries of a table; None if there are too few."""
    if isinstance(data, bytes) and len(data) < count:
        return None
    if isinstance(data, bytes):
        is_short = len(data) < 2 * count  # a byte for each entry, and one more if their number is odd
        found = np.frombuffer(data, np.uint8 if is_short else kind, count=count)
    else:
        try:
            found = np.asarray(data, np.int64).ravel()
        except (TypeError, ValueError, OverflowError):
            return None
    return found[:count].astype(np.int32) & 0xFFFF if len(found) >= count else None
