"""A session comes back from its file as it was; a file of anybody else's gives a clear error."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from msgspec.structs import replace

from napari_webipred.card import ModelCard
from napari_webipred.errors import OptionError
from napari_webipred.results import saved_session, session_reader, session_writer
from napari_webipred.results.inputs import ChannelInput, ImageInput, ModelInput, Parts, RegionInput
from napari_webipred.results.row import Row
from napari_webipred.results.saved_session import SavedRun, SavedSession

CARD = ModelCard.model_validate(
    {
        "id": "eye",
        "name": "Eye",
        "task": "multi-label",
        "classes": [{"index": 0, "name": "A", "threshold": 0.9}, {"index": 1, "name": "B"}, {"index": 2, "name": "C"}],
        "input": {"width": 4, "height": 4},
        "preprocessing": {"standardize_mode": "none"},
        "provenance": {"notes": ["mind this"]},
    }
)
STEPS = (
    ("planes", (("t", (1, 4, 2)), ("z", (0, 1, 1)))),
    ("project", "z", "max", (0, 2, 1)),
    ("channel", "c", 2),
)
IMAGES = (
    ImageInput(
        "a", "a", "/scans/caf\udce9.tif", (3, 4, 5), "uint8", False, ("t",), None, (1.0, 0.5), (0.0, 9.5), STEPS
    ),
    ImageInput(r"b\x0a", "b\n", None, (4, 5, 3), "float32", True, steps=None),
)
REGIONS = (
    RegionInput("1", (-2, 0, 4, 5), (3,), ((0.1, 0.2), (3.0, 1 / 3), (2.5, 4.0))),
    RegionInput("2", (0, 0, 4, 5), None, None, True),
)
SERIES = ImageInput(
    "c", "c", None, (3, 4, 5), "int16", False, ("z",), steps=None, parts=Parts((), (), ("/x/caf\udce9.dcm",))
)
CHANNELS = (ChannelInput(IMAGES[0], (1.0, 0.0, 0.5), (7.0, 3900.5)), ChannelInput(SERIES, (0.0, 1.0, 0.0), None))
MERGED = ImageInput("a + c", "a", steps=None, parts=Parts((STEPS[0],), CHANNELS, (), REGIONS))
LEFT_OUT = ImageInput("d", "d", steps=None, parts=Parts((), (), (), (), True))


def row(source: int = 0, p=(0.95, 0.5, 0.1), **facts) -> Row:
    made = Row(source, IMAGES[source].name, intensity_range=(0.0, 255.0), **facts)
    if made.error:
        return made
    return replace(made, probabilities=np.array(p, np.float32), prediction="A; B", assigned=(0, 1))


def run(rows=None) -> SavedRun:
    rows = [row(position={"t": 2}, remark="blank"), row(1, error="broken", region="7")] if rows is None else rows
    return SavedRun(
        datetime(2026, 1, 31, 12, 5, tzinfo=UTC),
        CARD,
        "sha256:ab",
        {"intensity": (0.0, 9.5), "threshold": 0.4, "profile": None},
        ("t",),
        3,
        ModelInput("/models/own.zip", True, {"classes": ("A", "B", "C"), "allow_slow": True}),
        IMAGES,
        rows,
        {1: "look\nagain"} if rows else {},
    )


FORM = {"model": "eye", "planes": "all", "intensity": "auto", "threshold": 0.25}


def save(path: Path, session: SavedSession) -> None:
    for _ in session_writer.save(path, session):
        pass


def load(path: Path) -> SavedSession:
    work = session_reader.load(path)
    while True:
        try:
            next(work)
        except StopIteration as finished:
            return finished.value


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "my.webipred.json"


def plain(row: Row) -> tuple:
    numbers = None if row.probabilities is None else row.probabilities.tobytes()
    said = (row.source, row.image, dict(row.position), numbers, row.prediction, row.assigned, row.error)
    return (*said, row.intensity_range, row.region, row.reading, row.remark)


def check_same(found: SavedSession, saved: SavedSession) -> None:
    assert found.form == saved.form
    for one, other in zip(found.runs, saved.runs, strict=True):
        assert replace(one, rows=[]) == replace(other, rows=[])
        assert list(map(plain, one.rows)) == list(map(plain, other.rows))


def test_a_session_comes_back_as_it_was(path: Path) -> None:
    session = SavedSession((run(), run([]), run()), FORM)
    save(path, session)
    check_same(load(path), session)


def test_the_file_is_one_json_object_without_what_nobody_has_said(path: Path) -> None:
    save(path, SavedSession((run(), run()), FORM))
    content = json.loads(path.read_bytes())
    assert (content["format"], content["version"]) == ("napari-webipred session", 1)
    assert [next(iter(part)) for part in content["parts"]] == ["run", "images", "rows"] * 2
    save(path, SavedSession(()))
    assert json.loads(path.read_bytes())["parts"] == []
    assert load(path) == SavedSession(())


def test_what_an_image_consists_of_comes_back(path: Path) -> None:
    images = (*IMAGES, SERIES, MERGED, LEFT_OUT)
    save(path, SavedSession((replace(run(), images=images),)))
    assert load(path).runs[0].images == images


def test_many_corners_of_regions_are_put_together_from_many_lines(path: Path) -> None:
    outline = tuple((i / 7, i / 3) for i in range(9_999))
    parts = Parts((), (), (), (RegionInput("1", (0, 0, 4, 5), None, outline),) * 2)
    images = tuple(ImageInput(f"image {i}", f"image {i}", steps=None, parts=parts) for i in range(20))
    save(path, SavedSession((replace(run([]), images=images),)))
    assert load(path).runs[0].images == images


def of(files: int, path: str, number: int = 0) -> ImageInput:
    """Return a series of files."""
    names = tuple(path.format(i) for i in range(files))
    return ImageInput(f"image {number}", f"image {number}", steps=None, parts=Parts((), (), names))


def merged(number: int, channels: int, files: int) -> ImageInput:
    """Return an image of several series of files."""
    each = ChannelInput(of(files, f"/{'s' * 240}/{{:05}}.dcm", number), (1.0, 0.0, 0.5), None)
    return ImageInput(f"merged {number}", "a", steps=None, parts=Parts((), (each,) * channels))


NAMES = (f"cell {i}, type [a], {{b}}, c" for i in range(19_999))
LABELS = tuple(RegionInput(name, (1, 0, 5, 5), (3, 1), None, True) for name in NAMES)


@pytest.mark.parametrize(
    ("images", "fit"),
    [
        ([of(40_000, f"/{'p' * 234}{{:05}}")], False),
        ([of(15_000, f"/{'腹部增强扫描动脉期' * 20}/{{:05}}.dcm")], False),
        ([ImageInput("c", "c", steps=None, parts=Parts((), (), (), LABELS))], False),
        ([merged(i, 3, 1_000) for i in range(12)], True),
        ([merged(i, 2, 300) for i in range(120)], True),
    ],
)
def test_an_image_of_much_is_written_so_that_it_can_be_read(path: Path, images: list[ImageInput], fit: bool) -> None:
    save(path, SavedSession((replace(run(), images=(*IMAGES, *images)),)))
    expected = images if fit else [replace(each, parts=None) for each in images]
    assert load(path).runs[0].images == (*IMAGES, *expected)


def test_what_images_consist_of_leaves_space_for_the_rows(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_writer, "_PARTS", 20_000)
    images = tuple(of(100, "/scans/{:05}.dcm", i) for i in range(7))
    save(path, SavedSession((replace(run(), images=images[:2]), replace(run(), images=images))))
    first, second = load(path).runs
    assert first.images == images[:2]
    kept = [image.parts is not None for image in second.images]
    assert kept == sorted(kept, reverse=True)
    assert 2 < sum(kept) < 7


def test_what_images_consist_of_is_left_out_when_a_file_says_too_much(path: Path, monkeypatch) -> None:
    monkeypatch.setattr(session_reader, "MOST_PARTS", 100)
    outline = tuple((float(i), float(i)) for i in range(29))
    regions = ImageInput(
        "r", "r", steps=None, parts=Parts((), (), (), (RegionInput("1", (0, 0, 4, 5), None, outline),))
    )
    first, second = (regions, merged(0, 2, 20)), (of(28, "/{}"), *IMAGES, of(1, "/{}"))  # 30 + 42, 28 + 1
    save(path, SavedSession(tuple(replace(run(), images=each) for each in (first, second))))
    found = [each.images for each in load(path).runs]
    assert found == [first, (*second[:-1], replace(second[-1], parts=None))]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(npst.arrays(np.float32, (3, 3), elements=st.floats(0, 1, width=32)))
def test_probabilities_keep_every_bit(tmp_path: Path, numbers: np.ndarray) -> None:
    out = tmp_path / "bits.webipred.json"
    save(out, SavedSession((run([row(p=p) for p in numbers]),)))
    found = [row.probabilities for row in load(out).runs[0].rows]
    np.testing.assert_array_equal(np.array(found).view(np.uint32), numbers.view(np.uint32))


def test_classes_follow_from_the_thresholds_of_the_run_and_of_the_card(path: Path) -> None:
    save(path, SavedSession((run([row(p=(0.85, 0.4, 0.39)), row(p=(0.95, 0.1, 0.1))]),)))
    assert [row.prediction for row in load(path).runs[0].rows] == ["B", "A"]


def test_the_classes_of_an_ensemble_are_kept_as_they_do_not_follow_from_a_majority(path: Path) -> None:
    made = {"method": "majority", "models": ["1: Eye", "2: Eye"], "checksums": {"1: Eye": "sha256:ab"}}
    tie = replace(row(p=(0.5, 0.5, 0)), prediction="B", assigned=(1,))
    save(path, SavedSession((replace(run([tie, row(1, error="broken")]), ensemble=made),)))
    (found,) = load(path).runs
    assert found.ensemble == made
    assert [(row.prediction, row.assigned) for row in found.rows] == [("B", (1,)), ("", ())]
    path.write_bytes(path.read_bytes().replace(b'"assigned": {"0": [1]}', b'"assigned": {"0": [3]}'))
    with pytest.raises(OptionError, match="a class that its model does not have"):
        load(path)


def test_how_a_reference_was_made_comes_back(path: Path) -> None:
    made = {"method": "neighbours", "images": 50, "reading": {"intensity": "auto"}, "failed": 0}
    saved = replace(run([]), options={**run().options, "reference": made})
    save(path, SavedSession((saved,)))
    assert load(path).runs[0].options["reference"] == made


def test_many_rows_and_images_are_put_together_from_many_lines(path: Path) -> None:
    images = tuple(ImageInput(f"image {i}", f"image {i}") for i in range(1234))
    rows = [replace(row(p=(i / 3000, 0, 1)), source=i % 1234, image=images[i % 1234].name) for i in range(3000)]
    session = SavedSession((replace(run(rows), images=images, comments={2999: "last", 0: "first"}),))
    save(path, session)
    assert len(path.read_bytes().splitlines()) > 9
    found = load(path).runs[0]
    assert (found.images, found.comments) == (images, {2999: "last", 0: "first"})
    for one, other in zip(found.rows, rows, strict=True):
        assert (one.image, one.probabilities.tobytes()) == (other.image, other.probabilities.tobytes())


@pytest.mark.parametrize("text", ["a long story " * 2000, "ç" * 5000, "[{," * 300])
def test_rows_with_long_texts_are_put_together_from_many_lines(path: Path, text: str) -> None:
    rows = [row(position={"t": i}, p=(i / 999, 0, 1), remark=text) for i in range(450)]
    session = SavedSession((replace(run(rows), comments={7: "seventh", 444: "last"}),))
    save(path, session)
    found = load(path).runs[0]
    assert found.comments == {7: "seventh", 444: "last"}
    assert [(each.position["t"], each.remark) for each in found.rows] == [(i, text) for i in range(450)]


def test_a_session_is_replaced_whole_or_not_at_all(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(path, SavedSession((run(),)))
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("napari_webipred.results.output.to_disk", full)
        with pytest.raises(OptionError, match="the disk is full"):
            save(path, SavedSession(()))
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    assert path.read_bytes() == before


def test_too_many_rows_are_refused_before_anything_is_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_writer, "MOST_ROWS", 1)
    with pytest.raises(OptionError, match="space for 1 rows"):
        save(path, SavedSession((run(),)))
    assert not path.exists()


# Files of anybody


def damaged(path: Path, change) -> str:
    save(path, SavedSession((run(),), FORM))
    content = json.loads(path.read_bytes())
    change(content)
    head = json.dumps({key: value for key, value in content.items() if key != "parts"})[:-1].encode()
    parts = saved_session.BETWEEN.join(json.dumps(part).encode() for part in content["parts"]) + b"\n"
    path.write_bytes(head + saved_session.BEGIN + parts + saved_session.END)
    with pytest.raises(OptionError) as raised:
        load(path)
    assert raised.value.hint
    return raised.value.message


def of_rows(name: str, value):
    return lambda content: content["parts"][2]["rows"].update({name: value})


def of_run(name: str, value):
    return lambda content: content["parts"][0]["run"].update({name: value})


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (of_rows("source", [0, 2]), "a row is of an image that it does not list"),
        (of_rows("source", [0, -1]), "greater than or equal to 0"),
        (of_rows("source", [0]), "different lengths"),
        (of_rows("source", {}), "rows|source"),
        (of_rows("position", [[["t", 10**400]], []]), "position"),
        (of_rows("probabilities", "AAAA"), "another number of probabilities"),
        (of_rows("probabilities", "é"), "probabilities cannot be read"),
        (of_rows("probabilities", "AADAfwAAwH8AAMB/AADAfwAAwH8AAMB/"), "not finite"),
        (of_rows("intensity_range", [[0, 1e999], None]), "finite"),
        (of_run("card", {"id": "x"}), "name"),
        (of_run("begun", "yesterday"), "begun"),
        (of_run("options", {"threshold": 2}), "threshold"),
        (of_run("model", {"reference": ["demo"]}), "reference"),
        (lambda content: content["parts"][1]["images"][0].update(steps=[["import", "os"]]), "steps"),
        (lambda content: content["parts"].insert(0, {"rows": {}}), "does not begin with a run"),
        (lambda content: content["parts"].append({"code": "print()"}), "called 'code'"),
        (lambda content: content["parts"].append([]), "has no name"),
        (lambda content: content.update(form={"threshold": "high"}), "threshold"),
        (lambda content: content.update(version=2), "another version"),
        (lambda content: content.update(format="other"), "is not a session"),
    ],
)
def test_a_damaged_session_is_refused_with_the_place(path: Path, change, why: str) -> None:
    assert re.search(why, damaged(path, change))


def test_a_session_that_was_cut_off_is_refused_wherever_that_was(path: Path) -> None:
    save(path, SavedSession((run(),), FORM))
    content = path.read_bytes()
    for end in range(0, len(content) - 2, 7):
        path.write_bytes(content[:end])
        with pytest.raises(OptionError):
            load(path)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[" * 100_000, b"\xff\xfe", b"\0" * 100, b'{"format": "napari-webipred session"}']
)
def test_what_is_no_session_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(OptionError, match="is not a session of napari-webipred"):
        load(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_any_changed_byte_gives_a_session_or_a_clear_error(tmp_path: Path, data: st.DataObject) -> None:
    out = tmp_path / "bytes.webipred.json"
    save(out, SavedSession((run(),), FORM))
    content = bytearray(out.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    out.write_bytes(content)
    with suppress(OptionError):  # anything else fails
        load(out)


def test_a_session_that_is_too_large_is_refused_before_it_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(path, SavedSession((run(),)))
    monkeypatch.setattr(session_reader, "MOST_BYTES", 100)
    with pytest.raises(OptionError, match="too large"):
        load(path)


@pytest.mark.parametrize(("limit", "why"), [("MOST_ROWS", "more than 1 rows"), ("MOST_RUNS", "more than 1 runs")])
def test_a_session_with_too_much_in_it_is_refused(path, monkeypatch, limit: str, why: str) -> None:
    save(path, SavedSession((run(), run())))
    monkeypatch.setattr(session_reader, limit, 1)
    with pytest.raises(OptionError, match=why):
        load(path)


def test_texts_of_a_session_are_made_visible(path: Path) -> None:
    save(path, SavedSession((run([row(1, error="\x1b[2J\u202e")]),)))
    content = path.read_bytes().replace(b"b\\\\x0a", b"b\\u001b")
    path.write_bytes(content)
    (found,) = load(path).runs[0].rows
    assert (found.image, found.error) == (r"b\x1b", r"\x1b[2J\u202e")


def test_a_missing_session_is_told(path: Path) -> None:
    with pytest.raises(OptionError, match="there is no such file"):
        load(path)
