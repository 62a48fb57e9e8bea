"""The command that fits a reference to images that a model is for."""

from __future__ import annotations

import argparse

from napari_webipred.cli import arguments, selection, terminal
from napari_webipred.cli.parser import Parser
from napari_webipred.references.reference import METHODS


def add_reference(parser: Parser) -> None:
    """Add the arguments of the command."""
    arguments.add_arguments(parser)
    parser.add_argument(
        "--method",
        choices=tuple(METHODS),
        default="mahalanobis",
        help="how distances are measured: from all reference images together, or from the nearest of them "
        "(default: %(default)s)",
    )
    parser.set_defaults(run=_reference)


def _reference(options: argparse.Namespace) -> None:
    from napari_webipred import engine
    from napari_webipred.references.fitting import fitting

    how = engine.Options(intensity=arguments.intensity(options.range), profile=options.profile, memory=options.memory)
    model = arguments.model(options)
    sources = engine.ready_sources(model, arguments.images(options), how, selection.selection(options))
    found = terminal.counted(fitting(model, sources, how, options.method), "Images")
    model.reference = found
    failed = found.made["failed"]
    left_out = f"; {failed} could not be read" if failed else ""
    terminal.message(
        f"{len(found)} reference images for {model.card.name}{left_out}. Use them with `classify --reference`."
    )
    terminal.message(found.weakness)
