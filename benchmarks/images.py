"""Make images of 1000 x 800 pixels by formula: `python benchmarks/images.py FOLDER COUNT`.

In turn a grey JPEG, an RGB JPEG, an RGB PNG and a grey PNG: smooth shapes, edges and a little noise, so that they are
about as large on disk, and take about as long to decode, as photographs and radiographs of this size.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 1000, 800


def image(number: int) -> np.ndarray:
    """Return image `number`: uint8, shape (800, 1000, 3)."""
    random = np.random.default_rng(number)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    channels = []
    for _ in range(3):
        fx, fy, phase = random.uniform(0.002, 0.02, 3)
        waves = np.sin(fx * x + fy * y + 300 * phase) + np.sin(0.006 * np.hypot(x - 900 * fx * 50, y - 400) + phase)
        channels.append(128 + 45 * waves + 20 * (waves > 0.8) + random.normal(0, 4, x.shape))
    return np.clip(np.stack(channels, -1), 0, 255).astype(np.uint8)


def main() -> None:
    """Write the images."""
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        made = Image.fromarray(image(number))
        if number % 4 in (0, 3):
            made = made.convert("L")
        made.save(folder / f"{number:04}.{'jpg' if number % 4 < 2 else 'png'}", quality=90)


if __name__ == "__main__":
    main()
