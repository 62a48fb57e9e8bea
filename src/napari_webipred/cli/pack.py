"""The command that makes a folder of a model that is ready for Zenodo."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_webipred.cli import arguments, terminal
from napari_webipred.cli.parser import Parser
from napari_webipred.cli.status import DONE, SOME_FAILED
from napari_webipred.cli.verify import add_node, opened

if TYPE_CHECKING:
    from napari_webipred.publishing.deposit import Deposit, Wishes

_STATES = {"there": "ok", "missing": "MISSING", "advised": "better with", "look": "look at"}
# What gives a field its value.
_OPTIONS = {
    "authors": "--author",
    "classes": "--classes",
    "evaluation": "--evaluation",
    "license": "--license",
    "name": "--name",
}


def add_pack(parser: Parser) -> None:
    """Add the arguments of the command."""
    parser.description = (
        "Make a folder of a model that is ready for Zenodo, laid out as the records of WebIPred: zip for TensorFlow.js,"
        " model card, metrics, charts, README, licence. Nothing is uploaded, and nothing is invented: what is missing "
        "is listed."
    )
    parser.add_argument("model", metavar="MODEL", help=arguments.REFERENCE)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="folder to make")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier deposit in the folder")
    parser.add_argument("--name", metavar="TEXT", help="name of the model, which becomes the title of the record")
    author = "“Family, Given”, with “; affiliation” and “; ORCID” behind it if wanted; may be repeated"
    parser.add_argument("--author", action="append", default=[], metavar="NAME", help=author)
    parser.add_argument("--license", metavar="ID", help="licence, such as CC-BY-4.0")
    card = "JSON file with fields of a model card, which count instead of those of the model"
    parser.add_argument("--card", type=Path, metavar="FILE", help=card)
    evaluation = "folder that evaluate --output has written: metrics and charts are taken from it, no names of images"
    parser.add_argument("--evaluation", type=Path, metavar="FOLDER", help=evaluation)
    without = "do not compare the numbers with those of TensorFlow and TensorFlow.js"
    parser.add_argument("--no-verify", dest="verify", action="store_false", help=without)
    arguments.add_settings(parser)
    add_node(parser)
    parser.set_defaults(run=_pack)


def _pack(options: argparse.Namespace) -> int:
    from napari_webipred.publishing import folder
    from napari_webipred.publishing.deposit import packing

    folder.check(options.output, overwrite=options.overwrite)
    wishes = _wishes(options)
    material = opened(options)
    deposit = terminal.shown(packing(material, wishes), lambda step: (step, 0, None))
    folder.write(options.output, deposit.files, overwrite=options.overwrite)
    _show(deposit)
    terminal.message(f"{len(deposit.files)} files written to {options.output}. Nothing was uploaded.")
    return SOME_FAILED if deposit.missing else DONE


def _wishes(options: argparse.Namespace) -> Wishes:
    from napari_webipred.publishing.deposit import Wishes
    from napari_webipred.publishing.said import author_of, said_in

    values: dict[str, Any] = {"name": options.name, "license": options.license}
    said = said_in(options.card, values, [author_of(text) for text in options.author])
    return Wishes(said, options.evaluation, options.verify, options.node_packages)


def _show(deposit: Deposit) -> None:
    """Print what there is and what is missing, and what gives that."""
    rows = []
    for item in deposit.items:
        how = ""
        if item.state in {"missing", "advised"} and item.field not in {"verification", "look", "base"}:
            how = _OPTIONS.get(item.field, f"--card: {item.field}")
        rows.append((_STATES[item.state], item.title, how, item.text))
    terminal.show_table(("", "WHAT", "GIVEN BY", ""), rows, sys.stdout)
