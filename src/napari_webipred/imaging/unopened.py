"""Images of which some are files that nobody has looked into: each is described when its turn comes, by its reader."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from msgspec.structs import replace

from napari_webipred.errors import WebIPredError
from napari_webipred.imaging import unreadable
from napari_webipred.imaging.files import is_file
from napari_webipred.imaging.path_list import PathList
from napari_webipred.imaging.readers import file_formats, file_source, is_single
from napari_webipred.imaging.selection import WHOLE, Selection, selected
from napari_webipred.imaging.source import Source
from napari_webipred.names import escape

_STEP = 1000  # files
UNOPENED = "unopened"  # in place of the id of a reader
Image: TypeAlias = Source | str  # described, or the path of a file


class Sources:
    """Images in their order, of which only some are described; of the others only the paths are in memory, packed.

    Parameters
    ----------
    images : iterable of Source or str
    selection : Selection
        What of each image is classified that is not described yet.

    Attributes
    ----------
    left_out, links : PathList
        Files in the given folders that are no images, and links to folders there, which are not followed.
    begun : int
        How many planes of the first image are left out, because they are classified already.
    """

    def __init__(self, images: Iterable[Image] = (), selection: Selection = WHOLE) -> None:
        self.left_out, self.links = PathList(), PathList()
        self._selection = selection
        self._paths = PathList()
        self._described: dict[int, Source] = {}
        self._first = 0  # images before it are left out
        # What is known of all files that are not described:
        self._single = False  # that they hold one plane
        self._only_files = True  # that they are no folders or pipes
        self.begun = 0
        for image in images:
            self.add(image)

    def add(self, image: Image) -> None:
        """Put an image at the end."""
        if isinstance(image, Source):
            self._described[len(self._paths)] = image
            self._paths.append("")
        else:
            self.extend([image], only_files=False)

    def extend(self, paths: Iterable[str], *, only_files: bool) -> None:
        """Put files at the end that nobody has looked into; if they are `only_files`, none is a folder or pipe."""
        before = len(self._paths)
        self._paths.extend(paths)
        self._only_files &= only_files or len(self._paths) == before

    def __len__(self) -> int:
        return len(self._paths) - self._first

    def __getitem__(self, number: int) -> Source:
        return self._given(number + self._first, None)

    def __iter__(self) -> Iterator[Source]:
        for number, path in enumerate(self._paths.after(self._first), self._first):
            yield self._given(number, path)

    def _given(self, number: int, path: str | None) -> Source:
        if number in self._described:
            return self._described[number]
        return self._unopened(self._paths[number] if path is None else path)

    def _unopened(self, path: str) -> Source:
        return Source(escape(path), UNOPENED, Path(path), details=self._selection)

    @property
    def described(self) -> list[Source]:
        """The images that are described."""
        return [source for number, source in self._described.items() if number >= self._first]

    def is_described(self, number: int) -> bool:
        """Tell whether an image is described."""
        return number + self._first in self._described

    @property
    def identity(self) -> dict[str, Any]:
        """How many images these are, and the checksum of their names, as plain JSON values."""
        digest = hashlib.sha256()
        for number, path in enumerate(self._paths.after(self._first), self._first):
            name = self._described[number].name if number in self._described else path
            digest.update(name.encode(errors="surrogatepass") + b"\0")
        return {"count": len(self), "sha256": digest.hexdigest()}

    @property
    def typical(self) -> int:
        """How many rows a file gives that is not described, going by the images that are, if it is not known."""
        if self._single:
            return 1
        lengths = sorted(map(len, self._described.values()))
        return lengths[(len(lengths) - 1) // 2] if lengths else 1  # the median, or the lower one of two

    @property
    def is_counted(self) -> bool:
        """Whether it is known how many rows will come."""
        return self._single or len(self.described) == len(self)

    @property
    def rows(self) -> int:
        """How many rows will come, if each file that is not described gives as many as is typical."""
        known = self.described
        return sum(map(len, known)) + self.typical * (len(self) - len(known)) - self.begun

    def choosing(self, selection: Selection) -> Sources:
        """Return the same images, of which only a part is classified."""
        if selection is WHOLE:
            return self
        same = self._copy(selection)
        same._described = {number: _chosen(source, selection) for number, source in self._described.items()}
        return same

    def after(self, image: int, planes: int) -> Sources:
        """Return these images without those before this one, and without its first planes."""
        same = self._copy(self._selection)
        same._first, same.begun = image, planes
        if planes:
            same._described = {**self._described, image: opened(self._given(image, None))}
        return same

    def only(self, images: Iterable[int]) -> Sources:
        """Return some of these images."""
        some = Sources(selection=self._selection)
        for number in images:
            place = number + self._first
            some.add(self._described[place] if place in self._described else self._paths[place])
        return some

    def opened(self) -> Sources:
        """Return the same images, all described."""
        same = Sources(map(opened, self))
        same.left_out, same.links, same.begun = self.left_out, self.links, self.begun
        return same

    def looking_for_stacks(self) -> Generator[tuple[int, int], None, Sources]:
        """Return the same images, described but for files that hold one plane by their first bytes.

        Yields
        ------
        int and int
            How many are looked at, every thousand, and how many there are.
        """
        same = self._copy(self._selection)
        same._described, same._single = {}, True
        formats, only_files = file_formats(), self._only_files
        for number, path in enumerate(self._paths.after(self._first), self._first):
            # Whoever is about to write into a pipe must not believe that it is read.
            if number in self._described or not ((only_files or is_file(path)) and is_single(path, formats)):
                same._described[number] = opened(self._given(number, path))
            if number % _STEP == 0:
                yield number - self._first, len(self)
        return same

    def _copy(self, selection: Selection) -> Sources:
        same = Sources(selection=selection)
        same.left_out, same.links = self.left_out, self.links
        same._paths, same._described = self._paths, self._described
        same._first, same.begun, same._single = self._first, self.begun, self._single
        same._only_files = self._only_files
        return same


def opened(source: Source) -> Source:
    """Describe a file, if that is still to be done; what cannot be read becomes a source that says so."""
    if source.reader != UNOPENED:
        return source
    found = _chosen(file_source(source.location), source.details)
    return found if found.name == source.name else replace(found, name=source.name)  # its path may be spelled longer


def _chosen(source: Source, selection: Selection) -> Source:
    """Choose what of an image is classified; what cannot be chosen is an image that cannot be read."""
    if selection is WHOLE or source.reader == unreadable.READER.id:
        return source
    try:
        return selected(source, selection)
    except WebIPredError as error:
        return unreadable.unreadable(source.name, error)
