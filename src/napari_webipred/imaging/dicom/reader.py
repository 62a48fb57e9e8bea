"""The reader of DICOM files: one file, its frames, or a series of files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from napari_webipred.errors import ImageError
from napari_webipred.imaging.dicom.content import is_dicom
from napari_webipred.imaging.dicom.instance import Instance
from napari_webipred.imaging.header import Header
from napari_webipred.imaging.reader import FileFormat, Reader
from napari_webipred.imaging.source import Index, Source
from napari_webipred.names import visible

if TYPE_CHECKING:
    from numpy.typing import NDArray


# What reads the files is imported with the first one: most programs start for other images.

# Bytes per sample while a frame is decoded: as numbers of 4 bytes in a decoder, then as intensities of 8 bytes, and as
# levels of 8 bytes that become 8 bits.
WHILE_DECODING, AS_INTENSITIES = 4, 17


class Slice(Struct, frozen=True, eq=False):
    """A plane of a stack: a frame of a file.

    Attributes
    ----------
    instance : Instance
    frame : int
    remarks : tuple of str
        What should be known about its place in the stack.
    """

    instance: Instance
    frame: int = 0
    remarks: tuple[str, ...] = ()


def describe(path: Path, name: str) -> Source:
    """Describe a file from its header.

    Raises
    ------
    ImageError
        It holds no image, or one that cannot be read.
    Exception
        Of pydicom, if it is damaged.
    """
    from napari_webipred.imaging.dicom.instance import instance_of

    return source_of_instance(instance_of(path), name)


def source_of_instance(instance: Instance, name: str) -> Source:
    """Describe a file whose header was read."""
    frames = instance.layout.frames
    slices = tuple(Slice(instance, frame) for frame in range(frames))
    source = stack_source(slices, name, instance.path)
    return source if frames > 1 else replace(source, axes=(), shape=())


def stack_source(
    slices: tuple[Slice, ...],
    name: str,
    path: Path,
    axes: tuple[str, ...] = ("frame",),
    shape: tuple[int, ...] | None = None,
) -> Source:
    """Describe slices as a stack along an axis, or several, of which the last changes fastest."""
    display = slices[0].instance.frame(slices[0].frame).display
    shown = display.windows[0].range if display is not None and display.windows else None
    proper = shown if shown is not None and shown[0] < shown[1] else None
    return Source(name, READER.id, path, axes, shape or (len(slices),), intensity_range=proper, details=slices)


def instances_of(source: Source) -> str:
    """Return the checksum of the identifiers of the DICOM images that a stack is of; empty if it is of none."""
    if source.reader != READER.id:
        return ""
    return hashlib.sha256("\n".join(each.instance.identifier for each in source.details).encode()).hexdigest()


def slice_of(source: Source, index: Index) -> Slice:
    """Return the file and frame of a plane."""
    found: Slice = source.details[_number(source, index)]
    return found


def absolute(source: Source, index: Index | None = None) -> Mapping[int, Slice]:
    """Return the slices of a source by their numbers, with absolute paths; only that of one plane, if one is given."""
    slices = dict(enumerate(source.details)) if index is None else {_number(source, index): slice_of(source, index)}
    instances = {id(each.instance): each.instance for each in slices.values()}
    moved = {key: replace(each, path=each.path.absolute()) for key, each in instances.items()}
    return {number: replace(each, instance=moved[id(each.instance)]) for number, each in slices.items()}


def _number(source: Source, index: Index) -> int:
    return int(np.ravel_multi_index(index, source.shape)) if index else 0


def _read(source: Source, index: Index) -> NDArray[Any]:
    from napari_webipred.imaging.dicom.pixels import in_colours, stored_values

    chosen = slice_of(source, index)
    layout = chosen.instance.layout
    path = chosen.instance.path
    try:
        values = stored_values(path, layout, chosen.frame)
    except ImageError as error:
        if path == source.location:
            raise
        # Behind the reason, which is the same for many slices.
        raise ImageError(f"{error.message} The slice is {visible(path.name)}.", error.hint) from error
    if layout.is_colour:
        return in_colours(values, layout)
    return chosen.instance.frame(chosen.frame).rescale.of(values)


def _memory(source: Source, index: Index) -> int:
    layout = slice_of(source, index).instance.layout
    samples = layout.pixels * layout.samples
    compressed = min(layout.place.length, layout.bits_of_frame // 8)
    return int(layout.bits_of_frame // 8 + compressed + samples * (WHILE_DECODING + AS_INTENSITIES))


def _header(source: Source, index: Index) -> Header:
    from napari_webipred.imaging.dicom.syntax import decoding

    chosen = slice_of(source, index)
    instance = chosen.instance
    return Header(
        instance.frame(chosen.frame).display,
        decoding(instance.layout.syntax, instance.layout.stored),
        instance.modality,
        instance.body_part,
        (*instance.remarks, *chosen.remarks),
        (instance.study, instance.series, instance.identifier),
    )


READER = Reader(
    "dicom",
    _read,
    memory=_memory,
    header=_header,
    files=FileFormat(
        names=("DICOM",),
        suffixes=frozenset({".dcm", ".dicom", ".ima"}),
        recognises=lambda path, head: is_dicom(head),
        describe=describe,
        priority=2,
    ),
)
