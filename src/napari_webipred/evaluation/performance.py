"""What was published about how good a model is: on its card, or in WebIPred's metrics JSON beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_webipred import safe_json
from napari_webipred.card import ModelCard
from napari_webipred.errors import OptionError
from napari_webipred.evaluation import webipred
from napari_webipred.evaluation.metric import NAMES, Metric
from napari_webipred.evaluation.published import Published, of_confusion
from napari_webipred.formats import METRIC_FILES
from napari_webipred.names import readable

_ALIASES = {"recall": "sensitivity", "f1_score": "f1", "roc_auc": "auc", "mcc": "matthews_correlation"}


def of(card: ModelCard, files: Mapping[str, bytes] | None = None) -> list[Published]:
    """Collect what was published about a model.

    Parameters
    ----------
    card : ModelCard
    files : mapping of str to bytes, optional
        Files of the model by name; read are those that are called as `napari_webipred.formats.METRIC_FILES`.

    Raises
    ------
    OptionError
        A file of that name is no metrics JSON.
    """
    beside = files or {}
    named = {name: PurePosixPath(name).name for name in beside}
    parsed = [(_parsed(name, beside[name]), METRIC_FILES[base]) for name, base in named.items() if base in METRIC_FILES]
    found = [webipred.read(document, source) for document, source in parsed]
    metrics = card.metrics
    if _is_webipred(metrics):
        found += [] if parsed else _completed(metrics)
    elif metrics:
        found += _of_card(metrics, card.class_names)
    return [each for each in found if each.metrics or each.distribution]


def of_card(card: ModelCard) -> list[Published]:
    """Collect what a card says; nothing if it is in another form."""
    try:
        return of(card) if card.metrics else []
    except OptionError:
        return []


def _parsed(name: str, content: bytes) -> Any:
    try:
        return safe_json.parse(content)
    except ValueError as error:
        raise OptionError(f"The metrics {name} cannot be read: {error}.", "Check the file.") from error


def _is_webipred(metrics: Mapping[str, Any]) -> bool:
    return isinstance(metrics.get("distribution"), list) and isinstance(metrics.get("recall"), list)


def _completed(metrics: Mapping[str, Any]) -> Iterator[Published]:
    """Read the files beside a model, as they stand in a card that was completed by them."""
    source, python = metrics.get("source"), metrics.get("python")
    yield webipred.read(metrics, readable(source) if isinstance(source, str) else "published")
    if isinstance(python, dict) and _is_webipred(python):
        yield webipred.read(python, METRIC_FILES["metrics-python.json"])


def _of_card(metrics: Mapping[str, Any], classes: Sequence[str]) -> Iterator[Published]:
    """Read the metrics that a card has in words of its own, and those of further sources in it."""
    own = metrics.get("held_out") if isinstance(metrics.get("held_out"), dict) else metrics
    yield _plain(own if isinstance(own, dict) else metrics, "JavaScript" if "python" in metrics else "card", classes)
    if isinstance(metrics.get("python"), dict):
        yield _plain(metrics["python"], "Python", classes)


def _plain(metrics: Mapping[str, Any], source: str, classes: Sequence[str]) -> Published:
    found = []
    for name, value in metrics.items():
        own = _ALIASES.get(name, name)
        if own not in NAMES:
            continue
        bounds = metrics.get(f"{name}_interval")
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            found.append(_bounded(own, "", value, bounds))
        elif isinstance(value, dict):
            each = bounds if isinstance(bounds, dict) else {}
            found += [
                _bounded(own, readable(str(key)), part, each.get(key))
                for key, part in value.items()
                if isinstance(part, (int, float))
            ]
    matrix, names = _card_matrix(metrics.get("confusion_matrix"), classes)
    if matrix is not None:
        known = {(metric.name, metric.class_name): metric for metric in found}
        computed = {(metric.name, metric.class_name): metric for metric in of_confusion(matrix, names)}
        found = list({**known, **computed}.values())
    texts = (metrics.get(key) for key in ("source", "test_set"))
    remarks = tuple(readable(text) for text in texts if isinstance(text, str))
    spread = {} if matrix is None else dict(zip(names, matrix.sum(1).tolist(), strict=True))
    return Published(source, tuple(names), tuple(found), matrix, distribution=spread, remarks=remarks)


def _bounded(name: str, class_name: str, value: float, bounds: Any) -> Metric:
    if isinstance(bounds, (list, tuple)) and len(bounds) == 2 and all(isinstance(b, (int, float)) for b in bounds):
        return Metric(name, class_name, float(value), float(bounds[0]), float(bounds[1]))
    return Metric(name, class_name, float(value))


def _card_matrix(given: Any, classes: Sequence[str]) -> tuple[NDArray[np.int64] | None, Sequence[str]]:
    """Read the confusion matrix of a card: true classes as rows, unless it says that they are columns."""
    if not isinstance(given, dict) or not isinstance(given.get("counts"), (list, tuple)):
        return None, classes
    names = [readable(str(name)) for name in given.get("classes") or classes]
    try:
        matrix = np.array(given["counts"], np.int64)
    except (ValueError, TypeError, OverflowError):
        return None, classes
    if matrix.shape != (len(names), len(names)) or (matrix < 0).any():
        return None, classes
    return (matrix.T if "predicted" in str(given.get("rows", "")) else matrix), names
