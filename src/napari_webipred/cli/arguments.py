"""What the commands that classify images have in common: the model, and how images are read."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import suppress
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_webipred.cli import inputs, selection, terminal
from napari_webipred.cli.commands import imported
from napari_webipred.cli.parser import whole_number
from napari_webipred.errors import OptionError
from napari_webipred.hardware import Hardware
from napari_webipred.names import listed

if TYPE_CHECKING:
    from napari_webipred.engine import Event, Started
    from napari_webipred.imaging.preprocess import Intensity
    from napari_webipred.model import Model
    from napari_webipred.results.inputs import ModelInput

RANGES: dict[str, Intensity] = {
    "auto": "auto",
    "dtype": "dtype",
    "plane": "plane",
    "stack": "stack",
    "percentiles": "percentiles",
    "full": "full",
}

REFERENCE = "catalogue id, Zenodo DOI, hf:owner/name, URL or path"  # what names a model
NAMES = "class names in output order, for a model without class names"


def add_arguments(parser: argparse.ArgumentParser, *, several: bool = False, files: bool = True) -> None:
    """Add images if they are files, the model, or several, and the options that say how images are read."""
    if files:
        parser.add_argument("inputs", nargs="+", metavar="INPUT", help=inputs.HELP)
        parser.add_argument(
            "--column",
            metavar="NAME",
            help=f"which column of a table has the paths (default: {', '.join(inputs.USUAL)} or the like)",
        )
    else:
        parser.set_defaults(inputs=[], column=None)
    add_model(parser, several=several)
    add_reading(parser)
    selection.add_arguments(parser)


def add_model(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """Add the model, or several, and what the user can say about it."""
    repeated = "; may be repeated, to compare models" if several else ""
    parser.add_argument(
        "-m",
        "--model",
        required=True,
        action="append" if several else "store",
        help=f"{REFERENCE}{repeated}",
    )
    add_settings(parser)


def add_known(parser: argparse.ArgumentParser, option: str) -> None:
    """Add two options, one of which says what classes images have: a table, or the names of folders."""
    known = parser.add_mutually_exclusive_group(required=True)
    known.add_argument(option, type=Path, metavar="FILE", help="table with the columns image and label")
    folders = "take the name of the folder of each image as its label"
    known.add_argument(f"{option}-from-folders", action="store_true", help=folders)


def add_seed(parser: argparse.ArgumentParser) -> None:
    """Add the option that makes random numbers the same again."""
    seed = "what the random numbers begin with (default: %(default)s)"
    parser.add_argument("--seed", type=whole_number, default=0, metavar="N", help=seed)


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how images are read and prepared."""
    parser.add_argument(
        "--range",
        metavar="LOW:HIGH",
        help="intensities that become black and white; auto (8-bit images unchanged, others from their own minimum to "
        'maximum), dtype, plane, full, stack or percentiles; of DICOM files also "window 2", "window NAME" or '
        '"window CENTRE/WIDTH" (default: as in napari\'s preferences, else auto)',
    )
    parser.add_argument(
        "--profile",
        metavar="P",
        help="preprocess like webipred, aucmedi or teachable-machine (default: from the model card)",
    )
    parser.add_argument(
        "--memory",
        metavar="SIZE",
        help="how much memory all images together may take that are read at the same time, for example 8GB (default: a "
        "quarter of the computer's memory)",
    )


def add_settings(parser: argparse.ArgumentParser, classes: str = NAMES) -> None:
    """Add what the user can say about a model; `classes` is what its option of that name is for."""
    parser.add_argument("--classes", metavar="A,B", help=classes)
    parser.add_argument(
        "--standardize",
        metavar="MODE",
        help="how to scale pixel values: 0-1, torch, tf, caffe, minmax, z-score, grayscale, none",
    )
    parser.add_argument("--resize", metavar="WIDTHxHEIGHT", help="input size, for a model that accepts any size")
    parser.add_argument(
        "--activation",
        metavar="A",
        help="softmax or sigmoid, for a model that outputs logits; none shows the numbers as they are",
    )
    parser.add_argument(
        "--output-name",
        metavar="NAME",
        help="name or number of the output with the classes, for a model with several outputs",
    )
    parser.add_argument("--allow-slow", action="store_true", help="allow a model that needs a minute or more per image")


