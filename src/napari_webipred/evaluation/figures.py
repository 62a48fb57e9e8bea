"""Figures of an evaluation, drawn by matplotlib into axes that the caller has made, on paper or in a window.

Names of classes come from anywhere: they are never read as formulas, and long ones are cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred.class_colours import COLOURS
from napari_webipred.evaluation.confusion import Mode, normalised
from napari_webipred.evaluation.curves import Curve, Reliability
from napari_webipred.evaluation.metric import Metric
from napari_webipred.evaluation.words import TITLES
from napari_webipred.names import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_LINES = 8  # curves in one figure
MOST_CELLS = 25  # classes of a matrix with numbers in its cells
LONGEST = 24  # characters of a class
COLUMNS = 2000  # of a curve with very many points, narrower than what a figure can show
_BAND = 0.18  # opacity
MODES: Mapping[Mode, str] = {
    "raw": "images",
    "rows": "share of the true class",
    "columns": "share of the assigned class",
    "all": "share of all images",
}


class Colours(Struct, frozen=True):
    """The colours of a figure, each as matplotlib takes it.

    Attributes
    ----------
    background, text : str
    faint : str
        Of grid lines and the diagonal of chance.
    lines : tuple of str
        Of curves and bars, one after the other.
    full : str
        Of a cell of a matrix that holds everything; one without anything has the background.
    """

    background: str
    text: str
    faint: str
    lines: tuple[str, ...]
    full: str


# Yellow is darker here, because nobody sees thin lines in it on white paper.
PAPER = Colours(
    "#ffffff",
    "#1a1a1a",
    "#c4c4c4",
    (*COLOURS[:-1], "#7a5c00", "#444444"),
    "#0b4f7d",
)


def confusion(
    axes: Axes,
    counts: NDArray[Any],
    rows: Sequence[str],
    columns: Sequence[str],
    mode: Mode = "rows",
    colours: Colours = PAPER,
) -> None:
    """Draw a confusion matrix: true classes as rows, assigned ones as columns.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    counts : ndarray of int, shape (rows, columns)
    rows, columns : sequences of str
        Names of the classes.
    mode : "raw", "rows", "columns" or "all"
        What the numbers are divided by.
    colours : Colours
    """
    from matplotlib.colors import LinearSegmentedColormap

    values = normalised(counts, mode)
    top = float(np.nanmax(values, initial=0)) if mode == "raw" else 1.0
    shown = np.nan_to_num(values / (top or 1))
    shades = LinearSegmentedColormap.from_list("cells", [colours.background, colours.full])
    axes.imshow(shown, cmap=shades, vmin=0, vmax=1, aspect="auto")
    _dress(axes, colours, grid=False)
    _ticks(axes.xaxis, columns, turn=max(map(len, columns), default=0) > 4)
    _ticks(axes.yaxis, rows)
    axes.set_xlabel("assigned class")
    axes.set_ylabel("true class")
    axes.set_title(MODES[mode], fontsize="medium")
    if max(counts.shape) > MOST_CELLS:
        return
    size = 9 if max(counts.shape) <= 10 else 6
    for row, column in np.ndindex(*counts.shape):
        value = values[row, column]
        text = "–" if np.isnan(value) else f"{int(value):,}" if mode == "raw" else f"{value:.2f}"
        on = _readable(shades(shown[row, column]), colours)
        axes.text(column, row, text, ha="center", va="center", color=on, fontsize=size)


def roc(axes: Axes, curves: Mapping[str, Curve], colours: Colours = PAPER) -> None:
    """Draw ROC curves with their bands, by the names that stand in the legend."""
    _dress(axes, colours)
    axes.plot([0, 1], [0, 1], color=colours.faint, linewidth=1, linestyle="--")
    _curves(axes, curves, colours)
    _square(axes, "1 - specificity (false alarms)", "sensitivity")


def precision_recall(axes: Axes, curves: Mapping[str, Curve], colours: Colours = PAPER) -> None:
    """Draw precision over recall, with bands, by the names that stand in the legend."""
    _dress(axes, colours)
    _curves(axes, curves, colours)
    _square(axes, "sensitivity (recall)", "precision")


def reliability(axes: Axes, found: Mapping[str, Reliability], colours: Colours = PAPER) -> None:
    """Draw how often images have a class, by its probability, by the names that stand in the legend."""
    _dress(axes, colours)
    axes.plot([0, 1], [0, 1], color=colours.faint, linewidth=1, linestyle="--")
    handles = []
    for number, each in enumerate(found.values()):
        colour = _line(colours, number)
        errors = [each.share - each.low, each.high - each.share]
        handles.append(
            axes.errorbar(
                each.probability,
                each.share,
                np.maximum(errors, 0),
                color=colour,
                marker="o",
                markersize=4,
                linewidth=1.2,
                elinewidth=0.8,
                capsize=2,
            )
        )
    _legend(axes, handles, list(found), colours)
    _square(axes, "probability", "share of images with the class")


def bars(
    axes: Axes, metric: str, sources: Mapping[str, Sequence[Metric]], classes: Sequence[str], colours: Colours = PAPER
) -> None:
    """Draw a metric of each class as bars with intervals: side by side if it comes from several sources.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    metric : str
        One of `napari_webipred.evaluation.metric.NAMES`.
    sources : mapping of str to sequence of Metric
        The name of each source, such as ``"own"`` or ``"published"``, and its metrics.
    classes : sequence of str
    colours : Colours
    """
    _dress(axes, colours)
    width = 0.8 / max(len(sources), 1)
    handles = []
    for number, metrics in enumerate(sources.values()):
        own = {each.class_name: each for each in metrics if each.name == metric}
        empty = Metric(metric, "", np.nan)
        found = [own.get(name, empty) for name in classes]
        values = np.array([each.value for each in found])
        at = np.arange(len(classes)) + (number - (len(sources) - 1) / 2) * width
        handles.append(axes.barh(at, values, width * 0.92, color=_line(colours, number), alpha=0.85))
        low, high = (np.array([getattr(each, end) for each in found]) for end in ("low", "high"))
        errors = np.maximum([values - low, high - values], 0)
        kept = ~np.isnan(errors).any(0)
        axes.errorbar(
            values[kept], at[kept], xerr=errors[:, kept], fmt="none", ecolor=colours.text, elinewidth=1, capsize=2
        )
    _ticks(axes.yaxis, classes)
    several = len(sources) > 1
    # Also those without a value have their place; the legend is above the bars, not over them.
    axes.set_ylim(len(classes) - 0.5, -1.3 if several else -0.5)
    axes.set_xlim(0, 1)
    axes.set_title(TITLES[metric], fontsize="medium")
    if several:
        _legend(axes, handles, list(sources), colours, loc="upper left", ncols=len(sources))


def distribution(axes: Axes, counts: Mapping[str, int], colours: Colours = PAPER) -> None:
    """Draw how many images have each class."""
    _dress(axes, colours)
    places = np.arange(len(counts))
    drawn = axes.barh(places, list(counts.values()), color=_line(colours, 0), alpha=0.85)
    axes.bar_label(drawn, [f" {count:,}" for count in counts.values()], color=colours.text, fontsize="small")
    _ticks(axes.yaxis, list(counts))
    axes.invert_yaxis()
    axes.set_xlim(0, max([*counts.values(), 1]) * 1.15)
    axes.set_xlabel("images")


def _curves(axes: Axes, curves: Mapping[str, Curve], colours: Colours) -> None:
    handles = []
    for number, curve in enumerate(curves.values()):
        colour = _line(colours, number)
        if len(curve.grid):
            axes.fill_between(curve.grid, curve.low, curve.high, color=colour, alpha=_BAND, linewidth=0)
        kept = seen(curve.x, curve.y)
        handles += axes.plot(curve.x[kept], curve.y[kept], color=colour, linewidth=1.6)
    _legend(axes, handles, list(curves), colours)


def seen(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return which points of a curve are to be drawn: of very many those that change how it looks.

    In each of very narrow columns these are the first and the last, the lowest and the highest point.

    Parameters
    ----------
    x, y : ndarray of float64, shape (points,)
        Between 0 and 1; `x` never falls.
    """
    if len(x) <= 4 * COLUMNS:
        return np.arange(len(x))
    column = np.minimum((x * COLUMNS).astype(np.intp), COLUMNS - 1)
    first = np.flatnonzero(np.r_[True, np.diff(column) > 0])
    last = np.r_[first[1:], len(x)] - 1
    by_height = np.lexsort((y, column))
    return np.unique(np.concatenate([first, last, by_height[first], by_height[last]]))


