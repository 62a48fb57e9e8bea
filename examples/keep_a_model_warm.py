"""Open a model once and use it many times, with images that you prepare yourself."""

from __future__ import annotations

import time

import numpy as np

import napari_webipred as wp

model = wp.open_model("demo")
model.warm_up()  # so that the first image takes no longer than the others

size = model.card.input
assert size is not None
tensor = np.zeros((1, size.height, size.width, model.input_shape[2]), np.float32)  # resized and scaled already
for _ in range(3):
    begin = time.perf_counter()
    numbers = model.predict(tensor)
    shown = ", ".join(f"{name} {number:.3f}" for name, number in zip(model.classes, numbers[0], strict=True))
    print(f"{1000 * (time.perf_counter() - begin):.1f} ms: {shown}")
