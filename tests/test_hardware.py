"""Other devices and precisions than float32 on the processor: chosen by name, measured, said and noted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from PIL import Image

import napari_webipred as wp
from napari_webipred import cli, difference, engine, settings
from napari_webipred.errors import ModelError, OptionError
from napari_webipred.hardware import USUAL, Hardware
from napari_webipred.options import Options
from napari_webipred.preferences import Preferences
from napari_webipred.results.session_schema import Options as SavedOptions
from napari_webipred.runtime import providers

NOISE = np.random.default_rng(0).integers(0, 256, (128, 128), dtype=np.uint8)
CUDA = Hardware(device="cuda")


class Runtime:
    """ONNX Runtime as if it could use a graphics card, which computes a little less exactly than the processor.

    No graphics card is here: what ONNX Runtime is told is checked, and its numbers are the processor's, changed.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.told: list[Any] = []
        self.works = True
        real = onnxruntime.InferenceSession
        runtime = self

        class Session:
            def __init__(self, graph: Any, options: Any, providers: Any, **others: Any) -> None:
                runtime.told.append(providers)
                self._on_a_card = providers[0][0] == "CUDAExecutionProvider"
                self._session = real(graph, options, providers=["CPUExecutionProvider"], **others)

            def __getattr__(self, name: str) -> Any:
                return getattr(self._session, name)

            def get_providers(self) -> list[str]:
                used = ["CUDAExecutionProvider"] if self._on_a_card and runtime.works else []
                return [*used, "CPUExecutionProvider"]

            def run(self, *arguments: Any) -> Any:
                numbers = self._session.run(*arguments)
                return [each * np.float32(0.999) for each in numbers] if self._on_a_card else numbers

        monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
        monkeypatch.setattr(
            onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
        )


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Runtime:
    return Runtime(monkeypatch)


@pytest.fixture
def picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(NOISE).save(tmp_path / "noise.png")
    return tmp_path / "noise.png"


def numbers(table: Any) -> np.ndarray:
    return table[wp.open_model("demo").classes].to_numpy()


def test_by_default_the_processor_computes_in_float32(runtime: Runtime) -> None:
    table = wp.classify(NOISE, "demo")
    assert {provider for told in runtime.told for provider, *_ in map(np.atleast_1d, told)} == {"CPUExecutionProvider"}
    assert not any("float32" in note for note in table.attrs["notes"])
    assert Options().hardware == USUAL
    assert not {"device", "precision"} & set(Options().as_dict())


@pytest.mark.parametrize(
    ("hardware", "why", "hint"),
    [
        (Hardware(device="cuda"), "cannot use the graphics card", "onnxruntime-gpu"),
        (Hardware(device="directml"), "cannot use the graphics card", "onnxruntime-directml"),
        (Hardware(device="coreml"), "cannot use Apple's Core ML", "cpu"),
        (Hardware("bf16"), "not possible on this processor", "float32"),
    ],
)
def test_what_cannot_be_used_here_is_refused_with_what_to_do(
    hardware: Hardware, why: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    monkeypatch.setattr(providers, "flags", frozenset)
    assert providers.available_devices() == ["cpu"]
    assert providers.available_precisions() == ["float32"]
    with pytest.raises(OptionError, match=why) as error:
        wp.classify(NOISE, "demo", precision=hardware.precision, device=hardware.device)
    assert hint in error.value.hint


def test_what_does_not_exist_is_refused() -> None:
    with pytest.raises(OptionError, match="no device 'tpu'"):
        Options(device="tpu")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="no precision 'int8'"):
        Options(precision="int8")  # type: ignore[arg-type]
    with pytest.raises(SystemExit):
        cli.main(["classify", "x.png", "-m", "demo", "--device", "tpu"])


def test_a_device_is_used_and_python_says_how_far_its_numbers_are(runtime: Runtime) -> None:
    usual = wp.classify(NOISE, "demo")
    table = wp.classify(NOISE, "demo", device="cuda")
    assert [("CUDAExecutionProvider", {"use_tf32": "0"}), ("CPUExecutionProvider", {})] in runtime.told
    np.testing.assert_allclose(numbers(table), numbers(usual) * 0.999, rtol=1e-6)
    (note,) = [note for note in table.attrs["notes"] if "test images" in note]
    assert "float32 on the graphics card (CUDA). On 10 test images" in note
    assert "the same for 10 of 10" in note
    np.testing.assert_array_equal(numbers(wp.classify(NOISE, "demo", device="cpu")), numbers(usual))


def test_the_difference_is_measured_once_and_is_that_of_the_numbers(runtime: Runtime) -> None:
    model = wp.open_model("demo")
    found = difference.difference(model, CUDA)
    assert found is not None
    assert 0.0002 < found.largest < 0.00101
    assert 0 < found.mean < found.largest
    opened = len(runtime.told)
    assert difference.difference(model, CUDA) is found
    assert len(runtime.told) == opened
    assert difference.difference(model, USUAL) is None
    assert difference.measured(model, CUDA) == {"difference": found.as_dict()}
    assert difference.measured(model, USUAL) == {}


