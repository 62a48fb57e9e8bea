"""Made-up images with known classes."""

from __future__ import annotations

import numpy as np

from napari_webipred.evaluation.cohort import Cohort, Label, Predictions, Task
from napari_webipred.evaluation.joining import joined


def exclusive(n: int, k: int, *, seed: int = 0, distance: float = 1.5, ties: bool = False) -> Cohort:
    """Images of k classes that exclude each other; the larger the distance, the better the model."""
    random = np.random.default_rng(seed)
    true = random.integers(k, size=n)
    logits = random.normal(size=(n, k))
    logits[np.arange(n), true] += distance
    powers = np.exp(logits)
    given = (powers / powers.sum(1, keepdims=True)).astype(np.float32)
    if ties:
        given = np.round(given, 1)
    return cohort_of(true, given)


def cohort_of(true: np.ndarray, given: np.ndarray, **more: object) -> Cohort:
    """Images with these classes (indices) and probabilities; assigned is the most probable one."""
    n, k = given.shape
    truth, assigned = np.zeros((2, n, k), np.bool_)
    truth[np.arange(n), true] = assigned[np.arange(n), given.argmax(1)] = True
    return Cohort(
        np.arange(n),
        tuple(f"{i}.png" for i in range(n)),
        tuple("abcdefghijklmnop"[:k]),
        "multi-class",
        given.astype(np.float64),
        truth,
        assigned,
        **more,  # type: ignore[arg-type]
    )


def several(n: int, k: int, *, seed: int = 0) -> Cohort:
    """Images that can have several of k classes, or none."""
    random = np.random.default_rng(seed)
    truth = random.random((n, k)) < 0.4
    given = (1 / (1 + np.exp(-random.normal(size=(n, k)) - 2 * truth + 1))).astype(np.float32)
    return Cohort(
        np.arange(n),
        tuple(f"{i}.png" for i in range(n)),
        tuple("abcdefghijklmnop"[:k]),
        "multi-label",
        given.astype(np.float64),
        truth,
        given >= 0.5,
    )


def table(images: list[str], given: list[list[float]], task: Task = "multi-class", **more: object) -> Predictions:
    numbers = np.array(given, np.float32)
    assigned = numbers == numbers.max(axis=1, keepdims=True) if task != "multi-label" else numbers >= 0.5
    return Predictions(images, numbers, assigned, tuple("abcdef"[: numbers.shape[1]]), task, **more)  # type: ignore[arg-type]


__all__ = ["Label", "cohort_of", "exclusive", "joined", "several", "table"]
