"""How the user wants results to be drawn; it is kept while the panel is closed."""

from __future__ import annotations

from msgspec import Struct, field

from napari_webipred._napari.charts.bars import FIRST, Order


class Display(Struct):
    """The choices for the chart and the plot.

    Attributes
    ----------
    order : "model", "descending" or "ascending"
        The order of the bars.
    vertical : bool
        Whether the bars stand.
    most : int
        How many bars there are at first, of a model with many classes.
    axis : str
        The axis of stacks along which the plot is shown; empty for bars.
    pinned : dict of str to list of int
        Indices of classes that are always shown, for each model by its identifier.
    """

    order: Order = "model"
    vertical: bool = False
    most: int = FIRST
    axis: str = ""
    pinned: dict[str, list[int]] = field(default_factory=dict)
