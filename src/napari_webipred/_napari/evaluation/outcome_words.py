"""What an evaluation comes to, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_webipred._napari.evaluation.run_predictions import Outcome


def summary_of(outcome: Outcome) -> str:
    """Say in a line how many rows count, and how many of them are right."""
    cohort = outcome.evaluation.cohort
    accuracy = outcome.evaluation.metric("accuracy")
    groups = f" in {int(cohort.groups.max()) + 1:,} groups by {cohort.grouped_by}" if cohort.groups is not None else ""
    n = len(cohort)
    words = f"{n:,} row{'s' * (n != 1)} with a label{groups}. Right: {accuracy.value:.1%}"
    if accuracy.low == accuracy.low:  # there is an interval
        words += f" (95\u00a0%: {accuracy.low:.1%} to {accuracy.high:.1%})"
    left = len(cohort.unmatched)
    return f"{words}. Not counted: {left:,}." if left else f"{words}."
