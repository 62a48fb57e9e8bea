"""What only the network itself knows, written into the card of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from napari_webipred.card import FIRST_CLASS, Input, ModelCard, Task
from napari_webipred.catalogue import local_model
from napari_webipred.errors import ModelError
from napari_webipred.runtime import facts
from napari_webipred.runtime.outputs import choose, outputs_in

if TYPE_CHECKING:
    from napari_webipred.runtime.session import Session


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
        With the format of the user's own file, input size, classes (numbered if they have no names), the chosen one of
        several outputs (``output.tensor_name``), what the network ends in (``output.ending``), and the task that
        follows from that.
        ``provenance["assumed"]`` says what could only be assumed, ``provenance["notes"]`` what the user should know
        of the file.

    Raises
    ------
    ModelError
        The card promises another input size, number of channels or number of classes, or the graph is that of another
        output.
    UndecidedOutputError
        Several outputs could give the classes.
    """
    said = card.task if "task" in card.model_fields_set else None
    card = _with_output(card, session)
    card = local_model.with_format(card, session.properties.get(facts.FORMAT))
    card = local_model.fill_from_properties(card, session.properties)
    card = local_model.fill_from_profile(card, session.properties.get(facts.PROFILE))
    card = card.model_copy(update={"input": _input(card, session)})
    card = _with_ending(card, session)
    card = _with_task(card, session.output_size, said)
    card = _with_classes(card, session.output_size, said)
    return _with_notes(card, session)


def suggestion(session: Session) -> tuple[str, str] | None:
    """Return which family the network looks like, and the scaling that this family is published with."""
    family, _, mode = session.properties.get(facts.FAMILY, "").rpartition(" ")
    return (family, mode) if family else None


def _with_output(card: ModelCard, session: Session) -> ModelCard:
    """Write down which of several outputs gives the classes, and why, unless the user or the card names it."""
    outputs, number = outputs_in(session.properties)
    if not outputs:
        return card
    chosen, reason = choose(f"The model {card.name}", outputs, card.output.tensor_name, len(card.classes))
    if chosen.number != number:
        raise ModelError(f"The compiled model of {card.name} gives another output than the chosen one.")
    card = card.model_copy(update={"output": card.output.model_copy(update={"tensor_name": chosen.name})})
    if not reason:
        return card
    return local_model.assume(
        card, f"Of the model's {len(outputs)} outputs “{chosen.name}” ({chosen.words}) is used, because {reason}."
    )


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


# --- what the numbers are --------------------------------------------------------------------------------------------


def _with_ending(card: ModelCard, session: Session) -> ModelCard:
    """Write down what the network ends in, and which activation is still to be applied."""
    ending = session.properties.get(facts.ENDING) or "unknown"
    activation = card.output.activation
    remark = ""
    if ending in {"softmax", "sigmoid"} and activation in {"softmax", "sigmoid"}:
        remark = f"The network ends in a {ending} already, so no {activation} is applied after it."
        activation = "in-model"
    elif ending == "log-softmax" and activation in {"in-model", "sigmoid"}:
        remark = "The network gives logarithms of probabilities; softmax makes the probabilities of them."
        activation = "softmax"
    if session.output_size == 1 and (activation == "softmax" or ending in {"softmax", "log-softmax"}):
        raise ModelError(
            f"The model {card.name} gives one number per image, and a softmax over one number is always 1.",
            "If the model's number tells two classes apart, its activation is sigmoid; if it is a value, none.",
        )
    card = card.model_copy(
        update={"output": card.output.model_copy(update={"ending": ending, "activation": activation})}
    )
    return local_model.assume(card, remark) if remark else card


def _with_task(card: ModelCard, outputs: int, said: Task | None) -> ModelCard:
    """Write down what the numbers mean, as far as the card does not say it."""
    ending, activation = card.output.ending or "unknown", card.output.activation
    if said == "regression":
        return card
    remark = _DOUBTS.get(ending) if activation == "in-model" else None
    if outputs == 1:
        task: Task = "binary"
        if activation == "none":
            task = "regression"
        elif (ending, activation) == ("linear", "in-model") and said is None and len(card.classes) != 2:
            task, remark = "regression", _VALUE
        card = card.model_copy(update={"task": task})
    elif said is None and (activation == "sigmoid" or (ending, activation) == ("sigmoid", "in-model")):
        card = card.model_copy(update={"task": "multi-label"})
        remark = "Each class has a sigmoid of its own, so several classes may be assigned to an image."
    return local_model.assume(card, remark) if remark else card


