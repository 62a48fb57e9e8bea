"""Evaluations in the formats of WebIPred: metrics JSON and evaluation CSV.

WebIPred's confusion matrices name the *assigned* class outside and the true one inside; ours have true classes as rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_webipred.errors import OptionError
from napari_webipred.evaluation import counts, curves
from napari_webipred.evaluation.cohort import Cohort
from napari_webipred.evaluation.confusion import Mode, confusion, normalised
from napari_webipred.evaluation.metric import Metric, named
from napari_webipred.evaluation.published import Published, of_confusion, with_intervals
from napari_webipred.names import readable

# WebIPred's names of metrics, in the order in which each class has them.
RAW = ("TP", "TN", "FP", "FN", "Sensitivity", "Specificity", "Precision", "FPR", "FNR", "FDR", "Accuracy", "F1", "AUC")
# Its names of tables, and ours of the same metrics; the three shares of mistakes are what is left of others to 1.
TABLES = {
    "recall": "sensitivity",
    "specificity": "specificity",
    "precision": "precision",
    "accuracy": "accuracy",
    "f1": "f1",
    "auc": "auc",
}
COMPLEMENTS = {"fdr": "precision", "fnr": "sensitivity", "fpr": "specificity"}
_MOST = 1000  # classes
_EMPTY = np.zeros(0)
MODES: dict[str, Mode] = {"raw": "raw", "rows": "rows", "cols": "columns", "all": "all"}
KEYS = (  # all that such a file has
    *(f"confusion_matrix_{mode}" for mode in MODES),
    *(*TABLES, *COMPLEMENTS, "distribution", "duration", "roc", "raw"),
)


def as_json(cohort: Cohort, metrics: Sequence[Metric], source: str) -> dict[str, Any]:
    """Write an evaluation as WebIPred's metrics JSON.

    Parameters
    ----------
    cohort : Cohort
    metrics : sequence of Metric
    source : str
        What stands in place of ``"JavaScript"`` or ``"Python"``.
    """
    raw = _raw(cohort, metrics)
    tables = {name: _table(cohort, raw, column, source) for name, column in _COLUMNS.items()}
    matrices: dict[str, Any] = {}
    if cohort.is_exclusive:
        # Images that were assigned none or several classes have no column there, but are part of their rows.
        matrix = confusion(cohort)[0]
        matrices = {
            f"confusion_matrix_{name}": _matrix(cohort.classes, normalised(matrix, mode))
            for name, mode in MODES.items()
        }
    numbered = [
        {"metric": metric, "score": score, "class": index}
        for index, scores in enumerate(raw)
        for metric, score in zip(RAW, scores, strict=True)
    ]
    return {
        **matrices,
        **tables,
        "distribution": [
            {"name": name, "value": int(count)} for name, count in zip(cohort.classes, cohort.truth.sum(0), strict=True)
        ],
        "duration": [],
        "roc": [{"name": name, "series": _roc(cohort, index)} for index, name in enumerate(cohort.classes)],
        "raw": {str(number): entry for number, entry in enumerate(numbered)},
    }


def document_of(published: Published) -> dict[str, Any]:
    """Write what a card says of a model as WebIPred's metrics JSON; ROC curves and durations are not known.

    Parameters
    ----------
    published : Published
        With a confusion matrix.
    """
    assert published.confusion is not None
    classes, matrix = published.classes, published.confusion
    known = {(metric.name, metric.class_name): metric.value for metric in published.metrics}

    def table(own: str, complement: bool) -> list[dict[str, Any]]:
        values = [known.get((own, name), math.nan) for name in classes]
        shown = [None if math.isnan(value) else 1 - value if complement else value for value in values]
        return [
            {"name": name, "series": [{"name": published.source, "value": value}]}
            for name, value in zip(classes, shown, strict=True)
        ]

    return {
        **{f"confusion_matrix_{name}": _matrix(classes, normalised(matrix, mode)) for name, mode in MODES.items()},
        **{name: table(own, False) for name, own in TABLES.items()},
        **{name: table(own, True) for name, own in COMPLEMENTS.items()},
        "distribution": [{"name": name, "value": int(n)} for name, n in zip(classes, matrix.sum(1), strict=True)],
        "duration": [],
        "roc": [],
        "raw": {},
    }


def as_csv(cohort: Cohort, metrics: Sequence[Metric]) -> list[list[str]]:
    """Write an evaluation as WebIPred's evaluation CSV, with a column ``score``; those of published ones stay empty."""
    lines = [["metric", "class", "score_js", "score_python", "score"]]
    for index, scores in enumerate(_raw(cohort, metrics)):
        for metric, score in zip(RAW, scores, strict=True):
            lines.append([metric, str(index), "", "", "" if score is None else repr(score)])
    return lines


