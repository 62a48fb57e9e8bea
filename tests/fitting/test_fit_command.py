"""The command `fit`: what it reads, prints and writes."""

from __future__ import annotations

from pathlib import Path

import pytest

import napari_webipred as wp
from labelled_images import folder
from napari_webipred.cli import main
from napari_webipred.fitting import fitting, learning
from napari_webipred.fitting.honest import judging

TWO = ("flat", "noise")


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "SHARES", (0.5, 1.0))
    monkeypatch.setattr(fitting, "judging", lambda features, labels, seed: judging(features, labels, seed, 20))


def run(*arguments: str | Path) -> int:
    """Run the command and return its exit status."""
    try:
        return int(main(["fit", "--base", "demo", *map(str, arguments)]) or 0)
    except SystemExit as stopped:
        return int(stopped.code or 0)


def test_a_table_of_labels_beside_the_images_is_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = folder(tmp_path / "cells", 6, TWO)
    output = tmp_path / "cells.zip"
    assert run("--labels", place / "labels.csv", "--groups", "day", "--name", "Grain", "-o", output) == 0
    shown = capsys.readouterr()
    assert "Grain: fitted to 12 images of 4 groups" in shown.out
    assert "accuracy" in shown.out
    assert "FITTED TO" in shown.out
    assert "more labels" in shown.out
    assert "cells.zip" in shown.err
    model = wp.open_model(output)
    assert model.card.name == "Grain"
    assert model.classes == ["flat", "noise"]


def test_folders_are_labels_and_the_order_of_classes_can_be_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = folder(tmp_path / "cells", 3, TWO)
    output = tmp_path / "own.zip"
    assert run(place, "--labels-from-folders", "--classes", "noise,flat", "-o", output) == 0
    assert wp.open_model(output).classes == ["noise", "flat"]
    assert "Too few images to trust any figure" in capsys.readouterr().err
    assert run(place, "--labels-from-folders", "-o", output) == 0, "a model that was made here is replaced"
    assert wp.open_model(output).classes == ["flat", "noise"]


def test_images_that_cannot_be_read_are_named_and_the_status_is_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = folder(tmp_path / "cells", 4, TWO)
    (place / "noise" / "1.png").write_bytes(b"no image")
    output = tmp_path / "own.zip"
    assert run("--labels", place / "labels.csv", "-o", output) == 1
    assert "1.png" in capsys.readouterr().err
    assert output.is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--labels-from-folders", "-o", "own.zip"], "There are no images"),
        (["cells", "--labels-from-folders", "--groups", "day", "-o", "own.zip"], "say nothing of groups"),
        (["--labels", "cells/labels.csv", "-o", "own.onnx"], "models are written as zip archives"),
        (["--labels", "cells/labels.csv", "-o", "other.zip"], "was not written by napari-webipred"),
        (["--labels", "lost.csv", "-o", "own.zip"], "lost.csv"),
        (["--labels", "cells/lost.csv", "-o", "own.zip"], "1 of the labels have no image"),
        (["--labels", "cells/one.csv", "-o", "own.zip"], "one class only, flat"),
        (["cells", "-o", "own.zip"], "--labels"),
        (["--labels", "cells/labels.csv", "-o", "own.zip", "--seed", "-1"], "Random numbers cannot begin with -1"),
    ],
)
def test_wrong_use_is_told_and_nothing_is_written(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    place = folder(tmp_path / "cells", 1, TWO)
    (place / "lost.csv").write_text("image,label\nflat/0.png,flat\nnoise/1.png,noise\nnoise/9.png,noise\n")
    (place / "one.csv").write_text("image,label\nflat/0.png,flat\n")
    (tmp_path / "other.zip").write_bytes(b"something of the user's own")
    assert run(*arguments) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "own.zip").exists()
    assert (tmp_path / "other.zip").read_bytes() == b"something of the user's own"
