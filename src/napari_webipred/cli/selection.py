"""The options of the command line that choose what of each image is classified."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, get_args

from napari_webipred.errors import OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_webipred.imaging.selection import Places, Projected, Selection


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options to a parser."""
    parser.add_argument("--axes", metavar="NAMES", help="names of the leading axes of stacks, for example tcz")
    parser.add_argument(
        "--planes",
        action="append",
        default=[],
        metavar="AXIS=PLACES",
        help="which planes of stacks, from 0: z=12, z=10:20 or z=::5 (every fifth); may be repeated",
    )
    parser.add_argument(
        "--channels", metavar="N,N", help="which channels along the axis c, from 0: one is grey, more are merged"
    )
    colours = "colours of these channels, for example green,magenta or #00FF80"
    parser.add_argument("--colours", "--colors", metavar="A,B", help=colours)
    parser.add_argument(
        "--project",
        action="append",
        default=[],
        metavar="AXIS=HOW",
        help="make one plane of all along an axis: z=max or z=mean",
    )
    parser.add_argument(
        "--regions",
        metavar="FILE",
        help="use each label of this label image (0 is the background) as an image of its own",
    )
    blank = "make black what is outside a label but in the box around it"
    parser.add_argument("--blank", action="store_true", help=blank)


def selection(options: argparse.Namespace) -> Selection:
    """Return what the user has chosen.

    Raises
    ------
    OptionError
        An option is not written as it has to be.
    """
    from napari_webipred.imaging.selection import Selection, colour

    if options.blank and not options.regions:
        raise OptionError("--blank is about the labels of a label image.", "Add --regions FILE.")
    if options.colours and not options.channels:
        raise OptionError("--colours is about channels.", "Add --channels, such as --channels 0,2.")
    return Selection(
        axes=_axes(options.axes) if options.axes else None,
        planes={axis: _places(text) for axis, text in by_axis("--planes", options.planes, "z=10:20").items()},
        channels=_numbers(options.channels) if options.channels else None,
        colours=tuple(map(colour, options.colours.split(","))) if options.colours else None,
        projection={axis: _way(text) for axis, text in by_axis("--project", options.project, "z=max").items()},
        regions=_labels(options.regions) if options.regions else None,
        outside="blank" if options.blank else "keep",
    )


def _labels(path: str) -> NDArray[Any]:
    """Read a label image, with its leading axes."""
    import numpy as np

    from napari_webipred.imaging.readers import file_source, read

    source = file_source(path)
    planes = [read(source, index) for index in source.indices()]
    labels = np.stack(planes).reshape(*source.shape, *planes[0].shape)
    if not labels.any():
        raise OptionError(
            f"The label image {path} has no labels.", "Give one with other numbers than 0, the background."
        )
    return labels


def _axes(text: str) -> tuple[str, ...]:
    return tuple(text.split(",")) if "," in text else tuple(text)


def by_axis(option: str, texts: Iterable[str], example: str) -> dict[str, str]:
    """Return what is said of each axis, in texts such as ``z=12``; each axis may be named once."""
    found: dict[str, str] = {}
    for text in texts:
        axis, equals, value = map(str.strip, text.partition("="))
        if not (axis and equals and value):
            raise OptionError(f"{option} {text} cannot be understood.", f"Write it like {option} {example}.")
        if axis in found:
            raise OptionError(f"{option} names the axis {axis} twice.", "Give each axis once.")
        found[axis] = value
    return found


def _way(text: str) -> Projected:
    from napari_webipred.imaging.selection import Projected

    known: dict[str, Projected] = {how: how for how in get_args(Projected)}
    if text not in known:
        raise OptionError(f"{text} is no projection.", f"Choose one of {', '.join(known)}.")
    return known[text]


def _places(text: str) -> Places:
    try:
        parts = [int(part) if part else None for part in text.split(":")]
        if len(parts) == 1 and parts[0] is not None:
            return parts[0]
        if len(parts) in (2, 3) and (len(parts) < 3 or parts[2] != 0):
            return slice(*parts)
    except ValueError:
        pass
    raise OptionError(
        f"{text} does not say which planes.", "Write one number from 0, FIRST:END or FIRST:END:STEP, such as 0:60:5."
    )


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise OptionError(f"--channels {text} are no numbers.", "Write numbers from 0, such as 0,2.") from None
