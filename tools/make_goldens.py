"""Make tests/goldens/layers.json: small models, inputs, and what TensorFlow.js computes from them.

    npm install --prefix FOLDER @tensorflow/tfjs@4.22.0
    python tools/make_goldens.py FOLDER

Needs Node 18 or newer. Weights and inputs follow from a formula, so every run gives the same file.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import tempfile
import zlib
from pathlib import Path
from typing import Any

GOLDENS = Path(__file__).parents[1] / "tests" / "goldens" / "layers.json"

Tensor = dict[str, Any]
Layer = dict[str, Any]


def tensor(shape: list[int], seed: str, low: float = -1.0, high: float = 1.0) -> Tensor:
    """Return whole 128ths between two bounds, scattered by a hash."""
    steps = round((high - low) * 128)
    values = [low + zlib.crc32(f"{seed}{i}".encode()) % (steps + 1) / 128 for i in range(math.prod(shape))]
    return {"shape": shape, "values": values}


def layer(class_name: str, name: str, *inbound: str, **config: Any) -> Layer:
    """Describe a layer, with calls on other layers if it stands in a functional model."""
    described: Layer = {"class_name": class_name, "config": {"name": name, **config}}
    if inbound:
        described |= {"name": name, "inbound_nodes": [[[other, 0, 0, {}] for other in inbound]]}
    return described


def image(height: int, width: int, channels: int) -> Layer:
    """Describe the input of a functional model."""
    return {**layer("InputLayer", "image", batch_input_shape=[None, height, width, channels]), "name": "image"} | {
        "inbound_nodes": []
    }


def functional(name: str, layers: list[Layer], output: str) -> Layer:
    """Describe a functional model."""
    ends = {"input_layers": [["image", 0, 0]], "output_layers": [[output, 0, 0]]}
    return {"class_name": "Functional", "config": {"name": name, "layers": layers, **ends}}


def sequential(layers: list[Layer], name: str = "model") -> Layer:
    """Describe a sequential model."""
    return {"class_name": "Sequential", "config": {"name": name, "layers": layers}}


def single(layer: Layer, shape: tuple[int, int, int], weights: dict[str, list[int]], **bounds: Any) -> dict[str, Any]:
    """Describe a case: an input and one layer after it."""
    return case(
        sequential([image(*shape), layer]), shape, {f"it/{role}": size for role, size in weights.items()}, **bounds
    )


def case(
    topology: Layer, shape: tuple[int, int, int], weights: dict[str, list[int]], low: float = -2.0, high: float = 2.0
) -> dict[str, Any]:
    """Describe a case: a model, its weights and two images."""
    values = {
        name: tensor(size, name, *((0.25, 2.0) if name.endswith("variance") else ())) for name, size in weights.items()
    }
    return {"topology": topology, "weights": values, "input": tensor([2, *shape], "image", low, high)}


def convolutions() -> dict[str, Any]:
    cases = {}
    for padding in ("valid", "same"):
        for size in ((7, 6), (8, 9)):
            for kernel, strides, dilation in (
                ([3, 2], [1, 1], 1),
                ([3, 3], [2, 2], 1),
                ([4, 1], [3, 2], 1),
                ([2, 3], [1, 1], 2),
            ):
                made = layer(
                    "Conv2D",
                    "it",
                    filters=3,
                    kernel_size=kernel,
                    strides=strides,
                    dilation_rate=[dilation] * 2,
                    padding=padding,
                )
                shape = (*size, 2)
                cases[f"Conv2D {padding} {size} kernel {kernel} strides {strides} dilation {dilation}"] = single(
                    made, shape, {"kernel": [*kernel, 2, 3], "bias": [3]}
                )
    conv = {"filters": 3, "kernel_size": [3, 3]}
    cases["Conv2D with activation, without bias"] = single(
        layer("Conv2D", "it", **conv, activation="relu6", use_bias=False), (6, 5, 2), {"kernel": [3, 3, 2, 3]}
    )
    cases["Conv2D channels first"] = single(
        layer("Conv2D", "it", **conv, padding="same", data_format="channels_first"),
        (2, 6, 5),
        {"kernel": [3, 3, 2, 3], "bias": [3]},
    )
    for padding, strides in (("valid", 1), ("same", 2)):
        cases[f"DepthwiseConv2D {padding} {strides}"] = single(
            layer(
                "DepthwiseConv2D",
                "it",
                kernel_size=[3, 2],
                strides=[strides] * 2,
                depth_multiplier=2,
                padding=padding,
                activation="tanh",
            ),
            (6, 7, 3),
            {"depthwise_kernel": [3, 2, 3, 2], "bias": [6]},
        )
        cases[f"SeparableConv2D {padding} {strides}"] = single(
            layer(
                "SeparableConv2D",
                "it",
                filters=4,
                kernel_size=[3, 3],
                strides=[strides] * 2,
                depth_multiplier=2,
                padding=padding,
                activation="relu",
            ),
            (6, 7, 3),
            {"depthwise_kernel": [3, 3, 3, 2], "pointwise_kernel": [1, 1, 6, 4], "bias": [4]},
        )
    for padding in ("valid", "same"):
        for kernel in (1, 2, 3, 4):
            for strides in (1, 2, 3):
                if padding == "valid" and kernel < strides:
                    continue  # TensorFlow.js makes no room for the gap there, Keras does
                cases[f"Conv2DTranspose {padding} kernel {kernel} strides {strides}"] = single(
                    layer(
                        "Conv2DTranspose",
                        "it",
                        filters=2,
                        kernel_size=[kernel] * 2,
                        strides=[strides] * 2,
                        padding=padding,
                    ),
                    (3, 4, 2),
                    {"kernel": [kernel, kernel, 2, 2], "bias": [2]},
                )
    return cases


def poolings() -> dict[str, Any]:
    cases = {}
    for class_name in ("MaxPooling2D", "AveragePooling2D"):
        for padding in ("valid", "same"):
            for size in ((7, 6), (8, 5)):
                for pool, strides in (([3, 3], [2, 2]), ([2, 3], [1, 3]), ([2, 2], None)):
                    made = layer(class_name, "it", pool_size=pool, strides=strides, padding=padding)
                    # Negative values show what counts outside of the image.
                    cases[f"{class_name} {padding} {size} pool {pool} strides {strides}"] = single(
                        made, (*size, 2), {}, low=-3.0, high=-1.0
                    )
    for class_name in ("GlobalAveragePooling2D", "GlobalMaxPooling2D"):
        for order in ("channels_last", "channels_first"):
            cases[f"{class_name} {order}"] = single(layer(class_name, "it", data_format=order), (3, 4, 5), {})
    cases["ZeroPadding2D before MaxPooling2D, all negative"] = case(
        sequential(
            [
                image(6, 6, 2),
                layer("ZeroPadding2D", "pad", padding=[[1, 1], [1, 1]]),
                layer("MaxPooling2D", "pool", pool_size=[3, 3], strides=[2, 2]),
                layer("GlobalAveragePooling2D", "mean"),
            ]
        ),
        (6, 6, 2),
        {},
        low=-3.0,
        high=-1.0,
    )
    return cases


def normalisations() -> dict[str, Any]:
    cases = {}
    roles = ["gamma", "beta", "moving_mean", "moving_variance"]
    for axis in (-1, 3, [3]):  # on other axes TensorFlow.js differs from Keras
        cases[f"BatchNormalization axis {axis}"] = single(
            layer("BatchNormalization", "it", axis=axis, epsilon=1.001e-5), (3, 5, 4), {role: [4] for role in roles}
        )
    for scale, center in ((True, False), (False, True), (False, False)):
        kept = [role for role in roles if (role != "gamma" or scale) and (role != "beta" or center)]
        cases[f"BatchNormalization scale {scale} center {center}"] = single(
            layer("BatchNormalization", "it", scale=scale, center=center), (3, 5, 4), {role: [4] for role in kept}
        )
    conv = layer("Conv2D", "conv", filters=4, kernel_size=[2, 2], use_bias=False)
    cases["Conv2D, then BatchNormalization"] = case(
        sequential([image(4, 5, 2), conv, layer("BatchNormalization", "bn")]),
        (4, 5, 2),
        {"conv/kernel": [2, 2, 2, 4], **{f"bn/{role}": [4] for role in roles}},
    )
    cases["Dense, then BatchNormalization"] = case(
        sequential([image(2, 2, 2), layer("Flatten", "flat"), layer("BatchNormalization", "bn")]),
        (2, 2, 2),
        {f"bn/{role}": [8] for role in roles},
    )
    cases["LayerNormalization"] = single(
        layer("LayerNormalization", "it", axis=-1, epsilon=1e-3), (3, 2, 5), {"gamma": [5], "beta": [5]}
    )
    cases["Conv2D, then LayerNormalization"] = case(
        sequential([image(4, 5, 2), conv, layer("LayerNormalization", "ln", axis=[3], center=False)]),
        (4, 5, 2),
        {"conv/kernel": [2, 2, 2, 4], "ln/gamma": [4]},
    )
    cases["Rescaling"] = single(layer("Rescaling", "it", scale=0.125, offset=-1), (3, 2, 3), {})
    return cases


def activations() -> dict[str, Any]:
    cases = {}
    names = ["linear", "relu", "relu6", "sigmoid", "tanh", "elu", "selu", "softplus", "softsign"]
    names += ["hard_sigmoid", "softmax", "swish", "mish", "gelu"]
    for name in names:
        cases[f"Activation {name}"] = single(
            layer("Activation", "it", activation=name), (2, 3, 4), {}, low=-8.0, high=8.0
        )
    conv = layer("Conv2D", "conv", filters=3, kernel_size=[1, 1], use_bias=False)
    for made in (
        layer("Activation", "it", activation="softmax"),
        layer("Softmax", "it", axis=-1),
        layer("ReLU", "it", max_value=1.5),
        layer("ReLU", "it"),
        layer("LeakyReLU", "it", alpha=0.25),
        layer("ELU", "it", alpha=1),
        layer("ThresholdedReLU", "it", theta=0.5),
        layer("PReLU", "it", shared_axes=[1]),
        layer("PReLU", "it"),
    ):
        slope = {"[1]": [1, 3, 3], "None": [2, 3, 3]}[str(made["config"].get("shared_axes"))]
        cases[f"Conv2D, then {made['class_name']} {made['config']}"] = case(
            sequential([image(2, 3, 2), conv, made]),
            (2, 3, 2),
            {"conv/kernel": [1, 1, 2, 3]} | ({"it/alpha": slope} if made["class_name"] == "PReLU" else {}),
        )
    return cases


def shapes() -> dict[str, Any]:
    cases = {}
    conv = layer("Conv2D", "conv", filters=3, kernel_size=[2, 2], use_bias=False)
    singles = {
        "ZeroPadding2D": layer("ZeroPadding2D", "it", padding=[[1, 0], [2, 3]]),
        "ZeroPadding2D, two numbers": layer("ZeroPadding2D", "it", padding=[1, 2]),
        "Cropping2D": layer("Cropping2D", "it", cropping=[[1, 0], [0, 2]]),
        "Flatten": layer("Flatten", "it"),
        "Reshape": layer("Reshape", "it", target_shape=[6, -1]),
        "Permute": layer("Permute", "it", dims=[3, 1, 2]),
        "UpSampling2D": layer("UpSampling2D", "it", size=[2, 3]),
        "Dropout": layer("Dropout", "it", rate=0.5),
        "SpatialDropout2D": layer("GaussianNoise", "it", stddev=0.5),
    }
    for name, made in singles.items():
        cases[f"Conv2D, then {name}"] = case(
            sequential([image(4, 5, 2), conv, made]), (4, 5, 2), {"conv/kernel": [2, 2, 2, 3]}
        )
    cases["Flatten channels first"] = single(layer("Flatten", "it", data_format="channels_first"), (2, 3, 4), {})
    cases["Dense"] = case(
        sequential([image(2, 2, 2), layer("Flatten", "flat"), layer("Dense", "dense", units=3, activation="softmax")]),
        (2, 2, 2),
        {"dense/kernel": [8, 3], "dense/bias": [3]},
    )
    for bias in (True, False):
        cases[f"Conv2D, then Dense on images, bias {bias}"] = case(
            sequential([image(4, 5, 2), conv, layer("Dense", "dense", units=4, use_bias=bias)]),
            (4, 5, 2),
            {"conv/kernel": [2, 2, 2, 3], "dense/kernel": [3, 4]} | ({"dense/bias": [4]} if bias else {}),
        )
    return cases


def merges() -> dict[str, Any]:
    cases = {}
    shape = (4, 5, 2)
    left = layer("Conv2D", "left", "image", filters=3, kernel_size=[2, 2], use_bias=False)
    right = layer("Conv2D", "right", "image", filters=3, kernel_size=[2, 2], use_bias=False)
    pooled = layer("GlobalAveragePooling2D", "pooled", "right")
    gate = layer("Reshape", "gate", "pooled", target_shape=[1, 1, 3])
    weights = {"left/kernel": [2, 2, 2, 3], "right/kernel": [2, 2, 2, 3]}
    for class_name in ("Add", "Multiply", "Average", "Maximum", "Minimum"):
        merged = layer(class_name, "it", "left", "right")
        cases[class_name] = case(functional("model", [image(*shape), left, right, merged], "it"), shape, weights)
    for axis in (-1, 1, 2, 3):
        merged = layer("Concatenate", "it", "left", "right", axis=axis)
        cases[f"Concatenate axis {axis}"] = case(
            functional("model", [image(*shape), left, right, merged], "it"), shape, weights
        )
    merged = layer("Multiply", "it", "left", "gate")
    layers = [image(*shape), left, right, pooled, gate, merged]
    cases["Multiply with one value for each channel"] = case(functional("model", layers, "it"), shape, weights)
    shared = layer("Conv2D", "left", "image", filters=2, kernel_size=[3, 3], padding="same")
    shared["inbound_nodes"].append([["left", 0, 0, {}]])
    merged = layer("Add", "it", "left", "left")
    merged["inbound_nodes"][0][1][1] = 1
    cases["a layer that is called twice"] = case(
        functional("model", [image(*shape), shared, merged], "it"),
        shape,
        {"left/kernel": [3, 3, 2, 2], "left/bias": [2]},
    )
    return cases


def structures() -> dict[str, Any]:
    shape = (4, 5, 2)
    conv = layer("Conv2D", "conv", "image", filters=3, kernel_size=[2, 2])
    inner = functional("inner", [image(*shape), conv, layer("ReLU", "relu", "conv")], "relu")
    head = sequential(
        [layer("Flatten", "flat", batch_input_shape=[None, 3, 4, 3]), layer("Dense", "dense", units=2)], "head"
    )
    weights = {"conv/kernel": [2, 2, 2, 3], "conv/bias": [3], "dense/kernel": [36, 2], "dense/bias": [2]}
    named = {**inner, "name": "inner", "inbound_nodes": [[["image", 0, 0, {}]]]}
    outer = functional("model", [image(*shape), named, layer("GlobalMaxPooling2D", "max", "inner")], "max")
    outer["config"]["layers"][2]["inbound_nodes"] = [[["inner", 1, 0, {}]]]
    two = functional("model", [image(*shape), conv, layer("GlobalMaxPooling2D", "max", "conv")], "max")
    two["config"]["output_layers"] = [["conv", 0, 0], ["max", 0, 0]]
    return {
        "Sequential of models": case(sequential([sequential([inner], "outer"), head]), shape, weights),
        "a model as a layer": case(outer, shape, {key: weights[key] for key in ("conv/kernel", "conv/bias")}),
        "two outputs": case(two, shape, {key: weights[key] for key in ("conv/kernel", "conv/bias")}),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="where @tensorflow/tfjs 4.22 is installed")
    folder: Path = parser.parse_args().folder
    families = (convolutions, poolings, normalisations, activations, shapes, merges, structures)
    cases = {name: described for family in families for name, described in family().items()}
    with tempfile.TemporaryDirectory() as scratch:
        given, made = Path(scratch, "cases.json"), Path(scratch, "outputs.json")
        given.write_text(json.dumps(cases), encoding="utf-8")
        subprocess.run(["node", Path(__file__).with_suffix(".mjs"), folder, given, made], check=True)
        outputs = json.loads(made.read_text(encoding="utf-8"))
    for name, described in cases.items():
        outputs[name]["values"] = [float(f"{value:.7g}") for value in outputs[name]["values"]]
        described["output"] = outputs[name]
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(described)}" for name, described in cases.items())
    GOLDENS.write_text("{\n" + lines + "\n}\n", encoding="utf-8")
    print(f"{len(cases)} cases, {GOLDENS.stat().st_size} bytes in {GOLDENS}")


if __name__ == "__main__":
    main()
