"""How well a model does on images whose classes are known."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from napari_webipred.cache import overrides
from napari_webipred.errors import OptionError
from napari_webipred.evaluation import calibration, files
from napari_webipred.evaluation.cohort import REASONS, Cohort
from napari_webipred.evaluation.confusion import confusion
from napari_webipred.evaluation.metric import Metric, named
from napari_webipred.evaluation.metrics import measuring
from napari_webipred.evaluation.resampling import DRAWS, SEED, check_seed
from napari_webipred.evaluation.scores import categories
from napari_webipred.evaluation.thresholds import Thresholds, choose, rule_of
from napari_webipred.model_overrides import Thresholds as Chosen
from napari_webipred.results.calibration import Calibration
from napari_webipred.steps import result_of

if TYPE_CHECKING:
    from pandas import DataFrame
else:
    DataFrame = Any  # pandas takes long to import


class Evaluation(Struct, frozen=True, eq=False):
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
    thresholds : Thresholds or None
        From which probabilities on the classes are assigned, if they were chosen.
    calibration : Calibration or None
    calibrated_cohort : Cohort or None
        The same rows with calibrated probabilities, each from a fit to other rows.
    """

    cohort: Cohort
    metrics: tuple[Metric, ...]
    draws: int = DRAWS
    seed: int = SEED
    made: Mapping[str, Any] = field(default_factory=dict)
    thresholds: Thresholds | None = None
    calibration: Calibration | None = None
    calibrated_cohort: Cohort | None = None

    @property
    def summary(self) -> DataFrame:
        """All metrics: ``metric``, ``class`` (empty for all), ``value``, ``low``, ``high``, ``n`` and more."""
        import pandas as pd

        names = {"metric": "name", "class": "class_name"}
        columns = ("metric", "class", "value", "low", "high", "n", "interval", "note")
        return pd.DataFrame({c: [getattr(m, names.get(c, c)) for m in self.metrics] for c in columns})

    @property
    def confusion(self) -> DataFrame:
        """How often images of a class (rows) were assigned each class (columns); of exclusive classes.

        Raises
        ------
        OptionError
            An image can have several classes.
        """
        import pandas as pd

        counts, columns = confusion(self.cohort)
        rows = pd.Index(self.cohort.classes, name="true")
        return pd.DataFrame(counts, rows, pd.Index(columns, name="predicted"))

    @property
    def unmatched(self) -> DataFrame:
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

    @property
    def calibrated(self) -> DataFrame:
        """The rows that count with raw and calibrated probabilities: ``NORMAL`` and ``NORMAL (calibrated)``.

        Raises
        ------
        OptionError
            There is no calibration.
        """
        import pandas as pd

        header, *lines = files.calibrated_table(self.cohort, self._calibrated())
        return pd.DataFrame(lines, columns=header)

    def _calibrated(self) -> Cohort:
        if self.calibrated_cohort is None:
            raise OptionError("There is no calibration.", "Evaluate with calibrate=True.")
        return self.calibrated_cohort

    def keep(self, name: str) -> None:
        """Keep the thresholds under a name, for the model on this machine: `classify` takes the name as `threshold`.

        Raises
        ------
        OptionError
            There are none, it is not known which model they are for, or the cache cannot be written.
        """
        if self.thresholds is None:
            raise OptionError("No thresholds were chosen.", 'Evaluate with thresholds="youden" or another rule.')
        checksum = (self.made.get("model") or {}).get("checksum")
        if not checksum:
            raise OptionError(
                "It is not known which model the results are of.",
                "Evaluate a table of classify(), or a CSV file with its record (.csv.json) beside it.",
            )
        how = {
            **self.thresholds.as_dict(),
            "rows": len(self.cohort),
            "grouped_by": self.cohort.grouped_by or None,
            "conditions": self.made.get("conditions"),
        }
        overrides.keep_thresholds(checksum, Chosen(name, self.thresholds.values, how))

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

    def save(
        self,
        folder: str | Path,
        *,
        figures: bool = True,
        may_replace: Callable[[Path], bool] = lambda folder: False,
    ) -> list[Path]:
        """Write metrics, confusion matrix, figures, what does not count and how it was made.

        See `docs/evaluation.md` for the files. Those of an earlier evaluation are replaced; `may_replace` is asked
        about a folder that has other files and no evaluation.

        Raises
        ------
        OptionError
            The folder holds other files, or cannot be written.
        """
        made = {"draws": self.draws, "seed": self.seed, **self.made}
        fitted = files.Fitted(self.thresholds, self.calibration, self.calibrated_cohort)
        return files.save(Path(folder), self.cohort, self.metrics, made, fitted, may_replace, figures=figures)


def evaluating(
    cohort: Cohort,
    draws: int = DRAWS,
    seed: int = SEED,
    made: Mapping[str, Any] | None = None,
    *,
    rule: str | None = None,
    calibrate: bool = False,
) -> Generator[tuple[int, int], None, Evaluation]:
    """Evaluate a cohort, step by step; yields how many steps are done, and how many there are.

    Parameters
    ----------
    cohort : Cohort
    draws, seed : int
        Of the bootstrap; the seed is also that of the parts for cross-fitting.
    made : mapping, optional
        See `Evaluation`.
    rule : str, optional
        How thresholds are chosen, if they are to be; see `napari_webipred.evaluation.thresholds.rule_of`.
    calibrate : bool
        Whether probabilities are calibrated.

    Raises
    ------
    OptionError
        There are no draws, the seed is negative, the rule is none, or there are too few images.
    """
    if draws < 2:
        raise OptionError(f"{draws} draws give no interval.", "Draw at least 2 times; 1000 is usual.")
    check_seed(seed)
    chosen = choose(cohort, rule_of(rule), seed=seed) if rule else None
    fitted = calibration.calibrate(cohort, seed=seed) if calibrate else (None, None)
    metrics = yield from measuring(cohort, draws, seed)
    return Evaluation(cohort, metrics, draws, seed, made or {}, chosen, *fitted)


def evaluated(
    cohort: Cohort,
    draws: int = DRAWS,
    seed: int = SEED,
    made: Mapping[str, Any] | None = None,
    *,
    rule: str | None = None,
    calibrate: bool = False,
) -> Evaluation:
    """Evaluate a cohort; see `evaluating`."""
    return result_of(evaluating(cohort, draws, seed, made, rule=rule, calibrate=calibrate))
