"""JSON that others wrote: parsed only after its size is known to be bearable."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

# The topologies of the networks in use have 16 kB to 2 MB, and at most 60 000 values. Parsed, a value takes up to 125
# bytes, and a letter up to four: both together bound the memory.
MAX_BYTES = 8 * 2**20
MAX_VALUES = 300_000


def parse(text: str | bytes, object_hook: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """Parse JSON of any kind.

    Parameters
    ----------
    text : str or bytes
        Bytes may be in UTF-8, UTF-16 or UTF-32, with or without a byte order mark.
    object_hook : callable, optional
        As that of `json.loads`.

    Raises
    ------
    ValueError
        It is no JSON, nested too deeply, longer than 8 MiB or of more than 300 000 values. The text of the error goes
        on after "because" or a colon.
    """
    if why := excess(text):
        raise ValueError(why)
    try:
        return json.loads(text, object_hook=object_hook)
    except UnicodeDecodeError as error:
        raise ValueError("it is no text") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def excess(text: str | bytes) -> str:
    """Tell why a text is too much to be parsed; empty if it is not. See `values`."""
    if len(text) > MAX_BYTES:
        return f"it has {len(text)} bytes, and {MAX_BYTES} are the most"
    return f"it has more than {MAX_VALUES} values" if values(text) > MAX_VALUES else ""


def values(text: str | bytes) -> int:
    """Count the values of a text. Signs within strings are counted as values too."""
    if isinstance(text, str):
        return sum(map(text.count, ("[", "{", ",")))
    return sum(map(text.count, (b"[", b"{", b",")))
