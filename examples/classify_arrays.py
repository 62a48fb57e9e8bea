"""Classify NumPy arrays: an 8-bit image, 16-bit intensities with a range of their own, and a stack."""

from __future__ import annotations

import numpy as np

import napari_webipred as wp

random = np.random.default_rng(0)
y, x = np.mgrid[0:128, 0:160]
discs = sum(np.hypot(y - cy, x - cx) < 14 for cy, cx in random.uniform(20, 120, (12, 2)))

image = np.clip(60 + 120 * discs, 0, 255).astype(np.uint8)  # 8 bits: used unchanged
deep = (image * 12.0 + random.normal(0, 300, image.shape)).clip(0, 4095).astype(np.uint16)  # 12 bits of 16
stack = np.stack([image, image // 8, 255 - image // 8])  # a leading axis: one row for each plane

model = wp.open_model("demo")
print(wp.classify(image, model).round(3).to_string(index=False))
print(wp.classify(deep, model, intensity=(0, 4095)).round(3).to_string(index=False))
print(wp.classify(stack, model).round(3).to_string(index=False))
