"""What a run did as code for Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from napari_webipred.errors import OptionError
from napari_webipred.names import visible
from napari_webipred.results.inputs import ImageInput, ModelInput, Step

DEFAULTS = {"intensity": "auto", "threshold": 0.5, "profile": None, "views": None, "reference": False}
CHANNEL_AXES = {"c", "channel", "channels"}  # where the command line looks for channels


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
    check(images)
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
    check(images, files=True)
    imports = ["import napari_webipred as wp"]
    if any(image.steps for image in images):
        used = {_FUNCTIONS[step[0]] for image in images for step in image.steps or ()}
        imports.append("from napari_webipred.imaging.readers import file_source")
        imports.append(f"from napari_webipred.imaging.selection import {', '.join(sorted({*used, 'rename'}))}")
    items = [_with_steps(image, _file(image)) if image.steps else repr(image.path) for image in images]
    return _python(heading, imports, items, model, options)


def check(images: Sequence[ImageInput], files: bool = False) -> None:
    """Refuse what cannot be written as code; `files` if the code is to read files."""
    for image in images:
        if image.steps is None:
            raise OptionError(
                f"{image.name} was classified in regions, or merged from several layers or files.",
                "Save the session instead: it contains the settings of the form.",
            )
        if files and image.path is None:
            raise OptionError(
                f"{image.name} was not opened from a file.", "Save it as a file, or copy the code for the open layers."
            )
        if files and image.steps and image.colours is not None:
            raise OptionError(
                f"Some planes of {image.name} were classified, which has an axis of colours.",
                "Copy the code for the open layers.",
            )


_FUNCTIONS = {"planes": "take_planes", "project": "project", "channel": "take_channel", "merge": "merge_along"}


def _source(image: ImageInput, layer: str) -> str:
    """Return the expression for a layer, read as it was."""
    code = _with_steps(image, _layer(image, layer) if image.layer else f"file_source({image.path!r})")
    if image.intensity_range is not None:
        code = f"replace({code}, intensity_range={image.intensity_range!r})"
    return code


def _file(image: ImageInput) -> str:
    """Return the expression for the file of a layer, whose axes have the names that the layer gives them."""
    code = f"file_source({image.path!r})"
    return f"rename({code}, {image.axes!r})" if image.axes else code


def _with_steps(image: ImageInput, code: str) -> str:
    """Return the expression for what was taken of an image."""
    for step in image.steps or ():
        code = f"{_FUNCTIONS[step[0]]}({code}, {_arguments(step)})"
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
    return any(axis.casefold() in CHANNEL_AXES for axis in image.axes)


def _arguments(step: Step) -> str:
    if step[0] == "planes":
        return "{" + ", ".join(f"{axis!r}: {_range(places)}" for axis, places in step[1]) + "}"
    if step[0] == "project":
        return f"{step[1]!r}, {step[2]!r}, {_range(step[3])}"
    if step[0] == "merge":
        return f"{step[1]!r}, {step[2]!r}, {step[3]!r}"
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
