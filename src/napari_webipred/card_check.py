"""What a card asks for and this program does not do: such a card is refused, because its numbers would be wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from napari_webipred.card import ModelCard, Preprocessing
from napari_webipred.errors import ModelError
from napari_webipred.runtime.facts import IMAGE

if TYPE_CHECKING:
    from napari_webipred.runtime.session import Session

# What fields of a card's input say if nobody has written anything.
_UNSAID = {"layout": "NHWC", "dtype": "float32", "tensor_name": None}
# Before these stands the name of the input that its maker gave, in a SavedModel.
_SERVING = "serving_default_"


def check(card: ModelCard, session: Session) -> None:
    """Refuse a card that asks for what is not done here, or that contradicts the model.

    Parameters
    ----------
    card : ModelCard
        Completed by what the model says of itself.
    session : Session
        The model.

    Raises
    ------
    ModelError
        Numbers would be wrong, or an image of the size on the card needs too much memory or time.
    """
    _check_preprocessing(card)
    _check_input(card, session.properties)
    if card.input is not None:
        session.check_image(card.input.height, card.input.width)


def _check_preprocessing(card: ModelCard) -> None:
    """Refuse a card whose preprocessing cannot be followed.

    Raises
    ------
    ModelError
        It names an interpolation that is not computed here, or numbers that its mode does not use or lacks.
    """
    wanted = card.preprocessing
    if wanted is None:
        return
    if wanted.resize_mode != "none" and wanted.interpolation != "bilinear":
        raise _refused(
            "preprocessing.interpolation",
            wanted.interpolation,
            "images are resized with bilinear interpolation only",
            'Write "bilinear" there if small differences do not matter, or resize the images yourself and write '
            '"none" as preprocessing.resize_mode.',
        )
    if wanted.resize_mode != "center-crop" and wanted.crop_pct != 1:
        raise _refused(
            "preprocessing.crop_pct",
            wanted.crop_pct,
            f"the resize mode {wanted.resize_mode} cuts nothing off",
            'Remove it, or write "center-crop" as preprocessing.resize_mode.',
        )
    _check_numbers(wanted)


def _check_numbers(wanted: Preprocessing) -> None:
    numbers = {key: getattr(wanted, key) for key in ("rescale", "mean", "std") if getattr(wanted, key) is not None}
    for key, value in numbers.items() if wanted.standardize_mode != "custom" else ():
        raise _refused(
            f"preprocessing.{key}",
            value,
            f"the standardise mode {wanted.standardize_mode} has numbers of its own",
            'Remove it, or write "custom" as preprocessing.standardize_mode.',
        )
    if wanted.standardize_mode == "custom" and not numbers:
        raise _refused(
            "preprocessing.standardize_mode",
            "custom",
            "neither rescale nor mean nor std is given",
            "Write at least one of them into the card, or choose another mode.",
        )


def _check_input(card: ModelCard, properties: Mapping[str, str]) -> None:
    """Refuse a card that says something else of the model's input than the model's file.

    What is not written, or is the default, says nothing: layout and type are then those of the file.

    Raises
    ------
    ModelError
        Its layout, type, name or order of channels is another.
    """
    if card.input is None:
        return
    found: dict[str, Any] = json.loads(properties.get(IMAGE, "{}"))
    for field, unsaid in _UNSAID.items():
        said, there = getattr(card.input, field), found.get(field)
        same = said in {unsaid, there} or (field == "tensor_name" and _is_called(said, str(there)))
        if not same:
            raise _refused(
                f"input.{field}", said, f"it is {there!r} in the model's file", "Correct it in the card, or remove it."
            )
    if card.input.channels == 1 and card.input.channel_order == "BGR":
        raise _refused("input.channel_order", "BGR", "the model takes grey images", "Remove it from the card.")
    for name, values in _per_channel(card.preprocessing).items():
        if len(values) not in {1, card.input.channels}:
            raise _refused(
                f"preprocessing.{name}",
                values,
                f"the model takes images of {card.input.channels} channel{'s' * (card.input.channels != 1)}",
                "Give one number for all channels, or one for each.",
            )


def _per_channel(preprocessing: Preprocessing | None) -> dict[str, tuple[float, ...]]:
    numbers = {key: getattr(preprocessing, key, None) for key in ("mean", "std")}
    return {key: values for key, values in numbers.items() if values is not None}


def _is_called(said: str, name: str) -> bool:
    """Tell whether a name means an input: TensorFlow writes ``:0`` behind it, and ``serving_default_`` before it."""
    return said.removesuffix(":0").removeprefix(_SERVING) == name.removesuffix(":0").removeprefix(_SERVING)


def _refused(field: str, value: object, why: str, hint: str) -> ModelError:
    return ModelError(f"Its card says {field} = {value!r:.200}, but {why}.", hint)
