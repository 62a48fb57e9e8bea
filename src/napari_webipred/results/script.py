"""What a run did as code: for Python, and for a shell."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from napari_webipred.errors import OptionError
from napari_webipred.names import visible
from napari_webipred.results.inputs import ImageInput, ModelInput, Step

DEFAULTS = {"intensity": "auto", "threshold": 0.5, "profile": None, "views": None}
LONGEST = {"posix": 100_000, "nt": 8_000}  # characters of a command; shells take a little more
OUTPUT = "results.csv"
_PYTHON_INSTEAD = "Copy it as Python instead."
# What the shells of Windows replace or take for an end within double quotes.
_NOT_ON_WINDOWS = re.compile(r'["%$`!\x00-\x1f\u201c-\u201e]')


def python_of_layers(
    images: Sequence[ImageInput], layers: Sequence[str], model: ModelInput, options: Mapping[str, Any], heading: str
) -> str:
    """Return code for napari's console that classifies open layers as a run did.

    Parameters
    ----------
    images : sequence of ImageInput
        What the run was given.
    layers : sequence of str
        What the layers are called now.
    model : ModelInput
        With all settings that the user has made.
    options : mapping
        Those of the run, as plain JSON values.
    heading : str
        What stands above it, in a line.

    Raises
    ------
    OptionError
        It cannot be written as code.
    """
    _check(images)
    used = sorted({_FUNCTIONS[step[0]] for image in images for step in image.steps or ()})
    imports = ["import napari_webipred as wp"]
    if any(image.layer for image in images):
        imports.append("from napari_webipred.imaging.planes import array_source")
    if not all(image.layer for image in images):
        imports.append("from napari_webipred.imaging.readers import file_source")
    if used:
        imports.append(f"from napari_webipred.imaging.selection import {', '.join(used)}")
    if any(image.intensity_range is not None or _is_misleading(image) for image in images):
        imports.insert(0, "from dataclasses import replace\n")
    items = [_source(image, layer) for image, layer in zip(images, layers, strict=True)]
    return _python(heading, imports, items, model, options)


def python_of_files(images: Sequence[ImageInput], model: ModelInput, options: Mapping[str, Any], heading: str) -> str:
    """Return code that classifies the files that the layers were opened from; see `python_of_layers`."""
    _check(images, whole=True)
    items = [repr(image.path) for image in images]
    return _python(heading, ["import napari_webipred as wp"], items, model, options)


def shell(images: Sequence[ImageInput], model: ModelInput, options: Mapping[str, Any], system: str = "posix") -> str:
    """Return a command that classifies the files that the layers were opened from.

    Parameters
    ----------
    images, model, options
        See `python_of_layers`.
    system : "posix" or "nt"
        Whose shell it is for, as `os.name` names it.

    Raises
    ------
    OptionError
        It cannot be written as a command.
    """
    _check(images, whole=True)
    words = ["napari-webipred", "classify", *(str(image.path) for image in images), "--model", model.reference]
    words += _settings(model.settings)
    intensity = options.get("intensity", DEFAULTS["intensity"])
    if intensity != DEFAULTS["intensity"]:
        words.append(f"--range={intensity if isinstance(intensity, str) else ':'.join(map(repr, intensity))}")
    if options.get("threshold", DEFAULTS["threshold"]) != DEFAULTS["threshold"]:
        words += ["--threshold", repr(options["threshold"])]
    if options.get("profile") is not None:
        words += ["--profile", options["profile"]]
    if options.get("views") is not None:
        words += ["--views", options["views"]]
    command = " ".join(_quoted(word, system) for word in (*words, "--output", OUTPUT))
    if len(command) > LONGEST[system]:
        raise OptionError("The command would be longer than a shell takes.", _PYTHON_INSTEAD)
    return command + "\n"


def _check(images: Sequence[ImageInput], whole: bool = False) -> None:
    """Refuse what cannot be written as code; `whole` if only whole files can be."""
    for image in images:
        if image.steps is None:
            raise OptionError(
                f"{image.name} was classified in regions, or merged from layers.",
                "Save the session instead: it contains the settings of the form.",
            )
        if whole and image.path is None:
            raise OptionError(
                f"{image.name} was not opened from a file.", "Save it as a file, or copy the code for the open layers."
            )
        if whole and image.steps:
            raise OptionError(
                f"Only some planes of {image.name} were classified, and files are classified whole.",
                "Copy the code for the open layers.",
            )


_FUNCTIONS = {"planes": "take_planes", "project": "project", "channel": "take_channel"}


def _source(image: ImageInput, layer: str) -> str:
    """Return the expression for a layer, read as it was."""
    code = _layer(image, layer) if image.layer else f"file_source({image.path!r})"
    for step in image.steps or ():
        code = f"{_FUNCTIONS[step[0]]}({code}, {_arguments(step)})"
    if image.intensity_range is not None:
        code = f"replace({code}, intensity_range={image.intensity_range!r})"
    return code


def _layer(image: ImageInput, layer: str) -> str:
    """Return the expression for the whole of a layer."""
    facts = [f"viewer.layers[{layer!r}].data", repr(image.name), f"rgb={image.rgb}"]
    if not image.axes and image.colours is None:
        return f"array_source({', '.join(facts)})"
    if not _is_misleading(image):
        return f"array_source({', '.join(facts)}, axes={_with_colours(image, image.axes)!r})"
    neutral = [f"axis_{i}" for i in range(len(image.axes))]
    return f"replace(array_source({', '.join(facts)}, axes={_with_colours(image, neutral)!r}), axes={image.axes!r})"


def _with_colours(image: ImageInput, axes: Sequence[str]) -> tuple[str, ...]:
    """Add the axis that holds red, green and blue."""
    return tuple(axes) if image.colours is None else (*axes[: image.colours], "c", *axes[image.colours :])


def _is_misleading(image: ImageInput) -> bool:
    """Whether an axis of planes is called as if it held colours."""
    return any(axis.casefold() in {"c", "channel", "channels"} for axis in image.axes)


def _arguments(step: Step) -> str:
    if step[0] == "planes":
        return "{" + ", ".join(f"{axis!r}: {_range(places)}" for axis, places in step[1]) + "}"
    if step[0] == "project":
        return f"{step[1]!r}, {step[2]!r}, {_range(step[3])}"
    return f"{step[1]!r}, {step[2]!r}"


def _range(places: tuple[int, int, int]) -> str:
    first, end, step = places
    return f"range({first}, {end})" if step == 1 else f"range({first}, {end}, {step})"


def _python(
    heading: str, imports: Sequence[str], images: Sequence[str], model: ModelInput, options: Mapping[str, Any]
) -> str:
    reference = f"Path({model.reference!r})" if model.is_path else repr(model.reference)
    first = ["from pathlib import Path", ""] if model.is_path else []
    settings = "".join(f", {name}={_value(value)!r}" for name, value in model.settings.items())
    how = "".join(
        f", {name}={_value(options[name])!r}"
        for name, default in DEFAULTS.items()
        if name in options and options[name] != default
    )
    return "\n".join(
        [
            f"# {' '.join(visible(heading).split())}",
            *first,
            *imports,
            "",
            "images = [",
            *(f"    {image}," for image in images),
            "]",
            f"model = wp.open_model({reference}{settings})",
            f"table = wp.classify(images, model{how})",
            "table",
            "",
        ]
    )


def _value(value: Any) -> Any:
    """Return a value as Python has it: JSON has lists where Python has tuples."""
    return tuple(value) if isinstance(value, list) else value


def _settings(settings: Mapping[str, Any]) -> list[str]:
    """Return the options of the command line for the settings of a model."""
    words: list[str] = []
    for name, value in settings.items():
        if name == "classes":
            if any("," in each for each in value):
                raise OptionError("The name of a class contains a comma.", _PYTHON_INSTEAD)
            words.append(f"--classes={','.join(value)}")
        elif name == "size":
            words.append(f"--resize={value[0]}x{value[1]}")
        elif name == "allow_slow":
            words += ["--allow-slow"] if value else []
        else:
            words.append(f"--{'output-name' if name == 'output' else name}={value}")
    return words


def _quoted(word: str, system: str) -> str:
    """Write a word so that a shell takes it as it is."""
    if system == "nt":
        if _NOT_ON_WINDOWS.search(word):
            raise OptionError(f"A shell of Windows would not take {word} as it is.", _PYTHON_INSTEAD)
        plain = re.fullmatch(r"[\w:\\./=-]+", word) is not None
        return word if plain else f'"{word}{chr(92) * (len(word) - len(word.rstrip(chr(92))))}"'
    if visible(word) == word:
        return shlex.quote(word)
    letters = (_escaped(letter) if visible(letter) != letter or letter in "\\'" else letter for letter in word)
    return f"$'{''.join(letters)}'"  # bash, zsh and ksh know this, and the POSIX shell since 2024


def _escaped(letter: str) -> str:
    """Write a character, or a byte of a file name that is not UTF-8, as an escape sequence of the shell."""
    try:
        return "".join(f"\\x{byte:02x}" for byte in letter.encode(errors="surrogateescape"))
    except UnicodeEncodeError:
        raise OptionError(f"There is no file whose name contains {letter}.", _PYTHON_INSTEAD) from None