def _dress(axes: Axes, colours: Colours, grid: bool = True) -> None:
    """Give axes the colours of the figure."""
    axes.figure.set_facecolor(colours.background)
    axes.set_facecolor(colours.background)
    axes.tick_params(colors=colours.text, labelsize="small")
    for side, spine in axes.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color(colours.faint)
    for text in (axes.xaxis.label, axes.yaxis.label, axes.title):
        text.set_color(colours.text)
    if grid:
        axes.grid(color=colours.faint, linewidth=0.5, alpha=0.5)
        axes.set_axisbelow(True)


def _square(axes: Axes, x: str, y: str) -> None:
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.set_xlabel(x)
    axes.set_ylabel(y)


def _ticks(axis: Any, names: Sequence[str], turn: bool = False) -> None:
    """Name places along an axis by classes; of very many only some."""
    step = max(len(names) // 40, 1)
    places = list(range(0, len(names), step))
    axis.set_ticks(places, [shortened(names[place]) for place in places], parse_math=False)
    if turn:
        for label in axis.get_ticklabels():
            label.set(rotation=45, ha="right", rotation_mode="anchor")


def shortened(name: str) -> str:
    """Cut the name of a class that is too long for a figure."""
    text = visible(name)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _legend(axes: Axes, handles: Sequence[Any], names: Sequence[str], colours: Colours, **where: Any) -> None:
    if not handles:
        return
    # A name that begins with an underscore would be left out.
    labels = [f"\u200a{shortened(name)}" if name.startswith("_") else shortened(name) for name in names]
    legend = axes.legend(handles, labels, fontsize="small", frameon=False, labelcolor=colours.text, **where)
    for text in legend.get_texts():
        text.set_parse_math(False)


def _line(colours: Colours, number: int) -> str:
    return colours.lines[number % len(colours.lines)]


def _readable(cell: Any, colours: Colours) -> str:
    """Return which of both colours is read better on a cell."""
    from matplotlib.colors import to_rgb

    def brightness(colour: Any) -> float:
        return float(np.dot(to_rgb(colour), (0.299, 0.587, 0.114)))

    both = (colours.text, colours.background)
    return max(both, key=lambda colour: abs(brightness(colour) - brightness(cell)))