_VALUE = (
    "The network gives one number per image and ends without softmax or sigmoid, so the number is shown as a value, "
    "not as classes. If it is the logit of two classes, the activation sigmoid makes probabilities of it."
)
_DOUBTS = {
    "linear": "The network ends without softmax or sigmoid, so its numbers are no probabilities yet.",
    "clipped": "The network only cuts its numbers off at 0 and 1. They are taken for probabilities.",
    "unknown": "The network does not show whether its numbers are probabilities. They are taken for that if they lie "
    "from 0 to 1 and, for classes that exclude each other, add up to 1.",
}


# --- what the classes are called -------------------------------------------------------------------------------------


def _with_classes(card: ModelCard, outputs: int, said: Task | None) -> ModelCard:
    """Match the classes of a card with the numbers of the model; without names they are numbered."""
    if card.task == "regression" and outputs == 1:
        return _with_value(card)
    wanted = 2 if card.task == "binary" else outputs
    card = local_model.fit_labels(card, wanted)
    if card.task == "binary" and len(card.classes) == 1:
        card = _with_opposite(card, said)
    if not card.classes:
        remark = "The model does not name its classes, so they are numbered in the order of its outputs."
        if card.task == "binary":
            remark = (
                f"The model gives one number per image and does not name its two classes. {FIRST_CLASS} Which is which "
                "often follows from the alphabetical order of the folders that the model was trained with."
            )
        return local_model.assume(card.model_copy(update={"classes": local_model.numbered(wanted)}), remark)
    if len(card.classes) != wanted:
        raise ModelError(
            f"The model {card.name} has {wanted} {'classes' if outputs == 1 else 'outputs'}, but {len(card.classes)} "
            "class names are given.",
            "Give one name for each, in the model's order.",
        )
    return card


def _with_opposite(card: ModelCard, said: Task | None) -> ModelCard:
    """Name two classes by the name of one, if the publisher's card says that the number is its probability."""
    (name,) = card.class_names
    if said is not None:
        return card.model_copy(update={"classes": local_model.entries([f"not {name}", name])})
    raise ModelError(
        f"The model {card.name} gives one number for two classes, and one name ({name}) does not say whether numbers "
        "near 0 or near 1 mean it.",
        f"Give both names in order. {FIRST_CLASS}",
    )


def _with_value(card: ModelCard) -> ModelCard:
    """Name the one value that a model gives."""
    if len(card.classes) == 1:
        return card
    if card.classes:
        card = local_model.assume(
            card, f"Its {len(card.classes)} names of classes are not used, because a value has only one."
        )
    return card.model_copy(update={"classes": local_model.entries(["value"])})


def _code(count: str, name: str) -> str:
    """Say what stands for the Python code of Lambda layers; `napari_webipred.runtime.layers.registry` knows them."""
    several = count != "1"
    layers = f"{count} Lambda layers, such as {name[:80]}," if several else f"The Lambda layer {name[:80]}"
    return (
        f"{layers} {'hold' if several else 'holds'} Python code, which is never run here. By name and settings "
        f"{'they are' if several else 'it is'} taken for what keras.applications wrote under such names: a scaled sum "
        "in Inception-ResNet V2, a sum over groups in ResNeXt. If other code stands there, the numbers are wrong."
    )


def _with_notes(card: ModelCard, session: Session) -> ModelCard:
    if lambdas := session.properties.get(facts.LAMBDAS):
        card = local_model.assume(card, _code(*lambdas.split(" ", 1)))
    reason = session.properties.get(facts.BROWSER)
    if not reason:
        return card
    note = f"WebIPred cannot load this model, because {reason}; here it gives the numbers that Keras gives."
    return card.model_copy(update={"provenance": {**card.provenance, "notes": [note]}})
