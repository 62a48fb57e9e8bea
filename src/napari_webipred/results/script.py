"""What a run did as code for Python."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from napari_webipred.errors import OptionError
from napari_webipred.names import visible
from napari_webipred.results.inputs import (
    MOST_CORNERS,
    ChannelInput,
    ImageInput,
    ModelInput,
    Parts,
    RegionInput,
    Step,
    corners,
)

DEFAULTS = {"intensity": "auto", "threshold": 0.5, "profile": None, "views": None, "reference": False}
DEFAULTS |= {"precision": "float32", "device": "cpu"}
SAVE_SESSION = "Save the session instead: it contains the settings of the form."
CHANNEL_AXES = {"c", "channel", "channels"}  # where the command line looks for channels


def python_of_layers(images: Sequence[ImageInput], model: ModelInput, options: Mapping[str, Any], heading: str) -> str:
    """Return code for napari's console that classifies open layers as a run did.

    Parameters
    ----------
    images : sequence of ImageInput
        What the run was given, with the names that the layers have now.
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
    return _python(heading, [_source(image) for image in images], model, options)


def python_of_files(images: Sequence[ImageInput], model: ModelInput, options: Mapping[str, Any], heading: str) -> str:
    """Return code that classifies the files that the layers were opened from; see `python_of_layers`."""
    check(images, files=True)
    items = [_file(image) if image.steps or image.parts else repr(image.path) for image in images]
    return _python(heading, items, model, options)


def check(images: Sequence[ImageInput], files: bool = False, merged: bool = False) -> None:
    """Refuse what cannot be written as code.

    Parameters
    ----------
    images : sequence of ImageInput
    files : bool
        Whether the code is to read files.
    merged : bool
        Whether they are channels of an image.
    """
    for image in images:
        if image.steps is None and image.parts is None:
            unknown = "was classified in regions, or merged from several layers or files, and it is not known how"
            raise OptionError(
                f"{image.name} {unknown}.",
                "Open the images and classify again. Sessions of earlier versions and very large ones lack it.",
            )
        if image.parts is not None:
            _check_masks(image.name, image.parts)
            check([channel.image for channel in image.channels], files, merged=True)
        if files and not (image.files or image.channels):
            _check_file(image, merged)
    parts = [image.parts for image in images if image.parts is not None]
    if any(each.left_out for each in parts) or sum(corners(each.regions or ()) for each in parts) > MOST_CORNERS:
        raise OptionError("The regions of the run are too many for code.", SAVE_SESSION)


def _check_file(image: ImageInput, merged: bool) -> None:
    if image.path is None:
        hint = "Save it as a file, or copy the code for the open layers."
        raise OptionError(f"{image.name} was not opened from a file.", hint)
    if (merged or image.steps != ()) and image.colours is not None:
        raise OptionError(
            f"Some planes or regions of {image.name} were classified, which has an axis of colours.",
            "Copy the code for the open layers.",
        )


def _check_masks(name: str, parts: Parts) -> None:
    if any(region.masked for region in parts.regions or ()):
        raise OptionError(
            f"In {name} all pixels outside the labels were black, and code cannot contain the labels.",
            "Save the labels as an image, and give it to the command classify with --regions and --blank.",
        )


_FUNCTIONS = {"planes": "take_planes", "project": "project", "channel": "take_channel", "merge": "merge_along"}


def _of_parts(image: ImageInput, parts: Parts, whole: str, of_files: bool) -> str:
    """Return the expression for an image of several layers or files, or for regions; `whole` is that for one layer."""
    code = whole
    if parts.channels:
        channels = ", ".join(_channel(channel, of_files) for channel in parts.channels)
        code = f"merge({image.name!r}, [{channels}])"
    elif parts.files:
        code = f"replace(series_source({list(parts.files)!r}), name={image.name!r})"
    code = _with_steps(parts.steps, code)
    if image.intensity_range is not None and not of_files:
        code = f"replace({code}, intensity_range={image.intensity_range!r})"
    if parts.regions is not None:
        regions = "".join(f"\n        {_region(region)}," for region in parts.regions)
        code = f"replace({code}, regions=({regions}\n    ))"
    return code


def _channel(channel: ChannelInput, of_files: bool) -> str:
    source = _file(channel.image) if of_files else _source(channel.image)
    return f"Channel({source}, {channel.colour!r}, {channel.range!r})"


def _region(region: RegionInput) -> str:
    more = f", {region.index!r}" if region.index is not None or region.outline is not None else ""
    more += f", np.array({list(region.outline)!r})" if region.outline is not None else ""
    return f"Region({region.name!r}, {region.box!r}{more})"


def _source(image: ImageInput) -> str:
    """Return the expression for a layer, read as it was."""
    whole = _layer(image) if image.layer else f"file_source({image.path!r})"
    if image.parts is not None:
        return _of_parts(image, image.parts, whole, of_files=False)
    code = _with_steps(image.steps, whole)
    if image.intensity_range is not None:
        code = f"replace({code}, intensity_range={image.intensity_range!r})"
    return code


def _file(image: ImageInput) -> str:
    """Return the expression for the file of a layer, read as the layer was; axes are called as those of the layer."""
    whole = f"file_source({image.path!r})"
    whole = f"rename({whole}, {image.axes!r})" if image.axes else whole
    if image.parts is not None:
        return _of_parts(image, image.parts, whole, of_files=True)
    return _with_steps(image.steps, whole)


def _with_steps(steps: Sequence[Step] | None, code: str) -> str:
    """Return the expression for what was taken of an image."""
    for step in steps or ():
        code = f"{_FUNCTIONS[step[0]]}({code}, {_arguments(step)})"
    return code


def _layer(image: ImageInput) -> str:
    """Return the expression for the whole of a layer."""
    facts = [f"viewer.layers[{image.layer!r}].data", repr(image.name), f"rgb={image.rgb}"]
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


# Where the functions are from that expressions call.
_FROM = {
    "replace": "msgspec.structs",
    "array_source": "napari_webipred.imaging.planes",
    "file_source": "napari_webipred.imaging.readers",
    "Region": "napari_webipred.imaging.region",
    **dict.fromkeys(
        ("Channel", "merge", "merge_along", "project", "rename", "take_channel", "take_planes"),
        "napari_webipred.imaging.selection",
    ),
    "series_source": "napari_webipred.imaging.series",
}


def _imports(images: Sequence[str]) -> list[str]:
    """Return the imports that expressions need; strings in them may be anything."""
    names = {node.id for code in images for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
    modules: dict[str, list[str]] = {}
    for name in sorted(names & _FROM.keys()):
        modules.setdefault(_FROM[name], []).append(name)
    own = [f"from {module} import {', '.join(modules[module])}" for module in sorted(modules)]
    standard = [line for line in own if "napari_webipred" not in line]
    first = [*standard, ""] if standard else []
    numpy = ["import numpy as np", ""] if "np" in names else []
    return [*first, *numpy, "import napari_webipred as wp", *(line for line in own if line not in standard)]


def _python(heading: str, images: Sequence[str], model: ModelInput, options: Mapping[str, Any]) -> str:
    imports = _imports(images)
    reference = f"Path({model.reference!r})" if model.is_path else repr(model.reference)
    first = ["from pathlib import Path", ""] if model.is_path else []
    settings = "".join(f", {name}={_value(value)!r}" for name, value in model.settings.items())
    chosen = {**options, "reference": bool(options.get("reference"))}  # how it was made is recorded there
    how = "".join(
        f", {name}={_value(chosen[name])!r}"
        for name, default in DEFAULTS.items()
        if name in chosen and chosen[name] != default
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
