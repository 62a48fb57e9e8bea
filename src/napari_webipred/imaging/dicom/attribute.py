"""The values of single attributes of a DICOM file: a number or text, or nothing where they are odd."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

LONGEST = 64  # characters of a text; more is none of those that are read here


def value(dataset: Dataset, keyword: str) -> Any:
    """Return the value of an attribute; None where it is missing, empty or cannot be understood."""
    try:
        tag = _tag(keyword)
        found = dataset[tag].value if tag in dataset else None  # by its keyword, this takes several times as long
    except Exception:  # pydicom converts values when they are asked for, and raises whatever conversions raise
        return None
    return None if found is None or (hasattr(found, "__len__") and not len(found)) else found


@cache
def _tag(keyword: str) -> Any:
    """Return the tag of an attribute."""
    from pydicom.tag import Tag

    return Tag(keyword)


def items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """Return the items of a sequence; none where it is missing or is no sequence."""
    found = value(dataset, keyword)
    try:
        return [item for item in found if hasattr(item, "get")] if found is not None else []
    except TypeError:
        return []


def text(dataset: Dataset, keyword: str) -> str:
    """Return a text without spaces around it; empty where there is none, or a very long one."""
    found = value(dataset, keyword)
    written = "" if found is None else str(found).strip()
    return written if len(written) <= LONGEST and written.isprintable() else ""


def texts(dataset: Dataset, keyword: str) -> list[str]:
    """Return the texts of an attribute that has several."""
    found = value(dataset, keyword)
    several = [] if found is None else [found] if isinstance(found, str) else found
    try:
        return [str(each).strip() for each in several if len(str(each)) <= LONGEST and str(each).isprintable()]
    except TypeError:
        return [str(several)]


def numbers(dataset: Dataset, keyword: str) -> list[float]:
    """Return the finite numbers of an attribute; none where one of them is no such number."""
    found = value(dataset, keyword)
    try:
        several = [] if found is None else list(found) if hasattr(found, "__iter__") else [found]
        read = [float(each) for each in several]
    except (TypeError, ValueError, OverflowError):
        return []
    return read if all(map(math.isfinite, read)) else []


def number(dataset: Dataset, keyword: str) -> float | None:
    """Return the first number of an attribute; None where there is none."""
    found = numbers(dataset, keyword)
    return found[0] if found else None


def parts(dataset: Dataset, keyword: str) -> list[float | str]:
    """Return what stands in an attribute that has numbers: each as a number, or as text where it is no finite one."""
    if found := numbers(dataset, keyword):
        return list(found)
    if (tag := _tag(keyword)) not in dataset:
        return []
    kept = dataset.get_item(tag)  # which is not converted, if it cannot be
    content = kept.value if kept is not None else None
    if isinstance(content, bytes):
        content = content.decode("ascii", "replace").split("\\")
    several = content if isinstance(content, Iterable) and not isinstance(content, str) else [content]
    return [_part(each) for each in several]


def _part(each: Any) -> float | str:
    text = "" if each is None else str(each).strip(" \0")
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def whole(dataset: Dataset, keyword: str, otherwise: int = 0) -> int:
    """Return a whole number, also one that is kept as bytes because its sign depends on another attribute."""
    found = value(dataset, keyword)
    if isinstance(found, bytes):
        return int.from_bytes(found[:4], sys.byteorder if dataset.original_encoding[1] is None else order(dataset))
    first = number(dataset, keyword)
    return otherwise if first is None else int(first)


def order(dataset: Dataset) -> Any:
    """Return the order of bytes in the values of a data set: ``"little"`` or ``"big"``."""
    return "big" if dataset.original_encoding[1] is False else "little"
