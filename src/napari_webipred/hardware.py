"""On which device a network is computed, and how precisely."""

from __future__ import annotations

from typing import Literal, get_args

from msgspec import Struct

from napari_webipred.errors import OptionError

Precision = Literal["float32", "bf16"]
Device = Literal["auto", "cpu", "cuda", "directml", "coreml"]

WORDS: dict[Device, str] = {
    "auto": "the graphics card if one can be used",
    "cpu": "the processor",
    "cuda": "the graphics card (CUDA)",
    "directml": "the graphics card (DirectML)",
    "coreml": "Apple's Core ML",
}
# What computes on them, as ONNX Runtime calls it.
PROVIDERS: dict[Device, str] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
}


class Hardware(Struct, frozen=True):
    """What computes a network. Everything but float32 on the processor gives other numbers.

    Attributes
    ----------
    precision : "float32" or "bf16"
        Numbers with 32 bits, or products of numbers with 16.
    device : "cpu", "cuda", "directml", "coreml" or "auto"
        The processor; a graphics card; or a graphics card if one can be used, else the processor.

    Raises
    ------
    OptionError
        There is no such precision or device.
    """

    precision: Precision = "float32"
    device: Device = "cpu"

    def __post_init__(self) -> None:
        if self.precision not in get_args(Precision):
            raise OptionError(
                f"There is no precision {self.precision!r}.", f"Choose one of {', '.join(get_args(Precision))}."
            )
        if self.device not in get_args(Device):
            raise OptionError(f"There is no device {self.device!r}.", f"Choose one of {', '.join(get_args(Device))}.")

    @property
    def words(self) -> str:
        """Name it within a sentence."""
        return f"{self.precision} on {WORDS[self.device]}"


USUAL = Hardware()
