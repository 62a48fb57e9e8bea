"""How well a model does on images whose classes are known."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_webipred.errors import OptionError
from napari_webipred.evaluation import files
from napari_webipred.evaluation.cohort import REASONS, Cohort
from napari_webipred.evaluation.confusion import confusion
from napari_webipred.evaluation.metric import Metric, named
from napari_webipred.evaluation.metrics import measuring
from napari_webipred.evaluation.resampling import DRAWS, SEED
from napari_webipred.evaluation.scores import categories

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """How well a model does, with intervals.

    Attributes
    ----------
    cohort : Cohort
        The rows that have a label.
    metrics : tuple of Metric
        Those of all classes together first.
    draws, seed : int
        Of the bootstrap: how often the cohort was resampled, and what the random numbers begin with.
    made : mapping
        What else is recorded of how it was made, in plain JSON values: the files that were read, the model.
    """

    cohort: Cohort
    metrics: tuple[Metric, ...]
    draws: int = DRAWS
    seed: int = SEED
    made: Mapping[str, Any] = field(default_factory=dict)

    @property
    def summary(self) -> pd.DataFrame:
        """All metrics: ``metric``, ``class`` (empty for all), ``value``, ``low``, ``high``, ``n`` and more."""
        import pandas as pd

        names = {"metric": "name", "class": "class_name"}
        columns = ("metric", "class", "value", "low", "high", "n", "interval", "note")
        return pd.DataFrame({c: [getattr(m, names.get(c, c)) for m in self.metrics] for c in columns})

    @property
    def confusion(self) -> pd.DataFrame:
        """How often images of a class (rows) were assigned each class (columns); of exclusive classes."""
        import pandas as pd

        counts, columns = confusion(self.cohort)
        rows = pd.Index(self.cohort.classes, name="true")
        return pd.DataFrame(counts, rows, pd.Index(columns, name="predicted"))

    @property
    def unmatched(self) -> pd.DataFrame:
        """The rows and labels that do not count: ``image``, ``reason``, ``detail``, and ``row`` if it is one."""
        import pandas as pd

        found = self.cohort.unmatched
        return pd.DataFrame(
            {
                "image": [each.image for each in found],
                "reason": [REASONS[each.reason] for each in found],
                "detail": [each.detail for each in found],
                "row": pd.array([each.row for each in found], dtype="Int64"),
            }
        )

    def metric(self, name: str, class_name: str = "") -> Metric:
        """Return one metric, of one class or of all together.

        Raises
        ------
        KeyError
            There is no such metric or class.
        """
        return named(self.metrics, name, class_name)

    def rows(self, true: int, predicted: int) -> NDArray[np.intp]:
        """Return which rows of the table are in a cell of the confusion matrix, by the indices of row and column."""
        cell = (categories(self.cohort.truth) == true) & (categories(self.cohort.assigned) == predicted)
        return np.asarray(self.cohort.rows[cell], np.intp)

    def save(self, folder: str | Path, *, figures: bool = True) -> list[Path]:
        """Write metrics, confusion matrix, figures, what does not count and how it was made.

        See `docs/evaluation.md` for the files. Those of an earlier evaluation are replaced.

        Raises
        ------
        OptionError
            The folder holds other files, or cannot be written.
        """
        made = {"draws": self.draws, "seed": self.seed, **self.made}
        return files.save(Path(folder), self.cohort, self.metrics, made, figures=figures)


def evaluating(
    cohort: Cohort, draws: int = DRAWS, seed: int = SEED, made: Mapping[str, Any] | None = None
) -> Generator[tuple[int, int], None, Evaluation]:
    """Evaluate a cohort, step by step; yields how many steps are done, and how many there are.

    Raises
    ------
    OptionError
        There are no draws.
    """
    if draws < 2:
        raise OptionError(f"{draws} draws give no interval.", "Draw at least 2 times; 1000 is usual.")
    metrics = yield from measuring(cohort, draws, seed)
    return Evaluation(cohort, metrics, draws, seed, made or {})


def evaluated(
    cohort: Cohort, draws: int = DRAWS, seed: int = SEED, made: Mapping[str, Any] | None = None
) -> Evaluation:
    """Evaluate a cohort; see `evaluating`."""
    steps = evaluating(cohort, draws, seed, made)
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            found: Evaluation = finished.value
            return found
