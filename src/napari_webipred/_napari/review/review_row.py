"""The row under review, in words."""

from __future__ import annotations

from napari_webipred._napari.results.measures import number_text
from napari_webipred._napari.results.result_columns import UNSURE
from napari_webipred.results.prediction import as_cell
from napari_webipred.results.reading import NONE, Reading
from napari_webipred.results.session_table import Entry
from napari_webipred.results.table_columns import greatest
from napari_webipred.results.worklist import Standing, Worklist

HIDDEN = "Model: hidden until you answer"
VERDICTS = {
    Standing.AGREES: "you agree",
    Standing.DIFFERS: "you disagree",
}


def verdict_of(entry: Entry, decimals: int) -> str:
    """Say what the model says."""
    row = entry.row
    if row.failed:
        return f"Model: failed. {row.error}"
    number = number_text(entry.run, greatest(row.probabilities, row.assigned), decimals) if row.assigned else ""
    return f"Model: {row.prediction or NONE} {number}".rstrip()


def answer_of(reading: Reading | None, standing: Standing) -> str:
    """Say what the reader has answered."""
    if reading is None:
        return "You: no answer yet"
    said = as_cell(reading.classes) or UNSURE
    return " · ".join(part for part in (f"You: {said}", VERDICTS.get(standing, "")) if part)


def progress_of(work: Worklist, *, blind: bool) -> str:
    """Say how many rows have an answer, and unless that is hidden, how often the reader agrees."""
    share = work.agreement
    agree = f" · {share:.0%} agree" if share is not None and not blind else ""
    return f"{work.answered:,} of {len(work):,} answered{agree}"


def end_of(work: Worklist, *, blind: bool) -> str:
    """Say what there is at the end of the list."""
    left = work.count(Standing.OPEN)
    unsure = work.count(Standing.UNSURE)
    parts = [f"{work.answered:,} of {len(work):,} rows have an answer"]
    parts += [f"{unsure:,} of them unsure"] if unsure else []
    parts += [f"{left:,} {'was' if left == 1 else 'were'} skipped"] if left else []
    parts += [f"you agree with the model in {work.agreement:.0%}"] if work.agreement is not None and not left else []
    return f"This is the end. {', '.join(parts)}."
