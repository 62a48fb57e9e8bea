"""What is too large, too many, too small or too slow to be worked with, and why; `docs/limits.md` is for users."""

from __future__ import annotations

import math
import os
import re
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

from napari_webipred import settings
from napari_webipred.errors import OptionError

# --- images -----------------------------------------------------------------------------------------------------------

# Of an image file: 31,600 x 31,600, which take seconds to decode. How many of them fit is up to the memory for images.
PIXELS_AT_MOST = 10**9
# Pixels of an image file that may be as small as it likes. Pillow, too, starts to speak of a decompression bomb here:
# 256 MiB of 8-bit RGB.
PIXELS_OF_ANY_FILE = 89_478_485
# Pixels that a byte of a larger image may stand for. Scans and photographs need ten times as many bytes; a file of a
# few kilobytes that becomes gigabytes was made to do harm.
LARGE_PIXELS_PER_BYTE = 100
# Bytes of one decoded page of a TIFF file, which may have more bits and channels than other formats.
PAGE_AT_MOST = 4 * 2**30
# Pages of a TIFF file. Each takes time and memory before the first is read; a long recording has some ten thousand.
PAGES_AT_MOST = 100_000
# Planes of a folder of Zarr. None costs anything before it is read, but each is a row of the results.
PLANES_AT_MOST = 10**6
# Pixels of the level of a slide that is classified as one image, 8192 x 8192: no model sees more of it.
LEVEL_PIXELS = 2**26
# Bytes of a block (tile, strip, chunk) of a picture that is read in parts. Usual ones have 0.2 to 4 MB.
BLOCK_AT_MOST = 256 * 2**20
# Numbers of a heat map: tiles times classes. They are in memory twice, 4 bytes each.
MAP_NUMBERS = 2**27
# Bytes of a strip or tile that is larger than its page, and of what is inflated at once.
STRIP_AT_MOST = 512 * 2**20
# Pixels and bytes of a frame of a DICOM file. Larger images are stored there in tiles.
FRAME_PIXELS, FRAME_BYTES = 89_478_485, 512 * 2**20
# Bytes that a deflated DICOM file may inflate to. Nearly all images in this rare form are single ones.
INFLATED_AT_MOST = 128 * 2**20
# Pixels that a byte of a compressed DICOM image may stand for, if it has many: photographs and scans need far more
# bytes, and what needs fewer takes seconds and hundreds of megabytes to decode for nothing.
PIXELS_PER_BYTE = 1000
# Frames of a DICOM file: an hour of ultrasound at 30 frames per second.
FRAMES_AT_MOST = 108_000
# Bytes of a DICOMDIR, the table of contents of a disc. That of a DVD full of slices has about 10 MB.
DIRECTORY_BYTES = 16 * 2**20
# Of a JPEG file. A progressive one has about ten, and each costs a walk over all pixels.
SCANS_AT_MOST = 100
# An image of less than a quarter of the model's width or height is enlarged more than fourfold: three of four pixels
# (or more) that the model sees are then interpolated, which is not what it was trained on.
SMALLEST_SHARE = 1 / 4
# Regions of an image, counted on each plane that has its own. Each is a row: with a small model, 10 ms each, they take
# half an hour, and as a table 100 MB. The cells of a field of view are hundreds, rarely thousands.
REGIONS = 200_000
# Corners of a polygon; one that is drawn by hand has hundreds. Each costs a step for each region and plane.
CORNERS = 10_000

# Files in a folder that the panel lists as one entry: it reads the header of each image before it classifies any. The
# command line and Python take any number.
FILES_IN_A_FOLDER = 50_000
# Bytes of the maps that explain rows in the panel. Those of a row of a model with 30 classes take 6 kB, with 1,000
# classes 200 kB.
MAP_BYTES = 256 * 2**20
# Bytes of a stack that is opened as a layer although napari cannot read its file: all of them are in memory then.
OPENED_BYTES = 2**30

# --- models: what a file may hold ------------------------------------------------------------------------------------