def files(options: argparse.Namespace) -> list[str]:
    """Return all that is read, and must not be written."""
    return [*inputs.files(options.inputs), *_references(options), *([options.regions] if options.regions else [])]


def images(options: argparse.Namespace) -> Iterator[str]:
    """Yield the images that are given, one by one."""
    return inputs.images(options.inputs, options.column)


def model(options: argparse.Namespace) -> Model:
    """Open the model with the settings that the user has given, and say what should be known about it."""
    return models(options)[0]


def models(options: argparse.Namespace) -> list[Model]:
    """Open all models; the settings count for each of them."""
    found = []
    for given in given_models(options):
        found.append(open_model(given.reference, **given.settings))
        for sentence in found[-1].remarks:
            terminal.message(sentence)
        if not found[-1].card.is_named:
            terminal.message("To name the classes, list their names in this order with --classes.")
    return found


def given_models(options: argparse.Namespace) -> list[ModelInput]:
    """Return what the user has said about each model."""
    from napari_webipred.results.inputs import ModelInput

    return [ModelInput(reference, settings=settings(options)) for reference in _references(options)]


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return what the user has said about a model."""
    return {
        "classes": options.classes.split(",") if options.classes else None,
        "standardize": options.standardize,
        "size": _size(options.resize) if options.resize else None,
        "activation": options.activation,
        "output": options.output_name,
        "allow_slow": options.allow_slow,
    }


def _references(options: argparse.Namespace) -> list[str]:
    return [options.model] if isinstance(options.model, str) else options.model


def open_model(reference: str | Path, **settings: object) -> Model:
    """Open a model, and show how far that is."""
    imported("onnxruntime", "napari_webipred.opening")
    from napari_webipred.opening import opening

    steps = opening(reference, **settings)  # type: ignore[arg-type]
    return terminal.follow(steps, lambda step: step.waiting or f"{terminal.STAGES[step.stage]} {reference}")


def intensity(text: str | None) -> Intensity:
    """Return the intensity range that an option says, or else the preferred one."""
    if text is None:
        from napari_webipred.engine import preferred_intensity

        return preferred_intensity()
    if text in RANGES:
        return RANGES[text]
    if text.startswith("window "):
        return text
    low, _, high = text.partition(":")
    with suppress(ValueError):
        if isfinite(float(low)) and isfinite(float(high)):
            return float(low), float(high)
    raise OptionError(
        f"--range {text} is not an intensity range.",
        f'Write it as LOW:HIGH, for example 0:4095, as one of {", ".join(RANGES)}, or as a window: "window 40/400".',
    )


def hardware(options: argparse.Namespace) -> Hardware:
    """Return what is to compute the model: what options say, or else what is preferred."""
    from napari_webipred.engine import preferred_hardware

    preferred = preferred_hardware()
    return Hardware(options.precision or preferred.precision, options.device or preferred.device)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    try:
        return int(width), int(height)
    except ValueError:
        raise OptionError(f"--resize {text} is not a size.", "Write it as WIDTHxHEIGHT, for example 224x224.") from None


def started(event: Event, *, expected: bool = True) -> Started:
    """Tell what was left out, and make sure that there are images if expected."""
    from napari_webipred.engine import Started

    assert isinstance(event, Started)
    if event.left_out:
        terminal.message(f"Skipped, because they are not images: {listed(event.left_out, 5)}")
    if event.links:
        terminal.message(
            f"Links to folders are not followed: {listed(event.links, 5)}. To classify what is there, give them, too."
        )
    if expected and not event.total:
        raise OptionError("No images found.", "Give image files, or folders with images.")
    return event
