"""What a run did as code for Python."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from napari_webipred.errors import OptionError
from napari_webipred.names import visible
from napari_webipred.results.inputs import ChannelInput, ImageInput, ModelInput, Parts, RegionInput, Step

NO_PARTS: Mapping[int, Parts] = MappingProxyType({})
DEFAULTS = {"intensity": "auto", "threshold": 0.5, "profile": None, "views": None, "reference": False}
DEFAULTS |= {"precision": "float32", "device": "cpu"}
MOST_CORNERS = 20_000  # of all regions together, so that the code can still be pasted
SAVE_SESSION = "Save the session instead: it contains the settings of the form."
CHANNEL_AXES = {"c", "channel", "channels"}  # where the command line looks for channels


def python_of_layers(
    images: Sequence[ImageInput],
    layers: Sequence[str],
    model: ModelInput,
    options: Mapping[str, Any],
    heading: str,
    parts: Mapping[int, Parts] = NO_PARTS,
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
    parts : mapping of int to Parts
        What images consist of, by their number, whose steps are None.

    Raises
    ------
    OptionError
        It cannot be written as code.
    """
    check(images, parts)
    items = [
        _of_parts(image, parts[i], _layer(image, layer), of_files=False) if i in parts else _source(image, layer)
        for i, (image, layer) in enumerate(zip(images, layers, strict=True))
    ]
    return _python(heading, items, model, options)


def python_of_files(
    images: Sequence[ImageInput],
    model: ModelInput,
    options: Mapping[str, Any],
    heading: str,
    parts: Mapping[int, Parts] = NO_PARTS,
) -> str:
    """Return code that classifies the files that the layers were opened from; see `python_of_layers`."""
    check(images, parts, files=True)
    items = [
        _of_parts(image, parts[i], _file(image), of_files=True)
        if i in parts
        else _with_steps(image.steps, _file(image))
        if image.steps
        else repr(image.path)
        for i, image in enumerate(images)
    ]
    return _python(heading, items, model, options)


def check(images: Sequence[ImageInput], parts: Mapping[int, Parts] = NO_PARTS, files: bool = False) -> None:
    """Refuse what cannot be written as code; `files` if the code is to read files."""
    for i, image in enumerate(images):
        if image.steps is None and i not in parts:
            of_parts = "was classified in regions, or merged from several layers or files, which are gone"
            raise OptionError(f"{image.name} {of_parts}.", f"Open them and classify again. {SAVE_SESSION}")
        if i in parts:
            _check_regions(image.name, parts[i].regions or ())
        if not files or (i in parts and parts[i].files):
            continue
        for each in [channel.image for channel in parts[i].channels] if i in parts and parts[i].channels else [image]:
            if each.path is None:
                hint = "Save it as a file, or copy the code for the open layers."
                raise OptionError(f"{each.name} was not opened from a file.", hint)
            if (each.steps or i in parts) and each.colours is not None:
                raise OptionError(
                    f"Some planes or regions of {each.name} were classified, which has an axis of colours.",
                    "Copy the code for the open layers.",
                )


def _check_regions(name: str, regions: Sequence[RegionInput]) -> None:
    if any(region.masked for region in regions):
        raise OptionError(
            f"In {name} all pixels outside the labels were black, and code cannot contain the labels.",
            "Save the labels as an image, and give it to the command classify with --regions and --outside blank.",
        )
    corners = sum(1 + len(region.outline or ()) for region in regions)
    if corners > MOST_CORNERS:
        raise OptionError(f"The regions of {name} have {corners:,} corners, too many for code.", SAVE_SESSION)


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
    image = channel.image
    source = _with_steps(image.steps, _file(image)) if of_files else _source(image, channel.layer)
    return f"Channel({source}, {channel.colour!r}, {channel.range!r})"


def _region(region: RegionInput) -> str:
    more = f", {region.index!r}" if region.index is not None or region.outline is not None else ""
    more += f", np.array({list(region.outline)!r})" if region.outline is not None else ""
    return f"Region({region.name!r}, {region.box!r}{more})"


def _source(image: ImageInput, layer: str) -> str:
    """Return the expression for a layer, read as it was."""
    code = _with_steps(image.steps, _layer(image, layer) if image.layer else f"file_source({image.path!r})")
    if image.intensity_range is not None:
        code = f"replace({code}, intensity_range={image.intensity_range!r})"
    return code


def _file(image: ImageInput) -> str:
    """Return the expression for the file of a layer, whose axes have the names that the layer gives them."""
    code = f"file_source({image.path!r})"
    return f"rename({code}, {image.axes!r})" if image.axes else code


def _with_steps(steps: Sequence[Step] | None, code: str) -> str:
    """Return the expression for what was taken of an image."""
    for step in steps or ():
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
