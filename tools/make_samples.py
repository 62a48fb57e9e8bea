"""Make the sample images of the package from images of scikit-image that the demo model has never seen.

Run it with the extra ``train`` installed: ``python tools/make_samples.py``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import skimage
from PIL import Image
from scipy import ndimage

SAMPLES = Path(__file__).parents[1] / "src" / "napari_webipred" / "samples"


def source(name: str, top: int, left: int, side: int) -> np.ndarray:
    """Return a square part of an image, float64 in 0..1."""
    with Image.open(Path(skimage.__file__).parent / "data" / name) as image:
        return np.asarray(image, np.float64)[top : top + side, left : left + side] / 255


def save(pixels: np.ndarray, name: str) -> None:
    """Write an image of values in 0..1 as 8-bit."""
    image = Image.fromarray(np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8))
    image.save(SAMPLES / name, **({"quality": 90} if name.endswith(".jpg") else {}))


def main() -> None:
    generator = np.random.default_rng(1)
    tissue, other_tissue = source("ihc.png", 0, 0, 320), source("ihc.png", 180, 190, 320)
    retina = source("retina.jpg", 0, 0, 1411)[::3, ::3]
    coins = source("coins.png", 0, 0, 303)
    cell = source("cell.png", 190, 60, 480)
    save(tissue, "tissue_sharp.jpg")
    save(ndimage.gaussian_filter(other_tissue, (4, 4, 0)), "tissue_blurred.jpg")
    save(coins + 0.16 * generator.normal(size=coins.shape), "coins_noisy.png")
    save(retina * 2.3, "retina_overexposed.jpg")
    save(cell * 0.2, "cell_underexposed.tif")


if __name__ == "__main__":
    main()
