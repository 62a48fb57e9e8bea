"""The record beside a table with the rows of several models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from napari_webipred.results.record import Record, Written, made
from napari_webipred.results.row import Row


class ModelsRecord(Written):
    """How the rows of each model were made; the models classify one after the other.

    Parameters
    ----------
    records : sequence of Record
        One for each model.
    names : sequence of str
        What the models are called in the table.

    Attributes
    ----------
    current : int
        The model that the next row is of; beyond the last one, rows are of the ensemble.
    facts : dict
        What else is known, as plain JSON values: how far the models agree, and how the ensemble was made.
    """

    def __init__(self, records: Sequence[Record], names: Sequence[str]) -> None:
        self.records = list(records)
        self.current = 0
        self.facts: dict[str, Any] = {}
        self._names = list(names)

    @property
    def stopped(self) -> str:
        """Why the run of the current model has stopped, if it did not come to its end."""
        return self.records[min(self.current, len(self.records) - 1)].stopped

    @stopped.setter
    def stopped(self, why: str) -> None:
        for record in self.records[self.current :]:
            record.stopped = why

    @property
    def done(self) -> int:
        """How many planes have rows, of all models together."""
        return sum(record.done for record in self.records)

    @property
    def total(self) -> int:
        """How many rows are to come."""
        return sum(record.total for record in self.records)

    @property
    def failures(self) -> int:  # type: ignore[override]
        """How many rows have no probabilities, of all models together."""
        return sum(record.failures for record in self.records)

    @property
    def complete(self) -> bool:
        """Whether all rows have come."""
        return all(record.complete for record in self.records)

    def add(self, row: Row) -> None:
        """Note a row of the current model; those of the ensemble follow from the others."""
        if self.current < len(self.records):
            self.records[self.current].add(row)

    def as_dict(self, table_checksum: str | None = None) -> dict[str, Any]:
        """Return it as plain JSON values, with what each record says in ``runs``."""
        runs: list[Mapping[str, Any]] = [
            {"run": number, "called": name, **record.of_run()}
            for number, (name, record) in enumerate(zip(self._names, self.records, strict=True), 1)
        ]
        return {**made(table_checksum), "complete": self.complete, **self.facts, "runs": runs}
