"""The outputs of a model, and which of them gives the classes: plain data, without a runtime."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct

from napari_webipred.errors import ModelError, OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_webipred.runtime.graph import Node

# Names of properties of a compiled graph: the outputs of the model, if there are several, and the one it computes.
OUTPUTS = "webipred.outputs"
CHOSEN = "webipred.output"

_PROBABILITIES = {"softmax", "sigmoid", "log-softmax"}
_MOST = 1000
_MOST_LISTED = 30
_LONGEST_NAME = 80
# The sizes of a tensor for one image; None depends on the image.
Shape: TypeAlias = tuple[int | None, ...]
# Of an output that gives something else than a list of numbers for each image.
NO_LIST: Shape = (None,)
_WHOLE_IMAGE = "Choose a model that gives its classes for the whole image."


class ModelOutput(Struct, frozen=True):
    """One output of a model.

    Attributes
    ----------
    number : int
        Its place among the outputs of the model, counted from 0.
    name : str
        What chooses it: its name in the file, or its number where that is no good name.
    shape : tuple of (int or None), optional
        Its sizes for one image, None for those that depend on the image. None as a whole if this program cannot
        compute the output.
    ending : str
        What its numbers are; see `napari_webipred.runtime.ending`.
    final : bool
        Whether no other output is computed from it.
    source : str
        The tensor behind it, which may be that of another output too.
    """

    number: int
    name: str
    shape: Shape | None
    ending: str = "unknown"
    final: bool = True
    source: str = ""

    @property
    def size(self) -> int | None:
        """How many numbers it gives for an image; None if that is not one list of numbers."""
        if self.shape is None or None in self.shape:
            return None
        sizes = [size or 0 for size in self.shape if size != 1]
        return math.prod(sizes) if len(sizes) < 2 else None

    @property
    def words(self) -> str:
        """What it gives: ``7 numbers, softmax``."""
        if self.shape is None:
            return "cannot be computed here"
        if self.shape == NO_LIST:
            return "no list of numbers"
        sizes = [size for size in self.shape if size != 1] or [1]
        count = f"{_times(sizes)} number{'s' * (self.size != 1)}"
        return f"{count}, {self.ending}" if self.ending in _PROBABILITIES else count


class UndecidedOutputError(OptionError):
    """Nothing decides which output of a model gives the classes; ``outputs`` are those that could be used."""

    def __init__(self, file: str, outputs: Sequence[ModelOutput]) -> None:
        super().__init__(
            f"{file} has {len(outputs)} outputs, and it is not clear which one gives the classes: {_listed(outputs)}.",
            "Choose one by its name (`output`).",
            "complete settings",
        )
        self.outputs = tuple(outputs)


def described(
    file: str,
    tensors: Sequence[tuple[str, tuple[str, Shape] | None]],
    nodes: Iterable[Node],
    constants: Mapping[str, NDArray[Any]],
) -> list[ModelOutput]:
    """Describe the outputs of a model.

    Parameters
    ----------
    file : str
        Name of the model's file, for messages.
    tensors : sequence of (str, (str, shape) or None)
        Of each output the name in the file, and the tensor that it is in the graph with its shape for one image; None
        if it cannot be computed.
    nodes, constants
        The graph; see `napari_webipred.runtime.ending.ends`.

    Raises
    ------
    ModelError
        There are absurdly many.
    """
    from napari_webipred.runtime.ending import ends  # a graph that is kept has its outputs noted

    if len(tensors) > _MOST:
        raise ModelError(f"{file} has {len(tensors)} outputs; {_MOST} are the most.", _WHOLE_IMAGE)
    names = _good_names([name for name, _ in tensors])
    found = ends(nodes, constants, [tensor[0] if tensor else "" for _, tensor in tensors])
    return [
        ModelOutput(number, name, tensor[1], end.ending, end.final, end.source)
        if tensor
        else ModelOutput(number, name, None)
        for number, (name, (_, tensor), end) in enumerate(zip(names, tensors, found, strict=True))
    ]


def _good_names(names: Sequence[str]) -> list[str]:
    """Put numbers in place of names that do not tell one output from the others."""
    numbers = {str(number) for number in range(len(names))}
    return [
        name
        if 0 < len(name) <= _LONGEST_NAME and name.isprintable() and names.count(name) == 1 and name not in numbers
        else str(number)
        for number, name in enumerate(names)
    ]


def choose(
    file: str, outputs: Sequence[ModelOutput], wanted: str | None = None, classes: int = 0
) -> tuple[ModelOutput, str]:
    """Find the output that gives the classes.

    Of several the first of these decides: what the user or the card names; that only one gives a list of numbers for
    an image; that it gives as many numbers as there are names of classes; that the others give a single value or are
    computed on the way to it.

    Parameters
    ----------
    file : str
        Name of the model's file, for messages.
    outputs : sequence of ModelOutput
        All outputs of the model.
    wanted : str, optional
        Name or number of the output that the user or the card names. Not looked at if there is only one.
    classes : int
        How many names of classes are known.

    Returns
    -------
    output : ModelOutput
    reason : str
        Why it is this one of several, as a clause; empty if nobody had to decide.

    Raises
    ------
    ModelError
        There is no such output, or none that gives one list of numbers for an image.
    UndecidedOutputError
        Nothing decides.
    """
    if len(outputs) == 1:
        return _checked(file, outputs[0]), ""
    if wanted is not None:
        return _checked(file, _named(file, outputs, wanted)), ""
    left = [output for output in outputs if output.size is not None or output.shape is None]
    if not left:
        raise ModelError(f"{file} has no output that lists classes: {_listed(outputs)}.", _WHOLE_IMAGE)
    if not any(output.size for output in left):  # whoever compiles it will say why it cannot be computed
        return left[-1], ""
    usable, reason = left, "only this one gives one list of numbers for an image"
    for clue, fits in _clues(classes).items():
        fitting = [output for output in left if fits(output)]
        if len(_sources(left)) > 1 and 0 < len(fitting) < len(left):
            left, reason = fitting, clue
    if len(_sources(left)) > 1:
        raise UndecidedOutputError(file, usable)
    return left[0], reason


def _clues(classes: int) -> dict[str, Callable[[ModelOutput], bool]]:
    """Return what speaks for an output, in words and as a test, the strongest first."""
    return {
        "it gives as many numbers as there are names of classes": lambda output: output.size == classes,
        "its one number can tell the two named classes apart": lambda output: output.size == 1 and classes == 2,
        "no other gives class scores": lambda output: output.ending != "linear" or (output.final and output.size != 1),
        "the others are computed on the way to it": lambda output: output.ending != "linear" or output.final,
    }


def _sources(outputs: Sequence[ModelOutput]) -> set[str]:
    return {output.source or output.name for output in outputs}


def _named(file: str, outputs: Sequence[ModelOutput], wanted: str) -> ModelOutput:
    name = wanted.removesuffix(":0")
    for key in (wanted, name):
        for output in outputs:
            if key == output.name:
                return output
    for output in outputs:
        if str(output.number) == name:
            return output
    raise ModelError(
        f"{file} has no output {wanted[:200]!r}, but {_listed(outputs)}.", "Choose one of these by its name."
    )


def _checked(file: str, output: ModelOutput) -> ModelOutput:
    """Refuse an output that gives more for an image than one list of numbers."""
    if output.shape is None or output.size is not None:
        return output
    what = f"a map of {_times(output.shape)} numbers per image, as a segmentation model does"
    if output.shape == NO_LIST:
        what = f"no list of numbers per image as its output {output.name}"
    elif len(output.shape) < 3:
        what = f"{_times(output.shape)} numbers per image, as an object detection model does"
    raise ModelError(f"{file} gives {what}; napari-webipred shows one label per image.", _WHOLE_IMAGE)


def _listed(outputs: Sequence[ModelOutput]) -> str:
    names = "; ".join(f"{output.name} ({output.words})" for output in outputs[:_MOST_LISTED])
    return f"{names}; and {len(outputs) - _MOST_LISTED} more" if len(outputs) > _MOST_LISTED else names


def _times(sizes: Sequence[int | None]) -> str:
    return " x ".join("?" if size is None else str(size) for size in sizes)


# --- in the properties of a compiled graph ---------------------------------------------------------------------------


def properties_of(outputs: Sequence[ModelOutput], chosen: ModelOutput) -> dict[str, str]:
    """Write down the outputs of a model, if there are several, as properties of a graph that computes one of them."""
    if len(outputs) == 1:
        return {}
    listed = [[each.number, each.name, each.shape, each.ending, each.final, each.source] for each in outputs]
    return {OUTPUTS: json.dumps(listed), CHOSEN: str(chosen.number)}


def outputs_in(properties: Mapping[str, str]) -> tuple[tuple[ModelOutput, ...], int]:
    """Read the outputs of a model and the number of the chosen one from its graph; nothing if there is only one."""
    if OUTPUTS not in properties:
        return (), 0
    listed: Iterable[Any] = json.loads(properties[OUTPUTS])
    outputs = (
        ModelOutput(number, name, None if shape is None else tuple(shape), ending, final, source)
        for number, name, shape, ending, final, source in listed
    )
    return tuple(outputs), int(properties[CHOSEN])
