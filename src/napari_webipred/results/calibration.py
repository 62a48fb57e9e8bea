"""A calibration: how raw probabilities become calibrated ones, which stand beside them."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

Method = Literal["temperature", "platt"]
Numbers = NDArray[np.float64]
LEAST = 1e-7  # of a probability, before its logarithm is taken


class Calibration(Struct, frozen=True):
    """How raw probabilities become calibrated ones. The raw ones stay as they are.

    Attributes
    ----------
    method : "temperature" or "platt"
        Of classes that exclude each other, the logarithms of the probabilities are divided by a temperature (Guo et
        al., 2017). Else each class has a slope and an offset for its log-odds (Platt, 1999).
    classes : tuple of str
    temperature : float
        Above 1, the model was too sure; NaN for ``"platt"``.
    slopes, offsets : tuple of float
        One of each class; empty for a temperature.
    folds, seed : int
        Of the cross-fitting.
    before, after : dict of str to float
        ``log_loss``, ``brier`` and ``ece`` of the raw probabilities, and of calibrated ones of images that were not
        used for the fit.
    """

    method: Method
    classes: tuple[str, ...]
    temperature: float = math.nan
    slopes: tuple[float, ...] = ()
    offsets: tuple[float, ...] = ()
    folds: int = 0
    seed: int = 0
    before: dict[str, float] = field(default_factory=dict)
    after: dict[str, float] = field(default_factory=dict)

    def applied(self, probabilities: NDArray[Any]) -> Numbers:
        """Return calibrated probabilities.

        Parameters
        ----------
        probabilities : ndarray, shape (n, classes)
            NaN stays NaN.
        """
        if self.method == "temperature":
            return tempered(logarithms(probabilities), self.temperature)
        return sigmoid(log_odds(probabilities) * np.array(self.slopes) + np.array(self.offsets))

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "method": self.method,
            "temperature": self.temperature if self.method == "temperature" else None,
            "slopes": list(self.slopes),
            "offsets": list(self.offsets),
            "folds": self.folds,
            "seed": self.seed,
            "before": self.before,
            "after": self.after,
        }


def logarithms(given: NDArray[Any]) -> Numbers:
    """Return the logarithms of probabilities."""
    return np.asarray(np.log(np.clip(np.asarray(given, np.float64), LEAST, None)), np.float64)


def log_odds(given: NDArray[Any]) -> Numbers:
    """Return the log-odds of probabilities."""
    kept = np.clip(np.asarray(given, np.float64), LEAST, 1 - LEAST)
    return np.asarray(np.log(kept / (1 - kept)), np.float64)


def tempered(given: Numbers, temperature: float) -> Numbers:
    """Divide logarithms of probabilities by a temperature; return probabilities that add up to 1 in each row."""
    scaled = given / temperature
    powers = np.exp(scaled - scaled.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True), np.float64)


def sigmoid(z: Numbers) -> Numbers:
    """Return the probabilities of log-odds."""
    with np.errstate(invalid="ignore"):  # an image that failed has no probability
        return np.asarray(np.exp(-np.logaddexp(0, -z)), np.float64)
