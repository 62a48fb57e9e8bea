"""What a run did as a command for a shell."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from napari_webipred.errors import OptionError
from napari_webipred.names import visible
from napari_webipred.results.inputs import ImageInput, ModelInput, Parts, Step
from napari_webipred.results.script import CHANNEL_AXES, DEFAULTS, check

LONGEST = {"posix": 100_000, "nt": 8_000}  # characters of a command; shells take a little more
OUTPUT = "results.csv"
_PYTHON_INSTEAD = "Copy it as Python instead."
# What the shells of Windows replace or take for an end within double quotes.
_NOT_ON_WINDOWS = re.compile(r'["%$`!\x00-\x1f\u201c-\u201e]')


def shell(images: Sequence[ImageInput], model: ModelInput, options: Mapping[str, Any], system: str = "posix") -> str:
    """Return a command that classifies the files that the layers were opened from.

    Parameters
    ----------
    images, model, options
        See `napari_webipred.results.script.python_of_layers`.
    system : "posix" or "nt"
        Whose shell it is for, as `os.name` names it.

    Raises
    ------
    OptionError
        It cannot be written as a command.
    """
    for image in images:
        if image.parts is not None:
            raise OptionError(f"{image.name} {_way(image.parts)}, which a command cannot say.", _PYTHON_INSTEAD)
    check(images, files=True)
    words = ["napari-webipred", "classify", *(str(image.path) for image in images), "--model", model.reference]
    words += [*_settings(model.settings), *_selection(images)]
    intensity = options.get("intensity", DEFAULTS["intensity"])
    if intensity != DEFAULTS["intensity"]:
        words.append(f"--range={intensity if isinstance(intensity, str) else ':'.join(map(repr, intensity))}")
    for name in ("threshold", "profile", "views", "precision", "device"):
        if options.get(name, DEFAULTS[name]) != DEFAULTS[name]:
            words += [f"--{name}", str(options[name])]
    if options.get("reference"):
        words.append("--reference")
    command = " ".join(_quoted(word, system) for word in (*words, "--output", OUTPUT))
    if len(command) > LONGEST[system]:
        raise OptionError("The command would be longer than a shell takes.", _PYTHON_INSTEAD)
    return command + "\n"


def _way(parts: Parts) -> str:
    """Say how an image was read."""
    if parts.regions is not None:
        return "was classified in regions"
    return "was merged from several layers" if parts.channels else "was read from a series of files"


def _selection(images: Sequence[ImageInput]) -> list[str]:
    """Return the options of the command line for what was taken of each image, which is the same for all."""
    steps, axes = images[0].steps or (), images[0].axes
    if any((image.steps or (), image.axes if image.steps else axes) != (steps, axes) for image in images):
        raise OptionError("Not the same was taken of each image.", _PYTHON_INSTEAD)
    if not steps:
        return []
    if any("," in axis or "=" in axis for axis in axes) or [len(axis) for axis in axes] == [len("".join(axes))] != [1]:
        raise OptionError(f"The command line cannot give axes the names {', '.join(axes)}.", _PYTHON_INSTEAD)
    words = [f"--axes={','.join(axes) if len(axes) > 1 else axes[0]}"] if axes else []
    for step in steps:
        words += _option(step, axes)
    return words


def _option(step: Step, axes: Sequence[str]) -> list[str]:
    """Return the options of the command line for a step."""
    if step[0] == "planes":
        return [f"--planes={axis}={':'.join(map(str, places))}" for axis, places in step[1]]
    if step[0] == "project":
        return [f"--project={step[1]}={step[2]}", f"--planes={step[1]}={':'.join(map(str, step[3]))}"]
    if step[1] != next((axis for axis in axes if axis.casefold() in CHANNEL_AXES), "c"):
        raise OptionError(f"The command line takes channels of an axis c only, not of {step[1]}.", _PYTHON_INSTEAD)
    if step[0] == "channel":
        return [f"--channels={step[2]}"]
    return [f"--channels={','.join(map(str, step[2]))}", f"--colours={','.join(map(_colour, step[3]))}"]


def _colour(parts: Sequence[float]) -> str:
    """Write a colour as ``#RRGGBB``, which is read as exactly the same numbers."""
    whole = [round(255 * part) for part in parts]
    if any(number / 255 != part for number, part in zip(whole, parts, strict=True)):
        raise OptionError("A colour cannot be written exactly in the command line.", _PYTHON_INSTEAD)
    return "#" + "".join(f"{number:02X}" for number in whole)


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
