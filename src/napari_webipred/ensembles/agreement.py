"""How far several models agree."""

from __future__ import annotations

import math
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from msgspec import Struct

from napari_webipred.results.prediction import as_cell

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray
    from pandas import DataFrame

    from napari_webipred.ensembles.opinions import Opinions
else:
    DataFrame = Any  # pandas takes long to import, and the fields of a public class have to be known to `help`


class Agreement(Struct, frozen=True, eq=False):
    """How far several models agree. Images that one of them could not classify do not count.

    Attributes
    ----------
    models : tuple of str
    images : int
        How many images all models have classified.
    share : float
        Share of these images to which all models give the same class, or the same classes.
    kappa : float
        Agreement beyond that of chance: 1 is complete, 0 is that of chance. NaN if there is only one class in all.
    kind : "cohen" or "fleiss"
        Cohen's kappa for two models, Fleiss' kappa for more.
    pairs : pandas.DataFrame
        ``model``, ``other``, ``share`` and Cohen's ``kappa`` of each pair of models.
    rows : pandas.DataFrame
        The images, those with the largest ``disagreement`` first, and the prediction of each model. The disagreement
        runs from 0, the same probabilities, to 1: each model is sure of something else. Of two models it is half the
        sum of the differences of their probabilities or, of classes that do not exclude each other, their mean; of
        more, the mean of all pairs.
    """

    models: tuple[str, ...]
    images: int
    share: float
    kappa: float
    kind: Literal["cohen", "fleiss"]
    pairs: DataFrame
    rows: DataFrame

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values, without the images; None where a number is not defined."""
        facts = {"images": self.images, "share": self.share, "kappa": self.kappa, "kind": self.kind}
        pairs = [{str(name): _or_none(value) for name, value in pair.items()} for pair in self.pairs.to_dict("records")]
        return {**{name: _or_none(value) for name, value in facts.items()}, "pairs": pairs}


def _or_none(value: Any) -> Any:
    return None if value != value else value


def agreement_of(opinions: Opinions) -> Agreement:
    """Compare the classes and probabilities that models give to the same images."""
    import pandas as pd

    kept = opinions.complete
    given = opinions.assigned[:, kept]
    codes = _codes(given)
    pairs = list(combinations(range(len(opinions.models)), 2))
    frame = pd.DataFrame(
        {
            "model": [opinions.models[a] for a, _ in pairs],
            "other": [opinions.models[b] for _, b in pairs],
            "share": [_share(codes[[a, b]]) for a, b in pairs],
            "kappa": [cohen_kappa(codes[a], codes[b]) for a, b in pairs],
        }
    )
    several = len(opinions.models) > 2
    return Agreement(
        opinions.models,
        int(kept.sum()),
        _share(codes),
        fleiss_kappa(codes) if several else float(frame["kappa"].iloc[0]),
        "fleiss" if several else "cohen",
        frame,
        _rows(opinions, kept, pairs),
    )


def cohen_kappa(first: NDArray[np.intp], second: NDArray[np.intp]) -> float:
    """Return Cohen's kappa of two lists of categories, 0 and up; NaN if chance alone would agree always, or of none."""
    count = int(max(first.max(), second.max())) + 1 if len(first) else 0
    shares = [np.bincount(each, minlength=count) / len(each) for each in (first, second)] if count else []
    by_chance = float(shares[0] @ shares[1]) if shares else 1.0
    return math.nan if by_chance == 1 else float((np.mean(first == second) - by_chance) / (1 - by_chance))


def fleiss_kappa(codes: NDArray[np.intp]) -> float:
    """Return Fleiss' kappa (1971) of categories, shape (raters, subjects); NaN as for `cohen_kappa`."""
    raters, subjects = codes.shape
    if not subjects:
        return math.nan
    counts = np.zeros((subjects, int(codes.max()) + 1))
    for each in codes:
        counts[np.arange(subjects), each] += 1
    agreeing = float(((counts**2).sum(1) - raters).mean()) / (raters * (raters - 1))
    by_chance = float(((counts.sum(0) / counts.sum()) ** 2).sum())
    return math.nan if by_chance == 1 else (agreeing - by_chance) / (1 - by_chance)


def disagreement(probabilities: NDArray[np.float64], exclusive: bool) -> NDArray[np.float64]:
    """Return how far models differ on each image; see `Agreement`.

    Parameters
    ----------
    probabilities : ndarray of float64, shape (models, images, classes)
    """
    pairs = list(combinations(probabilities, 2))
    apart = [np.abs(a - b) for a, b in pairs]
    each = [d.sum(1) / 2 if exclusive else d.mean(1) for d in apart]
    return np.asarray(np.mean(each, axis=0), np.float64)


def _codes(assigned: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Give each set of classes a number, shape (models, images)."""
    models, images, classes = assigned.shape
    flat = np.packbits(assigned.reshape(-1, classes), axis=1)
    _, numbers = np.unique(flat, axis=0, return_inverse=True)
    return np.asarray(numbers.reshape(models, images), np.intp)


def _share(codes: NDArray[np.intp]) -> float:
    return float((codes == codes[0]).all(0).mean()) if codes.size else math.nan


def _rows(opinions: Opinions, kept: NDArray[np.bool_], pairs: list[tuple[int, int]]) -> pd.DataFrame:
    rows = opinions.places[kept].copy()
    rows["disagreement"] = disagreement(opinions.probabilities[:, kept], opinions.exclusive)
    classes = np.array(opinions.classes, object)
    for model, given in zip(opinions.models, opinions.assigned[:, kept], strict=True):
        rows[model] = [as_cell(classes[each]) for each in given]
    return rows.sort_values("disagreement", ascending=False, kind="stable").reset_index(drop=True)