# Bytes that opening a model may take: so many, and so many for each byte of its files. What opens a model reads it,
# compiles it and hands it to ONNX Runtime, which holds it twice for a moment.
OPENING, OPENING_PER_BYTE = 64 * 2**20, 4
# Operations of a compiled network. NASNetLarge has 1,500; a large Swin transformer, every small step of which is
# written down, 16,000. ONNX Runtime needs 0.2 ms to open each.
OPERATIONS = 20_000
# Layers of a Keras model, each counted as often as it is called, those of nested models within one another, and how
# deep these are nested: a hostile file could double the number of calls on each level.
CALLS, LAYERS, NESTED_MODELS = 20_000, 100_000, 16
# Fields of a compiled network: names of tensors, attributes, sizes. An operation has about seven.
GRAPH_VALUES = 300_000
# Constants with no more numbers than this are followed through computations, to learn the sizes that they make.
KNOWN_NUMBERS = 256
# Numbers that a layer or an operation of TensorFlow makes: 4 GB. Here its name can still be told; what all of them need
# is told of the compiled network.
LAYER_NUMBERS = 2**30
# Numbers of one tensor. This is 256 GB: what is larger needs no further look.
TENSOR_NUMBERS = 2**36
# Classes of a model. ImageNet-21k, the largest set of labels in wide use, has 21,843.
CLASSES = 100_000
# Of these the panel shows so many: columns of its table, bars of its chart, names in its description of the model. Each
# column and each bar takes time whenever Qt lays them out; files have all classes.
SHOWN_CLASSES = 1_000
# Bytes of constants that are computed from others when a network is opened, besides as many as its weights have. More
# is computed again in each run, where it counts as what a run needs.
FOLDED = 32 * 2**20

# --- models: what they may cost --------------------------------------------------------------------------------------

# Multiply-adds for one image. VGG16 needs 0.016e12, EfficientNetB7 at 600 pixels 0.06e12, the largest vision
# transformers 1e12. Below, an image takes less than a minute on a single slow core.
WORK = 10**12
# What one core does at least, to tell roughly how long an image takes.
WORK_PER_SECOND = 2 * 10**10
# Seconds that a cancelled computation may go on until it is left behind, so that all ends within a second; ONNX Runtime
# stops between two operations.
PATIENCE = 0.5

# --- downloads, and what is kept -------------------------------------------------------------------------------------

# Bytes of a file that are read at a time: what a broken connection loses at most.
DOWNLOAD_CHUNK = 64 * 2**10
# A server on the other side of the world answers within a second; a hospital's proxy that scans a file, within ten.
CONNECT_SECONDS = 10.0
SILENT_SECONDS = 20.0
# For the head of an answer and for each chunk of it. One byte every few seconds is no silence, but no download either;
# a chunk a minute is a sixth of what a telephone modem brings.
SLOW_SECONDS = 60.0
# An archive is in the same house; it may take long to fetch an old study from tape.
ARCHIVE_CONNECT_SECONDS, ARCHIVE_SILENT_SECONDS = 5.0, 30.0
# Bytes of one DICOM file of an archive, of which two may be in memory. A CT of the whole body as one file has 1 GB.
INSTANCE_BYTES = 2 * 2**30
# Bytes of the disk that stay free when images are retrieved.
DISK_LEFT = 2**30
# Zenodo needs one redirect (from all versions to the latest), Hugging Face two.
REDIRECTS = 5
# Tries without progress, 0.5, 1, 2 and 4 seconds apart, and the longest wait that a server may ask for.
DOWNLOAD_TRIES = 5
LONGEST_WAIT = 120.0
# A bundle is an archive, and one of more than 2000 files or 4 GiB is not opened.
BUNDLE_MODELS = 200
BUNDLE_FILES = 1900
BUNDLE_BYTES = 4 * 2**30 - 2**26
# How often a model is opened again because another program has removed or replaced it in the meantime. Nobody removes
# models that often; it ends what would never end.
OPENING_TRIES = 20

# --- memory ----------------------------------------------------------------------------------------------------------

