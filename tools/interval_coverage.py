"""How often do the 95 % intervals of an evaluation hold the true value? By simulation; prints a table for the docs.

    python tools/interval_coverage.py [RUNS]

A made-up model tells three classes apart that 60, 30 and 10 % of the images have. The true values are those of 200,000
images. A value that is not defined in a run, or has no interval, is counted apart. In the last column each patient has
four images that are alike.
"""

from __future__ import annotations

import sys

import numpy as np

from napari_webipred.evaluation.cohort import Cohort
from napari_webipred.evaluation.evaluation import evaluated

SHARES = (0.6, 0.3, 0.1)
DRAWS = 400
SHOWN = (
    *(("accuracy", ""), ("sensitivity", "b"), ("sensitivity", "c"), ("specificity", "c"), ("precision", "c")),
    *(("auc", "b"), ("auc", "c"), ("auc", ""), ("average_precision", "c"), ("f1", "c"), ("f1", "")),
    *(("balanced_accuracy", ""), ("cohen_kappa", ""), ("matthews_correlation", ""), ("brier", ""), ("ece", "")),
)


def cohort(n: int, random: np.random.Generator, per_patient: int = 1) -> Cohort:
    """Draw images; those of a patient have the same class, and errors that are alike."""
    patients = -(-n // per_patient)
    true = np.repeat(random.choice(3, size=patients, p=SHARES), per_patient)[:n]
    noise = random.normal(size=(n, 3))
    if per_patient > 1:
        own = np.repeat(random.normal(size=(patients, 3)), per_patient, axis=0)[:n]
        noise = np.sqrt(0.6) * own + np.sqrt(0.4) * noise
    logits = noise + np.log(SHARES) + 1.6 * np.eye(3)[true]
    powers = np.exp(logits)
    given = powers / powers.sum(1, keepdims=True)
    chosen = np.eye(3, dtype=bool)
    groups = np.repeat(np.arange(patients), per_patient)[:n] if per_patient > 1 else None
    names = tuple(map(str, range(n)))
    best = chosen[given.argmax(1)]
    return Cohort(
        np.arange(n),
        names,
        ("a", "b", "c"),
        "multi-class",
        given,
        chosen[true],
        best,
        groups,
        "patient" if groups is not None else "",
    )


def coverage(n: int, runs: int, per_patient: int = 1) -> dict[tuple[str, str], tuple[float, int]]:
    """Return how often each interval holds the true value, and how many runs had none."""
    whole = evaluated(cohort(200_000, np.random.default_rng(1), per_patient), draws=2)
    true = {key: whole.metric(*key).value for key in SHOWN}
    held = {key: [] for key in SHOWN}
    for run in range(runs):
        found = evaluated(cohort(n, np.random.default_rng(1000 + run), per_patient), DRAWS, run)
        for key in SHOWN:
            metric = found.metric(*key)
            if not np.isnan(metric.low):
                held[key].append(metric.low <= true[key] <= metric.high)
    return {key: (float(np.mean(each)) if each else np.nan, runs - len(each)) for key, each in held.items()}


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    columns = {"n = 20": (20, 1), "n = 100": (100, 1), "n = 1000": (1000, 1), "100 patients of 4": (400, 4)}
    found = {name: coverage(n, runs, per) for name, (n, per) in columns.items()}
    print(f"| metric | {' | '.join(columns)} |\n|---|{'---:|' * len(columns)}")
    for key in SHOWN:
        cells = [
            f"{share:.3f}" + (f" (none in {none})" if none else "")
            for share, none in (each[key] for each in found.values())
        ]
        print(f"| `{key[0]}`{f' of {key[1]}' if key[1] else ''} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
