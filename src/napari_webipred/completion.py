"""What only the network itself knows, written into the card of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from napari_webipred.catalogue import own
from napari_webipred.catalogue.card import Input, ModelCard
from napari_webipred.errors import ModelError
from napari_webipred.runtime import facts

if TYPE_CHECKING:
    from napari_webipred.runtime.session import Session

# Operations after which numbers are certainly not probabilities that exclude each other.
_LINEAR = {"Gemm", "MatMul", "Conv", "BatchNormalization", "GlobalAveragePool", "Relu", "LeakyRelu", "LogSoftmax"}


def complete(card: ModelCard, session: Session) -> ModelCard:
    """Fill what only the model itself knows into its card, and refuse a card that contradicts the model.

    Parameters
    ----------
    card : ModelCard
    session : Session
        The model, opened.

    Returns
    -------
    ModelCard
        With input size, classes (numbered if they have no names) and what the network ends in
        (``output.ending``). ``provenance["assumed"]`` says what could only be assumed, ``provenance["notes"]`` what
        the user should know of the file.

    Raises
    ------
    ModelError
        The card promises another input size, number of channels or number of classes.
    """
    card = own.fill_from_properties(card, session.properties)
    card = card.model_copy(update={"input": _input(card, session)})
    card = own.fit_labels(card, session.output_size)
    card = card.model_copy(update=_classes(card, session.output_size))
    return _with_notes(_with_ending(card, session), session)


def suggestion(session: Session) -> tuple[str, str] | None:
    """Return which family the network looks like, and the scaling that this family is published with."""
    family, _, mode = session.properties.get(facts.FAMILY, "").rpartition(" ")
    return (family, mode) if family else None


def _input(card: ModelCard, session: Session) -> Input | None:
    height, width, channels = session.input_shape
    wanted = card.input
    if channels not in (1, 3):
        raise ModelError(
            f"The model {card.name} takes pictures of {channels} channels, neither grey nor RGB.",
            "Choose a model that classifies plain pictures.",
        )
    sizes = {"height": height or (wanted and wanted.height), "width": width or (wanted and wanted.width)}
    if wanted and (wanted.height, wanted.width) != (sizes["height"], sizes["width"]):
        raise ModelError(
            f"The model {card.name} takes pictures of {sizes['width']}x{sizes['height']} pixels, "
            f"not {wanted.width}x{wanted.height}."
        )
    if wanted and wanted.channels not in (None, channels):
        raise ModelError(f"The model {card.name} takes {channels} channels, its card says {wanted.channels}.")
    if None in sizes.values():  # the size is not known until the user tells it
        return None
    kept = wanted.model_dump() if wanted else {}
    try:
        return Input.model_validate({**kept, **sizes, "channels": channels})
    except ValidationError as error:
        raise ModelError(f"The model {card.name} takes pictures of {width}x{height} pixels, too many.") from error


def _classes(card: ModelCard, outputs: int) -> dict[str, object]:
    """Match the classes of a card with the number of the model's outputs; without names they are numbered."""
    names = card.class_names
    if outputs == 1:
        if not names:
            names = ["negative", "positive"]
        if len(names) == 1:
            names = [f"not {names[0]}", names[0]]
        if len(names) == 2:
            return {"task": "binary", "classes": card.classes if len(card.classes) == 2 else own.entries(names)}
    elif not names:
        return {"classes": own.entries([str(i) for i in range(outputs)])}
    elif len(names) == outputs:
        return {}
    raise ModelError(
        f"The model {card.name} has {outputs} outputs, but {len(names)} class names are given.",
        "Give one name for each output, in the model's order.",
    )


def _with_ending(card: ModelCard, session: Session) -> ModelCard:
    """Write down what the network ends in, and what follows from that where the card says nothing."""
    ending = session.properties.get(facts.ENDING) or None
    card = card.model_copy(update={"output": card.output.model_copy(update={"ending": ending})})
    activation = card.output.activation
    if activation == "in-model" and ending in _LINEAR:
        return own.assume(
            card,
            f"The network ends in {ending}, without softmax or sigmoid, so its numbers are no probabilities yet: "
            "tell the activation (softmax, sigmoid or none).",
        )
    if ending is not None and activation == ending.lower():
        output = card.output.model_copy(update={"activation": "in-model"})
        card = card.model_copy(update={"output": output})
        card = own.assume(card, f"The network ends in {ending} already, so none is applied after it.")
        activation = "in-model"
    independent = activation == "sigmoid" or (activation == "in-model" and ending == "Sigmoid")
    if independent and session.output_size > 1 and "task" not in card.model_fields_set:
        card = card.model_copy(update={"task": "multi-label"})
        return own.assume(card, "Each class has a sigmoid of its own, so several classes may be assigned to a picture.")
    return card


def _with_notes(card: ModelCard, session: Session) -> ModelCard:
    reason = session.properties.get(facts.BROWSER)
    if not reason:
        return card
    note = f"WebIPred cannot load this model, because {reason}; here it gives the numbers that Keras gives."
    return card.model_copy(update={"provenance": {**card.provenance, "notes": [note]}})
