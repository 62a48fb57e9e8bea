"""What a run was given, as plain data: which model, and which images. Enough to find them or to run again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias

from msgspec import Struct, field

# How a stack is read, in the order in which it is done: the places along axes that are taken, as (first, last + 1,
# step); a projection along an axis, of such places; one place along an axis, which is then gone; several places along
# an axis, with a colour for each, which become one image.
Taken: TypeAlias = tuple[Literal["planes"], tuple[tuple[str, tuple[int, int, int]], ...]]
Projected: TypeAlias = tuple[Literal["project"], str, str, tuple[int, int, int]]
Chosen: TypeAlias = tuple[Literal["channel"], str, int]
Merged: TypeAlias = tuple[Literal["merge"], str, tuple[int, ...], tuple[tuple[float, float, float], ...]]
Step: TypeAlias = Taken | Projected | Chosen | Merged

MOST_CORNERS = 20_000  # of all regions of a run, so that a session and the code of a run stay of bearable length


class ModelInput(Struct, frozen=True):
    """The model of a run.

    Attributes
    ----------
    reference : str
        What opens it again: an identifier, DOI, URL or path.
    is_path : bool
        Whether that is the path of a file or folder.
    settings : Mapping
        What the user has set in the program since it was started, as `napari_webipred.open_model` takes it.
    """

    reference: str
    is_path: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


class ImageInput(Struct, frozen=True):
    """One image of a run; `Row.source` counts them.

    Attributes
    ----------
    name : str
        As it stands in the rows.
    layer : str
        Name of the layer, with all its characters; empty for a file that was given itself.
    path : str, optional
        The file, or the one that the layer was opened from.
    shape : tuple of int
        Of the whole array at full size.
    dtype : str
    rgb : bool
        Whether its last axis holds colours.
    axes : tuple of str
        Names of the leading axes, without that of the colours.
    colours : int, optional
        Which of the leading axes holds red, green and blue, if one does.
    scale : tuple of float
        That of the layer.
    intensity_range : tuple of float, optional
        The intensities that the layer showed as black and white, if they count.
    steps : tuple, optional
        How a stack was read; see `Step`. None if it cannot be said in this way: regions, an image of several layers, or
        a series of files.
    parts : Parts, optional
        What it consists of, where steps cannot say it. None if that cannot be said either.
    instances : str
        Checksum of the unique identifiers of its DICOM images, SHA-256 in hexadecimal; empty if it is of none.
    """

    name: str
    layer: str
    path: str | None = None
    shape: tuple[int, ...] = ()
    dtype: str = ""
    rgb: bool = False
    axes: tuple[str, ...] = ()
    colours: int | None = None
    scale: tuple[float, ...] = ()
    intensity_range: tuple[float, float] | None = None
    steps: tuple[Step, ...] | None = ()
    parts: Parts | None = None
    instances: str = ""

    @property
    def channels(self) -> tuple[ChannelInput, ...]:
        """The layers that it was merged from; none of other images."""
        return () if self.parts is None else self.parts.channels

    @property
    def files(self) -> tuple[str, ...]:
        """The files of a series; none of other images."""
        return () if self.parts is None else self.parts.files

    @property
    def own_files(self) -> tuple[str, ...]:
        """The files that are read to describe it again; none where only its layer can be."""
        alone = () if self.layer or self.path is None else (self.path,)
        return self.files or alone


class RegionInput(Struct, frozen=True):
    """A region of an image, as `napari_webipred.imaging.region.Region` has it; only its mask is left out.

    Attributes
    ----------
    masked : bool
        Whether pixels of a label image say what belongs to it.
    """

    name: str
    box: tuple[int, int, int, int]
    index: tuple[int, ...] | None = None
    outline: tuple[tuple[float, float], ...] | None = None
    masked: bool = False


def corners(regions: Iterable[Any]) -> int:
    """Count the corners of regions, and one for each of them."""
    return sum(1 if each.outline is None else 1 + len(each.outline) for each in regions)


class ChannelInput(Struct, frozen=True):
    """A layer that was merged with others: what was taken of it, its colour, and its black and white."""

    image: ImageInput
    colour: tuple[float, float, float]
    range: tuple[float, float] | None


class Parts(Struct, frozen=True):
    """What an image of a run consists of, where `ImageInput.steps` cannot say it.

    Attributes
    ----------
    steps : tuple
        As of `ImageInput`, after the layers were merged.
    channels : tuple of ChannelInput
        The layers that were merged.
    files : tuple of str
        Those of a series.
    regions : tuple of RegionInput, optional
        None if all of it was classified.
    left_out : bool
        Whether the regions are left out, because those of the run have more than `MOST_CORNERS` corners.
    """

    steps: tuple[Step, ...]
    channels: tuple[ChannelInput, ...] = ()
    files: tuple[str, ...] = ()
    regions: tuple[RegionInput, ...] | None = None
    left_out: bool = False

    @property
    def has_all_regions(self) -> bool:
        """Whether the regions are here as they were classified; masks are not."""
        return not self.left_out and not any(region.masked for region in self.regions or ())


class Inputs(Struct, frozen=True):
    """The model and the images of a run, or how its rows were made of those of other runs, as plain JSON values."""

    model: ModelInput
    images: tuple[ImageInput, ...]
    ensemble: Mapping[str, Any] | None = None

    def image(self, source: int) -> ImageInput | None:
        """Return one of the images, as `Row.source` counts them; None if it is not noted."""
        return self.images[source] if source < len(self.images) else None
