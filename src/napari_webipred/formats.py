"""The formats of models. Whatever knows a format follows this table; its reader stands in `runtime.readers`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import PurePosixPath
from typing import Literal

from msgspec import Struct


class Format(Struct, frozen=True):
    """A format that a model can have.

    Attributes
    ----------
    id : str
        What cards call it.
    label, short : str
        What people call it, in full and where there is little room.
    described : str
        One such file, in a sentence.
    suffixes : tuple of str
        What the names of its files end in, the usual one first.
    file_name : str, optional
        What its file is called, if that is fixed; other files lie beside it.
    container : {"json", "zip"}, optional
        What its file is as well: others share its first bytes.
    starts : callable, optional
        Tells by the first bytes whether a file has this format.
    members : tuple of str
        Files that a zip archive holds if it is a file of this format.
    remote : bool
        Whether its file says which others have to be fetched. If not, the model is fetched in a zip archive only.
    zoo : str, optional
        What descriptions for the BioImage Model Zoo call it.
    """

    id: str
    label: str
    short: str
    described: str
    suffixes: tuple[str, ...] = ()
    file_name: str | None = None
    container: Literal["json", "zip"] | None = None
    starts: Callable[[bytes], bool] | None = None
    members: tuple[str, ...] = ()
    remote: bool = True
    zoo: str | None = None

    @property
    def kind(self) -> str:
        """What `kind_of` says of its file."""
        return self.container or self.id

    @property
    def program(self) -> str:
        """What it was made with or for."""
        return self.label.partition(" ")[0]

    @property
    def names(self) -> tuple[str, ...]:
        """What its file is called, or what that name ends in."""
        return (self.file_name,) if self.file_name else self.suffixes


def _is_hdf5(head: bytes) -> bool:
    return head.startswith(b"\x89HDF\r\n\x1a\n")


def _is_onnx(head: bytes) -> bool:
    """Tell whether these are the first bytes of a ModelProto.

    It opens with ir_version (field 1, varint) and goes on with a string or the graph (fields 2 to 8).
    """
    following = {0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42}
    return len(head) > 2 and head[0] == 0x08 and 0 < head[1] < 32 and head[2] in following


_TFJS, _KERAS = "a TensorFlow.js model", "a Keras file"
FORMATS = (
    Format("tfjs-layers", "TensorFlow.js", "TF.js", _TFJS, (), "model.json", "json", zoo="tensorflow_js"),
    Format("tfjs-graph", "TensorFlow.js graph", "TF.js", _TFJS, (), "model.json", "json"),
    Format("keras-h5", "Keras .h5", "Keras", _KERAS, (".h5", ".hdf5"), starts=_is_hdf5, zoo="keras_hdf5"),
    Format(
        "keras-v3",
        "Keras .keras",
        "Keras",
        _KERAS,
        (".keras",),
        None,
        "zip",
        members=("config.json", "model.weights.h5"),
    ),
    Format("saved-model", "SavedModel", "SavedModel", "a SavedModel", (), "saved_model.pb", remote=False),
    Format("onnx", "ONNX", "ONNX", "an ONNX file", (".onnx",), starts=_is_onnx, zoo="onnx"),
)
BY_ID = {each.id: each for each in FORMATS}
ZIPPED = "tfjs-layers"  # what a zip archive is taken to hold until it is opened: WebIPred's models come so
SUFFIXES = tuple(suffix for each in FORMATS for suffix in each.suffixes)
# What names of files end in that are a model or hold one, as a file dialog takes it.
PATTERNS = " ".join(f"*{suffix}" for suffix in (".zip", *SUFFIXES))
# The same with those that have other files beside them.
ALL_PATTERNS = " ".join(
    dict.fromkeys([PATTERNS, *(f"*{PurePosixPath(each.file_name).suffix}" for each in FORMATS if each.file_name)])
)

_ARCHIVES = {".zip": ("zip", "a zip archive"), ".json": ("json", "a JSON file")}


def kind_of(head: bytes) -> str:
    """Tell what a file is from its first bytes (512 are enough), whatever its name says.

    Returns
    -------
    str
        The ``id`` of a format, or ``"zip"``, ``"json"``, ``"html"``, ``"empty"`` or ``"unknown"``.
    """
    if not head:
        return "empty"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<!--")):
        return "html"
    if text.startswith((b"{", b"[")):
        return "json"
    return next((each.id for each in FORMATS if each.starts and each.starts(head)), "unknown")


def kind_by_suffix(name: str) -> tuple[str, str] | None:
    """Tell by the end of a file's name what `kind_of` has to say of it, and how to call such a file in a sentence."""
    suffix = PurePosixPath(name).suffix.lower()
    known = {suffix: (each.kind, each.described) for each in FORMATS for suffix in each.suffixes}
    return (_ARCHIVES | known).get(suffix)


# Files beside a model that say how good it is, in the format of WebIPred, and what they are about.
METRIC_FILES = {"metrics-javascript.json": "JavaScript", "metrics-python.json": "Python", "metrics.json": "published"}


def format_of(name: str) -> Format | None:
    """Tell the format of a model by the name of its file; None if it says nothing."""
    path = PurePosixPath(name)
    fits = (each for each in FORMATS if path.name == each.file_name or path.suffix.lower() in each.suffixes)
    return next(fits, None)


def listed(last: str = "or") -> str:
    """Write all formats in a sentence: ``a SavedModel (saved_model.pb) or an ONNX file (.onnx)``."""
    names: dict[str, dict[str, None]] = {}
    for each in FORMATS:
        names.setdefault(each.described, {}).update(dict.fromkeys(each.names))
    return joined((f"{described} ({', '.join(known)})" for described, known in names.items()), last)


def names() -> str:
    """List what the files that can be fetched are called, or end in: ``model.json, .h5``."""
    return ", ".join(dict.fromkeys(name for each in FORMATS if each.remote for name in each.names))


def programs() -> str:
    """Write where models come from in a sentence: ``Keras, SavedModel or ONNX``."""
    return joined(dict.fromkeys(each.program for each in FORMATS))


def joined(words: Iterable[str], last: str = "or") -> str:
    """Write words in a sentence: ``a, b or c``."""
    *first, end = words
    return f"{', '.join(first)} {last} {end}" if first else end
