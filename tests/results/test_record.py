from __future__ import annotations

import json

import numpy as np

from napari_webipred.card import ModelCard, Provenance
from napari_webipred.results.record import Record
from napari_webipred.results.row import Row

CARD = ModelCard.model_validate(
    {
        "id": "test",
        "name": "Test",
        "record_doi": "10.5281/zenodo.1",
        "license": "CC-BY-4.0",
        "classes": [{"index": 0, "name": "A", "threshold": 0.7}, {"index": 1, "name": "B"}],
        "input": {"width": 32, "height": 16, "channels": 3},
        "preprocessing": {"standardize_mode": "torch"},
    }
)
P = np.array([0.5, 0.5], np.float32)


def made(*rows: Row) -> dict:
    record = Record(CARD, "sha256:abc", {"intensity": "auto", "threshold": 0.5}, len(rows))
    for row in rows:
        record.add(row)
    return record.as_dict()


def test_the_record_says_how_the_result_was_made():
    record = made(Row(0, "a.png", {}, P, "A"))
    assert record["model"]["doi"] == "10.5281/zenodo.1"
    assert record["model"]["checksum"] == "sha256:abc"
    assert record["model"]["classes"][0]["threshold"] == 0.7
    assert record["preprocessing"]["standardize_mode"] == "torch"
    assert record["preprocessing"]["profile"] == "webipred"
    assert record["input"]["width"] == 32
    assert record["options"] == {"intensity": "auto", "threshold": 0.5}
    assert record["versions"]["numpy"] == np.__version__
    assert record["inputs"] == [{"image": "a.png"}]


def test_the_record_says_which_profile_was_chosen_and_what_it_stands_for():
    chosen = Record(CARD, "sha256:abc", {"profile": "aucmedi"}, 0).as_dict()["preprocessing"]
    assert (chosen["profile"], chosen["standardize_mode"]) == ("aucmedi", "torch")
    chosen = Record(CARD, "sha256:abc", {"profile": "teachable-machine"}, 0).as_dict()["preprocessing"]
    assert (chosen["profile"], chosen["resize_mode"], chosen["mean"]) == ("teachable-machine", "center-crop", (127,))
    assert Record(CARD, "sha256:abc", {"profile": None}, 0).as_dict()["preprocessing"]["profile"] == "webipred"


def test_the_record_says_whether_the_run_came_to_its_end():
    record = Record(CARD, "sha256:abc", {}, 3)
    record.add(Row(0, "s.tif", {"z": 0}, P, "A"))
    record.add(Row(0, "s.tif", {"z": 1}, None, "", error="broken"))
    assert not record.as_dict()["complete"]
    assert record.as_dict()["planes"] == {"asked": 3, "done": 2, "failed": 1}
    record.add(Row(0, "s.tif", {"z": 2}, P, "A"))
    assert record.as_dict()["complete"]


def test_a_range_that_is_not_that_of_8_bit_images_is_recorded():
    record = made(
        Row(0, "s.tif", {"z": 0}, P, "A", intensity_range=(10.0, 4095.0)),
        Row(0, "s.tif", {"z": 1}, P, "A", intensity_range=(0.0, 255.0)),
    )
    assert record["inputs"] == [{"image": "s.tif", "intensity_ranges": [[0, 10.0, 4095.0]]}]


def test_a_note_says_that_the_planes_of_a_stack_had_different_ranges():
    rows = [Row(0, "s.tif", {"z": z}, P, "A", intensity_range=(10.0, 100.0 + z)) for z in range(2)]
    (note,) = made(*rows)["notes"]
    assert "s.tif (black 10, white 100 to 101)" in note
    assert made(rows[0])["notes"] == []


def test_remarks_stand_with_their_image_and_plane():
    record = made(
        Row(0, "s.tif", {"z": 0}, P, "A"),
        Row(0, "s.tif", {"z": 1}, P, "A", remark="It is blank."),
        Row(1, "x.png", {}, P, "A", remark="It is small."),
    )
    assert record["inputs"] == [
        {"image": "s.tif", "remarks": [[1, "It is blank."]]},
        {"image": "x.png", "remarks": [["It is small."]]},
    ]


def test_failed_planes_are_counted():
    assert made(Row(0, "x.png", error="broken"))["inputs"] == [{"image": "x.png", "failed": 1}]


def test_the_record_stands_beside_the_table(tmp_path):
    path = Record(CARD, "sha256:abc", {}, 0).write(tmp_path / "out.csv")
    assert path == tmp_path / "out.csv.json"
    assert json.loads(path.read_text(encoding="utf-8"))["model"]["name"] == "Test"


def test_the_record_says_what_was_assumed_and_how_the_self_test_went():
    provenance = {"assumed": ["a"], "notes": ["b"], "self_test": "passed", "source": "elsewhere"}
    card = CARD.model_copy(update={"provenance": Provenance.model_validate(provenance)})
    record = Record(card, "sha256:abc", {}, 0).as_dict()
    assert record["model"]["remarks"] == {"assumed": ["a"], "notes": ["b"], "self_test": "passed"}
