"""Numbers as text, all of a row at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def digits(values: NDArray[np.float32]) -> str:
    """Write numbers with commas between them; what is not finite is ``null``, as in JSON.

    They have as few digits as tell a 32-bit float from all others, so that a reader makes the same number of them.
    """
    import orjson  # not before a row is written: whoever starts the program would wait for it

    content = orjson.dumps(np.ascontiguousarray(values, np.float32), option=orjson.OPT_SERIALIZE_NUMPY)
    return content[1:-1].decode()


def decimals(values: NDArray[np.float32]) -> list[float | None]:
    """Return 64-bit floats with these digits; None for what is not finite."""
    import orjson

    found: list[float | None] = orjson.loads(f"[{digits(values)}]")
    return found
