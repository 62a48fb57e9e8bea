"""Curves of an evaluation, of what was published, or of both: ROC, precision and recall, reliability."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from napari_webipred._napari.evaluation.part import ALL, OWN, Lines, Part, Plot
from napari_webipred.evaluation import curves, figures
from napari_webipred.evaluation.drawings import most_common
from napari_webipred.evaluation.words import SENTENCES

if TYPE_CHECKING:
    from napari_webipred.evaluation.curves import Curve, Reliability
    from napari_webipred.evaluation.evaluation import Evaluation
    from napari_webipred.evaluation.published import Published


def curve_plots(own: Evaluation | None, names: Mapping[str, Published]) -> list[Plot | None]:
    """Return the plots of curves; what was published is given by the names that people see."""
    other = {name: each.roc for name, each in names.items() if each.roc}
    found = [_curve_plot("roc", "ROC", own, other)]
    if own:
        found += [_curve_plot("precision_recall", "Precision and recall", own, {}), _reliability(own)]
    return found


def _curve_plot(key: str, title: str, own: Evaluation | None, other: Mapping[str, Mapping[str, Curve]]) -> Plot | None:
    if not own and not other:
        return None
    classes = own.cohort.classes if own else tuple(dict.fromkeys(name for each in other.values() for name in each))
    make = {"roc": curves.roc, "precision_recall": curves.precision_recall}[key]
    draw: Callable[..., None] = {"roc": figures.roc, "precision_recall": figures.precision_recall}[key]
    known: dict[int, Curve | None] = {}

    def of_class(index: int) -> Curve | None:
        assert own is not None
        if index not in known:
            known[index] = make(own.cohort, index, own.seed)
        return known[index]

    def part(name: str, shown: Mapping[str, Curve]) -> Part:
        return Part(name, lambda axes, colours: draw(axes, shown, colours), _curve_lines(key, shown))

    def parts(variant: str) -> list[Part]:
        if variant:
            index = int(variant)
            mine = {OWN: curve} if own and (curve := of_class(index)) else {}
            rest = {name: each[classes[index]] for name, each in other.items() if classes[index] in each}
            return [part("", mine | rest)]
        sources: dict[str, Mapping[str, Curve]] = {}
        if own:
            chosen = most_common(own.cohort)
            sources[OWN] = {classes[index]: curve for index in chosen if (curve := of_class(index))}
        sources |= {name: _few(each, own, classes) for name, each in other.items()}
        return [part(name if len(sources) > 1 else "", each) for name, each in sources.items()]

    return Plot(key, title, _by_class(classes), {"": SENTENCES[key]}, parts)


def _few(known: Mapping[str, Curve], own: Evaluation | None, classes: Sequence[str]) -> Mapping[str, Curve]:
    """Choose the published curves that stand beside the own ones; of many classes the first."""
    wanted = [classes[index] for index in most_common(own.cohort)] if own else list(known)[: figures.MOST_LINES]
    if not own and len(known) == 2:
        wanted = wanted[1:]
    return {name: known[name] for name in wanted if name in known}


def _by_class(classes: Sequence[str], everything: str = "Most common classes") -> dict[str, str]:
    if len(classes) == 2 and everything.startswith("Most common"):
        return {str(index): name for index, name in reversed(list(enumerate(classes)))}
    words = "All classes" if len(classes) <= figures.MOST_LINES and everything.startswith("Most common") else everything
    return {ALL: words} | {str(index): name for index, name in enumerate(classes)}


def _curve_lines(key: str, shown: Mapping[str, Curve]) -> Lines:
    axes = {"roc": ("false_positive_rate", "sensitivity"), "precision_recall": ("recall", "precision")}[key]
    lines: list[list[Any]] = [["curve", *axes, "threshold"]]
    for name, curve in shown.items():
        numbers = zip(curve.x.tolist(), curve.y.tolist(), curve.threshold.tolist(), strict=True)
        lines += [[name, x, y, at if math.isfinite(at) else math.nan] for x, y, at in numbers]
    return lines


def _reliability(own: Evaluation) -> Plot:
    cohort = own.cohort

    def parts(variant: str) -> list[Part]:
        if variant:
            index = int(variant)
            found = {cohort.classes[index]: curves.reliability(cohort, index)}
        elif cohort.is_exclusive:
            found = {"most probable class": curves.reliability(cohort)}
        else:
            found = {cohort.classes[index]: curves.reliability(cohort, index) for index in most_common(cohort)}
        return [Part("", lambda axes, colours: figures.reliability(axes, found, colours), _reliability_lines(found))]

    everything = "Most probable class" if cohort.is_exclusive else "Most common classes"
    variants = _by_class(cohort.classes, everything)
    return Plot("reliability", "Reliability", variants, {"": SENTENCES["reliability"]}, parts)


def _reliability_lines(found: Mapping[str, Reliability]) -> Lines:
    lines: list[list[Any]] = [["class", "probability", "share", "low", "high", "n"]]
    for name, each in found.items():
        columns = (each.probability, each.share, each.low, each.high, each.n)
        lines += [[name, *row] for row in zip(*(column.tolist() for column in columns), strict=True)]
    return lines
