"""The rows of an ensemble of runs, made of what their models say."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct

from napari_webipred.card import ModelCard, named
from napari_webipred.ensembles.ensemble import Method, as_dict, combined, weights_of
from napari_webipred.results.prediction import as_cell
from napari_webipred.results.row import Row
from napari_webipred.results.row_list import RowList

if TYPE_CHECKING:
    from napari_webipred._napari.evaluation.comparison import Comparison
    from napari_webipred.results.session_table import RunDetails, SessionTable
else:
    RunDetails = Any  # imported when first needed, and `help` asks for the types of fields


class EnsembleRun(Struct, frozen=True, eq=False):
    """An ensemble, ready to be added to the table.

    Attributes
    ----------
    first : RunDetails
        The run whose images the rows are of.
    card : ModelCard
        What the ensemble is called, and its classes.
    checksum : str
        Of how it was made, with the checksums of the models.
    options : Mapping
    made : Mapping
        How it was made, as plain JSON values.
    rows : RowList
    """

    first: RunDetails
    card: ModelCard
    checksum: str
    options: Mapping[str, Any]
    made: Mapping[str, Any]
    rows: RowList


def ensemble_run(
    table: SessionTable, found: Comparison, method: Method, weights: Sequence[float] | None = None
) -> Generator[None, None, EnsembleRun]:
    """Make one answer of those of several models.

    Parameters
    ----------
    table : SessionTable
    found : Comparison
        What the models say of the images that all of them have.
    method, weights
        See `napari_webipred.ensemble`.

    Raises
    ------
    OptionError
        The weights do not fit.
    """
    opinions, first = found.opinions, found.runs[0]
    shares = weights_of(opinions.models, method, weights)
    kept = opinions.complete
    threshold = float(first.options["threshold"])
    yield
    numbers, given = combined(
        opinions.probabilities[:, kept], opinions.assigned[:, kept], method, shares, threshold, opinions.exclusive
    )
    place_of = dict(zip(np.flatnonzero(kept).tolist(), range(len(numbers)), strict=True))
    rows = RowList()
    for image, number in enumerate(found.numbers[0].tolist()):
        before, place = table.rows[number], place_of.get(image)
        own = (before.source, before.image, before.position)
        where: dict[str, Any] = {"region": before.region, "remark": before.remark, "identity": before.identity}
        if place is None:
            rows.append(Row(*own, error=opinions.errors[image], **where))
        else:
            assigned = tuple(np.flatnonzero(given[place]).tolist())
            prediction = as_cell(opinions.classes[index] for index in assigned)
            rows.append(Row(*own, numbers[place], prediction, assigned, **where))
        yield
    made = _made(found, method, shares)
    checksum = hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()
    return EnsembleRun(first, _card(found, method), f"sha256:{checksum}", {"threshold": threshold}, made, rows)


def _made(found: Comparison, method: Method, shares: Sequence[float]) -> dict[str, Any]:
    models = found.opinions.models
    checksums = {name: run.checksum for name, run in zip(models, found.runs, strict=True)}
    pairs = zip(models, found.runs, strict=True)
    mapping = {name: dict(found.mapping[run.number]) for name, run in pairs if found.mapping.get(run.number)}
    return {**as_dict(models, method, shares), "checksums": checksums, **({"mapping": mapping} if mapping else {})}


def _card(found: Comparison, method: Method) -> ModelCard:
    """Describe the ensemble; each model has a licence and authors of its own, which stand with its run."""
    return ModelCard(
        id=f"ensemble-{method}",
        name=f"ensemble ({method})",
        description=f"Joins {', '.join(found.opinions.models)}.",
        task="multi-class" if found.opinions.exclusive else "multi-label",
        classes=named(found.opinions.classes),
    )
