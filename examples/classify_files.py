"""Classify image files and save the table: `python examples/classify_files.py [IMAGE OR FOLDER ...]`."""

from __future__ import annotations

import sys

import napari_webipred as wp
from napari_webipred.samples import sample_images

images = sys.argv[1:] or sample_images()
model = wp.open_model("demo")
table = wp.classify(images, model)

print(f"{model.card.name}: {', '.join(model.classes)}")
print(table[["image", "prediction"]].to_string(index=False))
table.to_csv("classified.csv", index=False)
