"""Labels are given, taken back, and never lost."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_webipred.errors import OptionError
from napari_webipred.evaluation import truth
from napari_webipred.fitting import project_file
from napari_webipred.fitting.project import UNSURE, Contents, Picture, Project

CAT, DOG, STACK = Picture("/data/cat.png"), Picture("/data/dog.png"), Picture("stack", (("z", 3),), "cell 1")


def labelled() -> Project:
    project = Project()
    for name in ("cat", "dog"):
        project.add_class(name)
    project.label(CAT, ("cat",))
    project.label(DOG, ("dog",))
    project.label(STACK, UNSURE)
    return project


def test_each_change_can_be_taken_back_one_after_the_other():
    project = labelled()
    before = project.contents()
    project.label(CAT, ("dog",))
    project.rename("dog", "hound")
    project.remove_class("cat")
    project.take({STACK: ("cow",), CAT: None})
    assert (project.classes, project.labels) == (("hound", "cow"), {DOG: ("hound",), STACK: ("cow",)})
    assert [set(project.undo()) for _ in range(4)] == [{STACK, CAT}, set(), {CAT, DOG}, {CAT}]
    assert project.contents() == before
    while project.can_undo:
        project.undo()
    assert project.contents() == Contents()
    assert project.undo() == []


def test_a_removed_class_takes_its_labels_with_it_until_that_is_taken_back():
    project = labelled()
    project.allow_several(True)
    project.label(CAT, ("cat", "dog"))
    project.remove_class("dog")
    assert project.labels == {CAT: ("cat",), STACK: UNSURE}
    project.undo()
    assert project.labels[DOG] == ("dog",)
    assert project.counts() == {"cat": 1, "dog": 2}


def test_pictures_of_which_nobody_knows_count_for_no_class():
    project = labelled()
    assert (project.counts(), project.decided()) == ({"cat": 1, "dog": 1}, 2)
    assert (project.counts([STACK, CAT]), project.decided([STACK])) == ({"cat": 1, "dog": 0}, 0)


@pytest.mark.parametrize("name", ["", "  ", "cat", " CAT ", "None", "a;b", "a\nb", "x" * 101])
def test_a_class_cannot_be_called_so(name):
    project = labelled()
    before = project.contents()
    with pytest.raises(OptionError) as caught:
        project.add_class(name)
    assert caught.value.hint
    assert project.contents() == before


def test_one_class_for_each_picture_means_one():
    project = labelled()
    before = project.contents()
    with pytest.raises(OptionError, match="cat, dog"):
        project.take({CAT: ("dog",), DOG: ("cat", "dog")})
    assert project.contents() == before
    project.allow_several(True)
    project.label(DOG, ("none",))
    with pytest.raises(OptionError, match="1 image has several classes, or none"):
        project.allow_several(False)


def test_a_project_comes_back_from_its_files_as_it_was(tmp_path):
    project = labelled()
    project.add_class("bird, =1+1")
    project.allow_several(True)
    project.label(DOG, ("dog", "cat"))
    project.label(Picture("=sum.png"), ("none",))
    project.label(Picture("stack", (("t", 0), ("z", 9)), "cell 2"), ("bird, =1+1",))
    project.groups = {CAT: "patient 1"}
    project.base = "demo"
    path = tmp_path / "labels.csv"
    project_file.write(path, project.contents())
    assert project_file.read(path) == project.contents()
    other = Project()
    other.open(project.contents())
    assert other.contents() == project.contents()


def test_the_table_of_labels_is_one_that_every_front_reads(tmp_path):
    path = tmp_path / "labels.csv"
    project_file.write(path, labelled().contents())
    assert path.read_text() == "image,label\n/data/cat.png,cat\n/data/dog.png,dog\n"
    labels, _ = truth.of(path, ("cat", "dog"))
    assert [(label.image, label.classes) for label in labels] == [(CAT.image, ("cat",)), (DOG.image, ("dog",))]


def test_classes_without_a_label_are_kept(tmp_path):
    project = Project()
    project.add_class("cat")
    project_file.write(tmp_path / "labels.csv", project.contents())
    assert project_file.read(tmp_path / "labels.csv") == project.contents()


def test_a_table_from_elsewhere_is_no_project(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("image,label\na.png,cat\n")
    assert project_file.read(path) is None


@pytest.mark.parametrize(
    "text", ["", "{", '{"version": 1, "classes": []}', '{"version": 2, "classes": [], "axes": []}']
)
def test_a_damaged_note_beside_the_table_is_told(tmp_path, text):
    path = tmp_path / "labels.csv"
    path.write_text("image,label\na.png,cat\n")
    (tmp_path / "labels.csv.labels.json").write_text(text)
    with pytest.raises(OptionError, match=r"labels\.csv\.labels\.json"):
        project_file.read(path)


@pytest.mark.parametrize("text", ["[]", '{"version": 1}', '{"model": {"name": "Net"}, "table_checksum": "sha256:0"}'])
def test_json_of_something_else_beside_a_table_makes_it_no_project(tmp_path, text):
    path = tmp_path / "labels.csv"
    path.write_text("image,label\na.png,cat\n")
    (tmp_path / "labels.csv.labels.json").write_text(text)
    assert project_file.read(path) is None


def test_the_record_of_a_table_of_results_is_neither_read_nor_replaced(tmp_path):
    path, record = tmp_path / "results.csv", tmp_path / "results.csv.json"
    path.write_text("image,label\na.png,cat\n")
    record.write_text('{"table_checksum": "sha256:0"}')
    assert project_file.read(path) is None
    project_file.write(path, labelled().contents())
    assert record.read_text() == '{"table_checksum": "sha256:0"}'
    assert project_file.read(path) == labelled().contents()


def test_a_folder_that_is_gone_is_told_and_costs_no_label(tmp_path):
    project = labelled()
    with pytest.raises(OptionError, match="its folder does not exist"):
        project_file.write(tmp_path / "gone" / "labels.csv", project.contents())
    assert project.decided() == 2


texts = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=12)
pictures = st.builds(
    Picture, texts.map(str.strip).filter(bool), st.sampled_from([(), (("z", 3),), (("t", 0), ("z", 1))]), st.just("")
)


@given(st.dictionaries(pictures, st.sampled_from([("a",), ("b",), UNSURE]), max_size=8))
def test_whatever_pictures_are_called_their_labels_come_back(labels):
    project = Project()
    project.take(labels)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "labels.csv"
        project_file.write(path, project.contents())
        assert project_file.read(path).labels == project.labels


def test_labels_go_with_pictures_that_are_called_otherwise_also_when_changes_are_taken_back():
    project, one, two, three = Project(), *(Picture("cells", (), str(number)) for number in (1, 2, 3))
    gone = Picture("cells", (), "gone")
    project.take({one: ("a",), two: ("b",), three: ("a",)})
    project.label(three, ("b",))
    assert project.named == {one, two, three}
    project.move({one: gone, two: one, three: two})
    assert project.labels == {gone: ("a",), one: ("b",), two: ("b",)}
    assert project.undo() == [two]
    assert project.labels == {gone: ("a",), one: ("b",), two: ("a",)}
    project.undo()
    assert (project.labels, project.named) == ({}, set())
