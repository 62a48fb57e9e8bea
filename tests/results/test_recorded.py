"""A record that was changed or cut short is refused with the place, by all that read it."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import napari_webipred as wp
from napari_webipred import cli
from napari_webipred.errors import OptionError
from napari_webipred.results import journal
from napari_webipred.results.recorded import read, recorded

VALUES = [None, True, -1, 1.5, 10**400, "x", "\ud800", [], [1], [None], {}, {"a": 1}]
READERS: list[Callable[[Path], Any]] = [
    lambda table: wp.evaluate(table, {"0.png": "sharp", "1.png": "noisy"}, draws=10),
    lambda table: wp.report(table, "html", pictures=True),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table with its record."""
    folder = tmp_path_factory.mktemp("made")
    for number in range(2):
        pixels = np.random.default_rng(number).integers(0, 256, (32, 32), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    images = [str(folder / f"{number}.png") for number in range(2)]
    assert cli.main(["classify", *images, "--model", "demo", "--output", str(folder / "out.csv")]) == 0
    return folder / "out.csv"


@pytest.fixture
def table(made: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    for name in (made.name, f"{made.name}.json"):
        shutil.copy(made.with_name(name), tmp_path / name)
    return tmp_path / made.name


def changed(table: Path, content: bytes) -> Path:
    table.with_name(f"{table.name}.json").write_bytes(content)
    return table


def record_of(table: Path) -> dict[str, Any]:
    found = recorded(table)
    assert found is not None
    return found


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """All places in JSON values, at any depth."""
    if place:
        yield place
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from places(part, (*place, key))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_a_value_of_another_type_anywhere_gives_a_clear_error_or_the_right_result(
    made: Path, table: Path, data: st.DataObject
) -> None:
    record = copy.deepcopy(record_of(made))
    *way, last = data.draw(st.sampled_from(list(places(record))))
    inner: Any = record
    for key in way:
        inner = inner[key]
    inner[last] = data.draw(st.sampled_from(VALUES))
    changed(table, json.dumps(record).encode())
    for use in READERS:
        with suppress(OptionError):  # anything else fails
            use(table)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_a_record_that_was_cut_short_is_used_by_nobody(made: Path, table: Path, data: st.DataObject) -> None:
    content = made.with_name(f"{made.name}.json").read_bytes().rstrip()
    changed(table, content[: data.draw(st.integers(0, len(content) - 1))])
    for use in READERS:
        with pytest.raises(OptionError, match=r"The record .*out\.csv\.json is damaged or cut short"):
            use(table)


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (("model", "classes", 1, "name"), 5, "model.classes[1].name is a whole number, and should be text"),
        (("inputs", 0), [], "inputs[0] is a list, and should be named values"),
        (("planes",), None, "planes is nothing, and should be named values"),
        (("options", "threshold"), "x", "options.threshold is text, and should be a number"),
        (("model", "task"), "guess", "model.task: Invalid enum value 'guess'"),
        (("versions", "numpy"), 2, "versions[...] is a whole number, and should be text or nothing"),
    ],
)
@pytest.mark.parametrize("command", ["evaluate", "report", "rerun", "classify"])
def test_what_is_wrong_is_said_with_its_place(
    table: Path, command: str, place: tuple[Any, ...], value: Any, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    record = record_of(table)
    images = [entry["image"] for entry in record["inputs"]]
    *way, last = place
    inner: Any = record
    for key in way:
        inner = inner[key]
    inner[last] = value
    changed(table, json.dumps(record).encode())
    capsys.readouterr()
    arguments = {
        "evaluate": [str(table), "--truth-from-folders"],
        "report": [str(table), "--to", "html", "--output", str(table.with_name("page.html"))],
        "rerun": [f"{table}.json"],
        "classify": [*images, "--model", "demo", "--output", str(table), "--resume"],
    }
    assert cli.main([command, *arguments[command]]) == 2
    assert f"The record {table}.json is damaged: {words}." in capsys.readouterr().err


def test_a_part_that_is_missing_is_named(table: Path) -> None:
    record = record_of(table)
    del record["model"]["checksum"]
    with pytest.raises(OptionError, match="is damaged: model lacks checksum"):
        recorded(changed(table, json.dumps(record).encode()))


@pytest.mark.parametrize("content", [b"[]", b'{"versions": {}}', b'{"versions": "x", "model": {}}'])
def test_other_json_beside_a_table_is_not_taken_for_its_record(table: Path, content: bytes) -> None:
    for use in READERS:
        with pytest.raises(OptionError, match="is no record of a run"):
            use(changed(table, content))


def test_a_table_without_a_record_has_none(table: Path) -> None:
    table.with_name(f"{table.name}.json").unlink()
    assert recorded(table) is None


def test_a_list_of_inputs_that_was_cut_short_is_used_by_nobody(
    made: Path, table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(journal, "LISTED_AT_MOST", 1)
    images = [entry["image"] for entry in record_of(made)["inputs"]]
    many = table.with_name("many.csv")
    assert cli.main(["classify", *images, "--model", "demo", "--output", str(many)]) == 0
    listed = many.with_name(read(many.with_name("many.csv.json"))["inputs_file"]["file"])
    listed.write_bytes(listed.read_bytes()[:-20])
    with pytest.raises(OptionError, match=r"many\.csv\.inputs\.jsonl, which lists the images of the run, was changed"):
        wp.report(many, "html")
    assert cli.main(["rerun", f"{many}.json"]) == 2
    assert "which lists the images of the run, was changed or cut short" in capsys.readouterr().err


def test_a_run_goes_on_with_its_journal_whatever_became_of_the_record(made: Path, table: Path) -> None:
    images = [entry["image"] for entry in record_of(made)["inputs"]]
    broken = table.with_name("broken.png")
    broken.write_bytes(b"no image")
    arguments = ["classify", *images, str(broken), "--model", "demo", "--output", str(table), "--overwrite"]
    assert cli.main(arguments) == 1  # a failed image keeps the journal
    whole = table.read_bytes()
    changed(table, b'{"versions"')
    assert cli.main([*arguments, "--resume"]) == 1
    assert table.read_bytes() == whole
    assert record_of(table)["complete"]
