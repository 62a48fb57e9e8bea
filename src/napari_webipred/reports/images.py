"""The files of images that rows of a table are of."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from msgspec import Struct

from napari_webipred.checksums import sha256_of
from napari_webipred.errors import OptionError, WebIPredError
from napari_webipred.imaging.dicom.reader import READER, instances_of
from napari_webipred.imaging.files import find_images
from napari_webipred.imaging.readers import file_source
from napari_webipred.imaging.series import collected
from napari_webipred.imaging.source import Index, Source
from napari_webipred.reports.results import Result, Results, path_of

Known: TypeAlias = Sequence[Source | WebIPredError | None]

_GONE = "Classify it again, and make the report of the new row."
_WHERE_MADE = "Make the report where the table was made, or classify again with the identifiers in the table."
_WHERE = "Give the folder that the images are in, or classify them again with their identifiers in the table."


class Place(Struct, frozen=True, eq=False):
    """What a row is of: a plane of an image, or several of which its plane was made."""

    source: Source
    indices: tuple[Index, ...]


def found(results: Results, folders: Sequence[Path] = (), known: Known | None = None) -> Generator[int, None, Images]:
    """Look for the images of a table; only headers are read.

    Parameters
    ----------
    results : Results
    folders : sequence of Path
        Where the images are; by default where they were.
    known : sequence of Source, WebIPredError or None, optional
        The images of the run themselves, if they are known, in its order. An error says why one cannot be reported;
        None stands for one that no row is of. No others are looked for then.

    Yields
    ------
    int
        How many files were looked at.
    """
    if known is not None:
        return Images([], [], {}, known)
    sources: list[Source] = []
    files: list[str] = []
    for path in folders or _as_classified(results):
        of_path, _ = find_images([path])
        files += of_path
        if of_path == [str(path)]:  # a file that was given by its name is no part of a series
            sources.append(file_source(of_path[0]))
        else:
            sources += [source for _, source in (yield from collected(of_path)).sources]
    return Images(sources, files, results.record)


def _as_classified(results: Results) -> list[Path]:
    """Return the files and folders that the rows were classified from; a series stands for its folder."""
    paths = dict.fromkeys(path_of(row.image) for row in results.rows)
    return list(dict.fromkeys(path if path.exists() else path.parent for path in paths))


class Images:
    """The images that are there, by what a row may know of them.

    A row is matched by the unique identifier in the table, by the path that it was classified from, or by the checksum
    of its file: never by a name alone, for other patients have files of the same name. Where the images of the run are
    known, it is matched by its place among them.
    """

    def __init__(
        self, sources: Sequence[Source], files: Sequence[str], record: Mapping[str, Any], known: Known | None = None
    ) -> None:
        self._known = known
        self._files = files
        self._by_name = {source.name: source for source in sources}
        self._by_instance: dict[str, tuple[Source, list[Index]]] = {}
        for source in sources:
            if source.reader == READER.id:
                for place, index in enumerate(np.ndindex(source.shape) if source.axes else [()]):
                    of_file = self._by_instance.setdefault(source.details[place].instance.identifier, (source, []))
                    of_file[1].append(index)
        self._facts = {entry["image"]: entry for entry in record.get("inputs", ())}
        self._by_sum: dict[str, str] | None = None

    def place_of(self, row: Result) -> Place:
        """Return the plane that a row is of.

        Raises
        ------
        WebIPredError
            It is not found, or was changed since it was classified.
        """
        if self._known is not None:
            source = self._known[row.source] if row.source is not None and row.source < len(self._known) else None
            if source is None:
                raise OptionError(f"{row.image} is not open as it was classified.", _GONE)
            if isinstance(source, WebIPredError):
                raise source
            return Place(source, _indices(source, row))
        if row.instance:
            if row.instance not in self._by_instance:
                raise OptionError(f"The image {row.image} is not among the files.", _WHERE)
            source, indices = self._by_instance[row.instance]
            return Place(source, tuple(indices) if len(indices) == 1 else _indices(source, row))
        source = self._source(row)
        return Place(source, _indices(source, row))

    def _source(self, row: Result) -> Source:
        facts = self._facts.get(row.image, {"bytes": None})  # nothing is noted of a table that was made here
        if not {"bytes", "sha256"} & facts.keys():  # of a file that was classified by its path, its size is
            raise OptionError(f"The table does not say where the image {row.image} is.", _WHERE_MADE)
        known, source = facts.get("sha256"), self._by_name.get(row.image)
        if source is not None and (known is None or known == _sum(source)):
            if facts.get("instances") in (None, instances_of(source)):
                return source
            raise OptionError(f"{row.image} is of other images than those that were classified.", _WHERE)
        if known is not None:
            if self._by_sum is None:
                self._by_sum = {sha256_of(Path(file)): file for file in self._files if Path(file).is_file()}
            if known in self._by_sum:
                return file_source(self._by_sum[known])
        if source is not None:
            raise OptionError(f"{row.image} was changed since it was classified.", "Classify it again.")
        raise OptionError(f"The image {row.image} is not found.", _WHERE)


def _sum(source: Source) -> str:
    """Return the checksum of a file; nothing of a series of them, which has none in the record either."""
    path = source.location
    return sha256_of(path) if isinstance(path, Path) and path.is_file() else ""


def _indices(source: Source, row: Result) -> tuple[Index, ...]:
    """Return the planes of a stack that a row is of."""
    if not {*row.position} <= {*source.axes}:
        raise OptionError(f"{row.image} has other axes than when it was classified.", _WHERE)
    ranges = [
        [row.position[axis]] if axis in row.position else range(length)
        for axis, length in zip(source.axes, source.shape, strict=True)
    ]
    if any(row.position.get(axis, 0) >= length for axis, length in zip(source.axes, source.shape, strict=True)):
        raise OptionError(f"{row.image} has fewer planes than when it was classified.", _WHERE)
    return tuple(product(*ranges))
