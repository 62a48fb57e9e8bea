"""What another program has computed for the pictures."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred.errors import ModelError
from napari_webipred.names import readable

# What a child needs of the environment; passwords and tokens in it are none of its business.
_KEPT = (
    *("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "NODE_PATH", "HOME"),
    *("USERPROFILE", "APPDATA", "LOCALAPPDATA", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "LANG", "OMP_NUM_THREADS"),
)


class Answer(Struct, frozen=True, eq=False):
    """What another program has computed.

    Attributes
    ----------
    judge : str
        Its name and version.
    numbers : ndarray of float64, shape (pictures, outputs)
    """

    judge: str
    numbers: NDArray[np.float64]


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a child: what it needs of ours, and more."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ} | more


def question(header: dict[str, Any], *parts: bytes) -> bytes:
    """Write what a child is asked: a line of JSON, then bytes."""
    return b"".join([json.dumps(header).encode(), b"\n", *parts])


def read(name: str, content: bytes, count: int) -> dict[str, Any]:
    """Read what a child has answered.

    Raises
    ------
    ModelError
        The program refuses the model, or its answer is none.
    """
    try:
        found = json.loads(content)
    except ValueError as error:
        raise ModelError(f"{name} has given no answer.", "Check that it is installed as it should be.") from error
    if "refused" in found:
        said = " ".join(str(found["refused"]).split())
        # Keras repeats the whole config before it comes to the point.
        said = readable(said.rpartition("Exception encountered: ")[2].rstrip("."), 300)
        raise ModelError(
            f"{name} refuses the model: {said}.",
            "What Keras 2 saved, TensorFlow reads if the package tf_keras is installed, too."
            if name == "TensorFlow"
            else "Have the model converted again.",
        )
    if "numbers" in found and len({len(row) for row in found["numbers"]}) != 1:
        raise ModelError(f"{name} has given no numbers.", "Choose another model.")
    if "numbers" in found and len(found["numbers"]) != count:
        raise ModelError(f"{name} has answered for {len(found['numbers'])} of {count} pictures.", "Try again.")
    return dict(found)


def answer_of(found: dict[str, Any]) -> Answer:
    """Make an answer of what a child has said."""
    rows = [[np.nan if each is None else each for each in row] for row in found["numbers"]]
    return Answer(str(found["judge"]), np.array(rows, np.float64))
