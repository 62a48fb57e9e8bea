"""What only the network itself knows, written into the card of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_webipred.card import FIRST_CLASS, Input, ModelCard, PartialCard, Provenance, Task, named, numbered
from napari_webipred.catalogue import onnx_properties
from napari_webipred.catalogue.local_model import opened_weights
from napari_webipred.errors import ModelError
from napari_webipred.field_values import ValidationError
from napari_webipred.merge import merge
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
        With the format of the model, input size, classes (numbered if they have no names), the chosen one of
        several outputs (``output.tensor_name``), what the network ends in (``output.ending``), and the task that
        follows from that.
        ``provenance.assumed`` says what could only be assumed, ``provenance.notes`` what the user should know of the
        file.

    Raises
    ------
    ModelError
        The card promises another input size, number of channels or number of classes, or the graph is that of another
        output.
    UndecidedOutputError
        Several outputs could give the classes.
    """
    said = card.task if "task" in card.model_fields_set else None
    card = merge(card, _output(card, session), _weights(card, session), overrule=True)
    if not card.classes or card.provenance.labels:  # else the user or the publisher's card names them
        card = merge(card, *onnx_properties.class_names(session.properties))
    card = merge(card, onnx_properties.pixel_range(session.properties))
    if session.properties.get(facts.PROFILE) == "teachable-machine" and card.classes and card.preprocessing is None:
        from napari_webipred.catalogue.side_files import TEACHABLE_MACHINE

        card = merge(card, TEACHABLE_MACHINE, _assuming(_BUILT_AS_THERE))
    card = merge(card, PartialCard(input=_input(card, session)), overrule=True)
    card = merge(card, _ending(card, session), overrule=True)
    card = merge(card, _task(card, session.output_size, said), overrule=True)
    card = merge(card, _classes(card, session.output_size, said), overrule=True)
    return merge(card, _notes(session))


_BUILT_AS_THERE = (
    "The network is built like the image models of Teachable Machine, so images are prepared as there: the "
    "largest centred square is used, and the rest is cropped."
)


def _assuming(*sentences: str, **said: Any) -> PartialCard:
    """Say something that could only be assumed; empty sentences are left out."""
    return PartialCard(**said, provenance=Provenance(assumed=sentences))


def _output(card: ModelCard, session: Session) -> PartialCard:
    """Tell which of several outputs gives the classes, and why, unless the user or the card names it."""
    outputs, number = outputs_in(session.properties)
    if not outputs:
        return PartialCard()
    chosen, reason = choose(f"The model {card.name}", outputs, card.output.tensor_name, len(card.classes))
    if chosen.number != number:
        raise ModelError(f"The compiled model of {card.name} does not return the chosen output.")
    remark = f"Of the model's {len(outputs)} outputs “{chosen.name}” ({chosen.words}) is used, because {reason}."
    return _assuming(remark if reason else "", output=card.output.model_copy(update={"tensor_name": chosen.name}))


def _weights(card: ModelCard, session: Session) -> PartialCard:
    """Tell the format of the model: for certain it is known only now."""
    found, opened = session.properties.get(facts.FORMAT), opened_weights(card)
    if found is None or opened is None:
        return PartialCard()
    return PartialCard(
        weights=tuple(each.model_copy(update={"format": found}) if each is opened else each for each in card.weights)
    )


def _input(card: ModelCard, session: Session) -> Input | None:
    height, width, channels = session.input_shape
    wanted = card.input
    if channels not in (1, 3):
        raise ModelError(
            f"The model {card.name} needs images with {channels} channels, neither grey nor RGB.",
            "Choose a model for grey or RGB images.",
        )
    sizes = {"height": height or (wanted and wanted.height), "width": width or (wanted and wanted.width)}
    if wanted and (wanted.height, wanted.width) != (sizes["height"], sizes["width"]):
        raise ModelError(
            f"The model {card.name} needs images of {sizes['width']}x{sizes['height']} pixels, "
            f"not {wanted.width}x{wanted.height}."
        )
    if wanted and wanted.channels not in (None, channels):
        raise ModelError(f"The model {card.name} needs {channels} channels, but its card says {wanted.channels}.")
    if None in sizes.values():  # the size is not known until the user tells it
        return None
    kept = wanted.model_dump() if wanted else {}
    said = wanted is not None and "channel_order" in wanted.model_fields_set
    if channels == 3 and not said and onnx_properties.is_bgr(session.properties):
        kept["channel_order"] = "BGR"
    try:
        return Input.model_validate({**kept, **sizes, "channels": channels})
    except ValidationError as error:
        raise ModelError(
            f"The model {card.name} needs images of {width}x{height} pixels, which is too large."
        ) from error


# --- what the numbers are --------------------------------------------------------------------------------------------


