"""Licences of models, and what that of a base model asks of a model that was made of it: told, not judged."""

from __future__ import annotations

import re

# Licences that models have most often, as https://spdx.org/licenses writes their identifiers.
COMMON = (
    *("CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0", "CC-BY-NC-SA-4.0", "CC-BY-ND-4.0", "CC-BY-NC-ND-4.0", "CC0-1.0"),
    *("Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "GPL-2.0-only", "GPL-3.0-only", "LGPL-3.0-only"),
    *("AGPL-3.0-only", "MPL-2.0", "Unlicense", "CC-BY-3.0", "ODbL-1.0"),
)
_COPYLEFT = ("GPL-", "LGPL-", "AGPL-", "MPL-", "ODBL-")


def known(licence: str) -> str:
    """Return a licence as SPDX writes it, if it is a common one; else as it was given."""
    return {name.casefold(): name for name in COMMON}.get(licence.casefold(), licence)


def page(licence: str) -> str:
    """Return the web address of a licence; empty if it is not a common one."""
    name = known(licence)
    return f"https://spdx.org/licenses/{name}.html" if name in COMMON else ""


def forbids_derivatives(licence: str | None) -> bool:
    """Tell whether a licence allows no derivatives, by its name: CC-BY-ND-4.0, "Attribution-NoDerivs"."""
    return bool(re.search(r"(^|[^a-z])nd([^a-z]|$)|no[-_ ]?deriv", (licence or "").casefold()))


def doubts(base: str | None, own: str | None) -> list[str]:
    """Say what should be looked at before a model that was made of another one is published, a sentence each.

    Parameters
    ----------
    base : str, optional
        The licence of the other model; None is not known.
    own : str, optional
        The licence under which the new one is to be published.

    Examples
    --------
    >>> doubts("CC-BY-4.0", "MIT")
    []
    >>> doubts("CC-BY-NC-4.0", "MIT")
    ['The licence of the base model, CC-BY-NC-4.0, allows no commercial use; MIT does.']
    """
    if not base:
        return [
            "The licence of the base model is not known. Ask its authors whether you may publish what you made of it."
        ]
    found = []
    theirs, ours = _parts(base), _parts(own or "")
    if forbids_derivatives(base):
        found.append(f"The licence of the base model, {base}, does not allow you to share what you made of it.")
    if own and "NC" in theirs and "NC" not in ours:
        found.append(f"The licence of the base model, {base}, allows no commercial use; {own} does.")
    same = bool(own) and known(base).casefold() == known(own or "").casefold()
    if own and not same and ("SA" in theirs or base.upper().startswith(_COPYLEFT)):
        found.append(f"The licence of the base model, {base}, asks for the same licence, not {own}.")
    return found


def _parts(licence: str) -> set[str]:
    return set(licence.upper().split("-"))
