from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_webipred import safe_json
from napari_webipred.archive import label_files
from napari_webipred.archive.model_files import open_files
from napari_webipred.card import ModelCard
from napari_webipred.catalogue import local_model, onnx_properties, side_files
from napari_webipred.errors import ModelError
from napari_webipred.merge import merge

LOCAL = local_model.card_of_path(Path("my model!.onnx"))
TEACHABLE = {"tmVersion": "2.4.4", "packageName": "@teachablemachine/image", "labels": ["cat", "dog"], "imageSize": 224}


def filled(**files: str | bytes) -> ModelCard:
    named = {name.replace("__", "."): content for name, content in files.items()}
    return side_files.completed(LOCAL, {name: c.encode() if isinstance(c, str) else c for name, c in named.items()})


def names(**files: str | bytes) -> list[str]:
    return filled(**files).class_names


def test_a_file_gives_its_name_to_the_card():
    assert (LOCAL.id, LOCAL.name) == ("my-model", "my model!")
    assert LOCAL.is_local
    assert LOCAL.preprocessing is None


def test_labels_stand_a_line_each_in_labels_txt():
    card = filled(labels__txt="cat\ndog\n\n")
    assert card.class_names == ["cat", "dog"]
    assert card.provenance.labels == "labels.txt"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_labels_may_begin_with_a_byte_order_mark_and_end_lines_as_on_windows(encoding):
    assert names(labels__txt="Hühnerei\r\n犬\r\n".encode(encoding)) == ["Hühnerei", "犬"]


def test_labels_in_an_unknown_encoding_are_not_guessed():
    card = filled(labels__txt="Hühnerei\nHund".encode("latin-1"))
    assert card.classes == ()
    assert card.provenance.assumed == ("labels.txt is not read: it is not text in UTF-8.",)


def test_numbers_that_count_the_lines_are_no_part_of_the_names():
    assert names(labels__txt="0 cat\n1 dog") == ["cat", "dog"]
    assert names(labels__txt="1 cat\n2 dogs") == ["1 cat", "2 dogs"]


@pytest.mark.parametrize(
    "content",
    [
        ["cat", "dog"],
        {"0": "cat", "1": "dog"},
        {"dog": 1, "cat": 0},
        {"1": "dog", "0": "cat"},
        {"classes": ["cat", "dog"]},
    ],
)
def test_class_names_json_is_a_list_or_tells_indices(content):
    assert names(class_names__json=json.dumps(content)) == ["cat", "dog"]


@pytest.mark.parametrize(
    "content", ["{", "3", "[]", '{"0": "cat", "2": "dog"}', '{"a": 0, "b": 5}', "null", "[" * 9999]
)
def test_json_without_clear_names_gives_no_classes(content):
    assert names(class_names__json=content) == []


def test_names_that_cannot_be_shown_are_refused():
    card = filled(class_names__json=json.dumps(["cat", "do\x07g"]))
    assert card.classes == ()
    assert "not printable" in card.provenance.assumed[0]
    assert filled(class_names__json=json.dumps(["a" * 201])).classes == ()
    assert filled(labels__txt="cat\n\ndog").classes == ()


def test_equal_names_are_told_apart_by_their_index():
    assert names(labels__txt="crane\ncat\ncrane") == ["crane (0)", "cat", "crane (2)"]


def test_a_huge_file_of_labels_is_not_read(tmp_path):
    (tmp_path / "labels.txt").write_bytes(b"a\n" * 2**20)
    card = side_files.completed(LOCAL, open_files(tmp_path))
    assert card.classes == ()
    assert "labels.txt is not read: " in card.provenance.assumed[0]
    assert f"{2**21} bytes" in card.provenance.assumed[0]


@pytest.mark.parametrize("content", ["[1, 2", "[" + "0," * 300_000 + "0]"])
def test_names_that_cannot_be_read_are_mentioned(content):
    card = filled(class_names__json=content)
    assert card.classes == ()
    assert card.provenance.assumed[0].startswith("class_names.json is not read: ")


def test_a_huge_json_beside_the_model_says_nothing_and_hides_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(safe_json, "MAX_BYTES", 100)
    (tmp_path / "history.json").write_text("[" + "1," * 100 + "1]", encoding="utf-8")
    (tmp_path / "model.json").write_text('{"userDefinedMetadata": {"labels": ["cat", "dog"]}}', encoding="utf-8")
    assert side_files.completed(LOCAL, open_files(tmp_path)).class_names == ["cat", "dog"]


