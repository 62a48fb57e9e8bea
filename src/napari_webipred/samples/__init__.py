"""Sample images for the demonstration and for *File > Open Sample*; made by ``tools/make_samples.py``.

They are made of images in scikit-image that are free of copyright: stained tissue (``ihc``), coins (``coins``, no
known copyright restrictions), a retina and a cell (``retina``, ``cell``, CC0). The demo model was not trained on them.
"""

from __future__ import annotations

from pathlib import Path

NAMES = (
    "tissue_sharp.jpg",
    "tissue_blurred.jpg",
    "coins_noisy.png",
    "retina_overexposed.jpg",
    "cell_underexposed.tif",
)


def sample_images() -> list[Path]:
    """Return the paths of the sample images; their names end with the class that they belong to."""
    return [Path(__file__).parent / name for name in NAMES]
