"""Keeps back what libraries that read images log about them: names and descriptions are private."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# tifffile logs names of files; Pillow logs the content of EXIF and TIFF tags, such as descriptions of an image.
# pydicom and its decoders quote values of attributes.
TALKATIVE = (
    *("tifffile", "PIL.Image", "PIL.ImageFile", "PIL.PngImagePlugin", "PIL.TiffImagePlugin"),
    *("pydicom", "pydicom.pixels.decoders.base", "pydicom.pixels.utils", "jpeg_ls", "openjpeg", "openjpeg.utils"),
    *("highdicom.base", "highdicom.sr.sop", "highdicom.sr.templates", "highdicom.sc.sop"),
    *("pylibjpeg", "pylibjpeg.utils", "pylibjpeg.tools.jpegio", "pylibjpeg.tools.s10918.io"),
)

_silent: ContextVar[bool] = ContextVar("_silent", default=False)


def _is_heard(record: logging.LogRecord) -> bool:
    return not _silent.get()


for _name in TALKATIVE:
    logging.getLogger(_name).addFilter(_is_heard)


@contextmanager
def quiet() -> Iterator[None]:
    """Drop what these libraries log meanwhile in this thread; other libraries and other threads log as always."""
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)
