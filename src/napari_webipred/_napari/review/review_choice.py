"""What a reader has chosen about the review, and not yet answered."""

from __future__ import annotations

from msgspec import Struct, field


class ReviewChoice(Struct):
    """Kept while the viewer lives, so that a closed panel loses nothing.

    Attributes
    ----------
    blind : bool
        Whether predictions are hidden until the reader has answered.
    shuffled : bool
        Whether rows come in an order that tells nothing.
    seed : int
        The same seed gives the same order of the same rows.
    drafts : dict of int to str
        Comments on rows that have no answer yet, by the numbers of the rows.
    """

    blind: bool = False
    shuffled: bool = False
    seed: int = 0
    drafts: dict[int, str] = field(default_factory=dict)
