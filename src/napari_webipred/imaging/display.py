"""How a medical image is displayed: what its file says about black and white, and the 8-bit image that comes of it."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred.errors import ImageError
from napari_webipred.imaging.intensity import WINDOW, Intensity, intensity_range

Function: TypeAlias = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]
LARGEST_TABLE = 2**16  # values of which the levels are computed once rather than for each pixel


class Window(Struct, frozen=True):
    """The intensities that are shown from black to white, as a file or a user says.

    Attributes
    ----------
    centre, width : float
        As in DICOM; the width is positive.
    function : "LINEAR", "LINEAR_EXACT" or "SIGMOID"
        How intensities become levels, as in DICOM.
    name : str
        What the file calls it; mostly empty.
    """

    centre: float
    width: float
    function: Function = "LINEAR"
    name: str = ""

    @property
    def range(self) -> tuple[float, float]:
        """The intensities that become black and white; of a sigmoid those between which it is steep."""
        if self.function == "LINEAR":
            half = max(self.width - 1, 0) / 2
            return self.centre - 0.5 - half, self.centre - 0.5 + half
        return self.centre - self.width / 2, self.centre + self.width / 2

    def levels(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the levels of intensities: 0 is black, 1 is white."""
        if self.function == "SIGMOID":
            exponent = np.clip(-4 * (values - self.centre) / self.width, -700, 700)
            sigmoid: NDArray[np.float64] = 1 / (1 + np.exp(exponent))
            return sigmoid
        if self.function == "LINEAR_EXACT":
            return _clipped((values - self.centre) / self.width + 0.5)
        if self.width > 1:
            return _clipped((values - (self.centre - 0.5)) / (self.width - 1) + 0.5)
        step: NDArray[np.float64] = (values > self.centre - 0.5).astype(np.float64)
        return step

    def __str__(self) -> str:
        """Write it as a radiologist does: ``window 40/400``."""
        name = f" {self.name}" if self.name else ""
        return f"window{name} {self.centre:.6g}/{self.width:.6g} ({self.function})"


class Table(Struct, frozen=True, eq=False):
    """A table that gives the level of each intensity, as a file has it (VOI LUT).

    Attributes
    ----------
    first : int
        The intensity that the first level is of; smaller ones have the same, larger ones than the last have the last.
    entries : ndarray of float64
        Levels from 0 to 1.
    name : str
        What the file calls it; mostly empty.
    """

    first: int
    entries: NDArray[np.float64]
    name: str = ""

    @property
    def range(self) -> tuple[float, float]:
        """The intensities of its first and its last level."""
        return float(self.first), float(self.first + max(len(self.entries) - 1, 1))

    def levels(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the levels of intensities: 0 is black, 1 is white."""
        places = np.clip(values - self.first, 0, len(self.entries) - 1).astype(np.intp)
        return self.entries[places]

    def __str__(self) -> str:
        """Name it: ``table of the file``."""
        return f"table {self.name}".rstrip()


class Display(Struct, frozen=True, eq=False):
    """What a file says about how a grey plane is displayed.

    Attributes
    ----------
    windows : tuple of Window or Table
        The first is the one that counts if the user chooses none; there may be none.
    inverted : bool
        Whether the smallest intensity is white.
    padding : tuple of float, optional
        Intensities from which to which are no part of the image.
    limits : tuple of float
        The intensities that can be stored.
    """

    windows: tuple[Window | Table, ...]
    inverted: bool
    padding: tuple[float, float] | None
    limits: tuple[float, float]

    def of_image(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Return the intensities that are part of the image; all, if none are."""
        if self.padding is None:
            return pixels
        low, high = self.padding
        inside = pixels[(pixels < low) | (pixels > high)]
        return inside if inside.size else pixels

    def chosen(self, name: str) -> Window | Table:
        """Return the window of this number, counted from 1, or of this name.

        Raises
        ------
        ImageError
            There is none.
        """
        for number, window in enumerate(self.windows, start=1):
            if name == str(number) or name.casefold() == window.name.casefold():
                return window
        names = ", ".join(self.names)
        have = f"Its windows are {names}." if names else "It has no window: choose another intensity range."
        raise ImageError(f"The image has no window {name}.", have)

    @property
    def names(self) -> list[str]:
        """The names of the windows; the number, counted from 1, of those without one."""
        return [window.name or str(number) for number, window in enumerate(self.windows, start=1)]


class Displayed(Struct, frozen=True):
    """A plane as it is displayed.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (height, width)
    range : tuple of float
        The intensities that became black and white, before they were inverted.
    words : str
        How: ``"window 40/400 (LINEAR), inverted"``.
    """

    pixels: NDArray[np.uint8]
    range: tuple[float, float]
    words: str


def displayed(pixels: NDArray[Any], display: Display, asked: Intensity) -> Displayed:
    """Make the 8-bit image that a viewer of medical images would show.

    Parameters
    ----------
    pixels : ndarray, shape (height, width)
        Intensities, such as Hounsfield units, of an integer or floating-point type.
    display : Display
    asked : Intensity
        ``"auto"`` takes the first window of the file, or the range of the plane if it has none. ``"stack"`` and
        ``"limits"`` must have become numbers.

    Raises
    ------
    ImageError
        There is no such window, or there are values that are no numbers.
    """
    values = pixels[..., 0] if pixels.ndim == 3 else pixels
    window, words = _window(values, display, asked)
    found = _eight_bit(values, window, display.inverted)
    return Displayed(found, window.range, words + (", inverted" if display.inverted else ""))


class _Range(Struct, frozen=True):
    range: tuple[float, float]

    def levels(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        low, high = self.range
        return _clipped((values - low) / (high - low))


def _window(values: NDArray[Any], display: Display, asked: Intensity) -> tuple[Window | Table | _Range, str]:
    """Find what makes levels of intensities, and say it."""
    if values.dtype.kind == "f":
        intensity_range(values, "plane")  # refuses values that are no numbers
    if asked == "auto" and display.windows:
        return display.windows[0], f"{display.windows[0]} of the file"
    if isinstance(asked, str) and asked.startswith(WINDOW):
        window = display.chosen(asked.removeprefix(WINDOW))
        return window, f"{window} of the file"
    if asked == "dtype":
        return _Range(display.limits), "all values that can be stored"
    if asked == "percentiles":
        return _Range(intensity_range(display.of_image(values), asked)), "percentiles"
    if isinstance(asked, str):
        return _Range(intensity_range(display.of_image(values), "plane")), "full range of the plane"
    used = intensity_range(values, asked)
    return _Range(used), "black {:.6g}, white {:.6g}".format(*used)


def _eight_bit(values: NDArray[Any], window: Window | Table | _Range, inverted: bool) -> NDArray[np.uint8]:
    """Compute the levels of all pixels, or of all whole numbers among them if these are fewer."""
    if values.dtype.kind in "ui":
        low, high = int(values.min()), int(values.max())
        if high - low < min(LARGEST_TABLE, values.size):
            table = _rounded(window, np.arange(low, high + 1, dtype=np.float64), inverted)
            found: NDArray[np.uint8] = table[values.astype(np.intp) - low]
            return found
    return _rounded(window, values.astype(np.float64), inverted)


def _rounded(window: Window | Table | _Range, values: NDArray[np.float64], inverted: bool) -> NDArray[np.uint8]:
    levels = window.levels(values)
    if inverted:
        levels = 1 - levels
    return np.floor(255 * levels + 0.5).astype(np.uint8)


def _clipped(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(levels, 0, 1, out=levels)
