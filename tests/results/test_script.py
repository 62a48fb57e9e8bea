"""The code of a run is run here, and gives its numbers bit for bit."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from msgspec.structs import replace
from PIL import Image

import napari_webipred as wp
from napari_webipred import engine
from napari_webipred.errors import OptionError
from napari_webipred.imaging.planes import array_source
from napari_webipred.imaging.selection import merge_along, project, take_channel, take_planes
from napari_webipred.results import script
from napari_webipred.results.command import OUTPUT
from napari_webipred.results.command import shell as shell_command
from napari_webipred.results.inputs import MOST_CORNERS, ImageInput, ModelInput, Parts, RegionInput
from napari_webipred.results.row import Row

DEMO = ModelInput("demo")
SHELLS = [shell for shell in ("bash", "zsh", "ksh") if shutil.which(shell)]
NAMES = ["plain.png", "with space.png", "it's.png", 'quo"te.png', "$HOME `id` \\x.png", "-o.png", "ümlaut;&|*?.png"]
HOSTILE = ["new\nline.png", "caf\udce9.png", "\u202edirection'.png", "'\t\\.png"]
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="a matter of POSIX")


@pytest.fixture(scope="module")
def demo() -> wp.Model:
    return wp.open_model("demo")


def noise(seed: int, shape: tuple[int, ...] = (40, 50)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def files(folder: Path, names: Sequence[str]) -> list[ImageInput]:
    """Write an image under each name, as far as the file system takes it."""
    inputs = []
    for seed, name in enumerate(names):
        path = folder / name
        try:
            with path.open("wb") as stream:
                Image.fromarray(noise(seed)).save(stream, "PNG")
        except OSError:
            continue
        inputs.append(ImageInput(name, name, str(path), (40, 50), "uint8"))
    return inputs


def rows(model: wp.Model, images: Any, **options: Any) -> list[Row]:
    how = engine.Options(**options)
    return [event.row for event in engine.classify(model, images, how) if isinstance(event, engine.RowDone)]


def run(code: str, **names: Any) -> Any:
    """Run code as a notebook does, and return the table that it ends with."""
    scope: dict[str, Any] = dict(names)
    exec(compile(code, "<copied>", "exec"), scope)
    return scope["table"]


def check_table(table: Any, expected: Sequence[Row], axes: Sequence[str] = ()) -> None:
    assert len(table) == len(expected) > 0
    for i, row in enumerate(expected):
        assert row.probabilities is not None
        first = 1 + len(axes)
        numbers = table.iloc[i, first : first + len(row.probabilities)].to_numpy(np.float32)
        np.testing.assert_array_equal(numbers, row.probabilities)
        assert table["prediction"].iloc[i] == row.prediction
        assert [table[axis].iloc[i] for axis in axes] == list(row.position.values())


@pytest.mark.parametrize(
    "options", [{}, {"intensity": [10.0, 200.5], "profile": "aucmedi", "threshold": 0.3, "views": "flip"}]
)
def test_python_for_files_gives_the_same_numbers(tmp_path: Path, demo: wp.Model, options: dict[str, Any]) -> None:
    images = files(tmp_path, [*NAMES, *HOSTILE])
    code = script.python_of_files(images, DEMO, options, "Run 1\nof napari-webipred")
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
    check_table(run(code), rows(demo, [image.path for image in images], **given))
    assert code.startswith(r"# Run 1\x0aof napari-webipred")


def test_python_runs_by_itself_in_a_new_process(tmp_path: Path, demo: wp.Model) -> None:
    images = files(tmp_path, NAMES[:2])
    code = script.python_of_files(images, DEMO, {}, "Run 1") + f"table.to_csv({str(tmp_path / 't.csv')!r}, index=False)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
    check_csv(tmp_path / "t.csv", rows(demo, [image.path for image in images]))


def check_csv(path: Path, expected: Sequence[Row], axes: int = 0) -> None:
    with path.open(encoding="utf-8", newline="") as stream:
        lines = list(csv.reader(stream))[1:]
    assert len(lines) == len(expected) > 0
    for line, row in zip(lines, expected, strict=True):
        np.testing.assert_array_equal(np.array(line[1 + axes : -2], np.float32), row.probabilities)


@POSIX
@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_command_gives_the_same_numbers_whatever_the_files_are_called(tmp_path, demo, shell: str) -> None:
    images = files(tmp_path, [*NAMES, *HOSTILE])
    command = shell_command(images, DEMO, {"intensity": [-1.5, 200.0], "threshold": 0.25, "profile": "webipred"})
    command.encode("utf-8")  # so that a clipboard can hold it
    work = tmp_path / "elsewhere"
    work.mkdir()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run([shell, "-c", command], check=True, cwd=work, env={**os.environ, "PATH": path}, timeout=120)
    expected = rows(demo, [image.path for image in images], intensity=(-1.5, 200.0), threshold=0.25, profile="webipred")
    check_csv(work / OUTPUT, expected)


def test_python_for_layers_gives_the_same_numbers_however_a_stack_was_read(demo: wp.Model) -> None:
    grey, colours, stack = noise(1), noise(2, (40, 50, 3)), noise(3, (4, 3, 40, 50)).astype(np.uint16) * 9
    taken = (("planes", (("t", (1, 4, 2)), ("z", (0, 1, 1)))),)
    projected = (("project", "z", "max", (0, 2, 1)),)
    chosen = (("channel", "z", 2), ("planes", (("t", (3, 4, 1)),)))
    name = "a 'quoted' \"name\"\n\u202e"
    images = [
        ImageInput(name, name, None, grey.shape, "uint8"),
        ImageInput("colours", "colours", None, colours.shape, "uint8", rgb=True),
        *(ImageInput("stack", "stack", None, stack.shape, "uint16", axes=("t", "z"), steps=s) for s in (taken, chosen)),
        ImageInput("stack", "stack", None, stack.shape, "uint16", axes=("t", "z"), steps=projected),
        ImageInput("limits", "stack", None, stack.shape, "uint16", axes=("t", "c"), intensity_range=(0.0, 999.5)),
        ImageInput("rgb", "stack", None, stack.shape, "uint16", axes=("t",), colours=1),
    ]
    data = {name: grey, "colours": colours, "stack": stack}
    viewer = SimpleNamespace(layers={key: SimpleNamespace(data=value) for key, value in data.items()})
    code = script.python_of_layers(images, DEMO, {}, "Run 1")
    base = array_source(stack, "stack", axes=("t", "z"))
    expected = rows(
        demo,
        [
            array_source(grey, name),
            array_source(colours, "colours", rgb=True),
            take_planes(base, {"t": slice(1, 4, 2), "z": 0}),
            take_planes(take_channel(base, "z", 2), {"t": 3}),
            project(base, "z", "max", slice(0, 2)),
            replace(array_source(stack, "limits", axes=("a", "b")), axes=("t", "c"), intensity_range=(0.0, 999.5)),
            array_source(stack, "rgb", axes=("t", "c")),
        ],
    )
    table = run(code, viewer=viewer)
    assert list(table["image"]) == [row.image for row in expected]
    classes = table[demo.classes].to_numpy(np.float32)
    np.testing.assert_array_equal(classes, np.array([row.probabilities for row in expected]))
    for i, row in enumerate(expected):
        found = {axis: table[axis].iloc[i] for axis in ("t", "z", "c")}
        assert {axis: place for axis, place in found.items() if not pd.isna(place)} == row.position


def test_settings_of_a_model_are_passed_on(tmp_path: Path, demo: wp.Model) -> None:
    model = ModelInput("demo", settings={"classes": ["a", "b'", "c", "d", '"e"'], "standardize": "tf"})
    images = files(tmp_path, NAMES[:1])
    table = run(script.python_of_files(images, model, {}, "Run 1"))
    assert list(table.columns[1:-2]) == ["a", "b'", "c", "d", '"e"']
    changed = wp.open_model("demo", standardize="tf")
    np.testing.assert_array_equal(
        table.iloc[0, 1:-2].to_numpy(np.float32), rows(changed, [images[0].path])[0].probabilities
    )
    words = shell_command(images, replace(model, settings={**model.settings, "size": [9, 7], "output": "0"}), {})
    assert "--standardize=tf --resize=9x7 --output-name=0 " in words


def test_a_model_that_is_a_file_is_opened_by_its_path(tmp_path: Path) -> None:
    model = ModelInput(str(tmp_path / "it's.zip"), is_path=True)
    code = script.python_of_files([ImageInput("a", "a", "/a.png")], model, {}, "Run 1")
    assert "from pathlib import Path" in code
    assert f"wp.open_model(Path({model.reference!r}))" in code
    compile(code, "<copied>", "exec")


@pytest.mark.parametrize(
    ("image", "why"),
    [
        (ImageInput("a", "a"), "was not opened from a file"),
        (
            ImageInput("a", "a", "/a.tif", colours=0, axes=("t",), steps=(("planes", (("t", (0, 1, 1)),)),)),
            "axis of colours",
        ),
        (ImageInput("a", "a", "/a.tif", steps=None), "in regions"),
    ],
)
def test_what_files_do_not_give_is_refused_with_what_to_do_instead(image: ImageInput, why: str) -> None:
    for make in (lambda: shell_command([image], DEMO, {}), lambda: script.python_of_files([image], DEMO, {}, "Run 1")):
        with pytest.raises(OptionError, match=why) as raised:
            make()
        assert raised.value.hint


MERGED = ("merge", "c", (0, 2), ((1.0, 0.0, 1.0), (0.0, 128 / 255, 0.0)))
PLANES = ("planes", (("t", (1, 4, 2)),))


def test_merged_channels_and_some_planes_of_a_file_are_copied_for_layers_files_and_shell(tmp_path, demo) -> None:
    data = np.random.default_rng(3).integers(0, 256, (4, 3, 30, 40), np.uint8)
    path = tmp_path / "series.tif"
    tifffile.imwrite(path, data, imagej=True, metadata={"axes": "TCYX"})
    image = ImageInput("series.tif", "s", str(path), data.shape, "uint8", axes=("t", "c"), steps=(MERGED, PLANES))
    base = replace(array_source(data, "series.tif", axes=("a", "b")), axes=("t", "c"))
    taken = take_planes(merge_along(base, "c", *MERGED[2:]), {"t": slice(1, 4, 2)})
    expected = rows(demo, [taken])
    viewer = SimpleNamespace(layers={"s": SimpleNamespace(data=data)})
    check_table(run(script.python_of_layers([image], DEMO, {}, "Run 1"), viewer=viewer), expected, ["t"])
    check_table(run(script.python_of_files([image], DEMO, {}, "Run 1")), expected, ["t"])
    words = shell_command([image], DEMO, {})
    assert "'--colours=#FF00FF,#008000' --planes=t=1:4:2 " in words
    if sys.platform != "win32":
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        subprocess.run(["bash", "-c", words], check=True, cwd=tmp_path, env={**os.environ, "PATH": path}, timeout=120)
        check_csv(tmp_path / OUTPUT, expected, axes=1)


@pytest.mark.parametrize(
    ("steps", "axes", "why"),
    [
        ((("channel", "time", 1),), ("time", "z"), "of an axis c only, not of time"),
        ((PLANES,), ("time",), "cannot give axes the names time"),
        ((("merge", "c", (0,), ((0.5, 0, 0),)),), ("c",), "colour cannot be written exactly"),
    ],
)
def test_what_the_command_line_cannot_say_is_left_to_python(steps, axes, why: str) -> None:
    image = ImageInput("a", "a", "/a.tif", axes=axes, steps=steps)
    with pytest.raises(OptionError, match=why) as raised:
        shell_command([image], DEMO, {})
    assert raised.value.hint == "Copy it as Python instead."
    with pytest.raises(OptionError, match="Not the same"):
        shell_command([image, replace(image, steps=())], DEMO, {})


def test_a_class_with_a_comma_and_a_very_long_command_are_left_to_python() -> None:
    image = ImageInput("a", "a", "/a.png")
    for images, model in (
        ([image], ModelInput("demo", settings={"classes": ["a,b", "c"]})),
        ([replace(image, path="/" + "long/" * 50)] * 500, DEMO),
    ):
        with pytest.raises(OptionError) as raised:
            shell_command(images, model, {})
        assert raised.value.hint == "Copy it as Python instead."


@pytest.mark.parametrize(
    ("path", "word"),
    [
        (r"C:\scans\a.png", r"C:\scans\a.png"),
        (r"C:\my scans\it's.png", '"C:\\my scans\\it\'s.png"'),
        ("C:\\my scans\\", '"C:\\my scans\\\\"'),
    ],
)
def test_windows_gets_its_own_quotes(path: str, word: str) -> None:
    command = shell_command([ImageInput("a", "a", path)], DEMO, {}, "nt")
    assert command == f"napari-webipred classify {word} --model demo --output results.csv\n"
    quoted = subprocess.list2cmdline([path])  # by the rules that programs on Windows read their arguments with
    assert word in (quoted, f'"{quoted}"')


@pytest.mark.parametrize("path", ["C:\\100%.png", "C:\\$a.png", "C:\\`.png", "C:\\a\nb.png"])
def test_what_a_shell_of_windows_would_replace_is_left_to_python(path: str) -> None:
    with pytest.raises(OptionError, match="would not take"):
        shell_command([ImageInput("a", "a", path)], DEMO, {}, "nt")


def test_regions_of_all_images_together_can_be_too_many_whoever_has_counted_them() -> None:
    box = RegionInput("1", (0, 0, 4, 5))
    half = ImageInput("a", "a", steps=None, parts=Parts((), regions=(box,) * (MOST_CORNERS // 2)))
    script.check([half, half])
    one = replace(half, parts=Parts((), regions=(box,)))
    for more in (one, replace(one, parts=Parts((), regions=(), left_out=True))):
        with pytest.raises(OptionError, match="regions of the run are too many"):
            script.check([half, half, more])
