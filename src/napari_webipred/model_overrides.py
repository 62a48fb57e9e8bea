"""What the user says about a model in place of its card."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from msgspec import Struct, field
from msgspec.structs import asdict, replace

from napari_webipred.card import Input, ModelCard, Output, PartialCard, Preprocessing, StandardizeMode, named
from napari_webipred.errors import OptionError
from napari_webipred.merge import merge

# What a card says in other words: the mode custom with a factor, as Keras' Rescaling(1 / 255) before the network.
DIVIDED_BY_255 = "0-1"
MODES = (DIVIDED_BY_255, *(mode for mode in get_args(StandardizeMode) if mode != "custom"))
NAME = r"(?![\d.]+$)[\w-][\w.-]{0,63}"  # no number, which would be a threshold itself
_SHOWN = 100  # characters of a value
ACTIVATIONS = ("softmax", "sigmoid", "none", "in-model")


class ModelOverrides(Struct, frozen=True):
    """Settings of a model that the user has given; None is not given.

    Attributes
    ----------
    classes : tuple of str, optional
        Names of the classes in output order; empty if they are not to be named.
    standardize : str, optional
        How pixel values are scaled: one of `MODES`.
    size : tuple of int, optional
        (width, height) of the model's input in pixels.
    activation : str, optional
        What turns the outputs into probabilities: ``"softmax"``, ``"sigmoid"``, the model itself (``"in-model"``)
        or nothing (``"none"``).
    output : str, optional
        Which of several outputs gives the classes: its name, or its number from 0.

    Raises
    ------
    OptionError
        One of them is not possible.
    """

    classes: tuple[str, ...] | None = None
    standardize: str | None = None
    size: tuple[int, int] | None = None
    activation: str | None = None
    output: str | None = None

    def __post_init__(self) -> None:
        names, size = self.classes, self.size
        if names is not None and ("" in names or len(set(names)) < len(names)):
            raise OptionError(
                f"The class names {list(names)} are empty or not unique.", "Give each class a different name."
            )
        if self.standardize not in (None, *MODES):
            raise OptionError(
                f"There is no standardise mode {self.standardize!r}.", f"Choose one of {', '.join(MODES)}."
            )
        if size is not None and not all(1 <= length <= 8192 for length in size):
            raise OptionError(f"A model input of {size[0]}x{size[1]} pixels is not possible.", "Give WIDTHxHEIGHT.")
        if self.activation not in (None, *ACTIVATIONS):
            raise OptionError(
                f"There is no activation {self.activation!r}.", f"Choose one of {', '.join(ACTIVATIONS)}."
            )

    @classmethod
    def of(
        cls,
        classes: Sequence[str] | None = None,
        standardize: str | None = None,
        size: Sequence[int] | None = None,
        activation: str | None = None,
        output: str | int | None = None,
    ) -> ModelOverrides:
        """Make overrides of values as Python functions, the command line and JSON have them.

        Raises
        ------
        OptionError
            One of them is not possible.
        """
        if isinstance(classes, str):  # whose letters would be names
            raise OptionError(f"The classes are the text {classes!r}.", 'Give a list of names, such as ["cat", "dog"].')
        return cls(
            None if classes is None else tuple(name.strip() for name in classes),
            standardize,
            None if size is None else (int(size[0]), int(size[1])),
            activation,
            None if output is None else str(output),
        )

    def over(self, older: ModelOverrides) -> ModelOverrides:
        """Return both; where both say something, this one counts."""
        return replace(older, **{name: value for name, value in asdict(self).items() if value is not None})

    def applied_to(self, card: ModelCard) -> ModelCard:
        """Return the card with these settings.

        It keeps its self-test only if they change no number: that is about the model as its publisher describes it.
        """
        said: dict[str, Any] = {}
        if self.classes is not None:
            said["classes"] = named(self.classes)
        if self.standardize is not None:
            kept = card.preprocessing.model_dump(exclude={"profile"}) if card.preprocessing else {}
            scaling: dict[str, Any] = {"standardize_mode": self.standardize, "rescale": None, "mean": None, "std": None}
            if self.standardize == DIVIDED_BY_255:
                scaling |= {"standardize_mode": "custom", "rescale": 1 / 255}
            said["preprocessing"] = Preprocessing.model_validate({**kept, **scaling})
        if self.size is not None:
            kept = card.input.model_dump() if card.input else {}
            said["input"] = Input.model_validate({**kept, "width": self.size[0], "height": self.size[1]})
        output = {"activation": self.activation, "tensor_name": self.output}
        if given := {key: value for key, value in output.items() if value is not None}:
            said["output"] = Output.model_validate({**card.output.model_dump(), **given})
        if said.keys() - {"classes"}:
            said["test"] = None
        return merge(card, PartialCard(**said), overrule=True) if said else card


def conditions(card: ModelCard, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what probabilities depend on besides the model's files and the image, as plain JSON values.

    Parameters
    ----------
    card : ModelCard
    options : mapping
        Those of a run; see `napari_webipred.options.Options.as_dict`.
    """
    parts = (card.output, card.input, card.preprocessing_under(options.get("profile")))
    return _conditions([each.model_dump(mode="json") for each in parts if each is not None], options)


