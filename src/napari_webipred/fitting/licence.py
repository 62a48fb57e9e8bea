"""What the licence of a base model says about models that are made of it: told, not judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_webipred.licences import forbids_derivatives

if TYPE_CHECKING:
    from napari_webipred.card import PartialCard


def licence_remark(base: PartialCard) -> str:
    """Say what should be known of the licence of a base model before a model made of it is given to others.

    Parameters
    ----------
    base : PartialCard
        Its card.

    Returns
    -------
    str
        A sentence or two; empty if the licence says nothing against it.
    """
    if forbids_derivatives(base.license):
        return (
            f"The licence of the base model, {base.license}, allows no derivatives. A model made of it is one: use it "
            "yourself, but ask the authors of the base model before you publish it."
        )
    if not base.license:
        return "No licence of the base model is known. Ask its authors before you publish a model that is made of it."
    return ""