def test_teachable_machine_brings_labels_and_its_own_preprocessing():
    card = filled(metadata__json=json.dumps(TEACHABLE))
    assert card.class_names == ["cat", "dog"]
    assert card.preprocessing is not None
    assert card.preprocessing.model_dump()["profile"] == "teachable-machine"
    assert card.preprocessing.resize_mode == "center-crop"


def test_a_teachable_machine_model_of_sounds_is_not_taken_for_one_of_images():
    document = TEACHABLE | {"packageName": "@teachablemachine/pose"}
    assert filled(metadata__json=json.dumps(document)).preprocessing is None


def test_other_metadata_gives_labels_only():
    card = filled(metadata__json='{"labels": ["cat", "dog"], "keras_version": "3.1"}')
    assert card.class_names == ["cat", "dog"]
    assert card.preprocessing is None
    assert filled(metadata__json='{"keras_version": "3.1", "date_saved": "today"}').classes == ()


def test_what_the_publisher_added_to_the_topology_is_the_last_resort():
    topology = json.dumps({"modelTopology": {}, "userDefinedMetadata": {"labels": ["cat", "dog"]}})
    assert names(model__json=topology) == ["cat", "dog"]
    assert names(model__json=topology, labels__txt="a\nb") == ["a", "b"]
    assert names(model__json='{"modelTopology": {"layers": {"a": 0}}, "userDefinedMetadata": null}') == []


def test_the_file_nearest_to_the_top_counts():
    files = {"a/b/labels.txt": b"no\nno2", "a/labels.txt": b"cat\ndog"}
    assert side_files.completed(LOCAL, files).class_names == ["cat", "dog"]


def test_a_whole_card_beside_the_model_is_taken():
    document = {
        "id": "pets",
        "name": "Pets",
        "classes": [{"index": 1, "name": "dog"}, {"index": 0, "name": "cat"}],
        "preprocessing": {"standardize_mode": "tf"},
        "output": {"activation": "softmax"},
        "weights": [{"format": "onnx", "source": {"type": "url", "url": "https://example.org/x"}}],
    }
    card = filled(webipred__json=json.dumps(document), labels__txt="no\nno2")
    assert (card.id, card.name, card.class_names) == ("pets", "Pets", ["cat", "dog"])
    assert card.preprocessing is not None
    assert card.preprocessing.standardize_mode == "tf"
    assert card.output.activation == "softmax"
    assert card.weights == LOCAL.weights


def test_a_card_without_a_name_leaves_that_of_the_file():
    assert filled(webipred__json='{"description": "x"}').name == "my model!"


@pytest.mark.parametrize("content", ['{"preprocessing": {"standardize_mode": "magic"}}', "[1]", "{", '{"classes": 3}'])
def test_a_bad_card_is_named(content):
    with pytest.raises(ModelError, match=r"webipred\.json"):
        filled(webipred__json=content)


def test_nothing_overrules_the_card_at_hand():
    card = ModelCard.model_validate(
        {"id": "a", "name": "A", "classes": [{"index": 0, "name": "x"}], "description": "d"}
    )
    files = {
        "webipred.json": b'{"id": "b", "name": "B", "description": "e", "license": "MIT"}',
        "labels.txt": b"cat\ndog",
    }
    full = side_files.completed(card, files)
    assert (full.id, full.name, full.description, full.license, full.class_names) == ("a", "A", "d", "MIT", ["x"])


def test_properties_of_an_onnx_file_name_classes_and_pixel_range():
    def with_properties(**properties):
        given = {key.replace("__", "."): value for key, value in properties.items()}
        return merge(LOCAL, *onnx_properties.class_names(given), onnx_properties.pixel_range(given))

    for text in ("{0: 'cat', 1: 'dog'}", '["cat", "dog"]', "cat,dog", "cat\ndog\n"):
        assert with_properties(names=text).class_names == ["cat", "dog"]
    assert with_properties(names="__import__('os').system('false')").class_names != []  # text, never run
    ranges = {"NominalRange_0_255": "none", "Normalized_0_1": "custom", "Normalized_1_1": "tf"}
    for value, mode in ranges.items():
        preprocessing = with_properties(Image__NominalPixelRange=value).preprocessing
        assert preprocessing is not None
        assert preprocessing.standardize_mode == mode
    assert with_properties(Image__NominalPixelRange="NominalRange_16_235").preprocessing is None


@given(st.dictionaries(st.sampled_from((*label_files.SIDE_FILES, "model.json")), st.binary(max_size=200)))
def test_any_files_give_a_card_or_a_model_error(files):
    with suppress(ModelError):
        side_files.completed(LOCAL, files)
