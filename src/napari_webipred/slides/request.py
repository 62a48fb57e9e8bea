"""What the user wants of a heat map."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, get_args

from msgspec import Struct

from napari_webipred.errors import OptionError

Background: TypeAlias = Literal["skip", "keep"]


class Request(Struct, frozen=True, eq=False):
    """How a picture is cut into tiles.

    Attributes
    ----------
    tile, stride : int
        Pixels along a tile, and from one to the next: at the resolution that `level` or `microns_per_pixel` names, or
        else at the full size.
    level : int, optional
        The level that is read, counted from 0, the full size. By default the coarsest in which a tile still has as many
        pixels as the model sees.
    microns_per_pixel : float, optional
        The resolution at which tiles are cut, for a picture that says how large its pixels are.
    region : box, polygon, or sequence or mapping of these, optional
        In full-size pixels; see `napari_webipred.imaging.region.regions_of`. A tile of a polygon counts if its centre
        lies inside.
    background : "skip" or "keep"
        Whether tiles without any content are left out.

    Raises
    ------
    OptionError
        One of them has a value that it cannot have.
    """

    tile: int = 512
    stride: int = 256
    level: int | None = None
    microns_per_pixel: float | None = None
    region: Any = None
    background: Background = "skip"

    def __post_init__(self) -> None:
        for name, number in (("tile", self.tile), ("stride", self.stride)):
            if number != int(number) or number < 1:
                raise OptionError(f"The {name} must be a whole number of pixels, at least 1, not {number}.")
        if self.background not in get_args(Background):
            raise OptionError(f"{self.background!r} is not a way to treat the background.", "Choose skip or keep.")
        if self.level is not None and self.microns_per_pixel is not None:
            raise OptionError("Both a level and a resolution in micrometres are given.", "Give one of them.")
        if self.microns_per_pixel is not None and not 0 < self.microns_per_pixel < float("inf"):
            raise OptionError(f"A pixel cannot have {self.microns_per_pixel} micrometres.", "Give a number above 0.")
