from __future__ import annotations

import hashlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from napari_webipred.publishing.pictures import SIZES, as_png, fingerprint, pictures


def test_the_pictures_are_the_same_everywhere() -> None:
    """Whoever changes one changes ``RECIPE``: golden outputs that were published depend on them."""
    together = hashlib.sha256("".join(map(fingerprint, pictures())).encode()).hexdigest()
    assert together == "2cbbc74baea9aee8eb422599e294299c8be01d3b87f0c12d0764ee851796e1c8"


def test_the_pictures_differ_and_use_the_whole_range() -> None:
    made = list(pictures())
    assert [picture.shape for picture in made] == [(*size, 3) for size in SIZES]
    assert len(set(map(fingerprint, made))) == len(made)
    for picture in made:
        assert picture.dtype == np.uint8
        assert np.ptp(picture) > 120
        assert (picture[..., 0] != picture[..., 2]).mean() > 0.5


def test_nobody_can_change_the_pictures_of_others() -> None:
    with pytest.raises(ValueError, match="read-only"):
        next(pictures())[0] = 0


def test_a_png_holds_the_pixels_and_nothing_else() -> None:
    for number, picture in enumerate(pictures()):
        with Image.open(BytesIO(as_png(number))) as opened:
            np.testing.assert_array_equal(np.asarray(opened), picture)
            assert opened.info == {}
