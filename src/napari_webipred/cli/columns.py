"""The columns of a table with the rows of one or several models, and of their ensemble."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from napari_webipred.results.columns import Shared, measures, unique

if TYPE_CHECKING:
    from napari_webipred.cli.several import Together
    from napari_webipred.engine import Options
    from napari_webipred.model import Model
    from napari_webipred.results.row import Row

ENSEMBLE = -1  # in place of the number of a model


class Columns(Struct, frozen=True):
    """The columns of the classes and measures of all models, and what the models and their ensemble are called."""

    names: list[str]
    classes: Shared[int]
    measures: Shared[int]
    ensemble: str
    identify: bool

    @classmethod
    def of(cls, models: Sequence[Model], options: Options, together: Together) -> Columns:
        """Name them.

        Raises
        ------
        OptionError
            An ensemble is wanted of models with different classes.
        """
        names = unique([model.card.name for model in models])
        own: dict[int, Sequence[str]] = dict(enumerate(model.classes for model in models))
        measured: dict[int, Sequence[str]] = {i: measures(each, options.as_dict()) for i, each in own.items()}
        if together.method:
            own[ENSEMBLE], measured[ENSEMBLE] = _of_ensemble(models, names, together), ()
        return cls(names, Shared(own), Shared(measured), together.name, options.identify)

    def spread(self, number: int, row: Row) -> Row:
        """Put the numbers of a row of a model into their columns."""
        probabilities = self.classes.spread(number, row.probabilities)
        return replace(row, probabilities=probabilities, measures=self.measures.spread(number, row.measures))


def _of_ensemble(models: Sequence[Model], names: Sequence[str], together: Together) -> list[str]:
    """Name the classes of an ensemble."""
    from napari_webipred.ensembles.opinions import shared_classes

    exclusive = all(model.card.task != "multi-label" for model in models)
    own = {name: model.classes for name, model in zip(names, models, strict=True)}
    return list(dict.fromkeys(shared_classes(own, together.mapping, exclusive)[names[0]].values()))
