"""Files that name the classes of a model: which are looked for beside it, and how each is read."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Callable, Sequence
from io import StringIO
from typing import Any, Literal, TypeAlias

from napari_webipred import formats, safe_json

_MAX_LABELS = 100_000
_MAX_LABEL = 200
_MAX_DEPTH = 3
_KEYS = ("labels", "classes", "class_names", "classNames", "names", "id2label", "idx_to_class", "index_to_name")
_INDEX_KEYS = ("class_indices", "class_to_idx", "label2id")
_NAME_WORDS = {"name", "label", "class", "class_name", "classname", "labels", "classes", "names", "title"}
_INDEX_WORDS = {"id", "index", "idx", "class_id", "classid", "class_index", "label_id", "number", "no"}
_IMAGE = r"(?i)\.(png|jpe?g|tiff?|bmp|gif|webp|dcm|nii)$"
_WORDNET = re.compile(r"n\d{8}[ \t,:]+(.+)")

# What the keys of a JSON object are, if its file says that.
_Keys: TypeAlias = Literal["names", "indices"] | None


def names_in(document: Any, keys: _Keys = None) -> list[str]:
    """Take class names out of a JSON value, in the order of the model's outputs.

    Parameters
    ----------
    document : JSON value
        A list of names; an object with a name for each index, or an index for each name; a list or an object of
        ``["n01440764", "tench"]`` as for ImageNet, or of ``{"id": 0, "name": "cat"}``; or one of these under a key
        such as ``labels``, ``class_names`` or ``class_to_idx``.
    keys : {"names", "indices"}, optional
        What the keys of an object with numbers on both sides are. By default indices, unless the values are numbers
        and not text.

    Returns
    -------
    list of str
        Clean and printable; empty if there are none.

    Raises
    ------
    ValueError
        There are some that cannot be used; the text goes on after a colon.
    """
    return _checked(_names(document, keys, 0))


def usable_names_in(document: Any) -> list[str]:
    """Take class names out of a JSON value as `names_in` does; none if they cannot be used."""
    try:
        return names_in(document)
    except ValueError:
        return []


def _names(document: Any, keys: _Keys, depth: int) -> list[Any]:
    if isinstance(document, list):
        return _of_list(document)
    if not isinstance(document, dict) or not document:
        return []
    for key in (*_KEYS, *_INDEX_KEYS):
        if depth < _MAX_DEPTH and isinstance(document.get(key), (list, dict)):
            return _names(document[key], "names" if key in _INDEX_KEYS else keys, depth + 1)
    by_key = [(_index(key), _name(value)) for key, value in document.items()]
    by_value = [(_index(value), key) for key, value in document.items()]
    numbers = all(type(value) is int for value in document.values())
    if all(index is not None for index, _ in by_key) and (keys == "indices" or not (numbers or keys == "names")):
        return _in_order(by_key)
    if all(index is not None for index, _ in by_value):
        return _in_order(by_value)
    return _in_order(by_key) if all(index is not None for index, _ in by_key) else []


def _of_list(items: list[Any]) -> list[Any]:
    if items and all(isinstance(item, dict) for item in items):
        numbers = [
            next((item[key] for key in _INDEX_WORDS if _index(item.get(key)) is not None), None) for item in items
        ]
        if None not in numbers:
            return _in_order([(_index(i), _name(item)) for i, item in zip(numbers, items, strict=True)])
    return [_name(item) for item in items]


def _name(value: Any) -> Any:
    """Return the name in ``["n01440764", "tench"]`` and in ``{"name": "tench"}``."""
    if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str):
        return value[1]
    if isinstance(value, dict):
        return next((value[key] for key in ("name", "label", "class") if key in value), value)
    return value


def _index(value: Any) -> int | None:
    """Return a whole number, which JSON may hold as a text; None if it is none."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdecimal() and len(value) < 8 else None
    return value if type(value) is int else None


def _in_order(pairs: Sequence[tuple[Any, Any]]) -> list[Any]:
    """Sort names by their indices, of which none may be missing."""
    if sorted(index for index, _ in pairs) != list(range(len(pairs))):
        raise ValueError("its numbers are not 0, 1, 2, ... with each once")
    return [name for _, name in sorted(pairs, key=lambda pair: int(pair[0]))]


def _checked(labels: Sequence[Any]) -> list[str]:
    """Return the labels as clean text."""
    if len(labels) > _MAX_LABELS:
        raise ValueError(f"it names more than {_MAX_LABELS} classes, which cannot be")
    if not all(isinstance(label, (str, int)) for label in labels):
        raise ValueError("it holds class names that are not text")
    names = [" ".join(str(label).split()) for label in labels]
    if not all(0 < len(name) <= _MAX_LABEL and name.isprintable() for name in names):
        raise ValueError("it holds class names that are empty, too long or not printable")
    if any(re.search(_IMAGE, name) for name in names):
        raise ValueError("it lists images, not classes")
    return names


