"""What own classes cost: `python benchmarks/fitting.py MODEL FOLDER [ROUNDS]`.

MODEL is a model folder, such as `full_networks.py` writes, or `demo`; FOLDER has images, such as `images.py` writes.
Computes the features of the images and classifies them plainly, in turn, and fits a head to features of 1,000 images of
10 classes with 1,024 channels. Prints JSON: images per second of processor time and their ratio, seconds of processor
time of a fit and of honest figures, and the memory that a fit needs beyond the features.
"""

from __future__ import annotations

import json
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

import napari_webipred as wp
from napari_webipred import engine
from napari_webipred.execution.features import features_of_planes
from napari_webipred.execution.plane import planes_of
from napari_webipred.fitting.head import fit
from napari_webipred.fitting.honest import judging
from napari_webipred.fitting.labels import labels_of
from napari_webipred.fitting.suggestion import suggest
from napari_webipred.steps import result_of

IMAGES, CHANNELS, CLASSES = 1000, 1024, 10


def seconds(work: Callable[[], object]) -> float:
    """Return how long processors were busy with `work`, which depends less on other programs than the clock."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def clouds() -> tuple[NDArray[np.float32], list[str]]:
    """Make features as networks have them: not negative, and many of them alike."""
    random = np.random.default_rng(0)
    kinds = np.arange(IMAGES) % CLASSES
    centres = random.normal(size=(CLASSES, CHANNELS))
    common = random.normal(size=(IMAGES, 60)) @ random.normal(size=(60, CHANNELS)) * 0.3
    own = random.normal(size=(IMAGES, CHANNELS)) * 0.5
    features = np.maximum(common + own + 0.15 * centres[kinds], 0)
    return features.astype(np.float32), [f"class {kind}" for kind in kinds]


def features_against_classes(model: wp.Model, files: list[str], rounds: int) -> dict[str, float]:
    """Compare features with plain classification, in turn."""
    sources = engine.ready_sources(model, files, engine.DEFAULTS)

    def features() -> None:
        list(features_of_planes(model, planes_of(sources), len(sources), engine.DEFAULTS))

    def classes() -> None:
        list(engine.classify(model, files))

    features(), classes()  # not counted
    found = []
    for number in range(rounds):
        if number % 2:
            found.append((seconds(features), seconds(classes)))
        else:
            plain = seconds(classes)
            found.append((seconds(features), plain))
    return {
        "features per second": len(files) / median(one for one, _ in found),
        "classified per second": len(files) / median(other for _, other in found),
        "ratio": median(other / one for one, other in found),
    }


def main() -> None:
    """Measure."""
    settings = {} if sys.argv[1] == "demo" else {"standardize": "torch"}
    model = wp.open_model(sys.argv[1], **settings)
    files = sorted(map(str, Path(sys.argv[2]).iterdir()))
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    features, labels = clouds()
    head = fit(features[:40], labels[:40])  # not counted: it imports scikit-learn
    times = [seconds(lambda: fit(features, labels)) for _ in range(rounds)]
    tracemalloc.start()
    fit(features, labels)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    known = np.arange(IMAGES) < 50
    print(
        json.dumps(
            {
                **features_against_classes(model, files, rounds),
                f"fit, {IMAGES} x {CHANNELS} x {CLASSES}, s": median(times),
                "honest figures, s": seconds(lambda: result_of(judging(features, labels_of(labels)))),
                "suggestions, s": median(
                    seconds(lambda: suggest(head.probabilities(features), features, known, 10)) for _ in range(rounds)
                ),
                "features, MB": features.nbytes / 1e6,
                "memory of a fit beyond them, MB": most / 1e6,
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
