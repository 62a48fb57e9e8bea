"""The numbers of a model beside those of TensorFlow and TensorFlow.js."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_webipred import cli
from napari_webipred.errors import ModelError, OptionError
from napari_webipred.publishing import child, tensorflowjs
from napari_webipred.publishing.answer import Answer, environment
from napari_webipred.publishing.material import Material, preparing
from napari_webipred.publishing.verification import TOLERANCE, Verification, computed, verifying
from napari_webipred.steps import result_of

KERAS = Path(__file__).parents[1] / "goldens" / "keras"
GRAPHS = Path(__file__).parents[1] / "goldens" / "graphs"


@pytest.fixture
def demo() -> Material:
    return result_of(preparing("demo"))


def opened(path: Path, **settings: Any) -> Material:
    return result_of(preparing(path, standardize="tf", **settings))


def made(ours: list[list[float]], theirs: list[list[float]], *, values: bool = False) -> Verification:
    numbers = (np.array(each, np.float32) for each in (ours, theirs))
    return Verification("Judge 1", ("cat", "dog"), *numbers, values)


@pytest.mark.parametrize(
    ("theirs", "passed"),
    [
        ([0.75, 0.25], True),
        ([0.75 + 0.9 * TOLERANCE, 0.25], True),
        ([0.75 + 1.1 * TOLERANCE, 0.25], False),
        ([0.25, 0.75], False),
        ([float("nan"), 0.25], False),
        ([float("inf"), 0.25], False),
    ],
)
def test_all_numbers_have_to_be_the_same(theirs: list[float], passed: bool) -> None:
    found = made([[0.5, 0.25], [0.75, 0.25]], [[0.5, 0.25], theirs])
    assert found.passed is passed
    assert ("the same numbers" in found.sentence) is passed
    assert found.as_dict()["passed"] is passed
    json.dumps(found.as_dict(), allow_nan=False)


def test_another_class_is_told_even_where_the_numbers_hardly_differ() -> None:
    found = made([[0.50001, 0.49999]], [[0.49999, 0.50001]])
    assert found.largest < TOLERANCE
    assert found.others == (0,)
    assert not found.passed
    assert "another class for 1" in found.sentence


@pytest.mark.parametrize(
    ("numbers", "doubt"),
    [
        ([[1.0, 0.0], [0.0, 1.0]], "near 0 or 1"),
        ([[0.6, 0.4], [0.6, 0.4]], "all pictures get the same"),
        ([[0.6, 0.4], [0.3, 0.7]], ""),
    ],
)
def test_a_comparison_that_says_little_says_so(numbers: list[list[float]], doubt: str) -> None:
    found = made(numbers, numbers)
    assert found.passed
    assert doubt in found.doubt
    assert bool(found.doubt) is bool(doubt)
    assert found.sentence.endswith(found.doubt or "difference 0.")


def test_values_are_compared_as_a_share_of_the_largest_one() -> None:
    assert made([[1000.0, 2.0]], [[1000.05, 2.05]], values=True).passed
    assert not made([[1000.0, 2.0]], [[1001.0, 2.0]], values=True).passed


def judged(monkeypatch: pytest.MonkeyPatch, change: Any) -> None:
    """Let TensorFlow.js answer with changed numbers of ours."""

    def asking(files: Any, name: str, batch: np.ndarray, *_: Any) -> Generator[None, None, Answer]:
        yield
        numbers = result_of(preparing("demo")).model.predict(batch).astype(np.float64)
        return Answer("Judge 1", change(numbers))

    monkeypatch.setattr(tensorflowjs, "asking", asking)


def test_verify_prints_every_number_and_ends_well_if_they_are_the_same(monkeypatch, capsys) -> None:
    judged(monkeypatch, lambda numbers: numbers + 1e-6)
    assert cli.main(["verify", "demo"]) == 0
    out = capsys.readouterr().out
    assert out.count("underexposed") == 6
    assert "PICTURE" in out
    assert "1.0e-06" in out
    assert "Judge 1 gives the same numbers for 6 pictures" in out


def test_verify_fails_if_a_number_is_another_one(monkeypatch, capsys) -> None:
    judged(monkeypatch, lambda numbers: np.where(np.arange(5) == 1, numbers + 0.01, numbers))
    assert cli.main(["verify", "demo"]) == 1
    assert "gives other numbers" in capsys.readouterr().out


def test_a_judge_with_another_number_of_classes_gives_other_numbers(monkeypatch) -> None:
    judged(monkeypatch, lambda numbers: numbers[:, :2])
    assert cli.main(["verify", "demo"]) == 1


def test_what_is_not_known_of_a_model_is_asked_for(capsys) -> None:
    assert cli.main(["verify", str(KERAS / "keras3-flat.keras")]) == 2
    assert "how pixel values are scaled" in capsys.readouterr().err


def test_an_onnx_file_can_be_compared_with_nothing(tmp_path, demo) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(demo.model.graph())
    with pytest.raises(OptionError, match="ONNX can be compared with no other program"):
        result_of(verifying(opened(path)))


# --- the programs in their processes ---------------------------------------------------------------------------------


def test_a_program_that_ends_before_its_answer_is_told_with_its_last_words(tmp_path: Path) -> None:
    code = "import sys; sys.exit('out of breath')"
    with pytest.raises(ModelError, match=r"Judge ended with status 1 .* out of breath"):
        result_of(child.answering("Judge", [sys.executable, "-c", code], b"", environment(), tmp_path))


def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="Judge cannot be started"):
        result_of(child.answering("Judge", [str(tmp_path / "none")], b"", environment(), tmp_path))


def test_closing_the_steps_ends_the_program(tmp_path: Path) -> None:
    code = "import os, pathlib, sys, time; pathlib.Path('pid').write_text(str(os.getpid())); time.sleep(600)"
    steps = child.answering("Judge", [sys.executable, "-c", code], b"", environment(), tmp_path)
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        next(steps)
    steps.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_program_is_told_no_passwords(monkeypatch) -> None:
    monkeypatch.setenv("NAPARI_WEBIPRED_ZENODO_TOKEN", "secret")
    monkeypatch.setenv("NODE_PATH", "/packages")
    known = environment(MORE="1")
    assert "secret" not in known.values()
    assert known["NODE_PATH"] == "/packages"
    assert known["MORE"] == "1"


@pytest.mark.parametrize("name", ["keras3-flat.keras", "keras3-flat.h5"])
def test_tensorflow_gets_the_file_and_the_pictures(stand_in: Path, name: str) -> None:
    stand_in.write_text(json.dumps({"numbers": [0.1, 0.2, 0.7]}), encoding="utf-8")
    found = result_of(verifying(opened(KERAS / name)))
    assert found.judge == "TensorFlow 0.0, Keras 0.1"
    np.testing.assert_allclose(found.theirs, [[0.1, 0.2, 0.7]] * 6, rtol=1e-6)
    assert not found.passed


def test_what_tensorflow_refuses_is_told_in_a_sentence(stand_in: Path) -> None:
    stand_in.write_text(json.dumps({"refusal": "{config} Exception encountered: no such option."}), encoding="utf-8")
    with pytest.raises(ModelError) as caught:
        result_of(verifying(opened(KERAS / "keras3-flat.keras")))
    assert caught.value.message == "TensorFlow refuses the model: no such option."


@pytest.mark.parametrize("code", ["import subprocess; subprocess.run(['ls'])", "import os; os.system('ls')"])
def test_a_model_starts_no_programs(stand_in: Path, code: str) -> None:
    stand_in.write_text(json.dumps({"numbers": [0.1, 0.2, 0.7], "code": code}), encoding="utf-8")
    with pytest.raises(ModelError, match="a model must not do this"):
        result_of(verifying(opened(KERAS / "keras3-flat.keras")))


def test_tensorflow_is_not_started_for_a_network_with_code(stand_in: Path, tmp_path: Path) -> None:
    stand_in.write_text(json.dumps({"numbers": [0.1, 0.2, 0.7]}), encoding="utf-8")
    import zipfile

    path = tmp_path / "model.keras"
    with zipfile.ZipFile(KERAS / "keras3-flat.keras") as source, zipfile.ZipFile(path, "w") as target:
        for member in source.namelist():
            content = source.read(member)
            if member == "config.json":
                document = json.loads(content)
                dense = next(each for each in document["config"]["layers"] if each["class_name"] == "Dense")
                dense["config"]["kernel_initializer"] = {"class_name": "__lambda__", "config": {"value": "4w=="}}
                content = json.dumps(document).encode()
            target.writestr(member, content)
    with pytest.raises(ModelError, match="TensorFlow might execute code in it: __lambda__"):
        result_of(verifying(opened(path)))


def test_without_tensorflow_it_is_said_how_to_install_it(monkeypatch, capsys) -> None:
    monkeypatch.setattr("napari_webipred.publishing.tensorflow.is_here", lambda: False)
    assert cli.main(["verify", str(KERAS / "keras3-flat.keras"), "--standardize", "tf"]) == 2
    assert 'pip install "napari-webipred[tensorflow]"' in capsys.readouterr().err


def test_without_node_it_is_said_how_to_install_it(monkeypatch, capsys) -> None:
    monkeypatch.setattr(tensorflowjs.shutil, "which", lambda name: None)
    assert cli.main(["verify", "demo"]) == 2
    assert "npm install @tensorflow/tfjs" in capsys.readouterr().err


def test_a_folder_without_the_package_is_told(packages: Path, tmp_path: Path, capsys) -> None:
    assert cli.main(["verify", "demo", "--node-packages", str(tmp_path)]) == 2
    assert "Node.js does not find the package @tensorflow/tfjs" in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")
@pytest.mark.parametrize("node_path", [None, "node_modules"])
def test_a_folder_with_a_model_does_not_bring_packages(
    tmp_path: Path, monkeypatch, demo: Material, node_path: str | None
) -> None:
    package = tmp_path / "node_modules" / "@tensorflow" / "tfjs"
    package.mkdir(parents=True)
    (package / "index.js").write_text("require('fs').writeFileSync(__dirname + '/executed', '')", encoding="utf-8")
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path if node_path else tmp_path / "model")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    if node_path is None:
        monkeypatch.delenv("NODE_PATH", raising=False)
    else:
        monkeypatch.setenv("NODE_PATH", node_path)
    with pytest.raises(OptionError, match="does not find the package"):
        result_of(verifying(demo))
    assert not (package / "executed").exists()


def test_a_program_in_the_folder_of_a_model_is_not_node(tmp_path: Path, monkeypatch, demo: Material) -> None:
    program = tmp_path / "node"
    program.write_text("#!/bin/sh\necho executed > executed\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", os.curdir)
    assert shutil.which("node") is not None
    assert tensorflowjs._node() is None
    with pytest.raises(OptionError, match="not installed"):
        result_of(verifying(demo))


def test_packages_are_found_where_node_path_says(packages: Path, monkeypatch, demo: Material) -> None:
    monkeypatch.setenv("NODE_PATH", str(packages / "node_modules"))
    assert result_of(verifying(demo)).passed


def test_tensorflow_js_itself_gives_the_same_numbers(packages: Path, capsys) -> None:
    assert cli.main(["verify", "demo", "--node-packages", str(packages)]) == 0
    assert "TensorFlow.js 4.22.0 (wasm) gives the same numbers" in capsys.readouterr().out


def test_what_tensorflow_js_refuses_is_told(packages: Path, demo: Material) -> None:
    document = json.loads(demo.files[demo.name])
    document["modelTopology"] = json.loads(json.dumps(document["modelTopology"]).replace('"Dense"', '"Unheard"'))
    files = {**demo.files, demo.name: json.dumps(document).encode()}
    with pytest.raises(ModelError, match=r"TensorFlow.js refuses the model: .*Unheard"):
        result_of(tensorflowjs.asking(files, demo.name, computed(demo)[0], 0, packages))


@pytest.mark.skipif(find_spec("tensorflow") is None, reason="TensorFlow is not installed")
@pytest.mark.parametrize("name", ["keras3-flat.keras", "keras3-nested.h5"])
def test_tensorflow_itself_gives_the_same_numbers(name: str) -> None:
    found = result_of(verifying(opened(KERAS / name)))
    assert found.passed, found.sentence


@pytest.mark.skipif(find_spec("tensorflow") is None, reason="TensorFlow is not installed")
def test_tensorflow_itself_gives_the_same_numbers_for_a_saved_model() -> None:
    found = result_of(verifying(opened(GRAPHS / "plain-keras3-saved.zip", activation="none")))
    assert found.passed, found.sentence


def test_the_module_that_runs_tensorflow_can_be_read_without_it() -> None:
    code = "import napari_webipred.publishing.tensorflow_child, sys; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