# --- the forms of files ----------------------------------------------------------------------------------------------


def _json(content: bytes) -> list[str]:
    return names_in(safe_json.parse(content))


def _json_by_name(content: bytes) -> list[str]:
    return names_in(safe_json.parse(content), "names")


def _json_by_index(content: bytes) -> list[str]:
    return names_in(safe_json.parse(content), "indices")


def _json_under(*keys: str) -> Callable[[bytes], list[str]]:
    """Read what stands under one of these keys; the rest of the file is about other things."""

    def read(content: bytes) -> list[str]:
        document = safe_json.parse(content)
        there = [document[key] for key in keys if key in document] if isinstance(document, dict) else []
        names = names_in(next((value for value in there if isinstance(value, (list, dict))), None))
        # LABEL_0, LABEL_1 stand there where nobody has named the classes.
        return names if names != [f"LABEL_{i}" for i in range(len(names))] else []

    return read


def _lines(content: bytes) -> list[str]:
    """Read a name a line, with or without its index before or behind it, or its number in WordNet before it."""
    lines = [line.strip() for line in _text(content).splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    if len(lines) > _MAX_LABELS or any(len(line) > 2 * _MAX_LABEL for line in lines):
        return _checked(lines)  # which refuses them, before patterns are tried on what is too long
    lines = _sorted_by(r"(?P<index>\d{1,7})(?:[ \t]*[,:;=][ \t]*|[ \t]+)(?P<name>.+)", lines)
    lines = _sorted_by(r"(?P<name>.+?)[ \t]*[,:;=\t][ \t]*(?P<index>\d{1,7})", lines)
    wordnet = [_WORDNET.fullmatch(line) for line in lines]
    return _checked([match[1] for match in wordnet if match] if lines and all(wordnet) else lines)


def _sorted_by(pattern: str, lines: list[str]) -> list[str]:
    """Take the names out of lines that all have an index, if these are 0, 1, 2, ...; else leave the lines alone."""
    matches = [match for line in lines if (match := re.fullmatch(pattern, line))]
    if len(matches) < len(lines) or len({match["name"] for match in matches}) < min(len(lines), 2):
        return lines
    try:
        return _in_order([(int(match["index"]), match["name"]) for match in matches])
    except ValueError:
        return lines


def _table(content: bytes) -> list[str]:
    """Read a CSV file with a column of names, and one of indices unless there is only one; with or without a header."""
    text = _text(content)
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(StringIO(text), delimiter=delimiter) if any(row)]
    except csv.Error as error:
        raise ValueError("it is not a table") from error
    width = len(rows[0]) if rows else 0
    if any(len(row) != width for row in rows):
        raise ValueError("its rows differ in length")
    words = [cell.casefold() for cell in rows[0]] if rows else []
    headed = len(rows) > 1 and bool(set(words) & (_NAME_WORDS | _INDEX_WORDS))
    columns = list(zip(*rows[headed:], strict=True))
    if width < 2:
        return _checked(columns[0] if columns else [])
    counting = [i for i, column in enumerate(columns) if _counts(column)]
    if headed and len(counting) > 1:
        counting = [i for i in counting if words[i] in _INDEX_WORDS]
    if len(counting) != 1:
        raise ValueError("it has not one column that numbers the classes 0, 1, 2, ...")
    others = [i for i in range(width) if i != counting[0]]
    named = [i for i in others if headed and words[i] in _NAME_WORDS] if len(others) > 1 else others
    if not named:
        raise ValueError("no column of it is called name, label or class")
    return _checked(
        _in_order([(int(n), name) for n, name in zip(columns[counting[0]], columns[named[0]], strict=True)])
    )


def _counts(column: Sequence[str]) -> bool:
    indices = [_index(cell) for cell in column]
    return None not in indices and sorted(i for i in indices if i is not None) == list(range(len(column)))


def _text(content: bytes) -> str:
    encoding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError("it is not text in UTF-8") from error


# What is looked for beside a model, in the order in which it is trusted, and how it is read. A reader returns no names
# where the file is about something else, and raises ValueError where it names classes in a way that cannot be used.
LABEL_FILES: dict[str, Callable[[bytes], list[str]]] = {
    "metadata.json": _json_under("labels", "classes", "class_names", "classNames", "names"),
    "class_names.json": _json,
    "class_indices.json": _json,
    "class_to_idx.json": _json_by_name,
    "idx_to_class.json": _json_by_index,
    "classes.json": _json,
    "labels.json": _json,
    "config.json": _json_under("id2label"),
    "imagenet_class_index.json": _json,
    "labels.txt": _lines,
    "class_names.txt": _lines,
    "classes.txt": _lines,
    "labels.csv": _table,
    "classes.csv": _table,
}

CARD_FILE = "webipred.json"
# All small files beside a model that say something about it.
SIDE_FILES = (CARD_FILE, *LABEL_FILES, *formats.METRIC_FILES)
