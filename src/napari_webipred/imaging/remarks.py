"""What should be known about an image that was classified all the same."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_webipred.imaging.decoding import bands
from napari_webipred.imaging.preprocess import without_alpha
from napari_webipred.limits import SMALLEST_SHARE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_webipred.card import ModelCard
    from napari_webipred.imaging.header import Header

# The modalities of DICOM that the procedures of model cards stand for.
MODALITIES = {
    "Computed Tomography": frozenset({"CT"}),
    "Dermatoscopy": frozenset({"DMS", "XC", "GM"}),
    "Endoscopy": frozenset({"ES"}),
    "Magnetic Resonance Imaging": frozenset({"MR"}),
    "Microscopy": frozenset({"SM", "GM"}),
    "Retinal Imaging": frozenset({"OP", "OPT"}),
    "Ultrasound": frozenset({"US", "IVUS", "BDUS"}),
    "X-ray": frozenset({"CR", "DX", "RG", "RF", "XA", "MG", "PX", "IO"}),
}
# Words for parts of the body in texts of model cards, by how DICOM calls these parts.
CHEST = frozenset({"chest", "thora", "lung", "pulmo", "pneumo", "heart", "cardi", "covid"})
HEAD = frozenset({"head", "brain", "skull", "cranial", "neuro", "alzheimer"})
BREAST = frozenset({"breast", "mammo"})
BELLY = frozenset({"abdom", "liver", "kidney", "colon", "gastro"})
LIMBS = frozenset({"bone", "fractur", "knee", "hand", "hip", "foot", "wrist", "musculoskeletal"})
BODY_PARTS = {
    **dict.fromkeys(("CHEST", "LUNG", "THORAX", "HEART"), CHEST),
    **dict.fromkeys(("HEAD", "BRAIN", "SKULL", "HEADNECK"), HEAD),
    **dict.fromkeys(("BREAST",), BREAST),
    **dict.fromkeys(("ABDOMEN", "LIVER", "KIDNEY", "COLON", "STOMACH"), BELLY),
    **dict.fromkeys(("KNEE", "HAND", "HIP", "FOOT", "WRIST", "ANKLE", "ELBOW", "SHOULDER", "EXTREMITY"), LIMBS),
}
SAMPLES = 64  # pixels along each axis that are looked at first


def remark_on(pixels: NDArray[Any], height: int, width: int, intensity_range: tuple[float, float]) -> str:
    """Say why what a model makes of an image may mean little.

    Hardly any time is needed for an ordinary image: it is compared with its first pixel only until another differs.

    Parameters
    ----------
    pixels : ndarray, shape (height, width) or (height, width, channels)
        An image that `napari_webipred.imaging.preprocess.prepare` has taken. Alpha does not count.
    height, width : int
        Of the model input, in pixels.
    intensity_range : tuple of float
        The intensities that became black and white.

    Returns
    -------
    str
        A sentence each for an image without any content, or none within the intensity range, and for one that is far
        smaller than the model input; empty for all others.
    """
    pixels = np.asarray(pixels)
    rows, columns = pixels.shape[:2]
    if (rows, columns) == (1, 1):
        return "The image is a single pixel."
    sentences = []
    values = without_alpha(pixels)
    if _is_uniform(values, None):
        sentences.append("The image is blank: all its pixels are the same.")
    elif _is_uniform(values, intensity_range):
        low, high = intensity_range
        sentences.append(
            f"The model sees a blank image: the intensity range {low:g} to {high:g} makes all its pixels the same."
        )
    if rows < height * SMALLEST_SHARE or columns < width * SMALLEST_SHARE:
        sentences.append(
            f"The image has only {columns}x{rows} pixels, far fewer than the {width}x{height} that the model sees."
        )
    return " ".join(sentences)


def remarks_on_header(header: Header | None, card: ModelCard) -> list[str]:
    """Say what the header of a medical file tells against a classification with a model, a sentence each.

    Parameters
    ----------
    header : Header, optional
    card : ModelCard
        Its procedure says which modalities it is for, and its texts which parts of the body.
    """
    if header is None:
        return []
    remarks = list(header.remarks)
    expected = MODALITIES.get(card.procedure or "", frozenset())
    if expected and header.modality and header.modality not in expected:
        remarks.append(f"The model is for {card.procedure}, and the image is of the modality {header.modality}.")
    part = BODY_PARTS.get(header.body_part.upper())
    text = " ".join((card.name, card.description, card.intended_use or "")).casefold()
    named = {word for words in BODY_PARTS.values() for word in words if re.search(rf"\b{word}", text)}
    if part is not None and named and not named & part:
        remarks.append(f"The image shows {header.body_part}, of which the model's card says nothing.")
    return remarks


def _is_uniform(values: NDArray[Any], within: tuple[float, float] | None) -> bool:
    """Tell whether all pixels are the same, as they are or clipped to a range."""
    height, width = values.shape[:2]
    a_few: Any = np.s_[:: height // SAMPLES + 1, :: width // SAMPLES + 1]
    for channel in [values] if values.ndim == 2 else np.moveaxis(values, -1, 0):
        first = _clipped(channel[:1, :1], within)
        for part in (a_few, *bands(height, channel[0].nbytes)):  # a few pixels nearly always answer it
            if (_clipped(channel[part], within) != first).any():
                return False
    return True


def _clipped(values: NDArray[Any], within: tuple[float, float] | None) -> NDArray[Any]:
    return values if within is None else np.clip(values, *within)
