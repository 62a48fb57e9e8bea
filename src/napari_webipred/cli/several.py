"""The options of the command line for several models, and what is said of how far they agree."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from napari_webipred.cli import terminal
from napari_webipred.errors import OptionError

if TYPE_CHECKING:
    from napari_webipred.cli.parser import Parser
    from napari_webipred.ensembles.agreement import Agreement
    from napari_webipred.ensembles.ensemble import Method
else:
    Method = Any  # as in `napari_webipred.cli.run`

MOST_DIFFERENT = 5


class Together(Struct, frozen=True):
    """What is made of the rows of several models.

    Attributes
    ----------
    method : "mean", "median", "majority" or "weighted", optional
        The ensemble whose rows are added, if any.
    weights : list of float, optional
    mapping : mapping of str to str
        Names of classes that stand for others.
    """

    method: Method | None = None
    weights: list[float] | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the ensemble is called in the table."""
        return f"ensemble ({self.method})"

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values; nothing of what is not chosen."""
        chosen = {"method": self.method, "weights": self.weights, "mapping": dict(self.mapping)}
        return {name: value for name, value in chosen.items() if value}


def add_arguments(parser: Parser) -> None:
    """Add the options to a parser."""
    parser.add_argument(
        "--ensemble",
        metavar="HOW",
        help="add rows that combine the models: mean, median, majority or weighted",
    )
    parser.add_argument("--weights", metavar="W,W", help="weights of the models, for --ensemble weighted")
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="OLD=NEW",
        help="a class of one model is the class NEW of the others; may be repeated",
    )


def ensemble(options: argparse.Namespace) -> Together:
    """Return what the user has chosen.

    Raises
    ------
    OptionError
        An option is not written as it has to be, or there is only one model.
    """
    weights = _numbers(options.weights) if options.weights else None
    mapping = dict(map(_pair, options.map))
    together = Together(options.ensemble, weights, mapping)
    if len(options.model) < 2 and together.as_dict():
        raise OptionError("--ensemble, --weights and --map need several models.", "Repeat --model.")
    if together.method or weights:
        from napari_webipred.ensembles.ensemble import weights_of

        weights_of(options.model, together.method or "mean", weights)
    return together


def show_agreement(found: Agreement) -> None:
    """Say how far models agree, and on which images they differ most."""
    if not found.images:
        terminal.message("No image was classified by all models, so how far they agree is not known.")
        return
    kind = "Cohen's" if found.kind == "cohen" else "Fleiss'"
    kappa = f" ({kind} kappa {found.kappa:.3f})" if found.kappa == found.kappa else ""
    terminal.message(
        f"The models agree on {found.share:.1%} of {found.images} image{'s' * (found.images != 1)}{kappa}."
    )
    for _, row in found.rows[found.rows["disagreement"] > 0].head(MOST_DIFFERENT).iterrows():
        said = "; ".join(f"{model}: {row[model] or 'none'}" for model in found.models)
        places = [str(row[name]) for name in found.rows.columns[: -1 - len(found.models)]]
        terminal.message(f"  {row['disagreement']:.3f}  {' '.join(places)}  ({said})")


def _pair(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not (old and equals and new):
        raise OptionError(f"--map {text} cannot be understood.", "Write it like --map PNEUMONIA=pneumonia.")
    return old, new


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise OptionError(f"--weights {text} are no numbers.", "Write a number for each model, such as 2,1.") from None
