"""How images are classified; the command line, the panel and the Python functions all fill in these."""

from __future__ import annotations

import logging
from typing import Any, get_args

from msgspec import Struct
from msgspec.structs import asdict, force_setattr

from napari_webipred import settings
from napari_webipred.card import Profile, Views
from napari_webipred.errors import OptionError
from napari_webipred.hardware import USUAL, Device, Hardware, Precision
from napari_webipred.imaging.intensity import Intensity, Named, understood
from napari_webipred.limits import bytes_of, image_budget

_log = logging.getLogger(__name__)


class Options(Struct, frozen=True):
    """How images are classified.

    Attributes
    ----------
    intensity : "auto", "dtype", "plane", "stack", "percentiles", "limits", (low, high), or "window N" or "window NAME"
        Which intensities become black and white; see `napari_webipred.imaging.intensity.intensity_range`. With
        ``"auto"``, a source that has an intensity range of its own keeps it. ``"limits"`` needs such a source. Also as
        `napari_webipred.imaging.intensity.understood` takes it.
    threshold : float
        From which probability on a multi-label model assigns a class, unless its card says otherwise. 0 to 1.
    workers : int, optional
        How many images are worked on at the same time; by default what the preferences say, else one per core.
    profile : "webipred", "aucmedi" or "teachable-machine", optional
        The program whose arithmetic prepares the images; that of the model's card by default.
    views : "flip" or "symmetries", optional
        Classify several views of each image and take the mean (test-time augmentation): the image and its mirror image,
        or the eight that turning and mirroring make of it.
    memory : int or str, optional
        How many bytes all images together may take that are read and prepared at a time, also as ``"8GB"``; by default
        what the environment or the preferences say, else a quarter of the memory. It changes no number.
    reference : bool
        Measure how far the features of each image lie from the user's reference images; see
        `napari_webipred.references`.
    precision : "float32" or "bf16"
        With how many bits the network multiplies.
    device : "cpu", "cuda", "directml", "coreml" or "auto"
        What computes the network; see `napari_webipred.hardware.Hardware`. Everything but float32 on the processor
        gives other numbers; how much they differ is measured before the first image.
    identify : bool
        Whether rows of DICOM files have the unique identifiers of their study, series and instance.

    Raises
    ------
    OptionError
        One of them has a value that it cannot have.
    """

    intensity: Intensity = "auto"
    threshold: float = 0.5
    workers: int | None = None
    profile: Profile | None = None
    views: Views | None = None
    identify: bool = False
    reference: bool = False
    memory: int | str | None = None
    precision: Precision = "float32"
    device: Device = "cpu"

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise OptionError(f"The threshold must be from 0 to 1, not {self.threshold}.")
        if isinstance(self.intensity, tuple) and not self.intensity[0] < self.intensity[1]:
            raise OptionError(
                f"The intensity range {self.intensity[0]:g} to {self.intensity[1]:g} is empty.",
                "The first number becomes black and must be smaller than the second, which becomes white.",
            )
        if isinstance(self.intensity, str):
            force_setattr(self, "intensity", understood(self.intensity))
        if self.workers is not None and self.workers < 1:
            raise OptionError(f"The number of workers must be at least 1, not {self.workers}.")
        if isinstance(self.memory, str):
            force_setattr(self, "memory", bytes_of(self.memory))
        if self.memory is not None and self.budget < 1:
            raise OptionError("The memory for images must be more than nothing.", "Write it as 8GB or 500MB.")
        if self.profile not in (None, *get_args(Profile)):
            raise OptionError(
                f"There is no preprocessing profile {self.profile!r}.", f"Choose one of {', '.join(get_args(Profile))}."
            )
        if self.views not in (None, *get_args(Views)):
            raise OptionError(f"There are no views {self.views!r}.", f"Choose one of {', '.join(get_args(Views))}.")

        Hardware(self.precision, self.device)

    @property
    def budget(self) -> int:
        """How many bytes all images together may take."""
        return int(self.memory) if self.memory is not None else image_budget()

    @property
    def hardware(self) -> Hardware:
        """What computes the network."""
        return Hardware(self.precision, self.device)

    def as_dict(self) -> dict[str, Any]:
        """Return those that bear on the numbers, as plain JSON values; what was not there from the first, if chosen."""
        intensity = list(self.intensity) if isinstance(self.intensity, tuple) else self.intensity
        plain = {"intensity": intensity, "threshold": self.threshold, "profile": self.profile}
        later: dict[str, Any] = {"views": self.views, "identify": self.identify, "reference": self.reference}
        usual = asdict(USUAL)
        later |= {name: value for name, value in asdict(self.hardware).items() if value != usual[name]}
        return plain | {name: value for name, value in later.items() if value}


DEFAULTS = Options()


def preferred_intensity(*, layers: bool = False) -> Intensity:
    """Return the intensity range that the user prefers; every front uses it where nothing else is chosen.

    The contrast limits count for `layers` only; files and arrays have none.
    """
    name = settings.preferred().intensity
    if name == "limits" and not layers:
        return DEFAULTS.intensity
    if name in get_args(Named):
        return name
    _log.warning("The preferred intensity range %r is not known; %r is used.", name, DEFAULTS.intensity)
    return DEFAULTS.intensity


def preferred_hardware() -> Hardware:
    """Return the hardware that the user prefers; every front uses it where nothing else is chosen."""
    chosen = settings.preferred()
    return Hardware(chosen.precision, chosen.device)
