"""The runs that can be evaluated."""

from __future__ import annotations

from collections import Counter

from qtpy.QtWidgets import QComboBox

from napari_webipred._napari.widgets.choice import offer
from napari_webipred.names import readable
from napari_webipred.results.session_table import SessionTable


def list_runs(box: QComboBox, table: SessionTable) -> None:
    """Offer the runs of a table that have rows, the last one first; the chosen one stays chosen if it has some."""
    kept = Counter(table.run_numbers[table.numbers].tolist())
    runs: list[tuple[str, int]] = []
    for run in reversed(table.runs):
        if count := kept[run.number]:
            rows = f"{count:,} row{'s' * (count != 1)}"
            runs.append((f"{run.number}: {readable(run.card.name)} · {rows}", run.number))
    offer(box, runs, box.currentData())


def others(box: QComboBox) -> list[tuple[str, int]]:
    """Return the runs that are not chosen: what they are called, and their numbers."""
    every = ((box.itemText(place), box.itemData(place)) for place in range(box.count()))
    return [(words, number) for words, number in every if number != box.currentData()]