def _raw(cohort: Cohort, metrics: Sequence[Metric]) -> list[list[float | None]]:
    """Return WebIPred's thirteen numbers of each class."""
    counted = counts.of(cohort)
    found: list[list[float | None]] = []
    for index, name in enumerate(cohort.classes):
        own = {metric: named(metrics, metric, name).value for metric in TABLES.values()}
        numbers = [
            *(counted.true_positive[index], counted.true_negative[index]),
            *(counted.false_positive[index], counted.false_negative[index]),
            *(own["sensitivity"], own["specificity"], own["precision"]),
            *(1 - own["specificity"], 1 - own["sensitivity"], 1 - own["precision"]),
            *(own["accuracy"], own["f1"], own["auc"]),
        ]
        found.append([None if math.isnan(number) else float(number) for number in numbers])
    return found


_COLUMNS = {
    "recall": 4,
    "specificity": 5,
    "precision": 6,
    "accuracy": 10,
    "f1": 11,
    "fdr": 9,
    "fnr": 8,
    "fpr": 7,
    "auc": 12,
}


def _table(cohort: Cohort, raw: Sequence[Sequence[float | None]], column: int, source: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "series": [{"name": source, "value": scores[column]}]}
        for name, scores in zip(cohort.classes, raw, strict=True)
    ]


def _matrix(classes: Sequence[str], found: NDArray[Any]) -> list[dict[str, Any]]:
    """Write a matrix with true classes as rows in WebIPred's way: the assigned class outside."""
    return [
        {
            "name": assigned,
            "series": [
                {"name": true, "value": None if math.isnan(value) else value}
                for true, value in zip(classes, found[:, column].tolist(), strict=True)
            ],
        }
        for column, assigned in enumerate(classes)
    ]


def _roc(cohort: Cohort, index: int) -> list[dict[str, float]]:
    """Write a ROC curve without the points that lie on a line between others."""
    points = curves.roc_points(cohort, index)
    return [{"name": x, "value": y} for x, y in points.tolist()]


def read(document: Any, source: str) -> Published:
    """Read WebIPred's metrics JSON, whose confusion matrices name the assigned class outside.

    Raises
    ------
    OptionError
        It is something else.
    """
    try:
        classes = _classes(document)
        matrix = _read_matrix(document.get("confusion_matrix_raw"), classes)
        metrics = [metric for name in (*TABLES, *COMPLEMENTS) for metric in _read_table(document, name)]
        known = {(metric.name, metric.class_name) for metric in metrics}
        more = () if matrix is None else of_confusion(matrix, classes)
        metrics += [each for each in more if (each.name, each.class_name) not in known]
        spread = {_name(entry): int(entry["value"]) for entry in document.get("distribution") or ()}
        return Published(
            source,
            classes,
            tuple(with_intervals(metrics, spread, sum(spread.values()) if matrix is not None else _images(document))),
            matrix,
            {_name(entry): _read_roc(entry["series"]) for entry in document.get("roc") or ()},
            spread,
            {_name(entry): float(entry["series"][0]["value"]) for entry in document.get("duration") or ()},
        )
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise OptionError(f"The metrics ({source}) are not in the format of WebIPred.", "Check the file.") from error


def _classes(document: Any) -> tuple[str, ...]:
    names = tuple(_name(entry) for entry in document["recall"])
    if not names or len(set(names)) < len(names) or len(names) > _MOST:
        raise ValueError("no classes, or the same one twice")
    return names


def _name(entry: Any) -> str:
    return readable(str(entry["name"]))


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _read_matrix(entries: Any, classes: Sequence[str]) -> NDArray[np.int64] | None:
    """Read a confusion matrix; only exclusive classes have one."""
    if not entries:
        return None
    place = {name: index for index, name in enumerate(classes)}
    matrix = np.zeros((len(classes), len(classes)), np.int64)
    for assigned in entries:
        for true in assigned["series"]:
            matrix[place[_name(true)], place[_name(assigned)]] = int(true["value"])
    if (matrix < 0).any():
        raise ValueError("fewer than no images")
    return matrix


def _images(document: Any) -> int:
    """Return how many images there are: right and wrong ones of the first class. 0 if that is not said.

    The distribution does not tell where an image can have several classes, or none.
    """
    first = [entry for entry in (document.get("raw") or {}).values() if int(entry["class"]) == 0]
    counted = {entry["metric"]: entry["score"] for entry in first if entry["metric"] in RAW[:4]}
    return int(sum(counted.values())) if len(counted) == 4 else 0


def _read_table(document: Any, name: str) -> Iterator[Metric]:
    """Read a metric of all classes; of the shares of mistakes only those whose counterpart is missing."""
    own = TABLES.get(name, COMPLEMENTS.get(name, ""))
    counterpart = next((each for each, ours in TABLES.items() if ours == own), "")
    if name in COMPLEMENTS and document.get(counterpart):
        return
    for entry in document.get(name) or ():
        value = _number(entry["series"][0]["value"])
        yield Metric(own, _name(entry), 1 - value if name in COMPLEMENTS else value)


def _read_roc(series: Any) -> curves.Curve:
    points = np.array([[float(point["name"]), float(point["value"])] for point in series], np.float64).reshape(-1, 2)
    return curves.Curve(points[:, 0], points[:, 1], np.full(len(points), math.nan), _EMPTY, _EMPTY, _EMPTY)
