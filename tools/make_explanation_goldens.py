"""Make tests/goldens/explanations.json: maps of classes by the automatic differentiation of Keras.

    pip install "napari-webipred[tensorflow]" tf-keras
    python tools/make_explanation_goldens.py

For one network of each family in tests/goldens/networks.zip, with larger images, so that the last features have some
places. Weights and images follow from a formula, so every run gives the same file.
"""

from __future__ import annotations

import json
import os
import sys
import zipfile
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from goldens import networks  # noqa: E402

GOLDENS = ROOT / "tests" / "goldens"
SIDE = 160  # pixels; a 32nd of it are five places
# Deeper ones of a kind, which take long to test, and one with parts that Keras builds for the stored size only.
LEFT_OUT = ("InceptionResNetV2", "NASNetMobile", "EfficientNetV2S", "ConvNeXtTiny")


def resized(value: Any) -> Any:
    """Return the topology of a network for images of the size `SIDE`."""
    if isinstance(value, list):
        return [resized(part) for part in value]
    if not isinstance(value, dict):
        return value
    # The sizes with which layers were built would stand against the new one.
    changed = {key: resized(part) for key, part in value.items() if key not in ("build_config", "build_input_shape")}
    for key in ("batch_input_shape", "batch_shape"):  # of Keras 2 and 3
        shape = changed.get(key)
        if shape and len(shape) == 4 and shape[3] == 3:
            changed[key] = [shape[0], SIDE, SIDE, 3]
    return changed


def maps(config: dict[str, Any], gain: float, low: float) -> dict[str, Any]:
    """Return what Keras computes of a network: logits, Grad-CAM without ReLU, and HiResCAM of all logits."""
    import tensorflow as tf
    import tf_keras as keras

    keras.backend.clear_session()
    custom = {
        "LayerScale": import_module("tf_keras.src.applications.convnext").LayerScale,
        "CustomScaleLayer": import_module("tf_keras.src.applications.inception_resnet_v2").CustomScaleLayer,
    }
    model = keras.models.model_from_json(json.dumps(config), custom)
    shapes = {v.name.removesuffix(":0"): [int(n) for n in v.shape] for v in model.weights}
    model.set_weights([networks.weight(name, shape, gain) for name, shape in shapes.items()])
    with_places = [
        layer.output
        for layer in model.layers
        if hasattr(layer.output, "shape") and len(layer.output.shape) == 4 and int(np.prod(layer.output.shape[1:3])) > 1
    ]
    both = keras.Model(model.input, [with_places[-1], model.output])
    levels = networks.images((1, SIDE, SIDE, 3), 0, 255).round()
    image = tf.constant(levels if low == 0 else levels / np.float32(127.5) - 1)
    with tf.GradientTape(persistent=True) as tape:
        features, logits = both(image, training=False)
        each = [logits[0, number] for number in range(logits.shape[1])]
    gradients = np.stack([tape.gradient(logit, features).numpy()[0] for logit in each]).astype(np.float64)
    tensor = features.numpy()[0].astype(np.float64)
    return {
        "tensor": with_places[-1].name,
        "shapes": shapes,
        "logits": _short(logits.numpy()[0]),
        "grad_cam": _short(np.einsum("nk,yxk->nyx", gradients.mean(axis=(1, 2)), tensor)),
        "hirescam": _short(np.einsum("nyxk,yxk->nyx", gradients, tensor)),
    }


def _short(values: NDArray[Any]) -> Any:
    if values.ndim:
        return [_short(part) for part in values]
    return float(f"{float(values):.6g}")


def main() -> None:
    found: dict[str, Any] = {}
    with zipfile.ZipFile(GOLDENS / "networks.zip") as archive:
        for name in archive.namelist():
            stored = json.loads(archive.read(name))
            if "of Keras 2" not in name or name.startswith(LEFT_OUT):  # Keras 3 has the same networks
                continue
            low = stored["pictures"][4]
            golden = maps(resized(stored["topology"]["model_config"]), stored["gain"], low)
            changed = {key: shape for key, shape in golden.pop("shapes").items() if shape != stored["shapes"][key]}
            found[name.removesuffix(".json")] = {
                "side": SIDE,
                "low": stored["pictures"][4],
                "shapes": changed,
                **golden,
            }
            print(name, golden["tensor"], np.shape(golden["hirescam"]), flush=True)
    text = json.dumps(found, separators=(",", ":")).replace('},"', '},\n"')
    (GOLDENS / "explanations.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