MEMORY_SETTING = "NAPARI_WEBIPRED_MEMORY_LIMIT"
SHARE_OF_MEMORY = 1 / 4  # what is left is for napari, its layers and other programs
BUDGET_AT_MOST = 4 * 10**9  # for models: no widely used one needs more, and a hostile one might
UNKNOWN_MEMORY = 4 * 10**9  # what a computer has at least that does not say how much


def memory_budget() -> int:
    """Return how many bytes models may take at a time; see `image_budget`. By default at most 4 GB.

    Raises
    ------
    OptionError
        The setting is no amount of memory.
    """
    limit = settings.memory_limit()
    budget = _budget(limit)
    return budget if limit else min(budget, BUDGET_AT_MOST)


def image_budget() -> int:
    """Return how many bytes all images together may take that are read and prepared at a time.

    The setting for memory says it, such as ``8GB``; by default it is a quarter of the memory that this process may use
    (of the computer, the container or the job of a cluster).

    Raises
    ------
    OptionError
        The setting is no amount of memory.
    """
    return _budget(settings.memory_limit())


def _budget(limit: str) -> int:
    if not limit:
        return int(_memory() * SHARE_OF_MEMORY)
    try:
        return bytes_of(limit)
    except OptionError:
        raise OptionError(
            f"The setting {MEMORY_SETTING} is {limit!r}, which is not an amount of memory.",
            "Write it as 8GB or 500MB.",
        ) from None


def bytes_of(text: str) -> int:
    """Read a number of bytes as people write it: ``2GB``, ``500 MB``, ``1.5 GiB``.

    Raises
    ------
    OptionError
        It is none.
    """
    found = re.fullmatch(r"(\d{1,12}(?:\.\d{1,9})?)\s*(?:([kmgt])(i?))?b?", text.strip().lower())
    if not found:
        raise OptionError(f"{text!r} is not an amount of space.", "Write it as 5GB or 500MB.")
    number, unit, binary = found.groups()
    factor = (1024 if binary else 1000) ** (" kmgt".index(unit) if unit else 0)
    return int(float(number) * factor)


def amount(size: int, *, round_up: bool = False) -> str:
    """Write a number of bytes for people: ``2.5 GB``; rounded up and without the space where it is to be typed."""
    unit, name = (10**9, "GB") if size >= 10**9 else (10**6, "MB")
    if round_up:
        return f"{math.ceil(size / unit)}{name}"
    return f"{size / unit:.1f} {name}" if unit == 10**9 else f"{math.ceil(size / unit)} {name}"


@cache
def _memory() -> int:
    """Return the bytes of memory that this process may use."""
    of_computer = _windows_memory() if sys.platform == "win32" else _posix_memory()
    return min(of_computer, _control_group_memory() or of_computer)


def _posix_memory() -> int:
    with suppress(ValueError, OSError):  # the system does not know these names
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return size if size > 0 else UNKNOWN_MEMORY
    return UNKNOWN_MEMORY


def _windows_memory() -> int:
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            ("total", ctypes.c_ulonglong),
            ("others", ctypes.c_ulonglong * 6),
        )

    status = Status(length=ctypes.sizeof(Status))
    windows = ctypes.windll.kernel32  # type: ignore[attr-defined, unused-ignore]
    return int(status.total) if windows.GlobalMemoryStatusEx(ctypes.byref(status)) else UNKNOWN_MEMORY


def _control_group_memory(processes: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> int:
    """Return the limit that Linux sets for a container or a job of a cluster; 0 for none."""
    limits = []
    with suppress(OSError):  # another system, or no control groups
        for line in processes.read_text(encoding="utf-8").splitlines():
            _, controllers, group = line.split(":", 2)
            if controllers and "memory" not in controllers.split(","):
                continue
            top, name = (root / "memory", "memory.limit_in_bytes") if controllers else (root, "memory.max")
            folder = top / group.lstrip("/")
            for each in [folder, *folder.parents]:  # every group above has a limit, too
                with suppress(OSError, ValueError):  # not there, or "max"
                    limits.append(int((each / name).read_text(encoding="ascii")))
                if each == top:
                    break
    return min(limits, default=0)


def available_cores() -> int:
    """Count the processor cores that this process may use: more threads than that make a prediction slower."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
