"""Which intensities become black and white."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np

from napari_webipred.errors import ImageError, OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Named: TypeAlias = Literal["auto", "dtype", "plane", "stack", "percentiles", "limits"]
# A text that is no name is a window of a medical file: see `WINDOW`.
Intensity: TypeAlias = Named | tuple[float, float] | str
WINDOW = "window "  # begins the choice of a window of a file, by its number (from 1) or its name: "window 2"

EIGHT_BIT = (0.0, 255.0)
UNIT = (0.0, 1.0)
PERCENTILES = (1.0, 99.0)  # of the values of a plane become black and white
OF_THE_SOURCE = ("stack", "limits")  # known only where the whole stack or its layer is
NUMBER = r"[-+]?\d{1,12}(?:\.\d{1,9})?"
LARGEST = 1e300  # beyond it, the difference of two intensities need not be a number


def intensity_range(plane: NDArray[Any], intensity: Intensity) -> tuple[float, float]:
    """Find the intensities that become black (0) and white (255).

    Parameters
    ----------
    plane : ndarray
        Grey or colour values, without alpha, of a boolean, integer or floating-point type. At least one.
    intensity : "auto", "dtype", "plane", "percentiles" or (low, high)
        - ``"auto"``: 8-bit unsigned values are taken as they are, so the range is (0, 255); booleans and floats that
          all lie in 0 to 1 have (0, 1); everything else runs from the smallest to the largest value of this plane. A
          plane of one value only becomes black: its range is (value, value + 1).
        - ``"dtype"``: all that the integer type can hold; (0, 1) for booleans and floats.
        - ``"plane"``: from the smallest to the largest value of this plane, also of 8-bit values.
        - ``"percentiles"``: from the 1st to the 99th percentile of the values of this plane, interpolated linearly.
        - two numbers: that range.

        ``"stack"`` (from the smallest to the largest value of all planes) and ``"limits"`` (the range that the source
        itself shows) become numbers before, where the whole source is known: see
        `napari_webipred.execution.plane.ranged`.

    Raises
    ------
    ImageError
        The plane holds NaN or infinite values, for which there is no sensible grey, or its values lie too far apart.
    OptionError
        The given range is none.
    """
    kind = plane.dtype.kind
    ends = _ends(plane) if kind == "f" else None  # NaN and infinities show in these
    if ends is not None and not np.isfinite(ends).all():
        raise _not_finite(plane)
    if not isinstance(intensity, str):
        return _checked(intensity)
    if intensity == "auto":
        return _own_range(plane, ends)
    if intensity == "dtype":
        if kind not in "ui":
            return UNIT
        limits = np.iinfo(plane.dtype)
        return float(limits.min), float(limits.max)
    if intensity == "plane":
        return range_between(*map(float, _ends(plane) if ends is None else ends))
    if intensity == "percentiles":
        low, high = np.percentile(plane.view(np.uint8) if kind == "b" else plane, PERCENTILES)
        return (
            (float(low), float(high))
            if low < high
            else range_between(*map(float, _ends(plane) if ends is None else ends))
        )
    if intensity.startswith(WINDOW):
        raise ImageError("The image has no windows to choose from.", "Choose another intensity range, such as auto.")
    raise unknown(intensity)


def understood(given: Any) -> Intensity:
    """Return an intensity range that somebody has written: as it is, or in the one form that this program has for it.

    Parameters
    ----------
    given : str or (low, high)
        Also ``"full"``, which is another word for ``"plane"``, and ``"window 40/400"``, the centre and width of a
        linear window, which become two numbers.

    Raises
    ------
    OptionError
        It is none.
    """
    if not isinstance(given, str):
        return _checked(given)
    if given == "full":
        return "plane"
    if given in get_args(Named):
        return given
    if not given.startswith(WINDOW) or not given.removeprefix(WINDOW).strip():
        raise unknown(given)
    name = given.removeprefix(WINDOW).strip()
    numbers = re.fullmatch(rf"({NUMBER})\s*/\s*({NUMBER})", name)
    if numbers is None:
        return f"{WINDOW}{name}"
    centre, width = map(float, numbers.groups())
    if not width > 1:
        raise OptionError(f"The window {name} has no width to use.", "Write the centre and a width above 1: 40/400.")
    return _checked((centre - width / 2, centre + width / 2 - 1))


def unknown(intensity: str) -> OptionError:
    """Return the error for a text that is no intensity range."""
    words = ", ".join(get_args(Named))
    return OptionError(
        f"{intensity!r} is not an intensity range.",
        f'Use one of {words}, two numbers, or a window of the file, such as "window 2".',
    )


def extent(plane: NDArray[Any]) -> tuple[float, float]:
    """Return the smallest and the largest value of a plane of grey or colour values, without alpha.

    Raises
    ------
    ImageError
        The plane holds NaN or infinite values.
    """
    low, high = map(float, _ends(plane))
    if not np.isfinite((low, high)).all():
        raise _not_finite(plane)
    return low, high


def range_between(low: float, high: float) -> tuple[float, float]:
    """Return the intensity range from the smallest to the largest value; of one value only (value, value + 1).

    Raises
    ------
    ImageError
        They lie too far apart.
    """
    if max(-low, high) > LARGEST:
        raise ImageError(
            f"The intensities of the image, {low:g} to {high:g}, are too far apart to compute with.",
            "Give an intensity range.",
        )
    return (low, high) if low < high else (low, low + max(1.0, float(np.spacing(abs(low)))))


def to_eight_bit(values: NDArray[Any], low: float, high: float) -> NDArray[np.float32]:
    """Scale intensities to 0..255 without rounding to whole numbers; those outside the range are clipped.

    Parameters
    ----------
    values : ndarray
        Of a boolean, integer or floating-point type, without NaN.
    low, high : float
        Intensities that become 0 and 255.

    Returns
    -------
    ndarray of float32, same shape
        8-bit values with the range (0, 255) come out unchanged.
    """
    if values.dtype == np.uint8 and (low, high) == EIGHT_BIT:
        return values.astype(np.float32)
    with np.errstate(over="ignore"):  # long doubles beyond float64 are clipped next
        scaled = values.astype(np.float64)
    np.clip(scaled, low, high, out=scaled)
    scaled -= low
    scaled /= high - low
    scaled *= 255
    return scaled.astype(np.float32)


def _ends(plane: NDArray[Any]) -> tuple[Any, Any]:
    """Return the smallest and the largest value, or NaN where there is one."""
    # Channels that are not all used are several times faster one by one.
    parts = [plane] if plane.ndim == 2 or plane.flags.c_contiguous else np.moveaxis(plane, -1, 0)
    return np.min([part.min() for part in parts]), np.max([part.max() for part in parts])


def _not_finite(plane: NDArray[Any]) -> ImageError:
    nan, infinite = (sum(int(test(row).sum()) for row in plane) for test in (np.isnan, np.isinf))
    what = f"{nan} of {plane.size} values of the image are not numbers (NaN)."
    return ImageError(
        what if nan else f"{infinite} of {plane.size} values of the image are infinite.",
        "Replace them first, for example by the value of the background.",
    )


def _own_range(plane: NDArray[Any], ends: tuple[Any, Any] | None) -> tuple[float, float]:
    if plane.dtype == np.uint8:
        return EIGHT_BIT
    if plane.dtype.kind == "b":
        return UNIT
    low, high = _ends(plane) if ends is None else ends
    if plane.dtype.kind == "f" and low >= 0 and high <= 1:
        return UNIT
    return range_between(float(low), float(high))


def _checked(intensity: tuple[float, float]) -> tuple[float, float]:
    hint = "Give two numbers: the intensity that becomes black, and the larger one that becomes white."
    try:
        low, high = map(float, intensity)
    except (TypeError, ValueError):
        raise OptionError(f"{intensity!r} is not an intensity range.", hint) from None
    if not -LARGEST <= low < high <= LARGEST:
        raise OptionError(f"The intensity range {low:g} to {high:g} cannot be used.", hint)
    return low, high
