"""How far several models agree on the same images, and what their ensemble says."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from napari_webipred.card import named
from napari_webipred.cli import several, terminal
from napari_webipred.cli.columns import ENSEMBLE, Columns
from napari_webipred.cli.several import Together
from napari_webipred.errors import OptionError

if TYPE_CHECKING:
    import pandas as pd

    from napari_webipred.card import ModelCard
    from napari_webipred.engine import Started
    from napari_webipred.results.row import Row


def frame_of(rows: Sequence[Row], columns: Columns, started: Started) -> pd.DataFrame:
    """Make a table of the rows of all models, as Python has it."""
    from napari_webipred.results.table import to_frame

    models = [name for name in columns.names for _ in range(started.total)]
    measured = columns.measures.names
    return to_frame(
        rows,
        columns.classes.names,
        started.axes,
        started.regions,
        measures=measured,
        models=models,
        identify=columns.identify,
    )


def compare(
    frame: pd.DataFrame,
    card: ModelCard,
    together: Together,
    columns: Columns,
    write: Callable[[Row, int], None] | None,
) -> dict[str, Any]:
    """Say how far the models agree, add the rows of the ensemble, and return both for the record."""
    from napari_webipred.ensembles.agreement import agreement_of
    from napari_webipred.ensembles.ensemble import ensemble_of, rows_of
    from napari_webipred.ensembles.opinions import opinions_in

    try:
        opinions = opinions_in(frame, together.mapping)
    except OptionError as error:
        if together.method:
            raise
        terminal.message(f"How far the models agree is not known. {terminal.in_words(error)}")
        return {}
    found = agreement_of(opinions)
    several.show_agreement(found)
    facts: dict[str, Any] = {"agreement": found.as_dict()}
    if together.mapping:
        facts["mapping"] = dict(together.mapping)
    if together.method:
        table = ensemble_of(opinions, together.method, together.weights)
        facts["ensemble"] = table.attrs["ensemble"]
        shown = card.model_copy(update={"classes": named(opinions.classes)})
        for row in rows_of(table, opinions):
            if write:
                write(columns.spread(ENSEMBLE, row), ENSEMBLE)
            else:
                terminal.show_row(replace(row, image=f"{row.image} ({together.name})"), shown, sys.stdout)
    return facts