def _ending(card: ModelCard, session: Session) -> PartialCard:
    """Tell what the network ends in, and which activation is still to be applied."""
    ending = session.properties.get(facts.ENDING) or "unknown"
    activation = card.output.activation
    remark = ""
    if ending in {"softmax", "sigmoid"} and activation in {"softmax", "sigmoid"}:
        remark = f"The network ends in a {ending} already, so no {activation} is applied after it."
        activation = "in-model"
    elif ending == "log-softmax" and activation in {"in-model", "sigmoid"}:
        remark = "The network returns log-probabilities; softmax turns them into probabilities."
        activation = "softmax"
    if session.output_size == 1 and (activation == "softmax" or ending in {"softmax", "log-softmax"}):
        raise ModelError(
            f"The model {card.name} returns one number per image, and the softmax of one number is always 1.",
            "Choose the activation sigmoid for two classes, or none for a value.",
        )
    return _assuming(remark, output=card.output.model_copy(update={"ending": ending, "activation": activation}))


def _task(card: ModelCard, outputs: int, said: Task | None) -> PartialCard:
    """Tell what the numbers mean, as far as the card does not say it."""
    ending, activation = card.output.ending or "unknown", card.output.activation
    if said == "regression":
        return PartialCard()
    remark = _DOUBTS.get(ending, "") if activation == "in-model" else ""
    if outputs == 1:
        if activation == "none":
            return _assuming(remark, task="regression")
        if (ending, activation) == ("linear", "in-model") and said is None and len(card.classes) != 2:
            return _assuming(_VALUE, task="regression")
        return _assuming(remark, task="binary")
    if said is None and (activation == "sigmoid" or (ending, activation) == ("sigmoid", "in-model")):
        return _assuming(_ANY_NUMBER, task="multi-label")
    return _assuming(remark)


_VALUE = (
    "The network returns one number per image and ends without softmax or sigmoid, so the number is shown as a value, "
    "not as classes. If it is a logit for two classes, choose the activation sigmoid."
)
_ANY_NUMBER = "Each class has a sigmoid of its own, so several classes may be assigned to an image."
# Of a linear ending, see `napari_webipred.results.probabilities.needs_activation`.
_DOUBTS = {
    "clipped": "The network clips its outputs to 0 and 1. They are treated as probabilities.",
    "unknown": "The network does not show whether its outputs are probabilities. They are treated as such if they are "
    "between 0 and 1 and, for exclusive classes, add up to 1.",
}


# --- what the classes are called -------------------------------------------------------------------------------------


def _classes(card: ModelCard, outputs: int, said: Task | None) -> PartialCard:
    """Match the classes of a card with the numbers of the model; without names they are numbered."""
    if card.task == "regression" and outputs == 1:
        return _value(card)
    wanted = 2 if card.task == "binary" else outputs
    count, source, remark = len(card.classes), card.provenance.labels, ""
    if source and count not in (0, wanted):
        remark = (
            f"{source} names {count} class{'es' * (count != 1)}, but the model has {wanted}; they are numbered instead."
        )
        count = 0
    if card.task == "binary" and count == 1:
        return _opposite(card, said)
    if not count:
        return _assuming(remark, _UNNAMED[card.task == "binary"], classes=numbered(wanted))
    if count != wanted:
        raise ModelError(
            f"The model {card.name} has {wanted} {'classes' if outputs == 1 else 'outputs'}, but {count} class names "
            "are given.",
            "Give one name per class, in the order of the outputs.",
        )
    return PartialCard()


_UNNAMED = (
    "The model does not name its classes, so they are numbered in the order of its outputs.",
    f"The model returns one number per image and does not name its two classes. {FIRST_CLASS} The order is often the "
    "alphabetical order of the training folders.",
)


def _opposite(card: ModelCard, said: Task | None) -> PartialCard:
    """Name two classes by the name of one, if the publisher's card says that the number is its probability."""
    (name,) = card.class_names
    if said is not None:
        return PartialCard(classes=named([f"not {name}", name]))
    raise ModelError(
        f"The model {card.name} returns one number for two classes, but only one name ({name}) is given. It "
        "is not clear whether numbers "
        "near 0 or near 1 mean this class.",
        f"Give both names in order. {FIRST_CLASS}",
    )


def _value(card: ModelCard) -> PartialCard:
    """Name the one value that a model gives."""
    count = len(card.classes)
    if count == 1:
        return PartialCard()
    remark = f"Its {count} class names are not used, because a value needs only one name." if count else ""
    return _assuming(remark, classes=named(["value"]))


def _code(count: str, name: str) -> str:
    """Say what stands for the Python code of Lambda layers; `napari_webipred.runtime.layers.registry` knows them."""
    several = count != "1"
    layers = f"{count} Lambda layers, such as {name[:80]}," if several else f"The Lambda layer {name[:80]}"
    return (
        f"{layers} {'contain' if several else 'contains'} Python code, which is never run here. By name and settings "
        f"{'they are' if several else 'it is'} taken for what keras.applications wrote under such names: a scaled sum "
        "in Inception-ResNet V2, a sum over groups in ResNeXt. If it is other code, the numbers are wrong."
    )


def _notes(session: Session) -> PartialCard:
    lambdas, reason = session.properties.get(facts.LAMBDAS), session.properties.get(facts.BROWSER)
    note = f"WebIPred cannot load this model, because {reason}; here its results are those of Keras."
    return PartialCard(
        provenance=Provenance(
            assumed=(_code(*lambdas.split(" ", 1)),) if lambdas else (), notes=(note,) if reason else ()
        )
    )
