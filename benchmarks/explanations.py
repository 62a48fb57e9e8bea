"""What explanations cost: `python benchmarks/explanations.py MODEL FOLDER [ROUNDS]`.

MODEL is a model folder, such as `full_networks.py` writes, FOLDER has images, such as `images.py` writes. Classifies
them with maps of all classes and without, in turn, and occludes one image in batches and one part at a time, in turn.
Prints JSON: seconds of each round, by the clock and of processors, and the medians of their ratios.
Occlusion takes less long with the model `demo`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median

import napari_webipred as wp
from napari_webipred import engine
from napari_webipred.explanations import occlusion
from napari_webipred.explanations.executor import explaining
from napari_webipred.explanations.request import Request
from process import timed

ROUNDS = int(sys.argv[3]) if len(sys.argv) > 3 else 5


def in_turn(first: Callable[[], object], second: Callable[[], object]) -> dict[str, object]:
    """Time both in turn, and compare the first with the second within each round."""
    first(), second()  # not counted
    rounds = []
    for number in range(ROUNDS):
        if number % 2:
            one, other = timed(first), timed(second)
        else:
            other, one = timed(second), timed(first)
        rounds.append((one, other))
    clock, processors = (median(one[i] / other[i] for one, other in rounds) for i in (0, 1))
    return {"rounds": rounds, "ratio by the clock": clock, "ratio of processors": processors}


def main() -> None:
    """Measure."""
    model = wp.open_model(sys.argv[1], **({} if sys.argv[1] == "demo" else {"standardize": "torch"}))
    files = sorted(map(str, Path(sys.argv[2]).iterdir()))
    executor = explaining(Request(), lambda plane: lambda prepared, found: found)

    def occlude(batch: int) -> None:
        occlusion.BATCH = batch
        wp.explain(files[0], model, classes=model.classes[:1], method="occlusion")

    maps = in_turn(
        lambda: list(engine.classify(model, files, executor=executor)), lambda: list(engine.classify(model, files))
    )
    print(
        json.dumps({"files": len(files), "classes": len(model.classes), "with maps, against without": maps}), flush=True
    )
    batch = occlusion.BATCH
    covered = in_turn(lambda: occlude(batch), lambda: occlude(1))
    print(json.dumps({f"occlusion in batches of {batch}, against one part at a time": covered}))


if __name__ == "__main__":
    main()
