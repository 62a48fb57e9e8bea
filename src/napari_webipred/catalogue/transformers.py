"""How images are prepared for models on Hugging Face, told by the settings of transformers and timm."""

from __future__ import annotations

import math
from typing import Any

from napari_webipred.card import Input, PartialCard, Preprocessing, Provenance

_FILTERS: dict[int | None, str] = {0: "nearest", 1: "Lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "Hamming"}
_NOTHING_DONE = {"do_resize", "do_rescale", "do_normalize", "do_center_crop", "do_convert_rgb", "do_flip_channel_order"}


def describe(preprocessor: dict[str, Any] | None, config: dict[str, Any]) -> PartialCard:
    """Express the settings of an image processor in the words of a card.

    Pixel values are scaled exactly as the settings say, or not at all: then the user is asked. Resizing by Pillow,
    which the settings mean, and ours give slightly different pixels; this and all else that is not the same is noted.

    Parameters
    ----------
    preprocessor : dict or None
        Content of ``preprocessor_config.json`` of a transformers model, if there is one.
    config : dict
        Content of ``config.json``; for models of timm, ``pretrained_cfg`` in it is looked at.

    Returns
    -------
    PartialCard
        ``preprocessing`` is None if the scale of the pixel values is not said, or cannot be expressed; ``input`` as far
        as its size is said; ``provenance.assumed`` says what was assumed.
    """
    timm = config.get("pretrained_cfg")
    steps: Preprocessing | None = None
    size: Input | None = None
    notes: list[str] = []
    if preprocessor is not None:
        steps, size, notes = _of_transformers(preprocessor, str(config.get("model_type")))
    elif isinstance(timm, dict):
        steps, size, notes = _of_timm(timm)
    return PartialCard(preprocessing=steps, input=size, provenance=Provenance(assumed=tuple(notes)))


def _of_transformers(settings: dict[str, Any], model_type: str) -> tuple[Preprocessing | None, Input | None, list[str]]:
    notes: list[str] = []
    resize, size, geometry = _geometry(settings, model_type)
    if geometry:
        notes.append(geometry)
    elif settings.get("do_resize") is not False:
        notes.append(_resampling(_FILTERS.get(_whole(settings.get("resample")))))
    flipped = settings.get("do_flip_channel_order") is True
    wanted = Input(width=size[0], height=size[1], channel_order="BGR" if flipped else "RGB") if size else None
    scale = _scale(settings, notes)
    if flipped and wanted is None:
        notes.append("preprocessor_config.json asks for BGR channels, but gives no size.")
        scale = None
    if scale is None:
        return None, wanted, notes
    return Preprocessing.model_validate({**scale, **resize}), wanted, notes


def _resampling(name: str | None) -> str:
    return (
        f"Images were resized with {name + ' interpolation of ' if name else ''}Pillow, with antialiasing. "
        "Here images are resized without antialiasing, so results differ slightly."
    )


def _scale(settings: dict[str, Any], notes: list[str]) -> dict[str, Any] | None:
    """Return the standardising as values of `Preprocessing`; None, and a note, if that cannot be."""
    strange = [key for key, value in settings.items() if key.startswith("do_") and value and key not in _NOTHING_DONE]
    strange += [key for key in ("rescale_offset", "include_top") if settings.get(key)]
    if strange:
        notes.append(f"preprocessor_config.json asks for {', '.join(strange)[:200]}, which is not supported.")
        return None
    mean, std = _numbers(settings.get("image_mean")), _numbers(settings.get("image_std"))
    normalise = settings.get("do_normalize", True if mean and std else None)
    if normalise is None or (normalise and (mean is None or std is None or min(std) <= 0)):
        notes.append("preprocessor_config.json does not give the mean and standard deviation of pixel values.")
        return None
    rescale = settings.get("do_rescale")
    factor = _number(settings.get("rescale_factor", 1 / 255))
    if factor is None or not factor:
        notes.append("preprocessor_config.json has no valid rescale_factor.")
        return None
    if rescale is None:
        rescale = True
        notes.append(
            "preprocessor_config.json does not say whether pixel values are rescaled. They are multiplied "
            "by 1/255, as usual."
        )
    if not rescale and not normalise:
        return {"standardize_mode": "none"}
    return {
        "standardize_mode": "custom",
        "rescale": factor if rescale else None,
        "mean": mean if normalise else None,
        "std": std if normalise else None,
    }


_Geometry = tuple[dict[str, Any], tuple[int, int] | None, str]


def _geometry(settings: dict[str, Any], model_type: str) -> _Geometry:
    """Return how images come to size: values of `Preprocessing`, (width, height), and a note if that is assumed."""
    kind = str(settings.get("image_processor_type") or settings.get("feature_extractor_type") or model_type).lower()
    # To these a size of one number is a square, to most others the length of the shorter side.
    square = kind.startswith(("vit", "deit", "beit")) and "hybrid" not in kind
    size, short = settings.get("size"), _edge(settings.get("size"))
    crop = _pair(settings.get("crop_size")) if settings.get("do_center_crop") else None
    whole = _pair(size)
    if settings.get("do_resize") is False:
        if not crop:
            return {"resize_mode": "none"}, whole, ""
    elif "convnext" in kind or ("crop_pct" in settings and not settings.get("do_center_crop")):
        edge = short or _whole(size)
        part = _number(settings.get("crop_pct") or 224 / 256)
        if edge and part and 0.1 <= part <= 1:
            # From 384 pixels on, ConvNeXT's processor stretches instead.
            steps = {"resize_mode": "center-crop", "crop_pct": edge / int(edge / part)} if edge < 384 else {}
            return steps, (edge, edge), ""
    elif crop and "crop_pct" not in settings:
        edge = short or (None if square else _whole(size))
        if edge and "levit" in kind:
            edge = int(edge * 256 / 224)
        if edge and crop[0] == crop[1] <= edge:
            return {"resize_mode": "center-crop", "crop_pct": crop[0] / edge}, crop, ""
    elif whole and not crop and (isinstance(size, dict) or square):
        return {}, whole, ""
    target = crop or whole or ((short, short) if short else None)
    return (
        {},
        target,
        "preprocessor_config.json does not say how images are resized, or in an unsupported way, so they "
        "are stretched.",
    )


def _of_timm(settings: dict[str, Any]) -> tuple[Preprocessing | None, Input | None, list[str]]:
    mean, std = _numbers(settings.get("mean")), _numbers(settings.get("std"))
    shape = settings.get("input_size")
    size = _pair(shape[1:]) if isinstance(shape, list) and len(shape) == 3 else None
    wanted = Input(width=size[0], height=size[1]) if size else None
    if not mean or not std or min(std) <= 0:
        return None, wanted, ["config.json does not give the mean and standard deviation of pixel values."]
    steps: dict[str, Any] = {"standardize_mode": "custom", "rescale": 1 / 255, "mean": mean, "std": std}
    notes = [_resampling(str(settings["interpolation"])[:20] if "interpolation" in settings else None)]
    part, mode = _number(settings.get("crop_pct", 0.875)), settings.get("crop_mode", "center")
    if mode == "center" and part and 0.1 <= part <= 1 and size and size[0] == size[1]:
        steps |= {"resize_mode": "center-crop", "crop_pct": size[0] / math.floor(size[0] / part)}
    elif mode != "squash" or part != 1:
        notes.append("config.json resizes images in an unsupported way, so they are stretched.")
    return Preprocessing.model_validate(steps), wanted, notes


def _edge(size: Any) -> int | None:
    return _whole(size.get("shortest_edge")) if isinstance(size, dict) and "longest_edge" not in size else None


def _pair(size: Any) -> tuple[int, int] | None:
    """Return (width, height) of a size given as one number, as (height, width), or by name."""
    if isinstance(size, dict):
        width, height = _whole(size.get("width")), _whole(size.get("height"))
    elif isinstance(size, list) and len(size) == 2:
        height, width = _whole(size[0]), _whole(size[1])
    else:
        width = height = _whole(size)
    return (width, height) if width and height else None


def _whole(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value <= 8192 else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


def _numbers(value: Any) -> list[float] | None:
    values = value if isinstance(value, list) else [value]
    numbers = [number for item in values[:5] if (number := _number(item)) is not None]
    return numbers if len(numbers) == len(values) and len(numbers) in {1, 3} else None
