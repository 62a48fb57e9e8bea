"""A folder of maps: a file for each, with its figures, and a record of how all were made."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from napari_webipred.errors import OptionError
from napari_webipred.explanations.explanation import CAPTION
from napari_webipred.explanations.naming import Naming, class_parts, key
from napari_webipred.names import visible
from napari_webipred.results.output import Kind, claimed, replacing, unwritable
from napari_webipred.results.record import Record, as_json, read_record

if TYPE_CHECKING:
    from PIL import Image

    from napari_webipred.execution.plane import Plane
    from napari_webipred.explanations.explanation import Explanation
    from napari_webipred.results.row import Row

Format = Literal["tiff", "png"]
SUFFIXES: dict[Format, str] = {"tiff": ".tif", "png": ".png"}
RECORD = "explanations.json"
BETWEEN = 10.0  # seconds after which the record is written again; what it lists is ours in a later run
_KIND = Kind("a record of explanations", (".json",), lambda path: read_record(path) is not None)


@contextmanager
def claimed_folder(path: Path, inputs: Iterable[str | Path] = ()) -> Iterator[Path]:
    """Make sure that a folder may be filled with maps, and keep other runs from filling it until the block ends.

    Parameters
    ----------
    path : Path
        It is made if it is not there.
    inputs : iterable of path
        What the same run reads.

    Raises
    ------
    OptionError
        The folder cannot be made or written, or its maps would be among the images of the next run.
    """
    made = not path.exists()
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        if path.exists():
            raise OptionError(f"{path} is a file.", "Give the name of a folder.") from error
        raise unwritable(path, error) from error
    try:
        for each in map(Path, inputs):
            if each.is_dir() and path.resolve().is_relative_to(each.resolve()):
                raise OptionError(
                    f"The folder {path} lies in the input {each}, so the maps would be taken for images next time.",
                    "Choose a folder outside of the inputs.",
                )
        with claimed(path / RECORD, _KIND, lambda there: False, inputs):
            yield path
    finally:
        if made:
            with suppress(OSError):  # it holds something
                path.rmdir()


class Folder:
    """Writes maps into a folder. Nothing is replaced but what an earlier run has written, and nobody has changed since.

    Parameters
    ----------
    path : Path
        See `claimed_folder`.
    kind : "tiff" or "png"
    images : sequence of str
        The names of all images of the run, in order.
    classes : sequence of str
        Those of the model.
    record : Record
        How the run is made.
    """

    def __init__(self, path: Path, kind: Format, images: Sequence[str], classes: Sequence[str], record: Record) -> None:
        self._path, self._format, self._record = path, kind, record
        self._naming = Naming(images, self._is_taken)
        self._class_parts = class_parts(classes)
        earlier = read_record(path / RECORD) or {}
        files = earlier.get("files")
        self._files: dict[str, str] = files if isinstance(files, dict) else {}
        self._there: dict[str, list[str]] = {}
        for each in path.iterdir():
            if each.suffix.lower() == SUFFIXES[kind]:
                self._there.setdefault(key(each.stem.rpartition(".")[0]), []).append(each.name)
        self._entries: list[dict[str, Any]] = []
        self._written = time.monotonic()
        model = record.of_run()["model"]
        self._of_model = {name: model[name] for name in ("id", "name", "version", "doi", "checksum")}

    def name(self, plane: Plane) -> str:
        """Return the beginning of the names of a plane's files; to be asked once for each plane, in order."""
        return self._naming.name(plane)

    def write(
        self,
        name: str,
        plane: Plane,
        explanation: Explanation,
        scale: float,
        drawn: Callable[[], Image.Image],
    ) -> dict[str, Any]:
        """Write one map, and return its entry for the record; several threads may do so.

        Parameters
        ----------
        name : str
            What `name` has given.
        plane : Plane
        explanation : Explanation
        scale : float
            The value with the strongest colour.
        drawn : callable
            Draws the figure of a PNG file.

        Raises
        ------
        OptionError
            The file cannot be written.
        """
        file = f"{name}.{self._class_parts[explanation.class_name]}{SUFFIXES[self._format]}"
        entry = {"file": file, **_figures(plane, explanation, scale)}
        about = json.dumps({**entry, "model": self._of_model, "caption": CAPTION})
        content = _tiff(explanation, about) if self._format == "tiff" else _png(drawn(), about)
        try:
            with replacing(self._path / file, content):
                pass
        except OSError as error:
            raise unwritable(self._path / file, error) from error
        return {**entry, "checksum": _checksum(content)}

    def add(self, row: Row, entries: Iterable[dict[str, Any]] = ()) -> None:
        """Note a row, and the entries of its maps if they are written already; now and then the record is written."""
        self._record.add(row)
        self.note(entries)

    def note(self, entries: Iterable[dict[str, Any]]) -> None:
        """Note entries of maps that are written."""
        for entry in entries:
            self._files[entry["file"]] = entry.pop("checksum")
            self._entries.append(entry)
        if time.monotonic() - self._written > BETWEEN:
            self._write_record()

    def finish(self, stopped: str = "") -> None:
        """Write the record, with why the run was stopped, if it was.

        Raises
        ------
        OptionError
            It cannot be written.
        """
        if stopped:
            self._record.stopped = stopped
        self._write_record()

    def _write_record(self) -> None:
        self._written = time.monotonic()
        found = self._record.as_dict()
        del found["table_checksum"]
        there = {name: checksum for name, checksum in self._files.items() if (self._path / name).exists()}
        content = as_json({**found, "caption": CAPTION, "explanations": self._entries, "files": there})
        try:
            with replacing(self._path / RECORD, content):
                pass
        except OSError as error:
            raise unwritable(self._path / RECORD, error) from error

    def _is_taken(self, name: str) -> bool:
        """Tell whether files with such a name are there that must not be replaced."""
        return any(not self._is_ours(file) for file in self._there.get(key(name), ()))

    def _is_ours(self, file: str) -> bool:
        return file in self._files and _checksum((self._path / file).read_bytes()) == self._files[file]


def _figures(plane: Plane, explanation: Explanation, scale: float) -> dict[str, Any]:
    """Return all that is known of a map, as plain JSON values."""
    return {
        "image": plane.source.name,
        **dict(plane.source.position(plane.index)),
        **({"region": plane.region.name, "affine": explanation.affine.tolist()} if plane.region is not None else {}),
        "class": explanation.class_name,
        "probability": explanation.probability,
        "method": explanation.method,
        "target": explanation.target,
        "logit": explanation.logit,
        "bias": explanation.bias,
        "completeness": explanation.completeness,
        "scale": scale,
        "agreement": explanation.agreement,
    }


def _tiff(explanation: Explanation, about: str) -> bytes:
    """Write a map as a TIFF file of 32-bit floats, with its figures as JSON in the description."""
    import tifffile

    content = io.BytesIO()
    tifffile.imwrite(
        content,
        explanation.map,
        photometric="minisblack",
        description=about,
        metadata=None,
        software="napari-webipred",
    )
    return content.getvalue()


def _png(figure: Image.Image, about: str) -> bytes:
    """Write a figure as a PNG file, with its figures as JSON in the text ``napari-webipred``."""
    from PIL.PngImagePlugin import PngInfo

    texts = PngInfo()
    texts.add_text("Software", "napari-webipred")
    texts.add_text("Description", CAPTION)
    texts.add_text("napari-webipred", visible(about))
    content = io.BytesIO()
    figure.save(content, "PNG", pnginfo=texts)
    return content.getvalue()


def _checksum(content: bytes) -> str:
    return f"sha256:{sha256(content).hexdigest()}"
