"""Follow a run and cancel it, with the generator that the panel and the command line use."""

from __future__ import annotations

from contextlib import closing

import numpy as np

import napari_webipred as wp
from napari_webipred import engine

model = wp.open_model("demo")
images = [np.full((100, 100), level, np.uint8) for level in range(0, 250, 5)]

with closing(engine.classify(model, images)) as events:  # closing the generator cancels the run
    for event in events:
        match event:
            case engine.Started(total=total):
                print(f"{total} images")
            case engine.RowDone(row=row, done=done) if row.failed:
                print(f"{done}: {row.image} failed: {row.error}")
            case engine.RowDone(row=row, done=done):
                print(f"{done}: {row.image} is {row.prediction} ({row.probabilities.max():.3f})")
                if done == 10:
                    print("enough")
                    break
            case engine.Finished(seconds=seconds):
                print(f"finished after {seconds:.1f} s")
