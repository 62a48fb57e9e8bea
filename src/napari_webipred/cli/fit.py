"""The command that makes a model for own classes from a few labelled images."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from napari_webipred.cli import arguments, inputs, selection, terminal
from napari_webipred.cli.parser import Parser
from napari_webipred.cli.status import DONE, SOME_FAILED
from napari_webipred.errors import OptionError

if TYPE_CHECKING:
    from napari_webipred import engine
    from napari_webipred.evaluation.metric import Metric
    from napari_webipred.fitting.fitting import OwnFit, Step
    from napari_webipred.fitting.given import Labelled
    from napari_webipred.fitting.labels import Task
    from napari_webipred.imaging.source import Source
    from napari_webipred.model import Model

_WHOLE = ("accuracy", "balanced_accuracy", "auc", "brier", "ece")
_OF_CLASSES = ("sensitivity", "specificity", "precision", "auc")
_STAGES = {"features": "Features of images", "fit": "Fitting", "judge": "Cross-validation", "write": "Writing"}


def add_fit(parser: Parser) -> None:
    """Add the arguments of the command."""
    helped = f"{inputs.HELP} (default: the images that the labels name)"
    parser.add_argument("inputs", nargs="*", metavar="INPUT", help=helped)
    base = f"published model whose features are used: {arguments.REFERENCE}"
    parser.add_argument("-b", "--base", required=True, metavar="MODEL", help=base)
    arguments.add_known(parser, "--labels")
    groups = "column of the labels: images with the same value, such as a patient, are held out together"
    parser.add_argument("--groups", metavar="COLUMN", help=groups)
    several = "an image can have several classes, or none; in the file, ; stands between them"
    parser.add_argument("--several", action="store_true", help=several)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="model to write, a .zip file")
    parser.add_argument("--overwrite", action="store_true", help="replace the output even if it is another file")
    parser.add_argument("--name", default="", help="what the model is called (default: its classes)")
    arguments.add_seed(parser)
    arguments.add_settings(parser, "own classes in the order of the model's outputs (default: that of the alphabet)")
    arguments.add_reading(parser)
    selection.add_arguments(parser)
    parser.set_defaults(run=_fit)


def _fit(options: argparse.Namespace) -> int:
    from napari_webipred import engine
    from napari_webipred.fitting.fitting import own_fitting
    from napari_webipred.fitting.own_model import is_own
    from napari_webipred.results.output import Kind, claimed

    classes = [name.strip() for name in options.classes.split(",")] if options.classes else None
    reading = engine.Options(
        intensity=arguments.intensity(options.range), profile=options.profile, memory=options.memory
    )
    kind = Kind("models are written as zip archives", (".zip",), is_own)
    files = inputs.files(options.inputs)
    with claimed(options.output, kind, lambda there: terminal.may_replace(there, options.overwrite), files) as output:
        base = _base(options)
        given = _labelled(options, base, reading, classes)
        task: Task = "multi" if options.several else "single"
        steps = own_fitting(base, given, reading, classes=classes, task=task, seed=options.seed, name=options.name)
        with closing(steps):
            found = terminal.shown(steps, _line)
        found.model.save(output)
    for failure in found.failed:
        terminal.message(failure)
    _show(found)
    terminal.message(f"The model is written to {options.output}. `napari-webipred classify --model` takes it.")
    return SOME_FAILED if found.failed else DONE


def _base(options: argparse.Namespace) -> Model:
    settings = {**arguments.settings(options), "classes": None}
    base = arguments.open_model(options.base, **settings)
    for sentence in base.remarks:
        terminal.message(sentence)
    return base


def _labelled(
    options: argparse.Namespace, base: Model, reading: engine.Options, classes: Sequence[str] | None
) -> Labelled:
    from napari_webipred.engine import ready_sources
    from napari_webipred.fitting.given import labelled, named_images

    if options.labels_from_folders and not options.inputs:
        raise OptionError("There are no images.", "Give the folder that holds a folder for each class.")
    if options.groups and options.labels_from_folders:
        raise OptionError(
            "Names of folders say nothing of groups.", "Give a CSV file with the columns image, label and the groups."
        )
    task: Task = "multi" if options.several else "single"
    images = inputs.images(options.inputs, None) if options.inputs else named_images(options.labels, task)
    sources: list[Source] = ready_sources(base, images, reading, selection.selection(options))
    known = None if options.labels_from_folders else options.labels
    given = labelled(sources, known, options.groups, classes=classes or (), task=task, intensity=reading.intensity)
    if given.without:
        terminal.message(f"{given.without} images have no label, and are left out.")
    return given


def _line(step: Step) -> tuple[str, int, int]:
    return f"{_STAGES[step.stage]}: {step.done} of {step.total}", step.done, step.total


def _show(found: OwnFit) -> None:
    """Print how good the model is, whether more labels would help, and what should be known of it."""
    labels, honest = found.labels, found.honest
    grouped = "" if labels.groups is None else f" of {len(set(labels.groups.tolist()))} groups"
    terminal.show(f"{found.model.card.name}: fitted to {len(labels)} images{grouped}")
    if honest is not None:
        terminal.show("")
        metrics = [honest.evaluation.metric(name) for name in _WHOLE]
        rows = [(metric.name, *_cells(metric)) for metric in metrics]
        terminal.show_table(("CROSS-VALIDATED", "VALUE", "95 % INTERVAL"), rows, sys.stdout)
        terminal.show("")
        lines = [
            (name, str(count), *(" ".join(_cells(honest.evaluation.metric(each, name))) for each in _OF_CLASSES))
            for name, count in labels.counts.items()
        ]
        terminal.show_table(("CLASS", "IMAGES", *map(str.upper, _OF_CLASSES)), lines, sys.stdout)
        terminal.show("")
        curve = [
            (str(size), f"{score:.3f}") for size, score in zip(honest.curve.sizes, honest.curve.scores, strict=True)
        ]
        terminal.show_table(("FITTED TO", "RIGHT"), curve, sys.stdout)
        terminal.show(honest.curve.words)
    for sentence in found.model.remarks:
        terminal.message(sentence)


def _cells(metric: Metric) -> tuple[str, str]:
    value = "undefined" if math.isnan(metric.value) else f"{metric.value:.3f}"
    return value, "" if math.isnan(metric.low) else f"({metric.low:.3f} to {metric.high:.3f})"
