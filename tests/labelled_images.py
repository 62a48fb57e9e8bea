"""Small images of three kinds that a network tells apart: flat, striped and noisy."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

KINDS = ("flat", "noise", "stripes")


def image(kind: str, number: int) -> NDArray[np.uint8]:
    """Return an image of 48 x 48 pixels, another one for each number."""
    random = np.random.default_rng(number)
    level = int(random.integers(60, 180))
    if kind == "noise":
        return random.integers(0, 256, (48, 48), np.uint8)
    if kind == "stripes":
        lines = np.full((48, 48), level, np.uint8)
        lines[:: int(random.integers(3, 7))] = 255
        return lines
    return np.full((48, 48), level, np.uint8)


def images(count: int, kinds: tuple[str, ...] = KINDS) -> tuple[list[NDArray[np.uint8]], list[str]]:
    """Return so many images of each kind, and the kind of each."""
    labels = [kind for number in range(count) for kind in kinds]
    return [image(kind, row) for row, kind in enumerate(labels)], labels


def folder(place: Path, count: int, kinds: tuple[str, ...] = KINDS) -> Path:
    """Write the images into a folder for each kind, and ``labels.csv`` with image, label and day beside them."""
    pixels, labels = images(count, kinds)
    lines = []
    for number, (each, label) in enumerate(zip(pixels, labels, strict=True)):
        (place / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(each).save(place / label / f"{number}.png")
        lines.append((f"{label}/{number}.png", label, f"day {number // len(kinds) % 4}"))
    with (place / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("image", "label", "day"), *lines])
    return place
