"""What the user has chosen in napari's preferences counts everywhere, and a damaged file harms nothing."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict

import napari_webipred
from napari_webipred import cli, limits, preferences, settings
from napari_webipred.errors import OptionError
from napari_webipred.imaging.intensity import Named, intensity_range
from napari_webipred.options import preferred_intensity
from napari_webipred.preferences import DEFAULTS, Preferences

MANIFEST = yaml.safe_load(Path(napari_webipred.__file__).with_name("napari.yaml").read_text())
PAGE = MANIFEST["contributions"]["configurations"]
TYPES = {"string": str, "number": float, "integer": int, "boolean": bool}


def choose(content: str | bytes) -> Path:
    """Write the file of the preferences."""
    path = preferences.path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_the_page_and_the_reader_know_the_same_preferences_defaults_and_bounds():
    page = {(section, name): each for section, known in PAGE.items() for name, each in known["properties"].items()}
    defaults = asdict(Preferences())
    assert list(page) == [(preferences.section_of(name), name) for name in defaults]
    assert defaults.keys() >= preferences.CHOICES.keys() | preferences.RANGES.keys()
    for name, default in defaults.items():
        shown = page[preferences.section_of(name), name]
        assert TYPES[shown["type"]] is type(default), name
        assert shown["default"] == default, name
        assert (shown.get("minimum"), shown.get("maximum")) == preferences.RANGES.get(name, (None, None)), name
        if name != "intensity":
            assert tuple(shown.get("enum", ())) == preferences.CHOICES.get(name, ()), name


def test_every_intensity_range_with_a_name_can_be_preferred_and_no_other(caplog):
    offered = PAGE["results"]["properties"]["intensity"]["enum"]
    for name in offered:
        settings.prefer(Preferences(intensity=name))
        assert preferred_intensity(layers=True) == name
        assert preferred_intensity() == ("auto" if name == "limits" else name)  # files have no contrast limits
    assert not caplog.records
    with pytest.raises(OptionError) as refused:
        intensity_range(np.zeros((2, 2), np.uint16), "no such range")  # type: ignore[arg-type]
    assert all(name in refused.value.hint for name in offered)
    assert set(get_args(Named)) == set(offered)
    settings.prefer(Preferences(intensity="no such range"))
    assert preferred_intensity() == "auto"
    assert "no such range" in caplog.text


def test_what_was_chosen_is_read_again_when_the_file_changes(tmp_path):
    assert settings.current().preferences == DEFAULTS
    path = choose("models: {offline: true, cache_limit: 2.5}\nresults: {decimals: 5}\n")
    assert settings.current().offline
    assert settings.current().cache_limit == "2.5GB"
    assert settings.current().preferences == Preferences(cache_limit=2.5, offline=True, decimals=5)
    choose("results: {decimals: 4}\n")
    os.utime(path, (1, 1))
    assert settings.current().preferences == Preferences(decimals=4)
    path.unlink()
    assert settings.current().preferences == DEFAULTS


def test_the_environment_counts_more(monkeypatch, tmp_path):
    kept = tmp_path / "chosen"
    choose(f"models: {{cache_folder: {str(kept)!r}, cache_limit: 7, offline: true, private_session: true}}")
    monkeypatch.delenv("NAPARI_WEBIPRED_CACHE")
    now = settings.current()
    assert (now.cache_folder, now.cache_limit, now.offline, now.private) == (kept, "7GB", True, True)
    for name, value in {"CACHE": str(tmp_path), "CACHE_LIMIT": "1GB", "OFFLINE": "0", "PRIVATE": "no"}.items():
        monkeypatch.setenv(f"NAPARI_WEBIPRED_{name}", value)
    now = settings.current()
    assert (now.cache_folder, now.cache_limit, now.offline, now.private) == (tmp_path, "1GB", False, False)


def test_python_and_the_command_line_use_the_preferred_intensity_range_unless_another_is_given(tmp_path):
    image = np.linspace(0, 40_000, 64 * 64, dtype=np.uint16).reshape(64, 64)
    own = napari_webipred.classify([image], "demo")
    choose("results: {intensity: dtype}")
    preferred = napari_webipred.classify([image], "demo")
    assert not preferred.equals(own)
    assert preferred.equals(napari_webipred.classify([image], "demo", intensity="dtype"))
    assert napari_webipred.classify([image], "demo", intensity="auto").equals(own)
    table = tmp_path / "out.csv"
    picture = tmp_path / "a.png"
    from PIL import Image

    Image.fromarray(image).save(picture)
    assert cli.main(["classify", str(picture), "--model", "demo", "--output", str(table)]) == 0
    assert '"intensity": "dtype"' in table.with_name("out.csv.json").read_text()


def test_the_memory_is_preferred_unless_the_environment_or_the_call_says_it(monkeypatch):
    choose("results: {memory: 3}")
    assert limits.image_budget() == limits.memory_budget() == 3 * 10**9
    monkeypatch.setenv("NAPARI_WEBIPRED_MEMORY_LIMIT", "5GB")
    assert limits.image_budget() == 5 * 10**9
    huge = np.zeros((2, 64, 64), np.uint8)
    table = napari_webipred.classify([huge], "demo", memory="1MB")
    assert table.equals(napari_webipred.classify([huge], "demo"))


def test_the_number_of_workers_is_preferred_and_changes_no_number(monkeypatch):
    from napari_webipred.execution import threads

    asked: list[int] = []
    workers = threads.Workers

    def counted(count: int, name: str) -> Any:
        asked.append(count)
        return workers(count, name)

    monkeypatch.setattr(threads, "Workers", counted)
    images = [np.full((32, 32), value, np.uint8) for value in range(4)]
    before = napari_webipred.classify(images, "demo")
    choose("results: {workers: 3}")
    assert napari_webipred.classify(images, "demo").equals(before)
    assert asked[-1] == 3


DAMAGED = {
    "no YAML": "models: [",
    "a list": "- models\n",
    "a number": "12\n",
    "not UTF-8": b"models: \xff\xfe\xfa",
    "nested": "[" * 20_000,
    "long": "a: " + "b" * 100_000,
    "a number of many digits": "models: {cache_limit: " + "9" * 30_000 + "}",
    "a tag that would run code": "models: !!python/object/apply:os.system ['false']",
    "control characters": b"models: {cache_folder: \x00}",
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_file_counts_as_none_and_says_so_once(content, caplog):
    path = choose(content)
    assert settings.current().preferences == DEFAULTS
    assert settings.current().preferences == DEFAULTS
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert str(path) in caplog.text


def test_a_folder_in_place_of_the_file_counts_as_none():
    preferences.path().mkdir(parents=True)
    assert settings.current().preferences == DEFAULTS


WRONG = {
    "cache_folder": ["relative/folder", "a" * 5000, "/a\nb", 3],
    "cache_limit": [-1, float("nan"), float("inf"), "5GB", True, 10**400],
    "offline": ["yes", 1, None],
    "private_session": ["true", 0],
    "memory": [-1, float("nan"), "5GB", True],
    "workers": [-1, 2.0, True, 10**30],
    "decimals": [0, 9, "3"],
    "chart_order": ["random", 1],
    "closing": ["", False],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in WRONG for value in WRONG[name]])
def test_a_value_that_cannot_be_is_left_out_and_the_others_count(name, value, caplog):
    document = {"results": {"intensity": "dtype"}}
    document.setdefault(preferences.section_of(name), {})[name] = value
    assert Preferences.of(document) == Preferences(intensity="dtype")
    assert name in caplog.text


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
ANYTHING = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.text(max_size=5), SCALARS, max_size=2)
NAMES = st.sampled_from(list(asdict(Preferences())))


@given(
    ANYTHING
    | st.dictionaries(st.sampled_from(["models", "results"]), st.dictionaries(NAMES, ANYTHING, max_size=4), max_size=2)
)
def test_a_document_that_holds_anything_gives_preferences_that_can_be_used(document):
    chosen = Preferences.of(document)
    assert 1 <= chosen.decimals <= 8
    assert 0 <= chosen.workers <= 256
    assert 0 <= chosen.cache_limit <= 100_000
    assert type(chosen.offline) is type(chosen.private_session) is bool
    assert preferences.folder_of(chosen.cache_folder) is None or not chosen.cache_folder.startswith(".")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows the home of every user")
def test_the_home_of_an_unknown_user_is_no_folder(monkeypatch):
    choose("models: {cache_folder: ~nobody-of-this-name/models}")
    monkeypatch.delenv("NAPARI_WEBIPRED_CACHE")
    assert settings.current().cache_folder == settings.default_cache_folder()


def test_without_a_file_of_settings_napari_writes_no_preferences_either(monkeypatch):
    monkeypatch.setenv("NAPARI_CONFIG", "")
    assert preferences.path() is None
    assert settings.current().preferences == DEFAULTS


@pytest.mark.parametrize("version", ["0.9.2", "0.10.0rc1", "1.0.0.dev3+g12"])
def test_an_environment_of_uv_goes_by_the_version_of_napari(monkeypatch, tmp_path, version):
    monkeypatch.delenv("NAPARI_CONFIG")
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / name))
    monkeypatch.setattr("sys.prefix", str(tmp_path / "uv" / "archive" / "abc"))
    monkeypatch.setattr("importlib.metadata.version", lambda name: version)
    preferences._environment.cache_clear()
    try:
        release = version.split("rc")[0].split(".dev")[0]
        assert preferences.path().parts[-3:] == ("uvx", release, preferences.FILE)
    finally:
        preferences._environment.cache_clear()
