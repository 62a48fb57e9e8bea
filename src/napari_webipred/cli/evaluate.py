"""The command that tells how well a model does on images whose classes are known."""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from napari_webipred.cli import arguments, terminal
from napari_webipred.cli.parser import Parser, whole_number
from napari_webipred.errors import OptionError
from napari_webipred.names import listed

if TYPE_CHECKING:
    from napari_webipred.evaluation.cohort import Cohort
    from napari_webipred.evaluation.evaluation import Evaluation
    from napari_webipred.evaluation.metric import Metric

_OF_CLASSES = ("sensitivity", "specificity", "precision", "npv", "f1", "auc")
_SHOWN = 10  # rows and labels that do not count; the file has all


def add_evaluate(parser: Parser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("results", type=Path, metavar="RESULTS", help="table that classify has written")
    arguments.add_known(parser, "--truth")
    group = "column of either table: images with the same value, such as a patient, count together"
    parser.add_argument("--group", metavar="COLUMN", help=group)
    parser.add_argument("--ordinal", action="store_true", help="the classes have an order, such as grades")
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="folder for tables and figures")
    parser.add_argument("--overwrite", action="store_true", help="write into the folder even if it holds other files")
    rule = "choose thresholds: youden, sensitivity=0.95, specificity=0.9 or cost=5 (a miss costs five false alarms)"
    parser.add_argument("--thresholds", metavar="RULE", help=rule)
    keep = "keep the thresholds for this model, for classify --threshold NAME"
    parser.add_argument("--keep", metavar="NAME", help=keep)
    calibrated = "fit calibrated probabilities, and write them beside the raw ones"
    parser.add_argument("--calibrate", action="store_true", help=calibrated)
    draws = "how often the images are resampled for intervals (default: %(default)s)"
    parser.add_argument("--draws", type=whole_number, default=1000, metavar="N", help=draws)
    arguments.add_seed(parser)
    parser.set_defaults(run=_evaluate)


def _evaluate(options: argparse.Namespace) -> None:
    from napari_webipred.evaluation import files
    from napari_webipred.evaluation.evaluation import evaluating
    from napari_webipred.evaluation.given import cohort_of

    if options.keep and not options.thresholds:
        raise OptionError("There are no thresholds to keep.", "Choose some, for example with --thresholds youden.")
    if options.output:
        files.claim(options.output, lambda folder: bool(options.overwrite))
    known = None if options.truth_from_folders else options.truth
    cohort, made = cohort_of(options.results, known, options.group, ordinal=options.ordinal)
    rule, calibrate = options.thresholds, options.calibrate
    steps = evaluating(cohort, options.draws, options.seed, made, rule=rule, calibrate=calibrate)
    found = terminal.counted(steps, "Resampling")
    _show(found)
    _show_fitted(found)
    _say_unmatched(cohort)
    if options.keep:
        found.keep(options.keep)
        terminal.message(f"Thresholds kept. `napari-webipred classify --threshold {options.keep}` uses them.")
    if options.output:
        written = found.save(options.output, may_replace=lambda folder: bool(options.overwrite))
        terminal.message(f"{len(written)} files written to {options.output}.")


def _show(found: Evaluation) -> None:
    """Print the metrics: of all classes together, then the most common ones of each class."""
    cohort = found.cohort
    groups = 0 if cohort.groups is None else len(set(cohort.groups.tolist()))
    grouped = f", {_count(groups, 'group')} by {cohort.grouped_by}" if groups else ""
    classes = _count(len(cohort.classes), "class", "es")
    terminal.show(f"{_count(len(cohort), 'image')}{grouped}, {classes}; intervals: 95 %")
    terminal.show("")
    whole = [metric for metric in found.metrics if not metric.class_name]
    rows = [(metric.name, _number(metric.value), _interval(metric), metric.note) for metric in whole]
    terminal.show_table(("ALL CLASSES", "VALUE", "INTERVAL", ""), rows, sys.stdout)
    terminal.show("")
    lines = []
    for index, name in enumerate(cohort.classes):
        own = [found.metric(metric, name) for metric in _OF_CLASSES]
        cells = (f"{_number(metric.value)} {_interval(metric)}".strip() for metric in own)
        lines.append((name, str(int(cohort.truth[:, index].sum())), *cells))
    terminal.show_table(("CLASS", "IMAGES", *map(str.upper, _OF_CLASSES)), lines, sys.stdout)
    if cohort.is_exclusive:
        terminal.show("")
        matrix = found.confusion
        counts = [
            (str(name), *map(str, row)) for name, row in zip(matrix.index, matrix.to_numpy().tolist(), strict=True)
        ]
        terminal.show_table(("TRUE \\ ASSIGNED", *map(str, matrix.columns)), counts, sys.stdout)


def _show_fitted(found: Evaluation) -> None:
    """Print thresholds and calibration."""
    if found.thresholds is not None:
        terminal.show("")
        header = (f"THRESHOLDS ({found.thresholds.rule})", "FROM", "SENSITIVITY", "SPECIFICITY", "WHERE FITTED", "")
        rows = [
            (
                each.class_name,
                f"{each.value:.4f}",
                *(f"{_number(own.value)} {_interval(own)}".strip() for own in (each.sensitivity, each.specificity)),
                f"{each.fitted_sensitivity:.3f}, {each.fitted_specificity:.3f}",
                each.note,
            )
            for each in found.thresholds.each
        ]
        terminal.show_table(header, rows, sys.stdout)
    if found.calibration is not None:
        fitted = found.calibration
        terminal.show("")
        what = f"temperature {fitted.temperature:.3f}" if fitted.method == "temperature" else "Platt"
        lines = [(name, *(f"{each[name]:.4f}" for each in (fitted.before, fitted.after))) for name in fitted.before]
        terminal.show_table((f"CALIBRATION ({what})", "RAW", "CALIBRATED"), lines, sys.stdout)


def _count(number: int, what: str, plural: str = "s") -> str:
    return f"{number:,} {what}{plural * (number != 1)}"


def _number(value: float) -> str:
    return "undefined" if math.isnan(value) else f"{value:.3f}"


def _interval(metric: Metric) -> str:
    return "" if math.isnan(metric.low) else f"({metric.low:.3f} to {metric.high:.3f})"


def _say_unmatched(cohort: Cohort) -> None:
    """Say which rows and labels do not count."""
    from napari_webipred.evaluation.cohort import REASONS

    for reason, count in Counter(each.reason for each in cohort.unmatched).items():
        names = [each.image for each in cohort.unmatched if each.reason == reason]
        terminal.message(f"Not counted, {REASONS[reason]}: {count} ({listed(names, _SHOWN)})")
