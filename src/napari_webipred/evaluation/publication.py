"""What was published about a model, as tables and figures."""

from __future__ import annotations

import re
from collections.abc import Sequence

from napari_webipred.evaluation import drawings, figures
from napari_webipred.evaluation.files import RECORD, as_csv, as_json, metrics_table
from napari_webipred.evaluation.published import Published


def contents(published: Sequence[Published], model: str) -> dict[str, bytes]:
    """Return the content of each file by its name.

    Parameters
    ----------
    published : sequence of Published
    model : str
        Id of the model.
    """
    files = {RECORD: as_json({"model": model, "published": [each.source for each in published]})}
    for each in published:
        files |= _of_source(each, re.sub(r"\W+", "-", each.source.lower()).strip("-") or "published")
    files |= _compared(published)
    return files


def _of_source(each: Published, name: str) -> dict[str, bytes]:
    files = {f"{name}-metrics.csv": as_csv(metrics_table(each.metrics))}
    if each.confusion is not None:
        matrix, classes = each.confusion, each.classes
        lines = zip(classes, matrix.tolist(), strict=True)
        files[f"{name}-confusion.csv"] = as_csv([["true", *classes], *([known, *row] for known, row in lines)])
        side = min(3 + 0.5 * len(classes), 14)
        for mode in figures.MODES:
            files |= drawings.as_files(
                f"{name}-confusion-{mode}",
                lambda axes, mode=mode: figures.confusion(axes, matrix, classes, classes, mode),  # type: ignore[misc]
                side,
                side,
            )
    if each.roc:
        curves = dict(list(each.roc.items())[: figures.MOST_LINES])
        files |= drawings.as_files(f"{name}-roc", lambda axes: figures.roc(axes, curves), 5, 4.5)
    if each.distribution:
        tall = drawings.height_of(len(each.distribution))
        files |= drawings.as_files(
            f"{name}-distribution", lambda axes: figures.distribution(axes, each.distribution), 5, tall
        )
    return files


def _compared(published: Sequence[Published]) -> dict[str, bytes]:
    """Draw the metrics of all sources side by side, where they are given for each class."""
    files: dict[str, bytes] = {}
    sources = {each.source: each.metrics for each in published}
    for metric in drawings.BARS:
        classes = list(
            dict.fromkeys(
                own.class_name for each in published for own in each.metrics if own.name == metric and own.class_name
            )
        )
        if classes:
            files |= drawings.as_files(
                f"bars-{metric}",
                lambda axes, metric=metric, classes=classes: figures.bars(axes, metric, sources, classes),  # type: ignore[misc]
                5,
                drawings.height_of(len(classes) * len(sources)),
            )
    return files