def recorded_conditions(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same of a run, as its record says (see `napari_webipred.results.recorded`); empty without one."""
    if "model" not in record:
        return {}
    parts = (record["model"].get("output"), record.get("input"), record.get("preprocessing"))
    return _conditions([each for each in parts if each is not None], record.get("options", {}))


def _conditions(parts: Sequence[Mapping[str, Any]], options: Mapping[str, Any]) -> dict[str, Any]:
    intensity = options.get("intensity")
    of_run = {
        "intensity": list(intensity) if isinstance(intensity, tuple) else intensity,
        "views": options.get("views"),
    }
    return {name: value for part in (*parts, of_run) for name, value in part.items()}


class Thresholds(Struct, frozen=True):
    """From which probabilities on the classes of a model are assigned, as the user has chosen by own labels.

    Attributes
    ----------
    name : str
    values : mapping of str to float
        By name of the class. Of two classes that exclude each other only the second has one.
    how : mapping
        How they were chosen, in plain JSON values; ``conditions`` are those of the results that they were chosen by.
    """

    name: str
    values: Mapping[str, float]
    how: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not re.fullmatch(NAME, self.name):
            raise OptionError(
                f"Thresholds cannot be called {self.name!r}.", "Use letters, digits, hyphens and underscores."
            )
        if not self.values or not all(0 <= value <= 1 for value in self.values.values()):
            raise OptionError(f"The thresholds {dict(self.values)} are not from 0 to 1.")

    def applied_to(self, card: ModelCard, options: Mapping[str, Any]) -> ModelCard:
        """Return the card with these thresholds, for a run with such options.

        Raises
        ------
        OptionError
            They are for other classes, or were chosen by results of other settings.
        """
        if other := self.values.keys() - set(card.class_names):
            raise OptionError(
                f"The thresholds {self.name} are for the class {min(other)}, which {card.name} does not have.",
                "Choose them again.",
            )
        before, now = self.how.get("conditions") or {}, conditions(card, options)
        if differing := [name for name in now if name in before and before[name] != now[name]]:
            name = differing[0]
            raise OptionError(
                f"The thresholds {self.name} were chosen with other settings ({name.replace('_', ' ')}: "
                f"{_shown(before[name])} then, {_shown(now[name])} now).",
                "Use those settings again, or choose thresholds by results of the new ones.",
            )
        entries = (entry.model_copy(update={"threshold": self.values.get(entry.name)}) for entry in card.classes)
        return card.model_copy(update={"classes": tuple(entries), "thresholds": self.name})


def _shown(value: Any) -> str:
    if value is None:
        return "not given"
    return (", ".join(map(str, value)) if isinstance(value, list) else str(value))[:_SHOWN]
