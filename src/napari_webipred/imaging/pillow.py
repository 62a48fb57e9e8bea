"""Images of Pillow that are in memory."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

from napari_webipred.imaging.decoding import to_array
from napari_webipred.imaging.raster import check_pixels, memory_of_frame, upright_plane
from napari_webipred.imaging.reader import Reader
from napari_webipred.imaging.source import Index, Source
from napari_webipred.limits import PIXELS_AT_MOST

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

_one_at_a_time = Lock()  # Pillow must not decode the same image in two threads


def pillow_source(image: Image, name: str) -> Source:
    """Describe an image of Pillow: what it shows now, of an animation the current frame.

    EXIF orientation is honoured in an image as it was opened, as in its file; what was made of it (converted, turned,
    cut) is taken as it is.

    Raises
    ------
    ImageError
        The image has more than 1000 megapixels.
    """
    check_pixels(*image.size, PIXELS_AT_MOST)  # of what is in memory nobody knows how small it was
    return Source(name, READER.id, image, details=memory_of_frame(image))


def _read(source: Source, index: Index) -> NDArray[Any]:
    from PIL.ImageFile import ImageFile

    image: Image = source.location
    with _one_at_a_time:
        return upright_plane(image) if isinstance(image, ImageFile) else to_array(image)


READER = Reader("pillow", _read, memory=lambda source, index: int(source.details))
