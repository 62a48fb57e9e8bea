"""What is to be explained, and how."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from msgspec import Struct

from napari_webipred.errors import OptionError
from napari_webipred.explanations.explanation import Method

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_webipred.card import ModelCard


class Request(Struct, frozen=True):
    """Which classes are explained.

    Attributes
    ----------
    classes : sequence of str, optional
        Their names; by default all, the most probable one first.
    most : int, optional
        In place of names: so many of the most probable classes.
    method : "auto", "cam", "hirescam" or "occlusion"
        See `napari_webipred.explain`.
    check : bool
        Compare each map with occlusion.

    Raises
    ------
    OptionError
        There is no such method.
    """

    classes: Sequence[str] | None = None
    most: int | None = None
    method: Literal["auto"] | Method = "auto"
    check: bool = False

    def __post_init__(self) -> None:
        if self.method not in ("auto", "cam", "hirescam", "occlusion"):
            raise OptionError(f"{self.method!r} is no method.", "Choose one of auto, cam, hirescam, occlusion.")

    def check_classes(self, card: ModelCard) -> None:
        """Raise OptionError if no class is given, or the model has no such class."""
        if self.classes is not None and not self.classes:
            raise OptionError("No class is given to explain.", "Name some, or leave them out to explain all.")
        for name in self.classes or ():
            if name not in card.class_names:
                raise OptionError(
                    f"The model {card.name} has no class {name!r}.",
                    f"Its classes are {', '.join(card.class_names[:20])}{', ...' if len(card.classes) > 20 else ''}.",
                )

    def numbers(self, card: ModelCard, probabilities: NDArray[np.float32]) -> list[int]:
        """Return the numbers of the classes, for an image with these probabilities."""
        if self.classes is None:
            return [int(number) for number in np.argsort(-probabilities, kind="stable")[: self.most]]
        return [card.class_names.index(name) for name in self.classes]
