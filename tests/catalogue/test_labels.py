"""Files that name classes, in the forms that public repositories have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_webipred.archive import label_files
from napari_webipred.archive.label_files import LABEL_FILES
from napari_webipred.card import ModelCard, Provenance
from napari_webipred.catalogue import local_model, side_files

LOCAL = local_model.card_of_path(Path("model.onnx"))
DOCS = Path(__file__).parents[2] / "docs" / "models.md"


def filled(files: dict[str, Any], card: ModelCard = LOCAL) -> ModelCard:
    contents = {name: content if isinstance(content, str) else json.dumps(content) for name, content in files.items()}
    return side_files.completed(card, {name: content.encode() for name, content in contents.items()})


def names(file: str, content: Any) -> list[str]:
    return filled({file: content}).class_names


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("class_indices.json", {"dog": 1, "cat": 0}),
        ("class_indices.json", {"0": "cat", "1": "dog"}),
        ("class_indices.json", {"dog": "1", "cat": "0"}),
        ("class_to_idx.json", {"dog": 1, "cat": 0}),
        ("class_to_idx.json", {"0": "cat", "1": "dog"}),
        ("idx_to_class.json", {"1": "dog", "0": "cat"}),
        ("classes.json", ["cat", "dog"]),
        ("classes.json", {"class_to_idx": {"dog": 1, "cat": 0}}),
        ("labels.json", {"labels": {"0": "cat", "1": "dog"}}),
        ("labels.json", [{"id": 1, "name": "dog"}, {"id": 0, "name": "cat"}]),
        ("labels.json", [{"name": "cat"}, {"name": "dog"}]),
        ("labels.json", {"0": {"name": "cat"}, "1": {"name": "dog"}}),
        ("config.json", {"id2label": {"0": "cat", "1": "dog"}, "label2id": {"cat": 0, "dog": 1}}),
        ("imagenet_class_index.json", {"0": ["n02121808", "cat"], "1": ["n02084071", "dog"]}),
        ("metadata.json", {"keras_version": "3", "classes": ["cat", "dog"]}),
        ("class_names.txt", "cat\ndog\n"),
        ("classes.txt", "cat\r\ndog\r\n\r\n"),
        ("labels.txt", "0 cat\n1 dog"),
        ("labels.txt", "0: cat\n1: dog"),
        ("labels.txt", "0,cat\n1,dog"),
        ("labels.txt", "1,dog\n0,cat"),
        ("labels.txt", "cat,0\ndog,1"),
        ("labels.txt", "dog:1\ncat:0"),
        ("labels.txt", "n02121808 cat\nn02084071 dog"),
        ("labels.txt", "0 n02121808 cat\n1 n02084071 dog"),
        ("labels.csv", "cat\ndog\n"),
        ("labels.csv", "name\ncat\ndog\n"),
        ("labels.csv", "0,cat\n1,dog\n"),
        ("labels.csv", "dog;1\ncat;0\n"),
        ("labels.csv", "ClassId,Name\n1,dog\n0,cat\n"),
        ("labels.csv", "label,index\ncat,0\ndog,1\n"),
        ("classes.csv", "id,class,pictures\n0,cat,17\n1,dog,17\n"),
    ],
)
def test_names_are_read_in_the_forms_that_people_write(file, content):
    assert names(file, content) == ["cat", "dog"]


def test_the_name_of_the_file_tells_which_of_two_numbers_is_the_index():
    digits = {"7": "0", "3": "1"}
    assert names("class_to_idx.json", digits) == ["7", "3"]
    assert names("idx_to_class.json", {"0": 7, "1": 3}) == ["7", "3"]
    assert names("class_indices.json", {"1": "0", "0": "1"}) == ["1", "0"]
    assert names("class_indices.json", {"1": 0, "0": 1}) == ["1", "0"]


def test_a_number_that_belongs_to_the_name_stays():
    assert names("labels.txt", "Stage 0\nStage 1\nStage 2") == ["Stage 0", "Stage 1", "Stage 2"]
    assert names("labels.txt", "0-9 years\n10-19 years") == ["0-9 years", "10-19 years"]
    assert names("labels.txt", "grade: 0\ngrade: 1") == ["grade: 0", "grade: 1"]


@pytest.mark.parametrize(
    ("file", "content", "why"),
    [
        ("class_indices.json", {"1": "cat", "2": "dog"}, "numbers are not 0, 1, 2"),
        ("class_to_idx.json", {"cat": 1, "dog": 2}, "numbers are not 0, 1, 2"),
        ("labels.json", {"0": "cat", "00": "dog"}, "numbers are not 0, 1, 2"),
        ("labels.json", [["cat"], ["dog"]], "not text"),
        ("labels.csv", "08.jpg,0\n09.jpg,0\n10.jpg,1\n", "not one column that numbers"),
        ("labels.csv", "01.jpg,0\n02.jpg,1\n", "lists images"),
        ("labels.csv", "id,a,b\n0,cat,x\n1,dog,y\n", "called name, label or class"),
        ("labels.csv", "0,cat\n1\n", "differ in length"),
        ("classes.txt", "cat\n\ndog", "empty, too long or not printable"),
        ("classes.txt", "cat" * 200, "empty, too long or not printable"),
        ("classes.txt", "," * 100_000, "empty, too long or not printable"),
    ],
)
def test_names_that_cannot_be_used_are_told_and_not_guessed(file, content, why):
    card = filled({file: content})
    assert card.classes == ()
    (said,) = card.provenance.assumed
    assert said.startswith(f"{file} is not read: ")
    assert why in said


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", {"class_name": "Functional", "config": {"layers": []}}),
        ("config.json", {"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}),
        ("metadata.json", {"keras_version": "3.1", "date_saved": "today"}),
        ("classes.json", {"monday": "maths"}),
        ("labels.json", {}),
        ("labels.txt", ""),
        ("labels.csv", ""),
    ],
)
def test_a_file_about_something_else_gives_no_names_and_no_remark(file, content):
    card = filled({file: content})
    assert card.classes == ()
    assert card.provenance.assumed == ()


def test_the_first_of_several_files_counts_and_that_others_differ_is_told():
    card = filled({"labels.txt": "dog\ncat", "class_indices.json": {"cat": 0, "dog": 1}, "classes.txt": "Cat\nDOG"})
    assert card.class_names == ["cat", "dog"]
    assert card.provenance.labels == "class_indices.json"
    assert card.provenance.assumed == (
        "labels.txt names the classes differently (dog, cat); those of class_indices.json are used.",
    )


def test_a_card_counts_before_other_files_and_that_they_differ_is_told():
    classes = [{"index": 0, "name": "cat", "label": "Felis catus"}, {"index": 1, "name": "dog"}]
    card = filled({"webipred.json": {"classes": classes}, "labels.txt": "a\nb\nc\nd"})
    assert card.class_names == ["cat", "dog"]
    assert card.provenance.assumed == (
        "labels.txt names the classes differently (a, b, c and 1 more); those of the card are used.",
    )
    without_remark = card.model_copy(update={"provenance": Provenance()})
    assert filled({"labels.txt": "felis_catus\ndog"}, without_remark).provenance.assumed == ()


def test_the_file_beside_the_model_counts_before_those_around_and_below_and_never_that_of_another():
    files = {"labels.txt": b"top", "a/labels.txt": b"a", "a/b/labels.txt": b"b", "other/labels.txt": b"other"}

    def found(near: str, *without: str) -> list[str]:
        return side_files.completed(
            LOCAL, {name: c for name, c in files.items() if name not in without}, near
        ).class_names

    assert found("a/m.onnx") == ["a"]
    assert found("a/m.onnx", "a/labels.txt") == ["top"]
    assert found("a/m.onnx", "a/labels.txt", "labels.txt") == ["b"]
    assert found("c/m.onnx", "labels.txt") == []
    assert found("m.onnx") == ["top"]


def test_the_documentation_lists_the_files_in_the_order_in_which_they_count():
    table = DOCS.read_text(encoding="utf-8").split("### Files beside a model")[1].split("\n\n")[2]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    listed = [name.strip().strip("`") for row in rows for name in row.split(",")]
    assert listed == [label_files.CARD_FILE, *LABEL_FILES]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.sampled_from(["0", "1", "cat", "labels", "a.png", "\u0007"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["0", "1", "labels", "id", "name"]), inner)
    ),
    max_leaves=8,
)


@given(st.sampled_from(list(LABEL_FILES)), st.one_of(JSON.map(json.dumps), st.text(st.sampled_from("01,;:\t\n na\"'"))))
def test_any_content_gives_clean_names_or_a_remark(file, content):
    card = side_files.completed(LOCAL, {file: content.encode()})
    assert all(name.isprintable() and name.strip() == name and name for name in card.class_names)
    assert len(set(card.class_names)) == len(card.class_names)
