"""The command that explains images, and the option of `classify` that does so, too."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from napari_webipred.cli import arguments, selection, terminal
from napari_webipred.cli.maps import Drawing, Maps, finished
from napari_webipred.cli.parser import Parser
from napari_webipred.cli.status import DONE, SOME_FAILED
from napari_webipred.errors import OptionError

if TYPE_CHECKING:
    from napari_webipred.explanations.folder import Format

METHODS, FORMATS = ("auto", "cam", "hirescam", "occlusion"), ("tiff", "png")
OPTIONS = ("class", "method", "format", "scale", "signed", "check")


def add_explain(parser: Parser) -> None:
    """Add the arguments of the command."""
    arguments.add_arguments(parser)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="folder for the maps")
    add_arguments(parser)
    parser.set_defaults(run=_explain)


def add_arguments(parser: argparse._ActionsContainer) -> None:
    """Add the options that say what is explained, and how the maps are written."""
    parser.add_argument(
        "--class",
        action="append",
        metavar="NAME",
        help="class to explain: a name, top (the most probable one, the default) or all; may be repeated",
    )
    parser.add_argument(
        "--method", choices=METHODS, help="how maps are made (default: auto, the most exact one that fits the model)"
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="png: a figure with a colour bar (default); tiff: the map itself, 32-bit floats as large as the image",
    )
    parser.add_argument(
        "--scale",
        metavar="S",
        help="value of the strongest colour of figures: the largest of all images (run, the default), of each image "
        "(image), or a number",
    )
    parser.add_argument("--signed", action="store_true", help="show in figures also what speaks against the class")
    parser.add_argument(
        "--check", action="store_true", help="compare each map with occlusion, and say where they differ"
    )


def drawing(options: argparse.Namespace) -> Drawing:
    """Read the options.

    Raises
    ------
    OptionError
        One is not written as it has to be.
    """
    from napari_webipred.explanations.request import Request

    names = getattr(options, "class") or ["top"]
    if len(names) > 1 and {"top", "all"} & set(names):
        raise OptionError("--class top and --class all cannot be combined with other classes.", "Give one of them.")
    some = None if names[0] in ("top", "all") else tuple(dict.fromkeys(names))
    request = Request(some, 1 if names == ["top"] else None, options.method or "auto", options.check)
    wanted = options.scale or "run"
    scale = None if wanted in ("run", "image") else _number(wanted)
    kind: Format = "tiff" if options.format == "tiff" else "png"
    return Drawing(request, kind, scale, wanted == "run" and kind == "png", options.signed)


def _explain(options: argparse.Namespace) -> int:
    from napari_webipred import engine
    from napari_webipred.explanations.folder import claimed_folder

    how = drawing(options)
    reading = engine.Options(
        intensity=arguments.intensity(options.range), profile=options.profile, memory=options.memory
    )
    what = selection.selection(options)
    with claimed_folder(options.output, arguments.files(options)) as folder:
        model = arguments.model(options)
        sources = engine.found(arguments.images(options)).opened()
        maps, progress, failed = Maps(folder, how, model, reading), terminal.ProgressLine(), 0
        with finished(maps), closing(engine.classify(model, sources, reading, what, maps.executor)) as events:
            started = arguments.started(next(events))
            maps.begin(sources.described, started.total, what)
            for event in events:
                if isinstance(event, engine.RowDone):
                    progress.clear()
                    if event.row.error or event.row.remark:
                        terminal.message(f"{terminal.title(event.row)}: {event.row.error or event.row.remark}")
                    maps.add(event.row)
                    failed += event.row.failed
                    progress.show(f"{event.done} of {event.total} images", event.done, event.total)
            progress.clear()
        explained = started.total - failed - maps.unexplained
        terminal.message(f"{explained} of {started.total} images explained. {maps.summary}")
    return SOME_FAILED if explained < started.total else DONE


def refuse_without_folder(options: argparse.Namespace) -> None:
    """Raise OptionError if it is said how maps are made, but not where to."""
    for name in OPTIONS:
        if getattr(options, name):
            raise OptionError(f"--{name} needs a folder for the maps.", "Add --explain FOLDER.")


def _number(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        raise OptionError(f"--scale {text} is not a scale.", "Give run, image, or a number above 0.")
    return found
