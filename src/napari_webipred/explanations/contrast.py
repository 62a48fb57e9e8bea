"""The log-odds of classes that exclude each other: what speaks for a class and against all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def log_odds(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log(p / (1 - p)) of each class of a softmax; unlike p, it never saturates.

    Parameters
    ----------
    logits : ndarray of float64, shape (n, n_outputs)
    """
    if logits.shape[1] == 1:  # a softmax of one class is 1 whatever the image is
        return logits
    rows, best = np.arange(len(logits)), logits.argmax(axis=1)
    rest = logits.copy()
    rest[rows, best] = -np.inf
    most, second = logits[rows, best][:, None], rest.max(axis=1, keepdims=True)
    powers = np.exp(logits - most)
    others = np.log(np.maximum(powers.sum(axis=1, keepdims=True) - powers, 0.5)) + most  # the best is among them
    others[rows, best] = (np.log(np.exp(rest - second).sum(axis=1, keepdims=True)) + second)[:, 0]
    odds: NDArray[np.float64] = logits - others
    return odds


def sums_for_contrast(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the two sums of logits whose maps `contrasts` needs: of all classes, and of all but the most probable one.

    Each class counts with its probability, or its share in that of the others.
    """
    rest = logits.copy()
    rest[logits.argmax()] = -np.inf
    powers = [np.exp(each - each.max()) for each in (logits, rest if len(logits) > 1 else logits)]
    return np.stack([each / each.sum() for each in powers])


def contrasts(
    grids: NDArray[np.float64], shared: NDArray[np.float64], logits: NDArray[np.float64], chosen: list[int]
) -> NDArray[np.float64]:
    """Make maps of the log-odds of maps of logits.

    The derivative of the log-odds of class c is that of its logit, less that of the others in proportion to their
    probabilities: ``M_c - sum_j p_j M_j / (1 - p_c)`` over the classes j other than c.

    Parameters
    ----------
    grids : ndarray of float64, shape (n, rows, columns)
        Of the chosen classes.
    shared : ndarray of float64, shape (2, rows, columns)
        Of the sums of `sums_for_contrast`.
    logits : ndarray of float64, shape (n_outputs,)
    chosen : list of int
        The numbers of these classes.
    """
    if len(logits) == 1:
        return grids
    powers = np.exp(logits - logits.max())
    shares = powers / powers.sum()
    best = int(shares.argmax())
    found = np.empty_like(grids)
    for place, number in enumerate(chosen):
        if number == best:  # 1 - p may be 0
            found[place] = grids[place] - shared[1]
        else:
            found[place] = (grids[place] - shared[0]) / (1 - shares[number])
    return found
