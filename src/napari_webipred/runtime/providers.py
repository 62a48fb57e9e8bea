"""What of ONNX Runtime computes on a device, and whether it is there."""

from __future__ import annotations

import platform
import sys
from typing import Any

from napari_webipred.errors import OptionError
from napari_webipred.hardware import PROVIDERS, WORDS, Device, Hardware, Precision
from napari_webipred.runtime.processor import flags

PROVIDER = PROVIDERS["cpu"]
# By default, CUDA multiplies numbers of 19 bits.
_OPTIONS: dict[Device, dict[str, str]] = {"cuda": {"use_tf32": "0"}, "coreml": {"ModelFormat": "MLProgram"}}
_HINTS: dict[Device, str] = {
    "cuda": "Install onnxruntime-gpu in the place of onnxruntime, on a computer with an NVIDIA graphics card",
    "directml": "Install onnxruntime-directml in the place of onnxruntime, under Windows",
    "coreml": "Use a Mac",
}
# The only multiplication of ONNX Runtime in bf16 outside graphics cards.
BF16 = {"mlas.enable_gemm_fastmath_arm64_bfloat16": "1"}


def available_devices() -> list[Device]:
    """Return the devices that the installed ONNX Runtime can use, the processor first."""
    import onnxruntime

    there = set(onnxruntime.get_available_providers())
    found: list[Device] = [device for device, provider in PROVIDERS.items() if provider in there]
    return [*found, "auto"] if len(found) > 1 else found


def available_precisions() -> list[Precision]:
    """Return the precisions in which ONNX Runtime can compute on this processor."""
    return ["float32", "bf16"] if _has_bf16() else ["float32"]


def _has_bf16() -> bool:
    return sys.platform == "linux" and platform.machine() == "aarch64" and "bf16" in flags()


def chosen(hardware: Hardware) -> Hardware:
    """Return what is meant by a choice here: ``"auto"`` becomes a device.

    Raises
    ------
    OptionError
        It cannot be used here.
    """
    devices, device = available_devices(), hardware.device
    if device == "auto":
        graphics = [each for each in devices if each not in ("cpu", "auto")]
        device = graphics[0] if graphics and hardware.precision == "float32" else "cpu"
    if device not in devices:
        raise OptionError(
            f"The installed ONNX Runtime cannot use {WORDS[device]}.",
            f"{_HINTS[device]}; or choose the device cpu.",
        )
    if hardware.precision == "bf16" and device != "cpu":
        raise OptionError(
            f"bf16 is not possible on {WORDS[device]}.", "Choose the precision float32, or the device cpu."
        )
    if hardware.precision == "bf16" and not _has_bf16():
        raise OptionError(
            "bf16 is not possible on this processor: ONNX Runtime computes so only under Linux, on ARM processors with "
            "instructions for it.",
            "Choose the precision float32.",
        )
    return Hardware(hardware.precision, device)


def providers(hardware: Hardware) -> list[tuple[str, dict[str, Any]]]:
    """Return what ONNX Runtime is told to use; the processor does what a device cannot do."""
    wanted: list[Device] = ["cpu"] if hardware.device == "cpu" else [hardware.device, "cpu"]
    return [(PROVIDERS[device], dict(_OPTIONS.get(device, {}))) for device in wanted]
