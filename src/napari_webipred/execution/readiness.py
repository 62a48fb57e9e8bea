"""Whether a model has all that it needs to classify."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_webipred.errors import OptionError
from napari_webipred.results.probabilities import missing_activation

if TYPE_CHECKING:
    from napari_webipred.model import Model
    from napari_webipred.options import Options


def check_card(model: Model, options: Options) -> None:
    """Refuse to classify while something is not known that is needed.

    Raises
    ------
    OptionError
        Neither the model's card nor the user says how pixel values are scaled, how large images are, or what makes
        probabilities of the model's numbers.
    """
    if model.card.preprocessing_under(options.profile) is None:
        family, mode = model.suggestion or ("", "")
        likely = f" It looks like {family}, which is usually trained with {mode}." if family else ""
        raise OptionError(
            f"It is not known how the model {model.card.name} needs pixel values to be scaled.",
            f"Ask those who trained the model which `standardize` mode it needs.{likely}",
            "complete settings",
        )
    if model.card.input is None:
        raise OptionError(
            f"The model {model.card.name} takes images of any size.",
            "Give the `size` in pixels that it was trained with, for example 224 by 224.",
            "complete settings",
        )
    if model.needs_activation:
        raise missing_activation(model.card)