def test_auto_is_a_graphics_card_if_there_is_one(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    assert providers.available_devices() == ["cpu", "cuda", "auto"]
    assert providers.chosen(Hardware(device="auto")) == CUDA
    with pytest.raises(OptionError, match="bf16 is not possible on the graphics card"):
        providers.chosen(Hardware("bf16", "cuda"))
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    assert providers.chosen(Hardware(device="auto")) == USUAL
    events = list(engine.classify(wp.open_model("demo"), NOISE, Options(device="auto")))
    assert events[0].difference is None


def test_a_device_that_the_runtime_silently_leaves_out_is_an_error(runtime: Runtime) -> None:
    runtime.works = False
    with pytest.raises(ModelError, match="although it has been made for it"):
        wp.classify(NOISE, "demo", device="cuda")


def test_the_command_line_says_it_first_notes_it_and_repeats_it(
    runtime: Runtime, picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["classify", "noise.png", "-m", "demo", "-o", "out.csv", "--device", "auto"]) == 0
    said = capsys.readouterr().err
    assert said.index("float32 on the graphics card") < said.index("1 of 1 images classified")
    record = json.loads(Path("out.csv.json").read_text())
    options = record["options"]
    assert record["provider"] == "CUDAExecutionProvider"
    assert options["device"] == "auto"
    assert options["difference"]["device"] == "cuda"
    assert options["difference"]["images"] == 10
    assert cli.main(["rerun", "out.csv"]) == 0
    assert "bit for bit" in capsys.readouterr().err
    assert runtime.told[-1] == [("CUDAExecutionProvider", {"use_tf32": "0"}), ("CPUExecutionProvider", {})]
    SavedOptions.model_validate(options)  # a session file takes it


def test_the_record_of_a_heat_map_says_what_computed_it(runtime: Runtime, picture: Path) -> None:
    asked = ["heatmap", "noise.png", "-m", "demo", "--tile", "64", "-o", "map.csv", "--device"]
    assert cli.main([*asked, "auto"]) == 0
    record = json.loads(Path("map.csv.json").read_text())
    assert record["provider"] == "CUDAExecutionProvider"
    assert record["options"]["device"] == "auto"
    assert record["options"]["difference"]["device"] == "cuda"
    assert wp.heatmap(NOISE, "demo", tile=64, device="cuda").facts["provider"] == "CUDAExecutionProvider"
    assert cli.main([*asked, "cpu"]) == 0
    assert json.loads(Path("map.csv.json").read_text())["provider"] == "CPUExecutionProvider"


def test_what_is_preferred_counts_where_nothing_else_is_chosen(
    runtime: Runtime, picture: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(settings, "_preferred", Preferences(device="cuda"))
    assert any("CUDA" in note for note in wp.classify(NOISE, "demo").attrs["notes"])
    assert not any("CUDA" in note for note in wp.classify(NOISE, "demo", device="cpu").attrs["notes"])
    assert cli.main(["classify", "noise.png", "-m", "demo"]) == 0
    assert "CUDA" in capsys.readouterr().err
    assert cli.main(["classify", "noise.png", "-m", "demo", "--device", "cpu"]) == 0
    assert "CUDA" not in capsys.readouterr().err


def test_maps_and_reference_images_are_of_float32_on_the_processor(runtime: Runtime, picture: Path) -> None:
    with pytest.raises(OptionError, match="in float32 on the processor only"):
        wp.classify(NOISE, "demo", device="cuda", reference=True)
    assert cli.main(["classify", "noise.png", "-m", "demo", "--device", "cuda", "--explain", "maps"]) == 2


def test_bf16_is_offered_where_the_runtime_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """No such processor is here: what ONNX Runtime is told is checked; this one ignores it."""
    told: list[tuple[str, str]] = []
    real = onnxruntime.SessionOptions.add_session_config_entry
    monkeypatch.setattr(
        onnxruntime.SessionOptions,
        "add_session_config_entry",
        lambda options, key, value: told.append((key, value)) or real(options, key, value),
    )
    monkeypatch.setattr(providers.sys, "platform", "linux")
    monkeypatch.setattr(providers.platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(providers, "flags", lambda: frozenset({"asimd", "bf16"}))
    assert providers.available_precisions() == ["float32", "bf16"]
    wp.classify(NOISE, "demo")
    assert ("mlas.enable_gemm_fastmath_arm64_bfloat16", "1") not in told
    (note,) = [note for note in wp.classify(NOISE, "demo", precision="bf16").attrs["notes"] if "test images" in note]
    assert "bf16 on the processor" in note
    assert ("mlas.enable_gemm_fastmath_arm64_bfloat16", "1") in told


def test_an_optimised_network_is_for_the_processor_only(runtime: Runtime) -> None:
    from napari_webipred import optimising

    wp.open_model("demo").predict(np.zeros((1, 224, 224, 3)))
    optimising.optimise_all()
    model = wp.open_model("demo")
    assert model.session(1).optimised is not None
    assert model.session(1, CUDA).optimised is None
    assert model.session(1, CUDA) is model.session(2, CUDA), "a device has one session"
