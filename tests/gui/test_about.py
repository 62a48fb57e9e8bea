from __future__ import annotations

import pytest

pytest.importorskip("napari")

from tests.gui.conftest import CHEST

from napari_webipred._napari.models.about import about
from napari_webipred.card import Provenance


def test_what_was_assumed_and_how_the_self_test_went_is_told():
    provenance = Provenance(
        assumed=("It is taken for logits.",),
        notes=("WebIPred cannot load it.",),
        self_test="It passed.",
        published="2024-05",
        keywords=("lung",),
    )
    html = about(CHEST.model_copy(update={"provenance": provenance}))
    assert "It is taken for logits.<br>WebIPred cannot load it.<br>It passed." in html
    assert "2024-05" in html


def test_a_card_without_remarks_has_no_heading_for_them():
    assert "Notes" not in about(CHEST)
