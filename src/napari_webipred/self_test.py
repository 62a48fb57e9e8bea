"""The test that a card carries: an image, and the probabilities that the model has to give for it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from napari_webipred.errors import ActivationError, ModelError, WebIPredError
from napari_webipred.field_values import ValidationError, between, long
from napari_webipred.imaging.decoding import to_array
from napari_webipred.imaging.preprocess import prepare
from napari_webipred.imaging.raster import open_image
from napari_webipred.results.probabilities import class_probabilities
from napari_webipred.schema import Part

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_webipred.card import ModelCard

_MAX_BYTES = 16 * 2**20
_MAX_PIXELS = 2**24
_INLINE = "data:image/png;base64,"


class _Test(Part):
    """A self-test as it stands in a card."""

    image: str
    probabilities: Annotated[tuple[float, ...], long(1, 100_000)]
    # Decoders and processors round differently; what goes wrong in a model is far larger.
    tolerance: Annotated[float, between(0, 1, above=True)] = 1e-3


def digest(card: ModelCard) -> str:
    """Return a short name for a test and all that its result depends on, beside the model itself."""
    parts = card.model_dump(mode="json", include={"test", "input", "preprocessing", "output", "task", "classes"})
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def run(
    card: ModelCard, files: Mapping[str, bytes], predict: Callable[[NDArray[np.float32]], NDArray[np.float32]]
) -> str:
    """Run the test of a card.

    Parameters
    ----------
    card : ModelCard
        Complete, and with a test: ``image`` is a PNG or JPEG among the model's files or ``data:image/png;base64,...``,
        ``probabilities`` one number per class, ``tolerance`` the largest permitted difference (0.001 by default).
    files : mapping of str to bytes
    predict : callable
        From a batch of prepared images to the model's numbers.

    Returns
    -------
    str
        A sentence: that the test was passed and with which difference, or why it could not be run.

    Raises
    ------
    ModelError
        The model gives other probabilities. A wrong number is worse than none, so the model is refused.
    """
    try:
        test = _Test.model_validate(card.test)
        pixels = _image(test.image, files)
    except (ValidationError, WebIPredError, OSError, ValueError, SyntaxError) as error:
        reason = error.message if isinstance(error, WebIPredError) else f"it is malformed ({type(error).__name__})"
        return f"The self-test of the card could not be run: {reason}"
    if card.input is None or card.preprocessing is None:
        return "The self-test of the card could not be run: the preprocessing of images is not known."
    prepared, _ = prepare(pixels, card.input, card.preprocessing)
    try:
        given = class_probabilities(predict(prepared[None])[0], card)
    except ActivationError as error:  # the card is at fault, not the user
        raise ModelError(f"The self-test of {card.name} fails. {error.message}", error.hint, *error.remedies) from error
    if len(given) != len(test.probabilities):
        raise ModelError(
            f"The self-test of {card.name} expects {len(test.probabilities)} probabilities, the model gives "
            f"{len(given)}.",
            "Ask the publisher of the model for a correct card.",
        )
    difference = float(np.abs(given - np.asarray(test.probabilities)).max())
    if not difference <= test.tolerance:
        raise ModelError(
            f"The model {card.name} fails the self-test of its card: its probabilities for a known image differ by "
            f"{difference:.2g} from those that its publisher got.",
            "Do not use it; tell its publisher, and the makers of this program.",
        )
    return f"The model passed the self-test of its card: largest difference {difference:.1g}."


def _image(image: str, files: Mapping[str, bytes]) -> NDArray[Any]:
    if image.startswith(_INLINE):
        try:
            content = base64.b64decode(image.removeprefix(_INLINE), validate=True)
        except binascii.Error as error:
            raise ModelError("its image is damaged.") from error
    else:
        name = next((each for each in files if each == image or PurePosixPath(each).name == image), None)
        if name is None:
            raise ModelError(f"its image {image[:100]} is not among the model's files.")
        content = files[name]
    if len(content) > _MAX_BYTES:
        raise ModelError("its image is too large.")
    with open_image(BytesIO(content), ("PNG", "JPEG")) as opened:
        if opened.width * opened.height > _MAX_PIXELS:
            raise ModelError("its image is too large.")
        return to_array(opened)
