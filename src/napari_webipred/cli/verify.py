"""The command that compares the numbers of a model with those of the program that it was made for."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from napari_webipred.cli import arguments, terminal
from napari_webipred.cli.parser import Parser
from napari_webipred.cli.status import DONE, SOME_FAILED

if TYPE_CHECKING:
    from napari_webipred.publishing.material import Material
    from napari_webipred.publishing.verification import Verification

_SHOWN = 10  # classes of each picture; of more, those that differ most


def add_verify(parser: Parser) -> None:
    """Add the arguments of the command."""
    parser.description = (
        "Compare the numbers of a model with those of TensorFlow (Keras files, SavedModels) or TensorFlow.js, for the "
        "same synthetic pictures. TensorFlow and TensorFlow.js run in a process of their own."
    )
    parser.add_argument("model", metavar="MODEL", help=arguments.REFERENCE)
    arguments.add_settings(parser)
    add_node(parser)
    parser.set_defaults(run=_verify)


def add_node(parser: Parser) -> None:
    """Add the argument that says where TensorFlow.js is."""
    packages = "folder whose node_modules has @tensorflow/tfjs (default: where NODE_PATH says)"
    parser.add_argument("--node-packages", type=Path, metavar="FOLDER", help=packages)


def opened(options: argparse.Namespace) -> Material:
    """Open the model of a command with its files, and show how far that is."""
    from napari_webipred.publishing.material import preparing

    steps = preparing(options.model, **arguments.settings(options))
    return terminal.follow(steps, lambda step: step.waiting or f"{terminal.STAGES[step.stage]} {options.model}")


def _verify(options: argparse.Namespace) -> int:
    from napari_webipred.publishing.verification import verifying

    material = opened(options)
    steps = verifying(material, options.node_packages)
    found = terminal.shown(steps, lambda judge: (f"{judge} is computing", 0, None))
    show(found)
    return DONE if found.passed else SOME_FAILED


def show(found: Verification) -> None:
    """Print both numbers for each picture and class, and how far they differ."""
    rows = []
    for picture, differences in enumerate(found.differences):
        order = sorted((-differences).argsort(kind="stable")[:_SHOWN].tolist())
        for index in order:
            ours, theirs = found.ours[picture, index], found.theirs[picture, index]
            mark = "*" if index == found.ours[picture].argmax() else ""
            numbers = (f"{ours:.9g}", f"{theirs:.9g}", f"{differences[index]:.1e}")
            rows.append((str(picture + 1), found.classes[index], *numbers, mark))
    terminal.show_table(
        ("PICTURE", "CLASS", "NAPARI-WEBIPRED", found.judge.upper(), "DIFFERENCE", ""), rows, sys.stdout
    )
    if len(found.classes) > _SHOWN:
        terminal.message(f"Of the {len(found.classes)} classes those {_SHOWN} are shown that differ most.")
    terminal.show(found.sentence)
